"""Duplicates: a crawl with many copies against the same crawl after deduplication.

Hypothesis: at equal tokens the deduplicated crawl gives the lower loss on pages of other sites.

Arms: `duplicated` is 500 real pages of which 25 stand there 60 times more, in every second copy
with one word in a hundred edited, three quarters of the tokens in all; `deduplicated` is what our
MinHash bands, verified at a Jaccard similarity of 0.8, leave of it. Held out: pages of the sites of
one fold in five, another one a seed.

Source: Lee et al. 2022, "Deduplicating training data makes language models better" (2107.06499).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.duplicates import Editor, char_shingles, jaccard
from bench.science.design import Arm, Contrast, Experiment, Material, Phase, fixed
from bench.science.texts import beginnings, crawl_pages, split_pages
from curation.config import MeasureConfig
from curation.measure.kernel import hasher_of

N_PAGES, N_COPIED, N_COPIES = 500, 25, 60
MIN_JACCARD = 0.8
_WORDS_PER_EDIT = 100


def material(data: Path, seed: int) -> Material:
    """The crawl with its copies, and without."""
    train, held_out = split_pages(crawl_pages(data), seed)
    pages = beginnings(train)[:N_PAGES]
    crawl = with_copies(pages, N_COPIED, N_COPIES, key=str(seed))
    kept = deduplicated(crawl)
    n_chars = sum(map(len, crawl))
    return Material(
        {"duplicated": crawl, "deduplicated": kept},
        {"other pages": beginnings(held_out)},
        notes={
            "documents": len(crawl), "distinct pages": len(set(pages)), "documents kept": len(kept),
            "share of characters in copies": 1 - sum(map(len, pages)) / n_chars,
        },
    )  # fmt: skip


def with_copies(pages: Sequence[str], n_copied: int, n_copies: int, *, key: str) -> list[str]:
    """`pages`, and `n_copies` copies of each of the first `n_copied`; every second is edited."""
    crawl = list(pages)
    for number, page in enumerate(pages[:n_copied]):
        n_edits = len(page.split()) // _WORDS_PER_EDIT
        for copy in range(n_copies):
            editor = Editor(page, f"{key}:{number}:{copy}") if copy % 2 else None
            crawl.append(editor.text(n_edits) if editor else page)
    return crawl


def deduplicated(texts: Sequence[str]) -> list[str]:
    """The first of each cluster of texts that are equal, or share a band and are similar indeed."""
    hasher, holders, kept = hasher_of(MeasureConfig()), dict[int, list[str]](), list[str]()
    for text in dict.fromkeys(texts):
        bands = [int(band) for band in hasher.bands(text)]
        rivals = {rival for band in bands for rival in holders.get(band, ())}
        if not any(_similar(text, rival) for rival in sorted(rivals)):
            kept.append(text)
            for band in bands:
                holders.setdefault(band, []).append(text)
    return kept


def _similar(text: str, other: str) -> bool:
    return jaccard(char_shingles(text), char_shingles(other)) >= MIN_JACCARD


_DIFFERENCE = {"deduplicated": 1.0, "duplicated": -1.0}

EXPERIMENT = Experiment(
    "duplicates",
    "Deduplicated against duplicated",
    material,
    fixed(*(Arm(name, (Phase({name: 1.0}),)) for name in ("duplicated", "deduplicated"))),
    (Contrast("deduplicated minus duplicated", "other pages", _DIFFERENCE, "below 0"),),
    ("other pages",),
)
