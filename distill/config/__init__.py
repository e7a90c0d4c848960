"""The typed configuration of one experiment: one YAML file, validated as a whole before anything runs.

A file may name another as its ``base``, by a path relative to itself or by the name of one of this package,
and then holds only what differs. Unknown keys are refused, naming the nearest known one.
"""

from distill.config.data import DataConfig
from distill.config.experiment import Config
from distill.config.load import load_config, parse_config
from distill.config.networks import NetworkConfig, TeacherConfig
from distill.config.objective import FeatureLossConfig, ObjectiveConfig
from distill.config.training import TrainingConfig

__all__ = [
    "Config",
    "DataConfig",
    "FeatureLossConfig",
    "NetworkConfig",
    "ObjectiveConfig",
    "TeacherConfig",
    "TrainingConfig",
    "load_config",
    "parse_config",
]
