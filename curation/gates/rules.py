"""Gates as rules over `synthetic_measures`, in YAML; SQL that Spark and DuckDB both take."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, model_validator

from curation.errors import ConfigError
from curation.measure.rules import read_rules
from curation.schemas import SYNTHETIC, SYNTHETIC_MEASURES
from curation.synth.prompts import load_prompts

DEFAULT, NONE = "default", "none"
DUPLICATE = "duplicate"
"""Reason of texts that `duplicate_of` marks: the one gate that is not a bound."""

_SIGNALS = frozenset(
    field.name
    for table in (SYNTHETIC_MEASURES, SYNTHETIC)
    for field in table.columns
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
)


class Gate(BaseModel):
    """Keep a text while `low <= signal <= high`; otherwise drop it for `reason`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    signal: str
    """A column of numbers of `synthetic_measures` or `synthetic`."""
    low: Annotated[float, Field(alias="min")] = -math.inf
    high: Annotated[float, Field(alias="max")] = math.inf
    tasks: tuple[str, ...] = ()
    """Prompts whose texts it judges; empty: all but those of `but`."""
    but: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Gate:
        if self.signal not in _SIGNALS:
            raise ValueError(f"no column of numbers `{self.signal}`; there are {sorted(_SIGNALS)}")
        if not (math.isfinite(self.low) or math.isfinite(self.high)):
            raise ValueError(f"{self.reason}: neither `min` nor `max`")
        if self.tasks and self.but:
            raise ValueError(f"{self.reason}: `tasks` beside `but`")
        if unknown := {*self.tasks, *self.but} - {*load_prompts()}:
            raise ValueError(f"{self.reason}: no prompt is called {', '.join(sorted(unknown))}")
        return self

    @property
    def fails(self) -> str:
        """SQL that is true for a text to drop.

        A null signal passes: a text without a number or a name has nothing to be untrue to. Both
        sides are 32-bit, as the columns are.
        """
        signal = f"CAST({self.signal} AS FLOAT)"
        tests = [
            f"{signal} {sign} CAST({bound!r} AS FLOAT)"
            for sign, bound in (("<", self.low), (">", self.high))
            if math.isfinite(bound)
        ]
        fails = f"coalesce({' OR '.join(tests)}, false)"
        return f"({self._scope} AND {fails})" if self._scope else fails

    @property
    def _scope(self) -> str:
        listed = ", ".join(f"'{name}'" for name in (*self.tasks, *self.but))
        return f"task {'IN' if self.tasks else 'NOT IN'} ({listed})" if listed else ""


class _Gates(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    rules: tuple[Gate, ...]


def gates(name: str) -> tuple[Gate, ...]:
    """The gates called `name`: `default`, `none`, or a YAML file.

    Raises:
        ConfigError: there is no such file, or it is not rightly written.
    """
    return () if name == NONE else _parsed(name, _text_of(name))


def _text_of(name: str) -> str:
    if name == DEFAULT:
        return (files("curation.gates") / "default.yaml").read_text(encoding="utf-8")
    if not Path(name).is_file():
        raise ConfigError(f"gate.rules: no file `{name}`; {DEFAULT} and {NONE} are built in")
    return Path(name).read_text(encoding="utf-8")


@cache
def _parsed(name: str, text: str) -> tuple[Gate, ...]:
    return read_rules(_Gates, text, f"gate.rules {name}").rules


def drop_reasons(rules: Sequence[Gate]) -> str:
    """Spark SQL of the reasons of all gates that a text fails, each once, in order."""
    duplicate = f"CASE WHEN duplicate_of IS NOT NULL THEN '{DUPLICATE}' END"
    cases = [*(f"CASE WHEN {rule.fails} THEN '{rule.reason}' END" for rule in rules), duplicate]
    return f"array_distinct(array_compact(array({', '.join(cases)})))"
