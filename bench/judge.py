"""How well a judge model agrees with grades that people gave: the gate `judge_score` measured.

`python -m bench.judge [--conf FILE] [--set judge.model=NAME] [--json OUT]` asks the judge of the
settings about the labelled pairs of `judge_pairs.yaml`, as s07a asks about generated texts, and
prints

- quadratic kappa and Spearman's correlation of its grades with ours, over the pairs that it graded;
- AUC: how often it grades a good text (ours 4 or 5) above a bad one (1 or 2), ties one half;
- what the gate `judge_score >= 3` would keep of the good and of the bad;
- pairs without a readable grade.

Whoever wrote the prompt labelled the pairs, and 48 are few: an interval by resampling the sources
is printed for the AUC. A judge whose interval reaches down to .5 is no gate.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray

from curation.config import JudgeConfig, load_config, overrides
from curation.errors import reported
from curation.model_store import model_folder
from curation.synth.backends.loading import load_backend, release
from curation.synth.backends.protocol import ChatRequest
from curation.synth.judgement import pair_text, read_grade
from curation.synth.judging import most_tokens
from curation.synth.prompts import load_judge, render
from curation.synth.tokenizer import load_chat_tokenizer
from models.classifiers.agreement import quadratic_kappa
from models.classifiers.measures import roc_auc, spearman

PAIRS = Path(__file__).parent / "judge_pairs.yaml"
GOOD, BAD = (4, 5), (1, 2)
LEAST = 3
"""Of the default gate `judged_low`."""
_DRAWS = 1_000


class Pair(NamedTuple):
    """A text made of a source, and the grade that we give it."""

    source: str
    made: str
    grade: int
    number: int
    """Of its source."""


def read_pairs(path: Path = PAIRS) -> list[Pair]:
    """The labelled pairs."""
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [
        Pair(one["source"].strip(), made, grade, number)
        for number, one in enumerate(found)
        for grade, made in one["made"]
    ]


def grades_of(pairs: Sequence[Pair], conf: JudgeConfig) -> list[int | None]:
    """The judge's grade of each pair, asked as s07a asks."""
    prompt, tokenizer = load_judge(), load_chat_tokenizer(model_folder(conf.model))
    most = most_tokens(prompt, conf)
    asked = [
        ChatRequest(
            request_id=f"{number:03}",
            system=prompt.system,
            user=render(prompt, pair_text(pair.source, pair.made, prompt, tokenizer, most)),
            prefill=prompt.prefill if conf.prefill else "",
            max_tokens=prompt.max_output_tokens,
            temperature=prompt.temperature,
            top_p=prompt.top_p,
        )
        for number, pair in enumerate(pairs)
    ]
    answers = {
        done.request_id: done for done in load_backend(conf, seed=conf.engine_seed).generate(asked)
    }
    release()
    found = (answers[one.request_id] for one in asked)
    return [read_grade(done.text, done.finish_reason)[0] for done in found]


def agreement(pairs: Sequence[Pair], grades: Sequence[int | None]) -> dict[str, Any]:
    """Figures of the judge's `grades`; null where too few were readable to say."""
    both = [(pair, grade) for pair, grade in zip(pairs, grades, strict=True) if grade is not None]
    ours = np.array([pair.grade for pair, _ in both])
    theirs = np.array([grade for _, grade in both])
    told = {"pairs": len(pairs), "unreadable": len(pairs) - len(both)}
    if len({*ours.tolist()}) < 2 or not (np.isin(ours, GOOD).any() and np.isin(ours, BAD).any()):
        return told | {"kappa": None, "spearman": None, "auc": None}
    sources = np.array([pair.number for pair, _ in both])
    return told | {
        "kappa": round(quadratic_kappa(ours, theirs), 3),
        "spearman": round(spearman(ours, theirs), 3) if len({*theirs.tolist()}) > 1 else None,
        "auc": round(_auc(ours, theirs), 3),
        "auc_interval": _interval(ours, theirs, sources),
        "kept_of_good": round(float((theirs[np.isin(ours, GOOD)] >= LEAST).mean()), 3),
        "kept_of_bad": round(float((theirs[np.isin(ours, BAD)] >= LEAST).mean()), 3),
    }


def _auc(ours: NDArray[np.int64], theirs: NDArray[np.int64]) -> float:
    sure = np.isin(ours, GOOD) | np.isin(ours, BAD)
    return roc_auc(np.isin(ours[sure], GOOD), theirs[sure].astype(float))


def _interval(
    ours: NDArray[np.int64], theirs: NDArray[np.int64], sources: NDArray[np.int64]
) -> list[float]:
    """95 % of the AUCs where sources are drawn again, with their texts."""
    random, names = np.random.default_rng(17), np.unique(sources)
    rows_of = {name: np.flatnonzero(sources == name) for name in names}
    found = []
    for _ in range(_DRAWS):
        rows = np.concatenate([rows_of[name] for name in random.choice(names, names.size)])
        if np.isin(ours[rows], GOOD).any() and np.isin(ours[rows], BAD).any():
            found.append(_auc(ours[rows], theirs[rows]))
    return [round(float(edge), 3) for edge in np.quantile(found, (0.025, 0.975))]


def main(given: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--conf", default="conf/demo.yaml", help="a run; its `judge` counts")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--json", type=Path, help="where the figures and grades go")
    args = parser.parse_args(given)
    conf = load_config(args.conf, overrides(args.changes))
    pairs = read_pairs()
    grades = grades_of(pairs, conf.judge)
    told = {"judge": conf.judge.model, **agreement(pairs, grades)}
    sys.stdout.write(json.dumps(told, indent=1) + "\n")
    if args.json:
        rows = [
            {"ours": pair.grade, "judge": grade, "made": pair.made}
            for pair, grade in zip(pairs, grades, strict=True)
        ]
        args.json.write_text(json.dumps(told | {"grades": rows}, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
