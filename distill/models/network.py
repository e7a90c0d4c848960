"""The base of all networks: it pads the image and brings the logits back to the image's size.

A network implements :meth:`SegmentationNetwork.maps`, which sees an image whose sides are multiples of
``padding_multiple`` and returns logits at whatever stride it makes them. Because of the padding, every
feature map has exactly the padded image's size ÷ its stride, so that two networks of one family agree in
size at any input, 97×131 as well as 1080×1920.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar, NamedTuple

from torch import Tensor, nn

from distill.models.output import NOTHING, Output, crop_padding, pad_to_multiple, upsample
from kd_seg_ros.common.errors import UserError


class Maps(NamedTuple):
    """The output of a network for a padded image, before it is brought to the image's size."""

    logits: Tensor
    """[B, C, h, w]."""
    pre_logits: Tensor
    """[B, D, h, w], the map that the classifier head reads."""
    features: dict[str, Tensor]
    """Named as in :attr:`SegmentationNetwork.strides`, in that order."""
    auxiliary: Mapping[str, Tensor] = NOTHING
    """Outputs of the training-only heads, [B, c, h, w]; none in evaluation mode."""


class SegmentationNetwork(nn.Module):
    """Base of all networks: padding, upsampling, and the parameters the vehicle does not carry."""

    padding_multiple: ClassVar[int]
    """Zero padding brings both sides of the image to a multiple of this."""
    strides: ClassVar[Mapping[str, int]]
    """Name and stride of each feature map, in the order of :attr:`Output.features`."""
    classifier_name: ClassVar[str]
    """Name of the submodule whose output channels are the classes."""
    training_only: ClassVar[tuple[str, ...]] = ()
    """Names of the submodules that are used in training only."""
    align_corners: ClassVar[bool] = False
    """How its maps are resized, see :func:`~distill.models.output.upsample`: as its authors do it."""

    def maps(self, image: Tensor) -> Maps:
        """Segment a padded image [B, 3, H, W], whose sides are multiples of :attr:`padding_multiple`."""
        raise NotImplementedError

    def forward(self, image: Tensor) -> Output:
        """Segment normalised images.

        :param image: [B, 3, H, W], any H and W.
        :returns: logits and auxiliary outputs at the image's size; pre-logits and features at the padded
            image's size ÷ their stride.
        """
        padded, padding = pad_to_multiple(image, self.padding_multiple)
        size = padded.shape[-2:]
        maps = self.maps(padded)
        auxiliary = {}
        for name, values in maps.auxiliary.items():
            auxiliary[name] = crop_padding(upsample(values, size, self.align_corners), padding)
        return Output(
            logits=crop_padding(upsample(maps.logits, size, self.align_corners), padding),
            pre_logits=maps.pre_logits,
            features=maps.features,
            strides=self.strides,
            auxiliary=auxiliary,
        )

    def classes_of(self, state: Mapping[str, Tensor]) -> int | None:
        """Return for how many classes a network with these tensors was made; None if they do not say."""
        weight = state.get(f"{self.classifier_name}.weight")
        return None if weight is None else int(weight.shape[0])

    def refuse_other_classes(self, state: Mapping[str, Tensor], num_classes: int, source: str) -> None:
        """Refuse tensors of a network that was made for another number of classes.

        :raises UserError: naming ``source`` and both numbers.
        """
        found = self.classes_of(state)
        if found not in (None, num_classes):
            raise UserError(f"{source} was trained for {found} classes; {num_classes} are needed here")

    def backbone_parameters(self) -> Iterable[nn.Parameter]:
        """Return the parameters that learn at the backbone's rate; none where a network has no such part."""
        backbone = getattr(self, "backbone", None)
        return backbone.parameters() if isinstance(backbone, nn.Module) else ()

    def deployed_parameters(self) -> int:
        """Count the parameters the vehicle carries: all but those of the training-only heads."""
        return _count(self) - self.training_only_parameters()

    def training_only_parameters(self) -> int:
        """Count the parameters of the heads that exist in training only."""
        heads = [self.get_submodule(name) for name in self.training_only]
        return sum(_count(head) for head in heads)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
