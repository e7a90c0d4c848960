"""Calibration of a trained network on labelled images: its confidence is brought close to its accuracy.

There are four methods, one per file, listed in :data:`~distill.calibration.methods.METHODS`. All minimise
the negative log-likelihood of the labels over pixels drawn from the images. What they do to the logits is in
:class:`distill.models.logit_calibration.LogitCalibration`.
"""
