"""Labels: does the order of educational values predict the loss on good text?

Hypothesis: the higher the value (0 to 5, read by hand) of the pages a model was trained on, the
lower its loss on high pages of sites that it has not seen, and on examination questions.

Arms: real pages with a value below 1, from 1 and from 3 on. All groups are cut to the same
number of characters, that of the smallest, so that tokens and repeats are equal. Held out: pages of
3 or more, and below 1, of the sites of one fold in five, another one a seed; examination
questions; newspapers' reports, which are good prose and no lessons.

Source: 2412.02595 (Nemotron-CC), section 2.3: buckets are ordered by what they do for a model.
"""

from __future__ import annotations

from pathlib import Path

from bench.science.design import Arm, Contrast, Experiment, Material, Phase, fixed
from bench.science.texts import (
    beginnings,
    crawl_pages,
    exam_questions,
    news,
    split_pages,
    split_texts,
    up_to,
)
from models.classifiers.data import LabelledPage

GROUPS = {"edu 0": (0.0, 1.0), "edu 1-2": (1.0, 3.0), "edu 3-5": (3.0, 5.1)}
"""Values of the pages of each arm: from, below."""
_ENDS = {"edu 3-5": 1.0, "edu 0": -1.0}
_LOWER = {"edu 1-2": 1.0, "edu 0": -1.0}
_UPPER = {"edu 3-5": 1.0, "edu 1-2": -1.0}


def material(data: Path, seed: int) -> Material:
    """Groups of equal size, and held-out texts."""
    train, held_out = split_pages(crawl_pages(data), seed)
    groups = {name: beginnings(_within(train, *bounds)) for name, bounds in GROUPS.items()}
    n_chars = min(sum(map(len, texts)) for texts in groups.values())
    return Material(
        {name: up_to(texts, n_chars) for name, texts in groups.items()},
        {
            "high pages": beginnings(_within(held_out, *GROUPS["edu 3-5"])),
            "exams": split_texts(exam_questions(data), seed)[1],
            "news": split_texts([text for _, text in news(data)], seed)[1],
            "low pages": beginnings(_within(held_out, *GROUPS["edu 0"])),
        },
        notes={"characters a group": n_chars},
    )


def _within(pages: list[LabelledPage], low: float, high: float) -> list[LabelledPage]:
    return [page for page in pages if low <= page.edu < high]


EXPERIMENT = Experiment(
    "labels",
    "Label order against loss on good text",
    material,
    fixed(*(Arm(name, (Phase({name: 1.0}),)) for name in GROUPS)),
    (
        Contrast("edu 3-5 minus edu 0", "high pages", _ENDS, "below 0"),
        Contrast("edu 1-2 minus edu 0", "high pages", _LOWER, "below 0"),
        Contrast("edu 3-5 minus edu 1-2", "high pages", _UPPER, "below 0"),
        Contrast("edu 3-5 minus edu 0", "exams", _ENDS, "below 0"),
        Contrast("edu 1-2 minus edu 0", "exams", _LOWER, "below 0"),
        Contrast("edu 3-5 minus edu 1-2", "exams", _UPPER, "below 0"),
        Contrast("edu 3-5 minus edu 0", "news", _ENDS, "open"),
        Contrast("edu 3-5 minus edu 0", "low pages", _ENDS, "open"),
    ),
    ("high pages", "exams", "news", "low pages"),
)
