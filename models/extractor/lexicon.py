"""Weights of the words in class and id attributes: how much more main text is below them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.extract.blocks import Page
from curation.extract.classes import words_of

_MIN_DOMAINS = 3
_SHRINKAGE = 3
"""Domains without an effect that are added to each word's mean."""
_WHOLE_PAGE = 0.9
"""An element with more of the page's words than this tells nothing."""
_DIGITS = 3

Excess = dict[str, dict[str, float]]
"""Word -> domain -> share of the words below it that are main text, less the page's share."""


@dataclass(frozen=True)
class Sample:
    """A labelled page for the lexicon."""

    domain: str
    page: Page
    names: Sequence[str]
    """Class, id and role of each element as they stand in the page."""
    n_words: NDArray[np.int64]
    """Of each block."""
    labels: NDArray[np.float64]


def excess_by_word(samples: Iterable[Sample]) -> Excess:
    """How the words' elements differ from their page; of a domain's pages the mean."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        for word, excess in _of_page(sample).items():
            found[word][sample.domain].append(excess)
    return {
        word: {domain: float(np.mean(values)) for domain, values in domains.items()}
        for word, domains in sorted(found.items())
    }


def _of_page(sample: Sample) -> dict[str, float]:
    words = np.append(0, np.cumsum(sample.n_words))
    gold = np.append(0, np.cumsum(sample.n_words * sample.labels))
    totals: dict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    elements = sample.page.elements
    for start, end, names in zip(elements.start, elements.end, sample.names, strict=True):
        inside = int(words[end] - words[start])
        if not names or not 0 < inside <= _WHOLE_PAGE * words[-1]:
            continue
        right = float(gold[end] - gold[start])
        for word in {word.decode() for word in words_of(names)}:
            before = totals[word]
            totals[word] = (before[0] + right, before[1] + inside)
    share = float(gold[-1]) / max(float(words[-1]), 1.0)
    return {word: right / inside - share for word, (right, inside) in totals.items()}


def weights_without(excess: Excess, domains: frozenset[str], *, left_out: str) -> dict[str, float]:
    """Weights from `domains` but `left_out`: a page's own labels must not speak in its features."""
    weights = {}
    for word, by_domain in excess.items():
        values = [v for d, v in by_domain.items() if d in domains and d != left_out]
        if len(values) >= _MIN_DOMAINS:
            weights[word] = round(sum(values) / (len(values) + _SHRINKAGE), _DIGITS)
    return weights
