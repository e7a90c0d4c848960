"""The trainIds that scenes are labelled with, by the names of their classes."""

from __future__ import annotations

from typing import Final

from kd_seg_ros.common.classes import CLASS_NAMES

ROAD: Final = CLASS_NAMES.index("road")
SIDEWALK: Final = CLASS_NAMES.index("sidewalk")
BUILDING: Final = CLASS_NAMES.index("building")
WALL: Final = CLASS_NAMES.index("wall")
FENCE: Final = CLASS_NAMES.index("fence")
POLE: Final = CLASS_NAMES.index("pole")
TRAFFIC_LIGHT: Final = CLASS_NAMES.index("traffic light")
TRAFFIC_SIGN: Final = CLASS_NAMES.index("traffic sign")
VEGETATION: Final = CLASS_NAMES.index("vegetation")
TERRAIN: Final = CLASS_NAMES.index("terrain")
SKY: Final = CLASS_NAMES.index("sky")
PERSON: Final = CLASS_NAMES.index("person")
RIDER: Final = CLASS_NAMES.index("rider")
CAR: Final = CLASS_NAMES.index("car")
TRUCK: Final = CLASS_NAMES.index("truck")
BUS: Final = CLASS_NAMES.index("bus")
TRAIN: Final = CLASS_NAMES.index("train")
MOTORCYCLE: Final = CLASS_NAMES.index("motorcycle")
BICYCLE: Final = CLASS_NAMES.index("bicycle")
