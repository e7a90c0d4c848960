"""Every loss that a configuration can name, once: what it needs, its weight and where it comes from.

The loss NAME is the function ``NAME_loss`` in ``distill/losses/NAME.py``. To add one, write that file, its
test ``test/distill/losses/test_NAME.py``, one entry below and a row of ``docs/losses.md``. The configuration,
its error messages, the training objective, and the tests of every precision and of several processes read
these tables. What an entry says is described in :mod:`distill.losses.kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from distill.losses.kinds import AdversarialLoss, FeatureLoss, LabelLoss, LogitLoss, Loss

_FOCAL: Final = {"gamma": "gamma"}
_OHEM: Final = {"threshold": "ohem_threshold", "keep": "ohem_keep"}
_LABEL_LOSSES = (
    LabelLoss(
        name="cross_entropy",
        source="Shelhamer et al., CVPR 2015",
        over_whole_batch=True,
        denominator="pixels",
        title="cross-entropy",
    ),
    LabelLoss(
        name="border_focal",
        source="thesis 3.3",
        over_whole_batch=True,
        denominator="border weights",
        title="border-focal",
        parameters=_FOCAL,
    ),
    LabelLoss(
        name="border_focal_published",
        source="Oršić and Šegvić, Pattern Recognition 2021",
        over_whole_batch=True,
        denominator="pixels",
        title="border-focal as published",
        parameters=_FOCAL,
    ),
    LabelLoss(
        name="ohem",
        source="Shrivastava et al., CVPR 2016",
        over_whole_batch=True,
        title="OHEM",
        parameters=_OHEM,
    ),
    LabelLoss(
        name="pidnet",
        source="Xu et al., CVPR 2023",
        over_whole_batch=True,
        title="PIDNet's, OHEM",
        main_term="ohem",
        has_head_terms=True,
        parameters=_OHEM,
    ),
)
_LOGIT_LOSSES = (
    LogitLoss(
        name="kl", source="thesis 3.4; Hinton et al., 2015", over_whole_batch=True, pixel_weights="mask"
    ),
    LogitLoss(name="kl_border", source="thesis 3.5", over_whole_batch=True, pixel_weights="border"),
)
_PLAIN: Final = "the plain term; nobody publishes another one for it"
_FEATURE_LOSSES = (
    FeatureLoss(
        name="l2",
        source="thesis 3.6; Romero et al., ICLR 2015",
        weight=1.0,
        weight_source="this project",
        weight_note=_PLAIN,
        same_channels=True,
    ),
    FeatureLoss(
        name="l1",
        source="thesis ch. 2.4",
        weight=1.0,
        weight_source="this project",
        weight_note=_PLAIN,
        same_channels=True,
    ),
    FeatureLoss(
        name="huber",
        source="Huber, 1964",
        weight=1.0,
        weight_source="this project",
        weight_note=_PLAIN,
        same_channels=True,
        parameters={"beta": 1.0},
    ),
    FeatureLoss(
        name="smooth_l1",
        source="Wei et al., arXiv 2205.14141, 2022",
        weight=1.0,
        weight_source="this project",
        weight_note="its authors train on it alone",
        same_channels=True,
        parameters={"beta": 2.0},
    ),
    FeatureLoss(
        name="cwd",
        source="thesis 3.7, 3.8; Shu et al., ICCV 2021",
        weight=50.0,
        weight_source="authors",
        weight_note="50 on features, 3 on logits, in the paper and the scripts of its authors",
        logits_weight=3.0,
        same_channels=True,
        parameters={"temperature": 4.0},
    ),
    FeatureLoss(
        name="lad",
        source="thesis 3.9, squared",
        weight=1.0,
        weight_source="this project",
        weight_note=_PLAIN,
        same_channels=True,
    ),
    FeatureLoss(
        name="cad",
        source="thesis 3.9, per channel",
        weight=1.0,
        weight_source="this project",
        weight_note=_PLAIN,
        same_channels=True,
    ),
    FeatureLoss(
        name="pad",
        source="thesis 3.9, per pixel",
        weight=1.0,
        weight_source="this project",
        weight_note=_PLAIN,
        same_channels=True,
    ),
    FeatureLoss(
        name="attention_transfer",
        source="Zagoruyko and Komodakis, ICLR 2017",
        weight=1000.0,
        weight_source="authors",
        weight_note="β of the authors' code, for classification",
        parameters={"power": 2.0},
    ),
    FeatureLoss(
        name="attention_transfer_max",
        source="Zagoruyko and Komodakis, ICLR 2017",
        weight=0.5,
        weight_source="this project",
        weight_note="the authors report none for it",
        parameters={"power": 2.0},
    ),
    FeatureLoss(
        name="self_similarity",
        source="Liu et al., CVPR 2019",
        weight=10.0,
        weight_source="authors",
        weight_note="λ of the paper",
    ),
    FeatureLoss(
        name="self_similarity_nodes",
        source="Liu et al., CVPR 2019",
        weight=0.5,
        weight_source="authors",
        weight_note="the authors' script; the default of their code is 1",
    ),
    FeatureLoss(
        name="cross_image",
        source="Yang et al., CVPR 2022",
        over_whole_batch=True,
        weight=1.0,
        weight_source="authors",
        weight_note="the authors' scripts, --lambda-minibatch-pixel",
        parameters={"temperature": 0.1},
    ),
    FeatureLoss(
        name="memory_bank",
        source="Yang et al., CVPR 2022",
        over_whole_batch=True,
        weight=0.1,
        weight_source="authors",
        weight_note="the authors' scripts, --lambda-memory-pixel and --lambda-memory-region",
        same_channels=True,
        parameters={"temperature": 0.1},
        needs_labels=True,
        needs_memory=True,
    ),
    FeatureLoss(
        name="local_similarity",
        source="Xie et al., BMVC 2018",
        weight=0.01,
        weight_source="this project",
        weight_note="its authors compare probabilities; on features it is much larger",
    ),
    FeatureLoss(
        name="intra_class",
        source="Wang et al., ECCV 2020",
        over_whole_batch=True,
        weight=200.0,
        weight_source="authors",
        weight_note="the authors' code; CIRKD's scripts for it have 20",
        needs_labels=True,
    ),
)

LABEL_LOSSES: Final[Mapping[str, LabelLoss]] = {loss.name: loss for loss in _LABEL_LOSSES}
LOGIT_LOSSES: Final[Mapping[str, LogitLoss]] = {loss.name: loss for loss in _LOGIT_LOSSES}
FEATURE_LOSSES: Final[Mapping[str, FeatureLoss]] = {loss.name: loss for loss in _FEATURE_LOSSES}
ADVERSARIAL_LOSS: Final = AdversarialLoss(
    name="adversarial", source="Liu et al., CVPR 2019", weight=1e-3, learning_rate=4e-4
)

ALL_LOSSES: Final[Mapping[str, Loss]] = {
    **LABEL_LOSSES,
    **LOGIT_LOSSES,
    **FEATURE_LOSSES,
    ADVERSARIAL_LOSS.name: ADVERSARIAL_LOSS,
}
