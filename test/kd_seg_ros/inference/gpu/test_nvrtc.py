"""The kernels compiled for GPUs by NVIDIA's compiler, which needs no GPU."""

from __future__ import annotations

import pytest

from kd_seg_ros.inference.gpu.nvrtc import CompilationError, compile_kernels, kernel_source

MACROS = {
    "CLASSES": 19,
    "IMAGE_ROW_TAPS": 1,
    "IMAGE_COLUMN_TAPS": 2,
    "ROW_TAPS": 2,
    "COLUMN_TAPS": 3,
    "IMAGE_HALF": 1,
    "LOGITS_HALF": 1,
    "ADAPTIVE": 0,
}


@pytest.fixture(autouse=True)
def _compiler() -> None:
    """Skip where the package or the library is not installed."""
    nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="cuda-bindings is not installed")
    try:
        nvrtc.nvrtcVersion()
    except RuntimeError as error:
        pytest.skip(f"NVRTC cannot be loaded: {error}")


@pytest.mark.parametrize("more", [{}, {"CLASSES": 255, "LOGITS_HALF": 0, "IMAGE_HALF": 0}, {"ADAPTIVE": 1}])
def test_machine_code_for_the_gpu_at_hand_and_ptx_for_a_newer_one(more: dict[str, int]) -> None:
    code = compile_kernels(MACROS | more, 90)
    assert code.startswith(b"\x7fELF")
    for name in (b"prepare_image", b"best_logit", b"answer"):
        assert name in code
    ptx = compile_kernels(MACROS | more, 999)
    assert b".visible .entry answer" in ptx
    assert ptx.endswith(b"\0")


def test_the_same_kernels_are_compiled_once() -> None:
    assert compile_kernels(MACROS, 80) is compile_kernels(dict(reversed(MACROS.items())), 80)


def test_an_error_is_the_compilers_own_line() -> None:
    with pytest.raises(CompilationError, match=r"kernels\.cu\(\d+\): error: .*IMAGE_ROW_TAPS"):
        compile_kernels({"CLASSES": 2, "IMAGE_HALF": 1, "LOGITS_HALF": 1}, 90)
    with pytest.raises(CompilationError, match="does not compile for GPUs of compute capability 2"):
        compile_kernels(MACROS, 20)


def test_the_source_needs_no_header() -> None:
    assert "#include" not in kernel_source()
