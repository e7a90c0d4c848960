"""PIDNet as github.com/XuJiacong/PIDNet names it: this project's names are theirs.

In a file of their training every name begins with ``model.``, and the class weights of both criteria stand
next to the network. Files for use alone lack the two heads of training, ``seghead_p`` and ``seghead_d``.
"""

from __future__ import annotations

from distill.imports.translation import Tensors, Translation, translate

IDLE = (r"(sem_loss|bd_loss)\.",)
"""The criteria."""


def translate_pidnet(tensors: Tensors) -> Translation:
    """Leave out what is not of the network."""
    return translate(tensors, (), IDLE)
