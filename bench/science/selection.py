"""Selection: documents drawn by DSIR against documents drawn at random.

Hypothesis: at equal tokens and equal numbers of documents, those that DSIR draws for a target give
the lower loss on held-out text of the target.

Arms: from about 7,000 newspapers' reports on four topics, a fifth drawn at random or by DSIR, whose
target is 200 other reports on science and technology. No arm sees a topic's name. Held out: 300
reports of the target's topic, 300 of the three others. Reports and draws change with the seed.

Source: 2302.03169 (DSIR); 2407.06380 (Data, Data Everywhere), selection.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.science.design import Arm, Contrast, Experiment, Material, Phase, fixed
from bench.science.texts import news, split_texts
from curation.blend.draws import id_hashes, uniforms
from curation.blend.dsir import bucket_counts, draw_keys, largest, log_ratio, per_token, weigh

TARGET = "Sci/Tech"
N_TARGET, N_HELD_OUT = 200, 300
DRAWN_FRAC = 0.2
TEMPERATURE = 0.1
"""Weights a token are small beside the Gumbel noise without it."""


def material(data: Path, seed: int) -> Material:
    """What both draws took, and held-out reports."""
    topics = {text: topic for topic, text in news(data)}
    ordered = sum(split_texts(topics, seed), list[str]())
    wanted = [text for text in ordered if topics[text] == TARGET]
    others = [text for text in ordered if topics[text] != TARGET][:N_HELD_OUT]
    target, held_out = wanted[:N_TARGET], wanted[N_TARGET : N_TARGET + N_HELD_OUT]
    kept_back = {*target, *held_out, *others}
    pool = [text for text in ordered if text not in kept_back]
    chosen, drawn = drawn_by_dsir(pool, target, seed), drawn_at_random(pool, seed)
    return Material(
        {"random": drawn, "dsir": chosen},
        {"target topic": held_out, "other topics": others},
        notes={
            "documents drawn": len(drawn),
            "of the topic, random": _share(drawn, topics),
            "of the topic, dsir": _share(chosen, topics),
        },
    )


def drawn_by_dsir(pool: list[str], target: list[str], seed: int) -> list[str]:
    """A fifth of `pool` in proportion to importance weights a token."""
    ratio, hashes = log_ratio(bucket_counts(target), bucket_counts(pool)), id_hashes(pool)
    scores = per_token(weigh(pool, ratio), temperature=TEMPERATURE)
    return _taken(pool, largest(draw_keys(scores, hashes, seed=seed), hashes, _n_drawn(pool)))


def drawn_at_random(pool: list[str], seed: int) -> list[str]:
    """A fifth of `pool`."""
    hashes = id_hashes(pool)
    keys = uniforms(hashes, seed=seed, purpose="bench.science")
    return _taken(pool, largest(keys, hashes, _n_drawn(pool)))


def _n_drawn(pool: list[str]) -> int:
    return round(DRAWN_FRAC * len(pool))


def _taken(pool: list[str], chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[str]:
    return [text for text, is_taken in zip(pool, chosen, strict=True) if is_taken]


def _share(texts: list[str], topics: dict[str, str]) -> float:
    return sum(topics[text] == TARGET for text in texts) / len(texts)


_DIFFERENCE = {"dsir": 1.0, "random": -1.0}

EXPERIMENT = Experiment(
    "selection",
    "DSIR against random draws",
    material,
    fixed(*(Arm(name, (Phase({name: 1.0}),)) for name in ("random", "dsir"))),
    (
        Contrast("dsir minus random", "target topic", _DIFFERENCE, "below 0"),
        Contrast("dsir minus random", "other topics", _DIFFERENCE, "open"),
    ),
    ("target topic", "other topics"),
)
