"""A teacher from outside this project: its class probabilities, in our classes and on the student's grid.

A network that somebody else trained has its own normalisation, input size and classes. With x the student's
batch (normalised by the student's mean μ and standard deviation σ, per channel) ::

    rgb = σ·x + μ                                      RGB, 0…1
    y   = (resize(rgb) − μ')/σ'                        bilinear with antialiasing; the teacher's own μ', σ'
    s   = network(y)                                   [B, K, h, w]; softmax over K gives its probabilities
    p_c = Σ_{k→c} exp s_k / Σ_{k→any of ours} exp s_k  our class c gets all of the teacher's classes k → c
    q   = resize(p) / Σ_c resize(p)                    on the student's grid; probabilities, not logits
    logits = log max(q, ε)                             ε = 1e-12

p is the softmax over all K classes with those that are none of ours dropped and the rest renormalised; taken
in one step it stays exact where the dropped ones hold nearly everything. Such a pixel still teaches: its p
is whatever the teacher holds likeliest among our classes.

softmax(logits) = q up to 19·ε, so the KL losses see the teacher's probabilities at T = 1; at another
temperature they see q^{1/T}, renormalised. ε stands for probability 0 and keeps the logarithm finite; its
share grows with T (ε^{1/4} = 0.001). Classes of ours that the teacher does not know are at ε everywhere (see
:mod:`distill.common.class_mapping` for what that does).

Only the class probabilities carry over: there are no pre-logits and no feature maps, and since the logits
are known up to a constant per pixel, feature losses on them mean nothing. Everything but the network itself
runs in FP32, also under autocast; the network runs as the caller's autocast says. No gradients.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from distill.common.class_mapping import ClassMapping
from distill.models.output import Output
from kd_seg_ros.common.classes import NUM_CLASSES
from kd_seg_ros.common.errors import UserError, first_line

Rgb = tuple[float, float, float]

FLOOR = 1e-12
"""ε, the least probability."""

INPUT_MULTIPLE = 32
"""The teacher's input is rounded up to multiples of this, the greatest stride of common networks."""


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation per channel of RGB in 0…1."""

    mean: Rgb
    std: Rgb

    @classmethod
    def checked(cls, mean: Sequence[float], std: Sequence[float], what: str) -> Normalisation:
        """Make one from a user's numbers.

        :raises UserError: naming ``what``, if they are not three each, finite, with mean in 0…1 and std > 0.
        """
        if len(mean) != 3 or len(std) != 3 or not all(math.isfinite(v) for v in (*mean, *std)):
            raise UserError(f"{what}: mean and std must be three numbers each, for R, G and B")
        if not all(0 <= v <= 1 for v in mean) or not all(v > 0 for v in std):
            raise UserError(
                f"{what}: mean {list(mean)} and std {list(std)} are not those of RGB in 0…1 "
                "(divide values for 0…255 by 255)"
            )
        return cls((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))

    def apply(self, rgb: Tensor) -> Tensor:
        """Normalise RGB in 0…1, [B, 3, H, W]."""
        return (rgb - _per_channel(self.mean, rgb)) / _per_channel(self.std, rgb)

    def undo(self, image: Tensor) -> Tensor:
        """Bring a normalised image back to RGB in 0…1."""
        return image * _per_channel(self.std, image) + _per_channel(self.mean, image)


@dataclass(frozen=True)
class TeacherOptions:
    """The user's settings of an external teacher; where one is None, the teacher's own files must tell."""

    classes: Mapping[str, str | None] | None = None
    """Our class for a class of the teacher, by their names; None in place of our name drops that class."""
    class_names: Sequence[str] | None = None
    """The teacher's classes in the order of its channels."""
    mean: Sequence[float] | None = None
    """Mean of RGB in 0…1 that the teacher was trained with."""
    std: Sequence[float] | None = None
    """Standard deviation of RGB in 0…1 that the teacher was trained with."""
    size: tuple[int, int] | None = None
    """Height and width of the images that the teacher is given, in pixels."""


@dataclass(frozen=True)
class InputSize:
    """The size to which images are brought before a teacher sees them."""

    fixed: tuple[int, int] | None = None
    """Height and width in pixels, whatever the size of the image; None: the image's own size."""
    multiple: int = INPUT_MULTIPLE
    """Where the size is not fixed, each side of the image is rounded up to a multiple of this."""

    def of(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width to which an image of a height and width is brought."""
        if self.fixed:
            return self.fixed
        return -(-height // self.multiple) * self.multiple, -(-width // self.multiple) * self.multiple

    def describe(self) -> str:
        """Say in words at which size the teacher sees images, for the log."""
        if self.fixed:
            return f"{self.fixed[0]}×{self.fixed[1]} (height × width), to which every image is stretched"
        return f"the student's, stretched up to multiples of {self.multiple}"


class ExternalTeacher(nn.Module):
    """A network from outside this project, with the outputs of one of ours.

    :param network: maps [B, 3, h, w], normalised as ``own`` says, to scores [B, K, h', w'] whose softmax
        over K gives the class probabilities.
    :param mapping: from its K classes to ours.
    :param student: the normalisation of the images that :meth:`forward` is given.
    :param own: the normalisation that the network was trained with.
    :param size: the size at which it sees images.
    :param source: the file or folder it comes from, for messages.
    :param architecture: the name of its architecture, for the log.
    """

    def __init__(
        self,
        network: nn.Module,
        mapping: ClassMapping,
        *,
        student: Normalisation,
        own: Normalisation,
        size: InputSize,
        source: str,
        architecture: str,
    ) -> None:
        super().__init__()
        self.network = network
        self.mapping = mapping
        self.student = student
        self.own = own
        self.size = size
        self.source = source
        self.architecture = architecture
        self.requires_grad_(False).eval()

    def describe(self) -> str:
        """Say in a few lines what the teacher is, for the log."""
        mean = [round(value, 5) for value in self.own.mean]
        std = [round(value, 5) for value in self.own.std]
        lines = [
            f"teacher: {self.source} ({self.architecture})",
            f"its input: mean {mean}, std {std}, size {self.size.describe()}",
            self.mapping.describe(),
        ]
        return "\n".join(lines)

    @torch.no_grad()
    def forward(self, image: Tensor) -> Output:
        """Return the teacher's class probabilities for the student's batch, as logits.

        :param image: [B, 3, H, W], normalised by the student's mean and std.
        :returns: ``logits``, float32 [B, 19, H, W], the logarithms of class probabilities; ``pre_logits``
            without channels, [B, 0, H, W]; no features.
        :raises UserError: if the network does not run at this size or returns other classes than it said.
        """
        height, width = int(image.shape[-2]), int(image.shape[-1])
        device = image.device.type
        # From the student's normalised image to the teacher's own.
        with torch.autocast(device, enabled=False):
            rgb = resize(self.student.undo(image.float()), self.size.of(height, width))
            own_image = self.own.apply(rgb)
        scores = self._run(own_image)
        # From the teacher's scores to probabilities of our classes on the student's grid. Antialiased
        # resizing keeps their sum at 1 up to rounding, which the division removes.
        with torch.autocast(device, enabled=False):
            probabilities = resize(our_probabilities(scores.float(), self.mapping), (height, width))
            probabilities = probabilities / probabilities.sum(dim=1, keepdim=True)
            logits = probabilities.clamp(min=FLOOR).log()
        return Output(logits=logits, pre_logits=logits[:, :0], features={})

    def _run(self, image: Tensor) -> Tensor:
        """Run the network and check what it returns."""
        try:
            scores: Tensor = self.network(image)
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, ValueError, IndexError) as error:
            raise UserError(
                f"{self.source}: the teacher does not run on {list(image.shape)} ({first_line(error)}); "
                "give a size that suits it with teacher.size"
            ) from error
        if scores.dim() != 4 or scores.shape[1] != len(self.mapping.names):
            raise UserError(
                f"{self.source}: the teacher returns {list(scores.shape)}, not [batch, "
                f"{len(self.mapping.names)}, height, width] for its {len(self.mapping.names)} classes"
            )
        return scores


def our_probabilities(scores: Tensor, mapping: ClassMapping) -> Tensor:
    """Probabilities of our 19 classes, [B, 19, h, w], from a teacher's scores [B, K, h, w].

    p_c = Σ_{k→c} exp s_k / Σ_{k→any of ours} exp s_k; 0 for classes of ours that no k stands for.
    """
    # The channels that stand for each of our classes, one group after the other.
    channels = [mapping.channels(ours) for ours in range(NUM_CLASSES)]
    kept = torch.tensor([*chain.from_iterable(channels)], device=scores.device)
    # A softmax over these alone drops the others; an empty group sums to 0.
    shares = torch.softmax(scores[:, kept], dim=1)
    groups = shares.split([len(group) for group in channels], dim=1)
    return torch.stack([group.sum(dim=1) for group in groups], dim=1)


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize [B, C, h, w] bilinearly (half-pixel centres), without aliasing when it shrinks."""
    if tuple(maps.shape[-2:]) == size:
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False, antialias=True)


def _per_channel(values: Rgb, image: Tensor) -> Tensor:
    return image.new_tensor(values).view(1, 3, 1, 1)
