"""Pages with marked main text -> labelled blocks with features, ready to train on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from curation.extract.blocks import Page, read_page
from curation.extract.classes import Names, NamesReader
from curation.extract.features import Features, features_of
from models.extractor.align import share_in_gold
from models.extractor.data import GoldPage, count_f1, words_in
from models.extractor.lexicon import Excess, Sample, excess_by_word, weights_without

MIN_ORACLE = 0.6
"""Pages where the best choice of blocks scores less are not trained on: the text came by script, or
the marks belong to another version of the page."""


@dataclass(frozen=True)
class Labelled:
    """A page, its blocks, and the share of each block that is main text."""

    gold: GoldPage
    page: Page
    names: list[str]
    counts: list[Counter[str]]
    labels: NDArray[np.float64]
    n_words: NDArray[np.int64]
    gold_counts: Counter[str]

    @property
    def oracle(self) -> float:
        """F1 of the blocks of which more than half is main text: about the best there is."""
        return self.f1(np.flatnonzero(self.labels > 0.5).tolist())

    def f1(self, kept: Sequence[int]) -> float:
        """F1 of the words of the blocks in `kept`."""
        total: Counter[str] = Counter()
        for number in kept:
            total.update(self.counts[number])
        return count_f1(total, self.gold_counts)


@dataclass(frozen=True)
class Example:
    """A labelled page with its features."""

    labelled: Labelled
    features: Features


class _Recorder(NamesReader):
    """Reads names for their groups; the score is where in `texts` the names stand as written."""

    def __init__(self) -> None:
        super().__init__({})
        self.texts = [""]

    def __call__(self, classes: str) -> Names:
        return self._recorded(super().__call__(classes), classes)

    def with_token(self, names: Names, token: str) -> Names:
        text = f"{self.texts[int(names.score)]} {token}"
        return self._recorded(super().with_token(names, token), text)

    def _recorded(self, names: Names, text: str) -> Names:
        self.texts.append(text)
        return Names(names.mask, float(len(self.texts) - 1), names.key)


def label(gold: GoldPage) -> Labelled | None:
    """The page with labels; None where it has no text at all."""
    recorder = _Recorder()
    page = read_page(gold.html, names_of=recorder)
    if not page.blocks.text:
        return None
    words = [words_in(text) for text in page.blocks.text]
    gold_words = words_in(gold.main_text)
    return Labelled(
        gold=gold,
        page=page,
        names=[recorder.texts[int(score)] for score in page.elements.score],
        counts=[Counter(own) for own in words],
        labels=np.array(share_in_gold(words, gold_words)),
        n_words=np.array([len(own) for own in words], np.int64),
        gold_counts=Counter(gold_words),
    )


def excess_of(pages: Sequence[Labelled]) -> Excess:
    """What the words in class names have to do with main text, on `pages`."""
    return excess_by_word(
        Sample(page.gold.domain, page.page, page.names, page.n_words, page.labels)
        for page in pages
        if page.oracle >= MIN_ORACLE
    )


def examples(pages: Sequence[Labelled], excess: Excess, domains: frozenset[str]) -> list[Example]:
    """Features of `pages`, each with a lexicon from `domains` without the page's own domain."""
    readers: dict[str, NamesReader] = {}
    made = []
    for labelled in pages:
        domain = labelled.gold.domain
        if domain not in readers:
            readers[domain] = NamesReader(weights_without(excess, domains, left_out=domain))
        made.append(_example(labelled, readers[domain]))
    return made


def _example(labelled: Labelled, reader: NamesReader) -> Example:
    page = read_page(labelled.gold.html, names_of=reader)
    return Example(replace(labelled, page=page), features_of(page, labelled.gold.url))
