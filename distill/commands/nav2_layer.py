"""``kd_seg nav2-layer``: the parameters of Nav2's semantic segmentation layer for a model's classes."""

from __future__ import annotations

import argparse
from pathlib import Path

from kd_seg_ros.common.errors import UserError
from kd_seg_ros.common.share import default_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--model", type=Path, metavar="FILE", help="model file, .onnx (default: the demo student)"
    )
    parser.add_argument(
        "--free",
        nargs="+",
        default=["road"],
        metavar="CLASS",
        help="classes without cost (default: road)",
    )
    parser.add_argument(
        "--passable",
        nargs="+",
        default=[],
        metavar="CLASS",
        help="classes of middle cost, such as sidewalk or terrain (default: none)",
    )
    parser.add_argument(
        "--namespace",
        default="",
        metavar="NAME",
        help="namespace of the node, such as /front (default: none)",
    )
    parser.add_argument(
        "--without-depth",
        action="store_true",
        help="no depth camera: the points are those of ground_node, on a flat ground",
    )


def run(args: argparse.Namespace) -> int:
    """Print the YAML."""
    import yaml

    from kd_seg_ros.clouds.nav2_layer import layer_parameters
    from kd_seg_ros.inference.onnx_file import read_onnx_file
    from kd_seg_ros.inference.opening import read_card

    path = args.model or default_model()
    card = read_card(read_onnx_file(path))
    if card is None:
        raise UserError(f"{path}: the file has no model card: write it with `kd_seg export`")
    layer = layer_parameters(
        card.class_names, args.free, args.passable, args.namespace, depth=not args.without_depth
    )
    print("# Below ros__parameters of local_costmap, with semantic_segmentation_layer among its plugins.")
    print(yaml.safe_dump({"semantic_segmentation_layer": layer}, sort_keys=False), end="")
    return 0
