"""A segmentation network in an ONNX file as a teacher, run by ONNX Runtime.

The file must have one image input, float32 or float16 [batch, 3, H, W] (H and W fixed or free, the batch
free or 1: then images go one by one), and an output of rank 4 [batch, K, h, w] with logits, at any size.
Where there are several of rank 4, the one named ``logits`` is taken. An output that already holds
probabilities (≥ 0, summing to 1 at every pixel) is recognised when it is seen and its logarithm taken; those
of sigmoids, which do not sum to 1, are refused.

The network runs where the student's batch is: on CUDA through ONNX Runtime's CUDA provider, which must
really start, else on the CPU. The maps go through the host's memory in between.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from distill.common.class_mapping import map_classes
from distill.teachers.external import ExternalTeacher, InputSize, Normalisation, TeacherOptions
from kd_seg_ros.common.classes import CLASS_NAMES, NUM_CLASSES
from kd_seg_ros.common.errors import UserError, first_line
from kd_seg_ros.common.onnx_runtime import ort
from kd_seg_ros.inference.contract import CONFIDENCE, MASK, METADATA_KEY
from kd_seg_ros.inference.onnx_file import read_onnx_file
from kd_seg_ros.inference.session_start import session_options

DTYPES: dict[str, Any] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
"""NumPy's type for each of ONNX Runtime's names of a type that a teacher may take and return."""

LOGITS = "logits"
"""Name of the output that is taken where there are several."""

LEAST_PROBABILITY = 1e-30
"""Least probability whose logarithm is taken, where a file returns probabilities."""


def load_onnx(
    path: Path,
    student: Normalisation,
    options: TeacherOptions,
) -> ExternalTeacher:
    """Make a teacher from an ONNX file.

    :param student: normalisation of the images it will be given.
    :param options: mean and std are required. Class names may be left out where there are 19 classes, which
        are then taken for the Cityscapes classes in the order of their trainIds. Without a size the teacher
        sees images at the size that the file is fixed to, or else at the student's.
    :raises UserError: if the file is missing, damaged or not of that kind, or an option is missing.
    """
    session = _open_file(path)
    image = _image_input(path, session)
    class_names = options.class_names
    logits = _logits_output(path, session, len(class_names) if class_names else NUM_CLASSES)
    names = _class_names(path, logits.shape[1], class_names)
    if options.mean is None or options.std is None:
        raise UserError(
            f"{path}: an ONNX file does not say how its images are normalised: give teacher.mean and "
            "teacher.std, for RGB in 0…1"
        )
    by_order = "" if class_names else f"; its {NUM_CLASSES} classes taken for Cityscapes' in trainId order"
    return ExternalTeacher(
        OnnxScores(path, session, image, logits.name),
        map_classes(names, options.classes, str(path)),
        student=student,
        own=Normalisation.checked(options.mean, options.std, f"{path} (teacher.mean, teacher.std)"),
        size=_input_size(path, image.shape[2:], options.size),
        source=str(path),
        architecture=f"ONNX, output {logits.name!r}{by_order}",
    )


class OnnxScores(nn.Module):
    """The file's network: [B, 3, H, W] in, scores [B, K, h, w] out, on the device of the input.

    :param session: one on the CPU; it is replaced when the first batch comes from a GPU.
    """

    def __init__(self, path: Path, session: ort.InferenceSession, image: Any, output: str) -> None:
        super().__init__()
        self._path = path
        self._session = session
        self._device = torch.device("cpu")
        self._input = str(image.name)
        self._dtype = DTYPES[image.type]
        self._one_by_one = image.shape[0] == 1
        self._output = output

    def forward(self, image: Tensor) -> Tensor:
        """Return the scores, float32, for normalised images [B, 3, H, W]."""
        device = image.device if image.device.type == "cuda" else torch.device("cpu")
        if device != self._device:
            self._session = open_session(self._path, device)
            self._device = device
        pixels = image.cpu().numpy().astype(self._dtype)
        batches = [pixels[i : i + 1] for i in range(len(pixels))] if self._one_by_one else [pixels]
        try:
            maps = [self._session.run([self._output], {self._input: batch})[0] for batch in batches]
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            raise UserError(
                f"{self._path}: the teacher does not run on {list(image.shape)}: {first_line(error)}"
            ) from error
        scores = torch.from_numpy(np.concatenate(maps).astype(np.float32))
        if _are_of_a_sigmoid(scores):
            raise UserError(
                f"{self._path}: the teacher returns probabilities of a sigmoid (all values lie in 0…1 and do "
                "not sum to 1): export it without its sigmoid"
            )
        if _are_probabilities(scores):
            scores = scores.clamp(min=LEAST_PROBABILITY).log()
        return scores.to(image.device)


def open_session(path: Path, device: torch.device) -> ort.InferenceSession:
    """Start a session on a device, and on no other.

    :raises UserError: for a damaged file, or if ONNX Runtime's CUDA provider does not start.
    """
    if device.type != "cuda":
        return _open_file(path)
    wanted = "CUDAExecutionProvider"
    complaint = "it is not part of the installed package"
    if wanted in ort.get_available_providers():
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if hasattr(ort, "preload_dlls"):  # since ONNX Runtime 1.21: pip's CUDA and cuDNN
                ort.preload_dlls()
        try:
            session = _start(path, [(wanted, {"device_id": str(device.index or 0)})])
            if session.get_providers()[0] == wanted:
                return session
            complaint = printed.getvalue().partition("\n")[0] or "its libraries could not be loaded"
        except Exception as error:  # ONNX Runtime's exceptions share no narrower base
            complaint = first_line(error)
    raise UserError(
        f"{path}: {wanted} of ONNX Runtime {ort.__version__} did not start ({complaint}): the teacher runs "
        f"where the student does; install onnxruntime-gpu[cuda,cudnn]=={ort.__version__}, or train on the CPU"
    )


def _start(path: Path, providers: list[Any]) -> ort.InferenceSession:
    options = session_options()
    options.log_severity_level = 4  # fatal: whatever else there is to say is in the exceptions
    # enable_fallback=0 closes the retry on the CPU here, disable_fallback() the one while running. Single
    # nodes may run on the CPU: computing a free shape does so by design.
    session = ort.InferenceSession(
        read_onnx_file(path).content, options, providers=providers, enable_fallback=0
    )
    session.disable_fallback()
    return session


def _open_file(path: Path) -> ort.InferenceSession:
    if not path.is_file():
        raise UserError(f"teacher.onnx: {path} {'is not a file' if path.exists() else 'does not exist'}")
    try:
        return _start(path, ["CPUExecutionProvider"])
    except UserError:
        raise
    except Exception as error:  # ONNX Runtime's exceptions share no narrower base
        raise UserError(f"{path} is not a readable ONNX file: {first_line(error)}") from error


def _image_input(path: Path, session: ort.InferenceSession) -> Any:
    """Return the one input, checked to take images."""
    inputs = session.get_inputs()
    if METADATA_KEY in session.get_modelmeta().custom_metadata_map or {MASK, CONFIDENCE} <= {
        output.name for output in session.get_outputs()
    }:
        raise UserError(
            f"{path} is a vehicle's model file of this project and holds no logits: give the checkpoint it "
            "was exported from by teacher.checkpoint"
        )
    shape = inputs[0].shape if len(inputs) == 1 else []
    usable = len(shape) == 4 and inputs[0].type in DTYPES and (shape[1] == 3 or not isinstance(shape[1], int))
    if not usable or (isinstance(shape[0], int) and shape[0] != 1):
        found = ", ".join(f"{tensor.name} {tensor.type} {tensor.shape}" for tensor in inputs)
        raise UserError(
            f"{path}: its inputs are {found}; a teacher has one, float [batch, 3, height, width] with a "
            "free batch or one of 1"
        )
    return inputs[0]


def _logits_output(path: Path, session: ort.InferenceSession, count: int) -> Any:
    """Find the output with the logits: of rank 4, and of ``count`` channels where that decides."""
    outputs = [o for o in session.get_outputs() if len(o.shape or ()) == 4 and o.type in DTYPES]
    for choice in (
        [o for o in outputs if o.name == LOGITS],
        outputs,
        [o for o in outputs if o.shape[1] == count],
    ):
        if len(choice) == 1:
            return choice[0]
    found = ", ".join(f"{tensor.name} {tensor.type} {tensor.shape}" for tensor in session.get_outputs())
    raise UserError(
        f"{path}: no single output can be taken for logits, float [batch, classes, height, width]; name it "
        f"{LOGITS!r}; there are {found}"
    )


def _class_names(path: Path, channels: int | str | None, given: Sequence[str] | None) -> Sequence[str]:
    """Return the names of the teacher's classes, in the order of the output's channels."""
    if channels == 1:
        raise UserError(
            f"{path}: its output has one channel, the head of a single class; export two channels instead, "
            "torch.cat([torch.zeros_like(z), z], 1), and name two classes, the first one for all the rest"
        )
    if given is None:
        if channels == NUM_CLASSES:
            return CLASS_NAMES
        found = channels if isinstance(channels, int) else "an unstated number of"
        raise UserError(
            f"{path}: its output has {found} channels: name the classes, in order, with teacher.class_names"
        )
    if isinstance(channels, int) and channels != len(given):
        raise UserError(f"teacher.class_names: {len(given)} names for the {channels} channels of {path}")
    return given


def _input_size(path: Path, sides: Sequence[int | str | None], size: tuple[int, int] | None) -> InputSize:
    """Return the user's size where the file leaves it free, or else the file's."""
    height = sides[0] if isinstance(sides[0], int) else None
    width = sides[1] if isinstance(sides[1], int) else None
    if size is None:
        if (height is None) != (width is None):
            raise UserError(f"{path} fixes only one side of its images: give teacher.size")
        return InputSize((height, width) if height and width else None)
    if (height or size[0], width or size[1]) != size:
        raise UserError(f"teacher.size {list(size)} does not fit {path}, which takes images of {list(sides)}")
    return InputSize(size)


def _are_of_a_sigmoid(scores: Tensor) -> bool:
    """Return whether scores [B, K, h, w] lie in 0…1, are not all equal, and do not sum to 1 per pixel."""
    within = bool((scores >= 0).all()) and bool((scores <= 1).all())
    return within and bool(scores.min() < scores.max()) and not _are_probabilities(scores)


def _are_probabilities(scores: Tensor) -> bool:
    """Return whether scores [B, K, h, w] are ≥ 0 and sum to 1 at every pixel, up to half precision."""
    return bool((scores >= 0).all()) and bool(((scores.sum(dim=1) - 1).abs() < 1e-2).all())
