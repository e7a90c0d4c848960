"""The terms of the objective: functions of tensors that return a scalar, in FP32 even under autocast.

:mod:`distill.losses.catalogue` names every loss once. Next to them lie the modules that change the inputs of
a loss: temperature, whitening, projectors. Importing the package imports none of its modules, so that
the catalogue can be read without PyTorch.
"""
