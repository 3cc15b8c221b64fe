"""What is published of each language: thresholds and stop words, from `languages/CODE.yaml`.

Codes are those of `measures.language`, which are fastText's. A file's first comment says where its
numbers come from; `code` is the name that FineWeb 2 has for the language. Where its name and
fastText's do not mean the same writing (Serbian, Uzbek and Mongolian are written in two), there is
no file.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

UNSPACED = frozenset({"bo", "ja", "km", "lo", "my", "th", "wuu", "yue", "zh"})
"""Languages written without spaces between words: what white space separates is no word there."""

SOURCES = ("fineweb2",)
"""Who publishes thresholds by language."""

_FOLDER = resources.files("curation.measure") / "languages"


class Thresholds(BaseModel):
    """Bounds on columns of `measures` for one language, by the column's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    """The language's name in the source."""
    min: dict[str, float] = {}
    max: dict[str, float] = {}


class Language(BaseModel):
    """What is published of one language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fineweb2: Thresholds | None = None
    stop_words: tuple[str, ...] = ()


@cache
def languages() -> dict[str, Language]:
    """Every language that something is published of, by its code, in order. About 0.1 s, once."""
    files = sorted((file for file in _FOLDER.iterdir()), key=lambda file: file.name)
    return {
        file.name.removesuffix(".yaml"): Language.model_validate(
            yaml.safe_load(file.read_text(encoding="utf-8"))
        )
        for file in files
        if file.name.endswith(".yaml")
    }


def published(signal: str, side: Literal["min", "max"]) -> dict[str, float]:
    """FineWeb 2's bound of a column by language; empty where it has none on that side."""
    tables = {code: language.fineweb2 for code, language in languages().items()}
    bounds = {code: getattr(table, side).get(signal) for code, table in tables.items() if table}
    return {code: bound for code, bound in bounds.items() if bound is not None}


@cache
def with_stop_words() -> frozenset[str]:
    """Languages that have a list of stop words."""
    return frozenset(code for code, language in languages().items() if language.stop_words)
