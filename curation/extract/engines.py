"""Main-text extractors behind one interface, each in a file of its own, chosen by name.

To add one: write a file with a function that makes an `Engine`, and add its line to `ENGINES`.
`docs/extraction.md` shows how.
"""

from __future__ import annotations

import html as html_entities
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from types import MappingProxyType
from typing import Protocol, cast

from curation.errors import ConfigError

ENGINES = MappingProxyType({
    "fast": "curation.extract.fast:FastEngine",
    "trafilatura": "curation.extract.by_trafilatura:make",
    "rs-trafilatura": "curation.extract.by_rs_trafilatura:make",
    "resiliparse": "curation.extract.by_resiliparse:make",
    "justext": "curation.extract.by_justext:make",
})  # fmt: skip
"""Name of an engine -> `module:factory`, imported only when the engine is asked for."""

_PACKAGES = MappingProxyType({
    "trafilatura": "trafilatura",
    "rs-trafilatura": "rs-trafilatura",
    "resiliparse": "resiliparse",
    "justext": "jusText",
})  # fmt: skip
"""Package whose version decides what an engine finds, beside `ADAPTERS`."""
ADAPTERS = 2
"""Raised when an adapter makes other texts of what the same package gives."""

UNION_SIGN = "+"
"""Between the names of engines that all run, so that arbitration chooses among their texts."""

_TITLE = re.compile(r"<title(?:\s[^>]*)?>", re.IGNORECASE)
_MAX_TITLE_CHARS = 1_000


@dataclass(frozen=True)
class Extracted:
    """What an engine finds in a page; empty strings where it finds nothing."""

    title: str
    text: str
    page_type: str = ""
    """Kind of page, e.g. `forum`; empty where the engine has no notion of it."""
    confidence: float | None = None
    """The engine's own estimate of the F1 of `text`, 0..1; None where it gives none."""
    engine: str = ""
    """Engine that gave the text, where it is not the one that was asked but a part of it."""
    faults: tuple[str, ...] = ()
    """Why parts of the engine that was asked found nothing, and what of the page was not read."""


class Engine(Protocol):
    """A main-text extractor. Keeps nothing from one page to the next."""

    @property
    def name(self) -> str:
        """Name by which the configuration asks for it."""
        ...

    def __call__(self, html: str, *, url: str) -> Extracted:
        """Title and main text of the page; `url` is there for engines that resolve links."""
        ...


def engine(name: str) -> Engine:
    """The engine called `name`: a key of `ENGINES`, `module:factory`, or several joined by `+`.

    `fast+trafilatura` runs both and lets arbitration choose, page by page. A factory is called
    without arguments and returns an `Engine`.

    Raises:
        ConfigError: there is no engine of that name, or no factory at that place.
        EnvironmentFault: the engine's package is not installed.
    """
    if UNION_SIGN in name:
        # Here, because arbitration is made of engines and imports this module.
        from curation.extract.arbitration import union

        return union(tuple(engine(part.strip()) for part in name.split(UNION_SIGN)))
    place = ENGINES.get(name, name)
    if ":" not in place:
        known = ", ".join(ENGINES)
        raise ConfigError(
            f"extract.engine: no engine `{name}`; known: {known}; or `module:factory` of your own, "
            f"or several joined by `{UNION_SIGN}`"
        )
    return _factory(place)()


def version_of(name: str) -> str:
    """What decides the texts of the engine `name` beside its name: versions and weights.

    Raises:
        As `engine`.
    """
    if UNION_SIGN in name:
        return UNION_SIGN.join(version_of(part.strip()) for part in name.split(UNION_SIGN))
    made = engine(name)  # it is there, or says what is missing
    if name in _PACKAGES:
        return f"{version(_PACKAGES[name])}+{ADAPTERS}"
    return str(getattr(made, "version", ""))


def _factory(place: str) -> Callable[[], Engine]:
    module_name, _, factory_name = place.partition(":")
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module is there, and what it imports is not
        raise ConfigError(f"extract.engine: no module `{module_name}` (from `{place}`)") from error
    if not callable(factory := getattr(module, factory_name, None)):
        raise ConfigError(f"extract.engine: module `{module_name}` has no factory `{factory_name}`")
    return cast("Callable[[], Engine]", factory)


def title_of(html: str) -> str:
    """Text of the first `<title>`, white space squeezed, at most 1,000 characters of source."""
    start = _TITLE.search(html)
    if start is None:
        return ""
    content = html[start.end() : start.end() + _MAX_TITLE_CHARS]
    end = content.lower().find("</title")
    return " ".join(html_entities.unescape(content if end < 0 else content[:end]).split())
