"""Presets of heuristic rules over the columns of `measures`, as SQL. No text is read.

A rule bounds one column. A preset is a list of them in YAML: one of `presets/`, or a file of one's
own. Thresholds can change without touching text again: the signals stay, and only these expressions
are computed anew. They are SQL that Spark and DuckDB both take.

A rule judges documents in the languages that it holds for, and lets those in others pass: see
`Scope`. A threshold may be a table by language, or `fineweb2`, which is the table that FineWeb 2
publishes (`by_language`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import pyarrow as pa
import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from curation.errors import ConfigError
from curation.measure.by_language import SOURCES, UNSPACED, published, with_stop_words
from curation.schemas import MEASURES

PRESETS = ("nemotron", "gopher", "c4", "fineweb", "redpajama", "fineweb2")
NONE = "none"
"""The preset without a rule."""
OTHER = "other"
"""Key of a table of thresholds: every language that the table does not name."""

WORD_SIGNALS = frozenset({
    "n_words", "mean_word_chars", "max_word_chars", "symbol_word_frac", "alpha_word_frac",
    "n_common_words", "n_distinct_common_words", "unique_word_frac", "word_entropy",
    "caps_word_frac", "newline_word_ratio", "hash_word_ratio", "ellipsis_word_ratio",
    "n_c4_sentences", *(f"top_{n}gram_frac" for n in (2, 3, 4)),
    *(f"dup_{n}gram_frac" for n in range(5, 11)),
})  # fmt: skip
"""Columns that take what white space separates for words: they mean nothing where it does not."""
STOP_WORD_SIGNALS = frozenset({"n_stop_words", "n_distinct_stop_words"})
"""Columns that are null in languages without a list of stop words."""

_NUMBERS = frozenset(
    field.name
    for field in MEASURES.columns
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
)
_GUEST = re.compile(r"guests\.(?P<name>[a-z][a-z0-9_]*)")

_FOLDER = resources.files("curation.measure") / "presets"
_MAX_LISTED = 10

Code = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]
"""A language as fastText names it. YAML reads a bare `no` as false: Norwegian is `"no"`."""
RulesFile = TypeVar("RulesFile", bound=BaseModel)
Bound = float | dict[str, float]
"""A threshold, or one by language."""
_Given = Annotated[
    Annotated[float, Tag("number")]
    | Annotated[
        dict[
            Annotated[str, Field(pattern=rf"^([a-z]{{2,3}}|{OTHER})$")],
            Annotated[float, Field(allow_inf_nan=False)],
        ],
        Tag("table"),
    ],
    Discriminator(lambda given: "table" if isinstance(given, dict) else "number"),
]


@dataclass(frozen=True)
class Scope:
    """Languages that a rule judges: those of `only`; where that is None, all but those of `but`."""

    only: frozenset[str] | None = None
    but: frozenset[str] = frozenset()

    def __contains__(self, language: str) -> bool:
        return language not in self.but if self.only is None else language in self.only

    def __str__(self) -> str:
        """`all`, `none`, `en, fr`, `55 languages`, `all but ja, th, zh`."""
        if self.only is not None:
            return _listed(self.only)
        return f"all but {_listed(self.but)}" if self.but else "all"

    @property
    def sql(self) -> str:
        """SQL that is true for a page in one of the languages; empty: for every page."""
        if self.only is not None:
            return f"language IN ({_quoted(self.only)})" if self.only else "1 = 0"
        return f"language NOT IN ({_quoted(self.but)})" if self.but else ""


def union(scopes: Collection[Scope]) -> Scope:
    """The languages of any of them."""
    listed = frozenset[str]().union(*(scope.only or () for scope in scopes))
    open_ones = [scope.but for scope in scopes if scope.only is None]
    if not open_ones:
        return Scope(listed)
    return Scope(but=frozenset.intersection(*open_ones) - listed)


class Rule(BaseModel):
    """Keep a page while `low <= signal <= high`; otherwise drop it for `reason`."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    signal: str
    """A column of `measures`, or `guests.NAME`: 1 where that filter would drop a page, else 0."""
    low: Annotated[_Given, Field(alias="min")] = -math.inf
    high: Annotated[_Given, Field(alias="max")] = math.inf
    languages: tuple[Code, ...] = ()
    """Languages that the rule is for, whatever its signal; empty: all that the signal holds for."""

    @model_validator(mode="before")
    @classmethod
    def _look_up(cls, given: Any) -> Any:
        """The tables of a source, in place of its name."""
        if not isinstance(given, dict):
            return given
        sides: tuple[Literal["min", "max"], ...] = ("min", "max")
        named = {side: given[side] for side in sides if given.get(side) in SOURCES}
        tables = {side: published(str(given.get("signal")), side) for side in named}
        for side, table in tables.items():
            if not table:
                raise ValueError(f"{named[side]} has no `{side}` of `{given.get('signal')}`")
        return given | tables

    @model_validator(mode="after")
    def _check(self) -> Rule:
        if self.signal not in _NUMBERS and not _GUEST.fullmatch(self.signal):
            raise ValueError(f"measures has no column of numbers `{self.signal}`")
        if self.low == -math.inf and self.high == math.inf:
            raise ValueError(f"{self.reason}: neither `min` nor `max`")
        if self.languages and self._tables:
            raise ValueError(f"{self.reason}: `languages` beside thresholds by language")
        return self

    @property
    def _tables(self) -> list[dict[str, float]]:
        return [bound for bound in (self.low, self.high) if isinstance(bound, dict)]

    @property
    def scope(self) -> Scope:
        """Languages that the rule judges; pages in others pass.

        Those that it names, in `languages` or in its tables. Where it names none, or the rest by
        `other`: all that its signal holds for.
        """
        if self.languages:
            return Scope(frozenset(self.languages))
        closed = [frozenset(table) for table in self._tables if OTHER not in table]
        if closed:
            return Scope(frozenset.intersection(*closed))
        if self.signal in STOP_WORD_SIGNALS:
            return Scope(with_stop_words())
        named = frozenset(code for table in self._tables for code in table)
        return Scope(but=UNSPACED - named) if self.signal in WORD_SIGNALS else Scope()

    def at(self, side: Literal["low", "high"], bound: float) -> Rule:
        """The same rule, for the same languages, with one bound for all of them."""
        was = self.low if side == "low" else self.high
        new = dict.fromkeys(was, bound) if isinstance(was, dict) else bound
        return self.model_copy(update={side: new})

    @property
    def guest(self) -> str | None:
        """Name of the guest whose verdict the rule takes."""
        found = _GUEST.fullmatch(self.signal)
        return found["name"] if found else None

    @property
    def value(self) -> str:
        """SQL of the signal."""
        if self.guest is None:
            return self.signal
        verdict = f"guests['{self.guest}']"
        return f"CASE WHEN {verdict} = '' THEN 0 WHEN {verdict} != '' THEN 1 END"

    @property
    def fails(self) -> str:
        """SQL that is true for a page to drop.

        A null signal counts as failing: a page that could not be measured is never kept silently.
        Both sides are 32-bit: 0.1 is stored as 0.100000001, which a bound of 64 bits would refuse.
        """
        signal = f"CAST({self.value} AS FLOAT)"
        tests = [f"{self.value} IS NULL"]
        if self.low != -math.inf:
            tests.append(f"{signal} < {_bound_sql(self.low)}")
        if self.high != math.inf:
            tests.append(f"{signal} > {_bound_sql(self.high)}")
        fails = f"({' OR '.join(tests)})"
        return f"({self.scope.sql} AND {fails})" if self.scope.sql else fails


def _bound_sql(bound: Bound) -> str:
    """SQL of a threshold: a number, or the one of the page's language."""
    if not isinstance(bound, dict):
        return f"CAST({bound!r} AS FLOAT)"
    alike: dict[float, list[str]] = {}
    for code, value in bound.items():
        if code != OTHER:
            alike.setdefault(value, []).append(code)
    cases = [
        f"WHEN language IN ({_quoted(codes)}) THEN CAST({value!r} AS FLOAT)"
        for value, codes in alike.items()
    ]
    rest = f" ELSE CAST({bound[OTHER]!r} AS FLOAT)" if OTHER in bound else ""
    return f"CASE {' '.join(cases)}{rest} END" if cases else rest.removeprefix(" ELSE ")


def _quoted(codes: Collection[str]) -> str:
    return ", ".join(f"'{code}'" for code in sorted(codes))


def _listed(codes: frozenset[str]) -> str:
    listed = ", ".join(sorted(codes)) or "none"
    return listed if len(codes) <= _MAX_LISTED else f"{len(codes)} languages"


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


def rules_applied(preset: str, language: str) -> tuple[Rule, ...]:
    """The rules of a preset that judge documents in a language, in order.

    Raises:
        ConfigError: as `rules`.
    """
    return tuple(rule for rule in rules(preset) if language in rule.scope)


@cache
def _parsed(preset: str, text: str) -> tuple[Rule, ...]:
    return read_rules(_Preset, text, f"preset {preset}").rules


def read_rules(kind: type[RulesFile], text: str, what: str) -> RulesFile:
    """The rules in the YAML `text`; none where it is empty.

    Args:
        kind: Model with the field `rules`.
        text: YAML.
        what: What is read, for messages.

    Raises:
        ConfigError: it is not YAML, or not such rules; the first fault is named.
    """
    try:
        return kind.model_validate(yaml.safe_load(text) or {"rules": ()})
    except yaml.YAMLError as error:
        raise ConfigError(f"{what}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{what}: {where}: {first['msg']}") from error


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


def n_judging(rules: Sequence[Rule]) -> str:
    """SQL of how many of the rules judge a page's language."""
    parts = [f"CASE WHEN {rule.scope.sql} THEN 1 ELSE 0 END" if rule.scope.sql else "1"
             for rule in rules]  # fmt: skip
    return " + ".join(parts) or "0"
