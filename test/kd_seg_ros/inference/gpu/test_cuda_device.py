"""The driver's calls, in a driver that keeps everything on the host."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import numpy as np
import onnxruntime as ort
import pytest
from fake_driver import FakeDriver, fake_code

from distill.benchmarks.one_convolution import Kind, card, model_file
from kd_seg_ros.inference.contract import OUTPUTS
from kd_seg_ros.inference.gpu import cuda_device
from kd_seg_ros.inference.gpu.check import difference
from kd_seg_ros.inference.gpu.cuda_device import CudaDevice, CudaError
from kd_seg_ros.inference.gpu.fused_binding import FusedBinding
from kd_seg_ros.inference.gpu.nvrtc import CompilationError
from kd_seg_ros.inference.gpu.parameters import NotFusedError
from kd_seg_ros.inference.gpu.split_file import SplitFile

KIND = Kind(size=(37, 53), scale=0.7, multiple=8)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDriver]:
    fake = FakeDriver()
    bindings = ModuleType("cuda.bindings")
    bindings.driver = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cuda.bindings", bindings)
    monkeypatch.setattr(cuda_device, "compile_kernels", fake_code)
    monkeypatch.setattr(CudaDevice, "name", "cpu")  # where ONNX Runtime makes the buffers
    yield fake
    assert not fake.registered
    assert not fake.allocated
    assert (fake.contexts, fake.streams, fake.modules) == (0, 0, 0)


def binding_on(device: CudaDevice) -> tuple[FusedBinding, SplitFile]:
    split = SplitFile.of_file(model_file(KIND))
    session = ort.InferenceSession(split.network, providers=["CPUExecutionProvider"])
    return FusedBinding(device, session, card(KIND)), split


@pytest.mark.parametrize("staged", [False, True])
def test_a_whole_frame_waits_once_and_leaves_nothing(
    driver: FakeDriver, staged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_device, "STAGED_FROM", 1000)
    device = CudaDevice(staged)
    assert device.stream == 4711
    binding, split = binding_on(device)
    assert not difference(binding, split, card(KIND))
    image = np.random.default_rng(0).integers(0, 256, (*KIND.size, 3), dtype=np.uint8)
    found = {name: np.empty(KIND.size, dtype) for name, dtype in OUTPUTS.items()}
    binding.run(image, False, found)
    binding.run(image, False, found)
    driver.calls.clear()
    binding.run(image, False, found)
    copies = cuda_device.STAGING_PIECES if staged else 1
    assert driver.calls == [
        "cuCtxSetCurrent",
        *(["cuStreamSynchronize"] if staged else []),
        *["cuMemcpyHtoDAsync"] * copies,
        *["cuLaunchKernel"] * 3,
        *["cuMemcpyDtoHAsync"] * 3,
        "cuStreamSynchronize",
    ]
    assert len(driver.registered) == 3
    assert bool(driver.allocated) == staged
    binding.close()
    binding.close()


def test_staging_memory_grows_with_the_image(driver: FakeDriver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_device, "STAGED_FROM", 1)
    device = CudaDevice(staged=True)
    for size in (1001, 10, 5003):
        source = np.random.default_rng(size).integers(0, 256, size, dtype=np.uint8)
        target = np.zeros_like(source)
        device.upload(target.ctypes.data, source)
        np.testing.assert_array_equal(target, source)
    assert len(driver.allocated) == 1
    device.close()


def test_where_locked_and_unlocked_memory_meet_nothing_is_locked_any_more(driver: FakeDriver) -> None:
    device = CudaDevice()
    source = np.arange(64, dtype=np.uint8)
    target = np.zeros_like(source)
    device.download(target, source.ctypes.data)
    device.download(target, source.ctypes.data)
    assert driver.registered
    original = driver._cuMemcpyDtoHAsync

    def refuses_locked_memory(*arguments: int) -> None:
        assert not driver.registered
        original(*arguments)

    driver.failing.add("cuMemcpyDtoHAsync")
    with pytest.raises(CudaError, match="cuMemcpyDtoHAsync: CUDA_ERROR_INVALID_VALUE"):
        device.download(target, source.ctypes.data)
    assert not driver.registered
    driver.failing.clear()
    driver._cuMemcpyDtoHAsync = refuses_locked_memory  # type: ignore[assignment, method-assign]
    target[:] = 0
    device.download(target, source.ctypes.data)
    device.download(target, source.ctypes.data)
    np.testing.assert_array_equal(target, source)
    device.close()


def test_what_fails_while_opening_is_a_reason_and_leaves_nothing(driver: FakeDriver) -> None:
    for name in ("cuInit", "cuDevicePrimaryCtxRetain", "cuStreamCreate"):
        driver.failing = {name}
        with pytest.raises(NotFusedError, match=f"driver cannot be used: {name}: CUDA_ERROR"):
            CudaDevice()
        assert driver.contexts == 0


def test_without_the_package_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(NotFusedError, match=r"cuda-bindings .*pip install"):
        CudaDevice()


def test_kernels_that_do_not_compile_are_a_reason(
    driver: FakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> bytes:
        raise CompilationError("kernels.cu(1): error: no")

    monkeypatch.setattr(cuda_device, "compile_kernels", fails)
    device = CudaDevice()
    with pytest.raises(NotFusedError, match=r"cannot be compiled: kernels\.cu\(1\)"):
        device.functions({})
    device.close()


def test_a_lost_gpu_is_closed_without_complaint(driver: FakeDriver) -> None:
    device = CudaDevice()
    driver.failing = {"cuCtxSetCurrent", "cuStreamSynchronize"}
    with pytest.raises(CudaError):
        device.synchronize()
    device.close()
