"""Keys of the configuration given on the command line: ``--data.root DIR --training.epochs=3``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any, Final, Literal, get_args, get_origin

from distill.common.yaml_file import parse_yaml
from distill.config.keys import UnknownKeyError, alternatives, is_optional, section_in, type_of
from kd_seg_ros.common.errors import UserError

# Words of the command line, in lower case.
_NULL: Final = ("null", "none", "~")
_BOOLEANS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def accept_overrides(parser: ArgumentParser) -> None:
    """Let a command take every key of the configuration as an option, in ``args.overrides``."""
    parser.set_defaults(overrides=[])
    parser.epilog = (
        "Every key of the configuration is an option, too, and wins over the file: --data.root DIR "
        "--training.epochs 3 --data.crop 512,1024. docs/configuration.md lists them."
    )


def parse_overrides(arguments: Sequence[str]) -> dict[str, Any]:
    """Parse ``--key value`` and ``--key=value`` pairs, each value by the type of its key.

    Text is taken as it stands, so that ``--data.images {split}/images`` needs no further quotes. A list is
    written with commas (``192,192``) or as YAML (``[192, 192]``), a nested section as YAML
    (``{checkpoint: best.ckpt}``); ``null`` or ``none`` empties a key that may be empty.

    :return: the values by dotted key, in the order given.
    :raises UserError: naming the option that is no key of a configuration, or has no value of its type.
    """
    values: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        option, equals, text = rest.pop(0).partition("=")
        if not option.startswith("--"):
            raise UserError(f"unexpected argument {option!r}; options look like --key value")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise UserError(f"option {option} needs a value")
            text = rest.pop(0)
        try:
            values[option[2:]] = parse_value(text, type_of(option[2:]))
        except UnknownKeyError as error:
            advice = f"; did you mean --{error.suggestion}?" if error.suggestion else ""
            raise UserError(f"{option}: unknown key {error.fault!r}{advice}") from error
        except ValueError as error:
            raise UserError(f"{option}: {error}") from error
    return values


def parse_value(text: str, annotation: Any) -> Any:
    """Read the text of a value of this type; what does not fit a number or a name is left to validation.

    :raises ValueError: in words, for a list of another length or YAML of another kind than the type has.
    """
    kinds = alternatives(annotation)
    if is_optional(annotation) and text.lower() in _NULL:
        return None
    collections = [kind for kind in kinds if get_origin(kind) in (tuple, dict)]
    if Any in kinds or collections or section_in(annotation) is not None:
        return _parse_collection(text, kinds)
    return _parse_scalar(text, kinds)


def _parse_collection(text: str, kinds: list[Any]) -> Any:
    """Read a list, a mapping or a section."""
    lists = [kind for kind in kinds if get_origin(kind) is tuple]
    if lists and not text.startswith(("[", "{")):
        return _parse_list(text, lists[0])
    value = _parse_yaml(text)
    if lists and isinstance(value, dict):
        # A list of sections may be given as its only section.
        of_sections = section_in(lists[0]) is not None
        return [value] if of_sections else value
    if isinstance(value, dict | list | bool) or Any in kinds:
        return value
    if any(get_origin(kind) is dict for kind in kinds):
        return text  # the file of a class map
    raise ValueError(f"{text!r} is no section: write {{key: value}}, or give its keys one by one")


def _parse_list(text: str, kind: Any) -> list[Any]:
    """Read a list whose values have commas between them."""
    texts = [part.strip() for part in text.split(",")]
    types = get_args(kind)
    if types[-1] is Ellipsis:
        types = (types[0],) * len(texts)
    if len(types) != len(texts):
        raise ValueError(f"{len(types)} values with commas between them are needed, not {text!r}")
    return [parse_value(part, of) for part, of in zip(texts, types, strict=True)]


def _parse_scalar(text: str, kinds: list[Any]) -> Any:
    """Read a truth value or a number where the type has one and the text is one; else return the text."""
    names = [get_args(kind) for kind in kinds if get_origin(kind) is Literal]
    if any(text in known for known in names):
        return text
    if bool in kinds and text.lower() in _BOOLEANS:
        return _BOOLEANS[text.lower()]
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                continue
    return text


def _parse_yaml(text: str) -> Any:
    try:
        return parse_yaml(text, repr(text))[0]
    except UserError as error:
        raise ValueError(str(error)) from error
