"""How well personal data is found: precision, recall and F1 by kind, and every error.

`python -m bench.pii [--json OUT] [--seed 1]` fills the labelled cases of `pii_cases.yaml` (numbers
with check digits and key material are drawn by lot, and are nobody's) and looks for all kinds in
each of them. A find is right where a label of its kind shares half of their common extent with it.
Whoever wrote the rules wrote the cases: this shows what the rules can tell apart, not how often
that occurs on the web.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.pii_numbers import GENERATORS
from curation.errors import InputError, reported
from curation.measure.pii import KINDS, find_pii
from curation.measure.pii_scan import Found

CASES = Path(__file__).parent / "pii_cases.yaml"
_LABEL = re.compile(
    r"\[\[(?!\[)(?:(?P<kind>[a-z_]+):(?P<literal>.+?)(?=\]\](?!\]))|(?P<decoy>-?)(?P<name>\w+))\]\]"
)


@dataclass(frozen=True)
class Case:
    """A text and the personal data in it."""

    text: str
    labels: tuple[Found, ...]


@dataclass(frozen=True)
class Error:
    """A find that is wrong, or a label that was not found."""

    kind: str
    fault: str
    """missed | wrong"""
    piece: str
    text: str


def read_cases(path: Path, seed: int) -> dict[str, list[Case]]:
    """The cases of every section (`email/positive`), filled by lot.

    Raises:
        InputError: a label names no generator.
    """
    sections = yaml.safe_load(path.read_text(encoding="utf-8"))
    dice = random.Random(seed)
    return {
        f"{kind}/{side}": [fill(line, dice) for line in lines.splitlines()]
        for kind, sides in sections.items()
        for side, lines in sides.items()
    }


def fill(template: str, dice: random.Random) -> Case:
    """`template` with its labels filled in."""
    text, labels, place = "", [], 0
    for match in _LABEL.finditer(template):
        text += template[place : match.start()].replace("\\n", "\n")
        kind, piece = _drawn(match, dice)
        if kind:
            labels.append(Found(kind, len(text), len(text) + len(piece)))
        text, place = text + piece, match.end()
    return Case(text + template[place:].replace("\\n", "\n"), tuple(labels))


def _drawn(match: re.Match[str], dice: random.Random) -> tuple[str, str]:
    """Kind (empty: none) and text of a label."""
    if match["kind"]:
        return match["kind"], match["literal"]
    if match["name"] not in GENERATORS:
        raise InputError(f"{CASES.name}: `{match[0]}` names no generator of bench/pii_numbers.py")
    kind, draw = GENERATORS[match["name"]]
    return "" if match["decoy"] else kind, draw(dice)


def is_same(one: Found, other: Found) -> bool:
    """Whether both are of a kind and share half of their common extent."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return one.kind == other.kind and 2 * shared >= max(one.end, other.end) - min(
        one.start, other.start
    )


def judge(case: Case) -> tuple[Counter[tuple[str, str]], list[Error]]:
    """Counts by kind and outcome (right, wrong, missed), and the errors."""
    counts: Counter[tuple[str, str]] = Counter()
    found = find_pii(case.text)
    errors = [
        Error(label.kind, "missed", case.text[label.start : label.end], case.text)
        for label in case.labels
        if not any(is_same(label, one) for one in found)
    ]
    for one in found:
        if any(is_same(one, label) for label in case.labels):
            counts[one.kind, "right"] += 1
        else:
            errors.append(Error(one.kind, "wrong", case.text[one.start : one.end], case.text))
    counts.update((error.kind, error.fault) for error in errors)
    return counts, errors


def report(sections: dict[str, list[Case]]) -> dict[str, Any]:
    """Precision, recall and F1 of every kind over all cases, and the errors."""
    counts: Counter[tuple[str, str]] = Counter()
    errors: list[Error] = []
    for case in (case for cases in sections.values() for case in cases):
        one, faults = judge(case)
        counts += one
        errors += faults
    return {
        "n_cases": {name: len(cases) for name, cases in sections.items()},
        "kinds": {kind: _rates(counts, kind) for kind in KINDS},
        "errors": [vars(error) for error in errors],
    }


def _rates(counts: Counter[tuple[str, str]], kind: str) -> dict[str, float]:
    right, wrong, missed = (counts[kind, outcome] for outcome in ("right", "wrong", "missed"))
    return {
        "n_right": right,
        "n_wrong": wrong,
        "n_missed": missed,
        "precision": round(right / max(right + wrong, 1), 4),
        "recall": round(right / max(right + missed, 1), 4),
        "f1": round(2 * right / max(2 * right + wrong + missed, 1), 4),
    }


def table(found: dict[str, Any]) -> str:
    """The report as text."""
    lines = [f"{'kind':12} {'right':>6} {'wrong':>6} {'missed':>6} {'prec.':>6} {'recall':>6} F1"]
    for kind, rates in found["kinds"].items():
        numbers = f"{rates['n_right']:6} {rates['n_wrong']:6} {rates['n_missed']:6}"
        shares = f"{rates['precision']:6.3f} {rates['recall']:6.3f} {rates['f1']:.3f}"
        lines.append(f"{kind:12} {numbers} {shares}")
    lines += [
        f"{error['fault']}: {error['kind']}: {error['piece']!r} in {error['text']!r}"
        for error in found["errors"]
    ]
    return "\n".join(lines)


def main(args: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="where the numbers go")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn by lot")
    options = parser.parse_args(args)
    found = report(read_cases(CASES, options.seed))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(found) + "\n")
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
