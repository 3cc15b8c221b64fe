"""Engine `rs-trafilatura`: trafilatura's heuristics in Rust, with a learned page classifier.

About 20 ms a page. Its package is in the extra `bench`: a run does without it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from curation.errors import EnvironmentFault
from curation.extract.engines import Extracted
from curation.extract.guard import is_panic
from curation.extract.string_engine import StringEngine


def make() -> StringEngine:
    """The engine `rs-trafilatura`; its confidence is its `extraction_quality`.

    Raises:
        EnvironmentFault: its package is not installed.
    """
    try:
        extract = import_module("rs_trafilatura").extract
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            "extract.engine: rs-trafilatura is not installed here; "
            "`pip install rs-trafilatura==0.1.1`, or choose another engine"
        ) from error
    return StringEngine(
        "rs-trafilatura", read=partial(_read, extract), bare=partial(_bare_text, extract)
    )


def _bare_text(extract: Callable[..., Any], html: str, url: str) -> str:
    text: str = _found(extract, html, url).main_content or ""
    return text


def _read(extract: Callable[..., Any], html: str, url: str) -> Extracted:
    found = _found(extract, html, url)
    return Extracted(
        title=" ".join((found.title or "").split()),
        text=found.main_content or "",
        page_type=found.page_type or "",
        confidence=found.extraction_quality,
    )


def _found(extract: Callable[..., Any], html: str, url: str) -> Any:
    """What the package finds.

    Raises:
        ValueError: it panicked over the page.
    """
    try:
        return extract(html, url=url or None)
    except BaseException as error:
        if not is_panic(error):
            raise
        raise ValueError(f"rs-trafilatura panicked: {error}") from error
