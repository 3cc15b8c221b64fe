"""Engine `fast`: main text by a learned decision about every block of a page. About 5 ms a page.

A walk makes blocks of the tree, small networks give each the probability that it is main text, and
those blocks are kept whose expected F1 as a whole is highest. Weights, how they
came about and what they score: `models/extractor`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import IO

import numpy as np
from numpy.typing import NDArray

from curation.errors import InputError
from curation.extract.blocks import MAX_BLOCKS, MAX_NODES, Page, read_page
from curation.extract.classes import NamesReader
from curation.extract.engines import Extracted
from curation.extract.features import BLOCK_FEATURES, PAGE_FEATURES, Features, features_of
from curation.extract.nesting import MAX_DEPTH, cut_at_depth
from curation.extract.network import Networks, Surroundings
from curation.extract.render import render

Floats = NDArray[np.float32]

VERSION = 1
"""Of the weights' layout. A file with another one is refused."""
PAGE_TYPES = (
    "article", "collection", "documentation", "forum", "listing", "product", "service",
)  # fmt: skip
_MAX_LOG_ODDS = 30.0
_WEIGHTS = resources.files("curation.extract") / "weights" / "fast.npz"


@dataclass(frozen=True)
class Weights:
    """All that was learned."""

    names: dict[str, float]
    """Words of classes and ids: how much more of the text below is main text than on the page."""
    networks: Networks
    types: Floats
    """One row a page type: weights of the page's features, and a constant."""
    calibration: Floats
    """Rows: expected F1 by the model, rising; the F1 that pages had there in validation."""


class FastEngine:
    """The engine; keeps what it read of class names, which changes no result."""

    name = "fast"

    def __init__(self, weights: Weights | None = None) -> None:
        self._weights = weights or shipped_weights()
        self._names = NamesReader(self._weights.names)

    @property
    def version(self) -> str:
        """Hash of the shipped weights, 12 hex digits."""
        return hashlib.sha256(_WEIGHTS.read_bytes()).hexdigest()[:12]

    def __call__(self, html: str, *, url: str) -> Extracted:
        """Title and main text. Takes any string; a page without text has an empty text."""
        shallow = cut_at_depth(html)
        page = read_page(shallow, names_of=self._names)
        faults = tuple(_cuts(page, is_too_deep=shallow is not html))
        if not page.blocks.text:
            return Extracted(title_of(page), "", faults=faults)
        features = features_of(page, url)
        probability = score_blocks(features, self._weights)
        kept, expected = best_blocks(probability, features.words)
        return Extracted(
            title=title_of(page),
            text=render(page, kept),
            page_type=page_type_of(features.page, self._weights),
            confidence=float(np.interp(expected, *self._weights.calibration)),
            faults=faults,
        )


def _cuts(page: Page, *, is_too_deep: bool) -> Iterator[str]:
    """What of a page was not read, in words."""
    if is_too_deep:
        yield f"fast: not read beyond {MAX_DEPTH} levels"
    if page.is_cut:
        yield f"fast: not read beyond {MAX_BLOCKS} blocks or {MAX_NODES} nodes"


def score_blocks(features: Features, weights: Weights) -> Floats:
    """Probability of each block to be main text; shape (n,)."""
    around = Surroundings(features.around, features.kind)
    log_odds = weights.networks(features.matrix, around)
    return np.asarray(_probability(log_odds).mean(axis=0), np.float32)


def best_blocks(probability: Floats, words: NDArray[np.float64]) -> tuple[list[int], float]:
    """Numbers of the blocks to keep, rising, and the F1 over words that they can expect.

    Of all sets, the one with the highest 2 E[right] / (kept + E[to be found]) holds the blocks of
    highest probability (Lewis 1995, "Evaluating and optimizing autonomous text classification
    systems"); here numerator and denominator are each put at their expectation.
    """
    order = np.argsort(-probability, kind="stable")
    right = np.cumsum((probability * words)[order])
    expected = 2 * right / (np.cumsum(words[order]) + right[-1] + 1e-9)
    last = int(np.argmax(expected))
    return sorted(order[: last + 1].tolist()), min(float(expected[last]), 1.0)


def page_type_of(page: Floats, weights: Weights) -> str:
    """The likeliest kind of page, from `PAGE_TYPES`."""
    scores = weights.types[:, :-1] @ page + weights.types[:, -1]
    return PAGE_TYPES[int(np.argmax(scores))]


def title_of(page: Page) -> str:
    """`og:title`, else `<title>`; empty where the page has neither."""
    return page.head.og_title or page.head.title


def _probability(log_odds: Floats) -> Floats:
    return np.asarray(
        1 / (1 + np.exp(-np.clip(log_odds, -_MAX_LOG_ODDS, _MAX_LOG_ODDS))), np.float32
    )


@cache
def shipped_weights() -> Weights:
    """The weights that the package ships, read once a process."""
    with _WEIGHTS.open("rb") as file:
        return read_weights(file)


def read_weights(file: IO[bytes]) -> Weights:
    """Weights as `models.extractor.train` writes them.

    Raises:
        InputError: the file was made for other features or another layout.
    """
    with np.load(file, allow_pickle=False) as arrays:
        _check(int(arrays["version"]), arrays["features"].tolist())
        networks = Networks(
            *(arrays[f"net_{name}"].astype(np.float32) for name in Networks.__dataclass_fields__)
        )
        names = zip(arrays["names"].tolist(), arrays["name_weights"].tolist(), strict=True)
        return Weights(
            dict(names), networks, arrays["types"].astype(np.float32), arrays["calibration"],
        )  # fmt: skip


def feature_names() -> list[str]:
    """Names of the rows that the models see, in order."""
    return [*BLOCK_FEATURES, *(f"page_{name}" for name in PAGE_FEATURES)]


def _check(version: int, features: list[str]) -> None:
    if version != VERSION:
        raise InputError(
            f"extractor weights: layout {version}, expected {VERSION}; "
            "train anew with `python -m models.extractor.train`"
        )
    ours = feature_names()
    if features != ours:
        strange = sorted(set(features) ^ set(ours)) or ["their order"]
        raise InputError(
            f"extractor weights: features differ from the code's in {', '.join(strange[:5])}; "
            "train anew with `python -m models.extractor.train`"
        )
