"""Fill in the middle: documents cut into three and put in another order. Pure.

A model that reads prefix and suffix before the middle learns to fill gaps, at no cost to what it
learns from left to right, up to rates of .9. Two cuts are drawn among all places between
characters, and each of the three pieces is tokenised by itself.

    PSM    PRE prefix SUF suffix MID middle
    SPM    PRE SUF suffix MID prefix middle

Draws are hashes of the document's id, its copy and the seed: nothing depends on order or batch.

Source: Bavarian et al. 2022 (2207.14255), section 3 and appendix D; SPM is its variant 2, jointly
trained half and half.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SPM_RATE = 0.5
"""Share of the documents cut that are put suffix first."""


class Pieces(NamedTuple):
    """A document cut at two places; together they are the text."""

    prefix: str
    middle: str
    suffix: str
    is_spm: bool


@dataclass(frozen=True)
class FimTokens:
    """Ids of the marks before prefix, middle and suffix."""

    prefix: int
    middle: int
    suffix: int


def document_key(id_: str, copy: int) -> str:
    """By which a copy of the blend is drawn: each copy of a document is cut elsewhere."""
    return f"{id_}:{copy}"


def cut_in_three(text: str, key: str, *, rate: float) -> Pieces | None:
    """The pieces of `text`; None for the share of 1 - `rate` that stays whole.

    Args:
        text: Of one document.
        key: Names the document, its copy and the seed: the same key, the same draw.
        rate: 0..1.
    """
    is_cut, is_spm, one, two = _draws(key)
    if is_cut >= rate:
        return None
    first, second = sorted(int(draw * (len(text) + 1)) for draw in (one, two))
    return Pieces(text[:first], text[first:second], text[second:], is_spm < SPM_RATE)


def arranged(
    pieces: Pieces, ids: dict[str, NDArray[np.generic]], marks: FimTokens
) -> NDArray[np.generic]:
    """Token ids of the whole document in its new order.

    Args:
        pieces: Of the document.
        ids: Token ids of each text among the pieces.
        marks: What goes before them.
    """
    prefix, middle, suffix = (ids[text] for text in pieces[:3])
    pre, mid, suf = (
        np.array([mark], prefix.dtype) for mark in (marks.prefix, marks.middle, marks.suffix)
    )
    if pieces.is_spm:
        return np.concatenate([pre, suf, suffix, mid, prefix, middle])
    return np.concatenate([pre, prefix, suf, suffix, mid, middle])


def _draws(key: str) -> list[float]:
    """Four numbers in 0..1 without 1."""
    digest = hashlib.blake2b(f"fim:{key}".encode(), digest_size=32).digest()
    return [int.from_bytes(digest[i : i + 8], "big") / 2**64 for i in range(0, 32, 8)]
