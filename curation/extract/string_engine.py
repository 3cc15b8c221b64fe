"""Engines that read HTML as a string: formulas become LaTeX text before they see the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from curation.extract.engines import Extracted, title_of
from curation.extract.formulas import write_formulas


@dataclass(frozen=True)
class StringEngine:
    """An engine around a function of another package.

    None of them knows MathML, KaTeX or MathJax: they drop formulas or tear them apart. So the
    formulas of the page are written as text first; a page without any costs a look for their signs.
    """

    name: str
    read: Callable[[str, str], Extracted]
    """From HTML and URL to what is found."""
    bare: Callable[[str, str], str]
    """From HTML and URL to the text that the package itself gives with the settings used here:
    nothing of ours before it or after it. What `bench.extract` compares with."""

    def __call__(self, html: str, *, url: str) -> Extracted:
        return self.read(write_formulas(html), url)


def text_engine(
    name: str, text_of: Callable[[str], str], *, bare: Callable[[str], str] | None = None
) -> StringEngine:
    """An engine that gives text alone; the title is the page's `<title>`.

    `bare` is the package's own call, to be given where `text_of` adds to it.
    """
    alone = bare or text_of
    return StringEngine(
        name,
        read=lambda html, url: Extracted(title_of(html), text_of(html)),
        bare=lambda html, url: alone(html),
    )
