"""UniMax against proportional shares: what becomes of the worst source.

Hypothesis: UniMax lowers the loss of the worst source, and raises that of the largest one, the web.

Arms: five real sources of very different sizes, in proportion to their tokens, or by UniMax with at
most four passes: the web (1 million characters of crawled pages), newspapers' reports (250,000),
examination questions (120,000), school mathematics in words (60,000) and German sentences (all 120
that are not held out). Held out: other texts of each source. The worst source is the one with the
most bits a byte under that arm.

Source: 2304.09151 (UniMax), algorithm 1; 2407.06380 (Data, Data Everywhere).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.science.design import Arm, Contrast, Experiment, Material, Phase
from bench.science.texts import (
    beginnings,
    crawl_pages,
    exam_questions,
    news,
    sentences,
    split_pages,
    split_texts,
    up_to,
    word_problems,
)
from curation.blend.mixing import proportional_shares, unimax_shares

N_CHARS = {"news": 250_000, "exams": 120_000, "problems": 60_000, "german": 60_000}
WEB, WEB_CHARS = "web", 1_000_000
MAX_EPOCHS = 4.0
SOURCES = (WEB, *N_CHARS)


def material(data: Path, seed: int) -> Material:
    """The five sources, each with held-out texts of its own."""
    texts = {
        "news": [text for _, text in news(data)],
        "exams": exam_questions(data),
        "problems": word_problems(data),
        "german": sentences(data, "de"),
    }
    pages, other_pages = split_pages(crawl_pages(data), seed)
    sources = {WEB: up_to(beginnings(pages), WEB_CHARS)}
    held_out = {WEB: beginnings(other_pages)}
    for name, n_chars in N_CHARS.items():
        train, held_out[name] = split_texts(texts[name], seed)
        sources[name] = up_to(train, n_chars)
    return Material(sources, held_out)


def arms(sizes: Mapping[str, int], budget: int) -> tuple[Arm, ...]:
    """Shares from the tokens that there are."""
    tokens = {name: float(n) for name, n in sizes.items()}
    return (
        Arm("proportional", (Phase(proportional_shares(tokens)),)),
        Arm("unimax", (Phase(unimax_shares(tokens, budget=budget, max_epochs=MAX_EPOCHS)),)),
    )


_DIFFERENCE = {"unimax": 1.0, "proportional": -1.0}

EXPERIMENT = Experiment(
    "unimax",
    "UniMax against proportional shares",
    material,
    arms,
    (
        Contrast("unimax minus proportional", "worst of all", _DIFFERENCE, "below 0"),
        Contrast("unimax minus proportional", WEB, _DIFFERENCE, "above 0"),
        *(Contrast("unimax minus proportional", name, _DIFFERENCE, "open") for name in N_CHARS),
    ),
    (*SOURCES, "worst of all"),
)
