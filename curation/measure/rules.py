"""Presets of heuristic rules over the columns of `measures`, as SQL. No text is read.

A rule bounds one column. A preset is a list of them in YAML: one of `presets/`, or a file of one's
own. Thresholds can change without touching text again: the signals stay, and only these expressions
are computed anew. They are SQL that Spark and DuckDB both take.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curation.errors import ConfigError
from curation.schemas import MEASURES

PRESETS = ("nemotron", "gopher", "c4", "fineweb", "redpajama")
NONE = "none"
"""The preset without a rule."""

_FOLDER = resources.files("curation.measure") / "presets"


class Rule(BaseModel):
    """Keep a page while `low <= signal <= high`; otherwise drop it for `reason`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    signal: str
    low: Annotated[float, Field(alias="min")] = -math.inf
    high: Annotated[float, Field(alias="max")] = math.inf
    languages: tuple[str, ...] = ()
    """Languages that the rule is for; empty: all. Pages in others pass."""

    @model_validator(mode="after")
    def _check(self) -> Rule:
        if self.signal not in MEASURES.columns.names:
            raise ValueError(f"measures has no column `{self.signal}`")
        if self.low == -math.inf and self.high == math.inf:
            raise ValueError(f"{self.reason}: neither `min` nor `max`")
        return self

    @property
    def fails(self) -> str:
        """SQL that is true for a page to drop.

        A null signal counts as failing: a page that could not be measured is never kept silently.
        Both sides are 32-bit: 0.1 is stored as 0.100000001, which a bound of 64 bits would refuse.
        """
        signal = f"CAST({self.signal} AS FLOAT)"
        tests = [f"{self.signal} IS NULL"]
        if self.low > -math.inf:
            tests.append(f"{signal} < CAST({self.low!r} AS FLOAT)")
        if self.high < math.inf:
            tests.append(f"{signal} > CAST({self.high!r} AS FLOAT)")
        fails = f"({' OR '.join(tests)})"
        if not self.languages:
            return fails
        known = ", ".join(f"'{language}'" for language in self.languages)
        return f"(language IN ({known}) AND {fails})"


class _Preset(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Rule, ...]

    @model_validator(mode="after")
    def _check(self) -> _Preset:
        reasons = [rule.reason for rule in self.rules]
        twice = sorted({reason for reason in reasons if reasons.count(reason) > 1})
        if twice:
            raise ValueError(f"two rules are called {', '.join(twice)}")
        return self


def text_of(preset: str) -> str:
    """The YAML of a preset: a name of `PRESETS`, or a path; empty for `none`.

    Raises:
        ConfigError: there is no such preset and no such file.
    """
    if preset == NONE:
        return ""
    if preset in PRESETS:
        return (_FOLDER / f"{preset}.yaml").read_text(encoding="utf-8")
    if not Path(preset).is_file():
        known = ", ".join((*PRESETS, NONE))
        raise ConfigError(f"no preset is called `{preset}`, nor a file; known: {known}")
    return Path(preset).read_text(encoding="utf-8")


def rules(preset: str) -> tuple[Rule, ...]:
    """The rules of a preset, in order.

    Raises:
        ConfigError: there is no such preset, or it is not rightly written.
    """
    return _parsed(preset, text_of(preset))


@cache
def _parsed(preset: str, text: str) -> tuple[Rule, ...]:
    try:
        return _Preset.model_validate(yaml.safe_load(text) or {"rules": ()}).rules
    except yaml.YAMLError as error:
        raise ConfigError(f"preset {preset}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"preset {preset}: {where}: {first['msg']}") from error


def drop_reason(rules: Sequence[Rule]) -> str:
    """SQL of the reason of the first failing rule, or null if the page is kept."""
    cases = [f"WHEN {rule.fails} THEN '{rule.reason}'" for rule in rules]
    return f"CASE {' '.join(cases)} END" if cases else "CAST(NULL AS STRING)"


def drop_reasons(rules: Sequence[Rule]) -> str:
    """Spark SQL of the reasons of all failing rules, in order; an empty list if it is kept."""
    cases = [f"CASE WHEN {rule.fails} THEN '{rule.reason}' END" for rule in rules]
    return (
        f"array_compact(array({', '.join(cases)}))" if cases else "CAST(array() AS ARRAY<STRING>)"
    )
