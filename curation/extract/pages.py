"""One item of a WARC file -> its row, with the engines in a child process or in this one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pickle import PickleBuffer
from typing import Any, cast

from curation.config import ExtractConfig
from curation.crawl.warc import Item, WarcRecord
from curation.extract.arbitration import Union
from curation.extract.child import Announce, Work
from curation.extract.containment import Contained, Limits, shared
from curation.extract.engines import Engine, Extracted, engine, version_of
from curation.extract.guard import Failure, KnownFault
from curation.extract.records import Origin, outcome_of, refusal

Row = dict[str, Any]

_WORK = f"{__name__}:page_work"


@dataclass(frozen=True)
class Place:
    """An item, its id, and where it comes from."""

    item: Item
    doc_id: str
    origin: Origin


RowOf = Callable[[Place], Row]


def row_maker(conf: ExtractConfig) -> RowOf:
    """What makes the row of OUTCOMES of an item, as `conf` says.

    Only what may be a page is worth the way to a child: two records of three are refused before.
    """
    return partial(_row, conf=conf, read=_reader(conf))


def contained_pages(conf: ExtractConfig) -> Contained:
    """The child of this process in which pages become rows; a Failure where none survives."""
    return shared(_WORK, conf, _limits(conf))


def page_work(conf: ExtractConfig) -> Work:
    """Decoding, engines and row of a page as work for a child; a step is an engine, by its name."""
    engines = engines_of(conf)

    def work(place: Place, faults: Mapping[str, Failure], announce: Announce) -> Row:
        watched = [_watched(engine, faults, announce) for engine in engines]
        return _outcome(place, conf, watched)

    return work


def engine_versions(conf: ExtractConfig) -> dict[str, str]:
    """What decides the texts of the engines in use, by their names.

    Raises:
        ConfigError: an engine is unknown.
        EnvironmentFault: the package of an engine is not installed.
    """
    return {name: version_of(name) for name in _asked(conf)}


def engines_of(conf: ExtractConfig) -> tuple[Engine, ...]:
    """The engines that a page is given to, in order: the chosen one, then its fallback."""
    return tuple(_limited(engine(name), conf.max_page_s) for name in _asked(conf))


def _limited(engine: Engine, max_s: float) -> Engine:
    return replace(engine, max_s=max_s) if isinstance(engine, Union) else engine


def _asked(conf: ExtractConfig) -> list[str]:
    is_alone = conf.fallback in ("none", conf.engine)
    return [conf.engine] if is_alone else [conf.engine, conf.fallback]


@dataclass(frozen=True)
class _Watched:
    """An engine that says when it begins, and does not begin where it is known to fail."""

    engine: Engine
    faults: Mapping[str, Failure]
    announce: Announce

    @property
    def name(self) -> str:
        return self.engine.name

    def __call__(self, html: str, *, url: str) -> Extracted:
        if self.name in self.faults:
            raise KnownFault(self.faults[self.name])
        self.announce(self.name)
        return self.engine(html, url=url)


def _watched(engine: Engine, faults: Mapping[str, Failure], announce: Announce) -> Engine:
    """`engine`, watched; of a union every part, so that it goes on without one that crashes."""
    if isinstance(engine, Union):
        parts = tuple(_watched(part, faults, announce) for part in engine.engines)
        engine = replace(engine, engines=parts)
    return _Watched(engine, faults, announce)


def _reader(conf: ExtractConfig) -> RowOf:
    if conf.containment == "none":
        work = page_work(conf)
        return lambda place: work(place, {}, lambda name: None)
    return partial(_row_from_child, contained=contained_pages(conf), conf=conf)


def _row_from_child(place: Place, *, contained: Contained, conf: ExtractConfig) -> Row:
    assert isinstance(place.item, WarcRecord)
    # `bytes` again when it arrives; copying it into the pickle would cost as much as the rest.
    payload = cast("bytes", PickleBuffer(place.item.payload))
    found: Row | Failure = contained(replace(place, item=place.item._replace(payload=payload)))
    if not isinstance(found, Failure):
        return found
    # A record with a problem is a reject for that reason, without anybody looking at its payload.
    poisoned = place.item._replace(problem=found.reason, detail=found.detail)
    return _outcome(replace(place, item=poisoned), conf, [])


def _row(place: Place, *, conf: ExtractConfig, read: RowOf) -> Row:
    item = place.item
    if isinstance(item, WarcRecord) and refusal(item, max_html_bytes=conf.max_html_bytes) is None:
        return read(place)
    return _outcome(place, conf, [])


def _outcome(place: Place, conf: ExtractConfig, engines: list[Engine]) -> Row:
    return outcome_of(
        place.item, doc_id=place.doc_id, origin=place.origin, conf=conf, engines=engines
    )


def _limits(conf: ExtractConfig) -> Limits:
    return Limits(
        max_step_s=conf.max_page_s,
        max_clock_s=conf.max_page_clock_s,
        max_task_bytes=conf.max_page_memory_bytes,
        max_growth_bytes=conf.max_child_growth_bytes,
        tasks_per_child=conf.pages_per_child,
    )
