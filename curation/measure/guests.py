"""Guests: filters of datatrove, or derived from it, whose verdicts become a column of `measures`.

conf names a filter by its class and gives it a name:

    measure:
      guests:
        - {name: gopher_quality, filter: datatrove.pipeline.filters.GopherQualityFilter,
           options: {min_doc_words: 40}}

Every page is shown to it in the pass that measures the page, nothing is dropped, and the verdict is
an entry of the column `guests`, a map from the guest's name to the reason: `KEPT` (the empty
string) where the filter would keep the page, its reason where it would not (`dropped` where it
gives none), `error: CLASS` where it raises. A map has the same type whatever guests there are. That
kept is the empty string and not null sets it apart from a guest that was never asked, which is
null in both `guests['x'] = ''` and `guests['x'] <> ''`.

datatrove is imported when guests are loaded, never before. Its word tokenizers may need more:
docs/datatrove.md says what works without a network.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import inspect
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from curation.errors import ConfigError
from curation.extract.guard import is_panic

KEPT = ""
"""The verdict on a page that the filter would keep."""
DROPPED = "dropped"
"""The verdict where the filter gives no reason."""

_BASE = "datatrove.pipeline.filters.base_filter"
_INSTALL = "datatrove is not installed here: pip install 'curation[bench]'"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_WRITER = "exclusion_writer"
_MAX_REASON_CHARS = 200
_MAX_BATCH = 1024
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class GuestSpec(Protocol):
    """What conf says of a guest."""

    @property
    def name(self) -> str:
        """Its key in the column `guests`."""

    @property
    def filter(self) -> str:
        """Module and class of the filter, with dots between."""

    @property
    def options(self) -> Mapping[str, Any]:
        """Arguments of the class, by name."""


@dataclass(frozen=True)
class Page:
    """What a guest is shown of a page."""

    doc_id: str
    text: str
    metadata: Mapping[str, Any]
    """What filters look for: `url`, `language`, `language_score`."""


_FIRST_PAGE = Page(
    "first", "A page of a few plain words. It has two sentences.",
    {"url": "https://example.org/", "language": "en", "language_score": 1.0},
)  # fmt: skip


@dataclass(frozen=True)
class Guest:
    """A filter, ready to judge."""

    name: str
    filter: Any
    """A datatrove `BaseFilter`; datatrove has no types."""
    batch_size: int
    """Pages that it takes at once."""


@dataclass(frozen=True)
class Guests:
    """The filters of a run, in the order of conf, and how they are shown a page."""

    guests: tuple[Guest, ...]
    document: Callable[..., Any]
    """Makes a datatrove `Document`."""


def load_guests(specs: Sequence[GuestSpec]) -> Guests:
    """The filters that conf names. Imports datatrove, and nothing where there are no guests.

    `exclusion_writer` is left out of the options: what a guest would drop stays.

    Raises:
        ConfigError: datatrove is not installed; two guests have one name; a class cannot be
            imported, is no filter, lacks a package, or refuses its options; or a filter lacks a
            package, a file, the network or a tokenizer for a first page.
    """
    if not specs:
        return Guests((), dict)
    _check_names([spec.name for spec in specs])
    document, base = _datatrove()
    guests = tuple(_guest(spec, base) for spec in specs)
    for guest, spec in zip(guests, specs, strict=True):
        _try(guest, spec, document)
    return Guests(guests, document)


def identity(specs: Sequence[GuestSpec]) -> dict[str, str]:
    """What decides the verdicts beside conf: datatrove's version, and a hash of each class's file.

    Raises:
        ConfigError: as `load_guests`.
    """
    if not specs:
        return {}
    _, base = _datatrove()
    sources = {spec.name: _source_hash(_class_of(spec, base)) for spec in specs}
    return {"datatrove": importlib.metadata.version("datatrove")} | sources


def verdicts(
    guests: Guests, doc_id: str, text: str, metadata: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Name and reason of every guest for one page, in the order of conf; `KEPT`: no reason.

    The form that an Arrow map is made from. About 7 us a guest, and what the filter
    itself takes.
    """
    return batch_verdicts(guests, [Page(doc_id, text, metadata)])[0]


def batch_verdicts(guests: Guests, pages: Sequence[Page]) -> list[list[tuple[str, str]]]:
    """`verdicts` of every page, in order; filters that take batches are given batches."""
    by_guest = [_verdicts_of(guest, pages, guests.document) for guest in guests.guests]
    names = [guest.name for guest in guests.guests]
    return [
        list(zip(names, [found[row] for found in by_guest], strict=True))
        for row in range(len(pages))
    ]


def _verdicts_of(guest: Guest, pages: Sequence[Page], document: Callable[..., Any]) -> list[str]:
    size = guest.batch_size
    return [
        reason
        for start in range(0, len(pages), size)
        for reason in _judged(guest, pages[start : start + size], document)
    ]


def _judged(guest: Guest, pages: Sequence[Page], document: Callable[..., Any]) -> list[str]:
    """Verdicts on one batch. Where it raises, each page is shown alone: one fault is one page's."""
    try:
        return _asked(guest, pages, document)
    except BaseException as error:
        # What foreign code raises over a page has no end; a panic in Rust is no `Exception`.
        if not (isinstance(error, Exception) or is_panic(error)):
            raise
        if len(pages) == 1:
            return [f"error: {type(error).__name__}"]
    return [reason for page in pages for reason in _judged(guest, [page], document)]


def _asked(guest: Guest, pages: Sequence[Page], document: Callable[..., Any]) -> list[str]:
    # Copies, because filters edit the text (C4) and the metadata (language) of what they are shown.
    shown = [
        document(text=page.text, id=page.doc_id, metadata=dict(page.metadata)) for page in pages
    ]
    with warnings.catch_warnings():
        # numpy warns of the mean of no words; a verdict must not depend on whether warnings raise.
        warnings.simplefilter("ignore")
        found = list(guest.filter.filter_batch(shown))
    if len(found) != len(pages):
        raise ValueError(f"{len(found)} verdicts on {len(pages)} pages")
    return [_reason(result) for result in found]


def _reason(result: object) -> str:
    """The verdict in what a filter returns: whether to keep, or a pair of that and a reason."""
    keep, reason = result if isinstance(result, tuple) else (result, None)
    if keep:
        return KEPT
    return str(reason or DROPPED)[:_MAX_REASON_CHARS].encode("utf-8", "replace").decode()


def _check_names(names: Sequence[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"measure.guests: `{name}` is no name; write it like gopher_quality")
        if names.count(name) > 1:
            raise ConfigError(f"measure.guests: two guests are called `{name}`")


def _datatrove() -> tuple[Callable[..., Any], type]:
    """The class of datatrove's documents and the class that all its filters derive from."""
    try:
        document: Callable[..., Any] = importlib.import_module("datatrove.data").Document
        base: type = importlib.import_module(_BASE).BaseFilter
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "datatrove":
            raise ConfigError(f"measure.guests: {_INSTALL}") from error
        raise ConfigError(f"measure.guests: datatrove cannot be imported: {error}") from error
    return document, base


def _guest(spec: GuestSpec, base: type) -> Guest:
    kind = _class_of(spec, base)
    options = _options(spec, kind)
    try:
        made: Any = kind(**options)
    except Exception as error:  # what foreign code raises has no end
        raise ConfigError(f"{_where(spec)}: {type(error).__name__}: {error}") from error
    return Guest(spec.name, made, _batch_size(spec, made))


def _try(guest: Guest, spec: GuestSpec, document: Callable[..., Any]) -> None:
    """Show it a page: tokenizers and models are loaded at the first, and what they lack is told."""
    try:
        _asked(guest, [_FIRST_PAGE], document)
    except Exception as error:
        # NLTK raises a bare LookupError for data that it has not got, datatrove a ValueError for a
        # language without a tokenizer. Other faults are the page's.
        unknown = "language" in spec.options and isinstance(error, ValueError)
        if unknown or isinstance(error, ImportError | OSError) or type(error) is LookupError:
            told = " ".join(str(error).split())[:_MAX_REASON_CHARS]
            raise ConfigError(f"{_where(spec)}: {type(error).__name__}: {told}") from error


def _class_of(spec: GuestSpec, base: type) -> type:
    module, _, name = spec.filter.rpartition(".")
    if not module:
        raise ConfigError(f"{_where(spec)}: write module and class, with dots between")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # a module of others is run when it is imported
        raise ConfigError(f"{_where(spec)}: {type(error).__name__}: {error}") from error
    if found is None:
        raise ConfigError(f"{_where(spec)}: {module} has no `{name}`")
    if not (isinstance(found, type) and issubclass(found, base)):
        raise ConfigError(f"{_where(spec)}: not derived from {_BASE}.BaseFilter")
    if inspect.isabstract(found):
        raise ConfigError(f"{_where(spec)}: abstract; name a class that has a `filter`")
    return found


def _options(spec: GuestSpec, kind: type) -> dict[str, Any]:
    """Arguments for `kind`; lists become tuples where it wants tuples, which YAML does not have."""
    parameters = inspect.signature(kind.__init__).parameters  # type: ignore[misc]
    known = [name for name, one in parameters.items() if one.kind in _NAMED and name != "self"]
    takes_all = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    given = {name: value for name, value in spec.options.items() if name != _WRITER}
    unknown = [] if takes_all else sorted(set(given) - set(known))
    if unknown:
        told = ", ".join(name for name in known if name != _WRITER)
        raise ConfigError(f"{_where(spec)}: no option is called {unknown[0]}; known: {told}")
    return {
        name: _tuples(value) if _wants_tuple(parameters.get(name)) else value
        for name, value in given.items()
    }


def _wants_tuple(parameter: inspect.Parameter | None) -> bool:
    told = "" if parameter is None else str(parameter.annotation)
    return "tuple" in told.lower() and "list" not in told.lower()


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _batch_size(spec: GuestSpec, made: Any) -> int:
    size = getattr(made, "batch_size", None)
    if isinstance(size, int) and size >= 1:
        return min(size, _MAX_BATCH)
    raise ConfigError(f"{_where(spec)}: batch_size is {size!r}; it must be a whole number from 1")


def _source_hash(kind: type) -> str:
    """Hash of the file that a class stands in; empty where it stands in none."""
    try:
        return hashlib.sha256(Path(inspect.getfile(kind)).read_bytes()).hexdigest()[:12]
    except (TypeError, OSError):
        return ""


def _where(spec: GuestSpec) -> str:
    return f"measure.guests: {spec.name}: {spec.filter}"
