"""Texts and base model that `phases` and `rewarming` share.

The base reads real pages and prose about invented places, with the rate falling to a tenth of its
peak. What goes on from it begins at that tenth. Questions with answers about half of the places are
a source of their own; of the other half the questions are never trained on.
"""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

from bench.science.design import Arm, Material, Phase, Quiz
from bench.science.facts import invented_facts
from bench.science.runner import SHAPE
from bench.science.texts import beginnings, crawl_pages, news, split_pages, split_texts, up_to
from models.recipes.continued import MIN_FRAC

N_ENTITIES, N_TELLINGS = 80, 6
WEB, PROSE, ASKED, NEWS = "web", "prose", "questions", "news"
CONTINUED: dict[str, Any] = {"batch_size": 8, "micro_batch_size": 8, "warmup_steps": 10}
"""Larger steps, of which there are fewer: low rates want little noise."""
BASE = Arm("base", (Phase({WEB: 0.5, PROSE: 0.5}),))
LAST_RATE = SHAPE.learning_rate * SHAPE.final_frac
"""At which the base ends."""
STEADY: dict[str, Any] = {"learning_rate": LAST_RATE, "warmup_steps": 0, "final_frac": MIN_FRAC}
"""On from the base's last rate, without warm-up, to a hundredth of it (2407.07263, table 8)."""


def material(data: Path, seed: int) -> Material:
    """Four sources, and questions whose answers stood in prose."""
    rng, entities = Random(f"{seed}/continued"), invented_facts(N_ENTITIES, seed)
    told = [
        " ".join(fact.sentence(rng) for fact in rng.sample(entity, len(entity)))
        for _ in range(N_TELLINGS)
        for entity in entities
    ]
    questions = [[fact.question for fact in entity] for entity in entities]
    asked = [one for entity in questions[::2] for one in entity]
    unasked = [one for entity in questions[1::2] for one in entity]
    pages, other_pages = split_pages(crawl_pages(data), seed)
    reports, other_reports = split_texts([text for _, text in news(data)], seed)
    return Material(
        {
            WEB: beginnings(pages),
            PROSE: told,
            ASKED: [prompt + answer for prompt, answer in asked],
            NEWS: up_to(reports, 1_000_000),
        },
        {WEB: beginnings(other_pages), NEWS: other_reports},
        {"unseen questions": Quiz(tuple(unasked)), "seen questions": Quiz(tuple(asked))},
    )
