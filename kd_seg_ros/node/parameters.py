"""The node's parameters: one table of names, types, defaults, limits and meanings.

:mod:`kd_seg_ros.node.parameter_declaration` declares them on a ROS node, and
:mod:`kd_seg_ros.node.parameter_names` judges the names that a user gives.
"""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from typing import Any, Final

from kd_seg_ros.common.encodings import FLOAT32, MONO8
from kd_seg_ros.common.picture import MAX_MEGAPIXELS, TURNS, DecodeOptions
from kd_seg_ros.common.picture_options import ALL, LEGENDS
from kd_seg_ros.inference.drivable import DEFAULT_CLASSES
from kd_seg_ros.inference.providers import PROVIDERS


def parameter(
    default: Any,
    description: str,
    *,
    choices: tuple[str, ...] | tuple[int, ...] = (),
    limits: tuple[float, float] | tuple[int, int] | None = None,
    live: bool = False,
    group: str = "",
    rules: bool = False,
) -> Any:
    """Describe one parameter of a node, as the default of a dataclass' field.

    :param default: also says the type: str, bool, int or float.
    :param description: what users read; it starts with a capital and ends with a full stop.
    :param choices: the values that are allowed; empty: all.
    :param limits: least and greatest number that is allowed.
    :param live: it may change while the node runs.
    :param group: what stands before the name, with a dot.
    :param rules: a threshold of confidence: a number within the limits, or a text that names rules of the
        model card (:mod:`kd_seg_ros.inference.named_thresholds`).
    """
    metadata = {
        "description": description,
        "choices": choices,
        "limits": limits,
        "live": live,
        "group": group,
        "rules": rules,
    }
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Parameters:
    """The values the node starts with. ``live`` ones may change while it runs, the others are read-only."""

    model: str = parameter(
        "", "Path of the ONNX model file. Empty: the demo student shipped with the package."
    )
    provider: str = parameter(
        "cuda",
        "Where the network runs. With cuda and tensorrt a GPU that is not there is an error at start; auto "
        "then takes the CPU and warns. openvino: an Intel processor, with its own build of ONNX Runtime. "
        "/diagnostics shows what is used.",
        choices=tuple(PROVIDERS),
    )
    cuda_graph: bool = parameter(
        True,
        "With provider cuda: record the GPU's work for one frame and replay it, which spares launching "
        "hundreds of kernels. Where a model file does not allow it, as one of open size, it is run without.",
    )
    batch: bool = parameter(
        False,
        "In one process of several cameras: let images that wait for the same network go through it "
        "together. The model file must be exported with --batch.",
    )
    batch_wait_ms: float = parameter(
        5.0,
        "With batch: milliseconds for which an image waits, at most, for those of the other cameras. 0.0: "
        "the network takes what is there as soon as it is free.",
        limits=(0.0, 1000.0),
    )
    threads: int = parameter(
        0,
        "Threads that compute on the CPU, on the cores that the process is allowed on. 0: one for each of "
        "these cores.",
        limits=(0, 1024),
    )
    max_model_memory_mb: int = parameter(
        0,
        "Memory in megabytes that the network may take on top of what the process has, whatever the model "
        "file asks for; beyond it opening or running the file fails. 0: on the CPU half of the machine's (or "
        "the container's), on a GPU all it has.",
        limits=(0, 10_000_000),
    )
    onnxruntime_telemetry: bool = parameter(
        False,
        "Let ONNX Runtime report usage data to Microsoft, which its wheels from 1.29 on do. The variable "
        "ORT_DISABLE_TELEMETRY=0 of the environment does the same.",
    )
    compressed: bool = parameter(
        False, "Subscribe to image/compressed (sensor_msgs/CompressedImage) instead of image."
    )
    reliability: str = parameter(
        "auto",
        "Reliability of the image subscription. auto: reliable if every publisher offers it, best effort "
        "otherwise, checked again as publishers come and go.",
        choices=("auto", "reliable", "best_effort"),
    )
    active: str = parameter(
        "auto",
        "auto: subscribe to the camera, and run the network, only while somebody listens to an output. "
        "always: run on every image.",
        choices=("auto", "always"),
    )
    wait_for_fresher_image: bool = parameter(
        True,
        "Where images come faster than the network takes them: let an image pass that has waited for more "
        "than half a camera period, if the next is due in less. The oldest results are fresher by about a "
        "fifth, and there are about a tenth fewer.",
    )
    confidence_encoding: str = parameter(
        MONO8,
        "Encoding of segmentation/confidence: mono8 is round(255 * probability), 32FC1 the probability.",
        choices=(MONO8, FLOAT32),
    )
    rotate: int = parameter(
        0,
        "Degrees by which each image is turned clockwise before it is segmented, for a camera mounted upside "
        "down or on its side. Mask, confidence and overlay are upright then, and the camera's camera_info, "
        "where there is one, is published to fit as segmentation/camera_info.",
        choices=TURNS,
    )
    white_level: int = parameter(
        0,
        "Value of 16-bit images (mono16, bayer_rggb16 and the like) that becomes 255: 1023, 4095 or 16383 of "
        "cameras of 10, 12 or 14 bits, 65535 where the bits are shifted to the top. 0: they are refused.",
        limits=(0, 65535),
    )
    max_image_megapixels: float = parameter(
        MAX_MEGAPIXELS,
        "Images of more pixels, in millions, are dropped and counted before memory is taken for them.",
        limits=(0.001, 1000.0),
    )
    damaged_frames: str = parameter(
        "reject",
        "What is done with a damaged or incomplete JPEG of which the decoder can make a picture, as of a "
        "lossy radio link. reject: it is dropped. use: it is segmented, grey or in wrong colours where the "
        "damage is. Both are counted.",
        choices=("reject", "use"),
    )
    output_scale: float = parameter(
        1.0,
        "Size of mask and confidence as a part of the image's, by nearest neighbour. Below 1.0 the camera's "
        "camera_info, where there is one, is published to fit as segmentation/camera_info.",
        limits=(0.01, 1.0),
    )
    min_confidence: float | str = parameter(
        0.0,
        "Pixels of a lower confidence get the ignore id in segmentation/mask (255 of the models made here). "
        "A rule that the model file was calibrated for, such as 'road@0.01', sets its threshold for the "
        "classes it concerns, as the parameter risk does.",
        limits=(0.0, 1.0),
        live=True,
        rules=True,
    )
    risk: str = parameter(
        "",
        "Rules that the mask must keep, separated by spaces or commas, such as 'road=0.01 person:miss=0.02': "
        "pixels below the thresholds that calibration found for them (kd_seg calibrate --risk) get the "
        "ignore id. The higher of these, min_confidence and the class' own threshold counts. Empty: none.",
        live=True,
    )
    drivable_classes: str = parameter(
        DEFAULT_CLASSES,
        "Classes that are 255 in segmentation/drivable, separated by spaces or commas, with underscores for "
        "spaces in their names. drivable: road. Empty: the topic is not offered.",
    )
    drivable_min_confidence: float | str = parameter(
        "",
        "Confidence below which they are 127 in segmentation/drivable, or rules such as 'drivable@0.01'. "
        "Empty: the strictest rule for these classes that the model file was calibrated for. The mask's "
        "thresholds count in any case.",
        limits=(0.0, 1.0),
        live=True,
        rules=True,
    )
    overlay: bool = parameter(
        True,
        "Offer segmentation/overlay, the classes' colours over the image; made only while subscribed.",
    )
    overlay_alpha: float = parameter(
        0.5, "Weight of the colours in the overlay: 0 shows the image alone.", limits=(0.0, 1.0), live=True
    )
    overlay_marks: bool = parameter(
        True,
        "Hatch, in the overlay, classes whose colours colour-blind readers confuse, such as person and "
        "vegetation. Which they are is computed from the model's palette.",
        live=True,
    )
    overlay_legend: str = parameter(
        ALL,
        "Names of the classes next to their colours, over the top of the overlay. all: every class of the "
        "model in a fixed place, dimmed if the image does not show it. present: only those that it shows. "
        "none: no legend.",
        choices=LEGENDS,
        live=True,
    )
    drift_window: float = parameter(
        30.0,
        "Seconds over which the expected accuracy is compared with that of the images of calibration.",
        limits=(1.0, 3600.0),
    )
    domain_window: float = parameter(
        5.0, "Seconds that images must be unlike calibration's to be reported.", limits=(0.1, 3600.0)
    )
    unknown_images: str = parameter(
        "warn",
        "Level of images unlike calibration's, by the file's domain distance.",
        choices=("warn", "error", "ignore"),
        group="diagnostics",
    )
    period_s: float = parameter(
        1.0, "Seconds between two messages on /diagnostics.", limits=(0.1, 3600.0), group="diagnostics"
    )
    max_processing_time_ms: float = parameter(
        0.0,
        "Warn if more than one frame in twenty takes longer than this from arrival to published. 0.0: never.",
        limits=(0.0, 1e6),
        live=True,
        group="diagnostics",
    )
    max_image_age_ms: float = parameter(
        0.0,
        "Warn if more than one frame in twenty is older than this, by its stamp, when its mask is published. "
        "0.0: never.",
        limits=(0.0, 1e6),
        live=True,
        group="diagnostics",
    )
    camera_fault_s: float = parameter(
        3.0,
        "Warn if the camera's images have been black, far too dark, white or without anything to be seen (a "
        "blocked lens) for so long. 0.0: never.",
        limits=(0.0, 3600.0),
        live=True,
        group="diagnostics",
    )
    frozen_camera_s: float = parameter(
        3.0,
        "Warn if the camera has sent the same image under new stamps for so long, as no camera does whose "
        "sensor works; a simulated one that stands still does. 0.0: never.",
        limits=(0.0, 3600.0),
        live=True,
        group="diagnostics",
    )
    no_image_timeout_s: float = parameter(
        5.0,
        "Report an error if no image has come for so long. 0.0: never.",
        limits=(0.0, 3600.0),
        live=True,
        group="diagnostics",
    )

    def decoding(self) -> DecodeOptions:
        """Return how images are decoded."""
        return DecodeOptions(
            self.max_image_megapixels, self.white_level, self.rotate, self.damaged_frames == "use"
        )

    def follows_camera_info(self) -> bool:
        """Return whether the maps differ from the image so that they need a calibration of their own."""
        return self.output_scale < 1 or self.rotate != 0


CLASS_GROUP: Final = "class_min_confidence"
"""Group of the thresholds of single classes."""

CLASS_THRESHOLD: Final[Field[Any]] = parameter(
    0.0,
    "Likewise for the pixels of this class alone; the higher of this and min_confidence counts.",
    limits=(0.0, 1.0),
    live=True,
)
"""Describes the threshold of any one class."""


def full_name(item: Field[Any]) -> str:
    """Return the name of a parameter with its group, as ROS knows it."""
    group = item.metadata["group"]
    return f"{group}.{item.name}" if group else item.name


def class_parameter(class_name: str) -> str:
    """Return the name of the parameter with a class' threshold; spaces become underscores."""
    return f"{CLASS_GROUP}.{class_name.replace(' ', '_')}"
