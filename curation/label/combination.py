"""The logistic combination of the members' scores, as `models/classifiers/train.py` writes it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from curation.config import LabelConfig
from curation.errors import ConfigError, InputError
from curation.score.weights import default_weight


@dataclass(frozen=True)
class Combination:
    """P(high quality) = 1 / (1 + exp(-(bias + sum of weight * score)))."""

    weights: dict[str, float]
    """By column of the scores."""
    bias: float


def combination_file(conf: LabelConfig) -> Path:
    """The file that `label.combination` names."""
    if conf.combination == "shipped":
        return default_weight("ensemble.json")
    return Path(conf.combination).expanduser()


def load_combination(path: Path) -> Combination:
    """The combination in the JSON file `path`: `columns`, `weights`, `bias`.

    Raises:
        InputError: the file is missing, or not such a file, or it names a column twice.
    """
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        columns = list(read["columns"])
        weights = dict(zip(columns, map(float, read["weights"]), strict=True))
        found = Combination(weights, float(read["bias"]))
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: no such combination; models/classifiers/train.py writes one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a combination of columns, weights, bias: {error}") from error
    if len(weights) < len(columns):
        raise InputError(f"{path}: a column counts once, found {', '.join(map(str, columns))}")
    if not all(map(math.isfinite, [found.bias, *found.weights.values()])):
        raise InputError(f"{path}: weights and bias must be finite")
    return found


def combination_of(conf: LabelConfig) -> Combination:
    """The combination of a run, seen to be one of its members.

    Raises:
        ConfigError: it is one of other columns than `label.members`.
        InputError: As `load_combination`.
    """
    found = load_combination(combination_file(conf))
    if {*found.weights} != {*conf.members}:
        raise ConfigError(
            f"label.combination: {combination_file(conf).name} combines "
            f"{', '.join(found.weights)}, label.members are {', '.join(conf.members)}"
        )
    return found
