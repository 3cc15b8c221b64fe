"""What the answers come to: a value a text and rubric, how far the passes agree, what it cost."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from curation.errors import InputError
from models.classifiers import agreement
from models.classifiers.annotation.answers import Answer
from models.classifiers.annotation.rubrics import Rubric
from models.classifiers.annotation.run import Annotation

Values = dict[str, list[str | None]]
"""By text hash, the answer of each pass in its order; None where none could be read."""
Figures = dict[str, Any]


def values_of(annotation: Annotation, rubric: Rubric) -> Values:
    """What each pass said of each text on `rubric`."""
    found: Values = {}
    for question in annotation.questions():
        if question.rubric is rubric:
            answers = annotation.answers_to(question)
            value = answers[-1].value if answers else None
            found.setdefault(question.text_hash, []).append(value)
    return found


def combined(rubric: Rubric, values: Sequence[str | None]) -> str:
    """One value of the passes: the mean of numbers, the commonest class or the first of those.

    Empty where no pass has an answer.
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    if rubric.limits is None:
        return Counter(known).most_common(1)[0][0]
    return f"{sum(map(int, known)) / len(known):.6g}"


def annotations_csv(annotation: Annotation) -> str:
    """One line a text, in the order of the texts: its id, then a column for each rubric."""
    found = {rubric.name: values_of(annotation, rubric) for rubric in annotation.rubrics}
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", *found])
    for key, text_hash in annotation.hashes.items():
        row = [combined(r, found[r.name].get(text_hash, [])) for r in annotation.rubrics]
        writer.writerow([key, *row])
    return file.getvalue()


def agreement_of(annotation: Annotation, rubric: Rubric) -> Figures:
    """Agreement of each two passes, and the share of questions and requests without an answer."""
    values = values_of(annotation, rubric)
    pairs = [
        {"passes": [one + 1, two + 1], **_compared(rubric, _both(values.values(), one, two))}
        for one, two in combinations(range(annotation.settings.passes), 2)
    ]
    tried = [annotation.answers_to(q) for q in annotation.questions() if q.rubric is rubric]
    return {
        "version": rubric.version,
        "texts": len(values),
        "between_passes": pairs,
        "questions": len(tried),
        "unparsed_questions": _unparsed([answers[-1] for answers in tried if answers]),
        "requests": sum(map(len, tried)),
        "unparsed_requests": _unparsed([answer for answers in tried for answer in answers]),
        "values": _counted(rubric, values),
    }


def against_labels(annotation: Annotation, rubric: Rubric, labels: Mapping[str, str]) -> Figures:
    """Agreement of the values in annotations.csv, numbers rounded half up, with `labels` by id."""
    values = values_of(annotation, rubric)
    pairs = []
    for key, text_hash in annotation.hashes.items():
        value = combined(rubric, values.get(text_hash, []))
        if value and labels.get(key):
            is_class = rubric.limits is None
            pairs.append((labels[key], value if is_class else str(math.floor(float(value) + 0.5))))
    return _compared(rubric, pairs)


def load_labels(file: Path, rubrics: Sequence[Rubric]) -> dict[str, dict[str, str]]:
    """By rubric that `file` has a column for, its values by the first column.

    Raises:
        InputError: the file is missing, has none of the columns, or a value that is no answer.
    """
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{file}: cannot be read as labels: {error}") from error
    known = [rubric for rubric in rubrics if rows and rubric.name in rows[0]]
    if not known:
        wanted = ", ".join(rubric.name for rubric in rubrics)
        raise InputError(f"{file}: has no rows with a column called as one of {wanted}")
    return {rubric.name: _labels(file, rows, rubric) for rubric in known}


def cost_of(
    answers: Iterable[Answer], price_in: float | None = None, price_out: float | None = None
) -> Figures:
    """Requests, tokens, seconds and, where a price for a million tokens is given, the sum."""
    paid = list(answers)
    tokens_in, tokens_out = sum(a.tokens_in for a in paid), sum(a.tokens_out for a in paid)
    seconds = sum(answer.seconds for answer in paid)
    cost: Figures = {
        "requests": len(paid),
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "seconds": round(seconds, 3),
        "tokens_a_second": round((tokens_in + tokens_out) / seconds, 1) if seconds else None,
    }
    if price_in is not None or price_out is not None:
        total = tokens_in * (price_in or 0.0) + tokens_out * (price_out or 0.0)
        cost["price"] = round(total / 1e6, 6)
    return cost


def _labels(file: Path, rows: Sequence[dict[str, str]], rubric: Rubric) -> dict[str, str]:
    key = next(iter(rows[0]))
    for number, row in enumerate(rows, 2):
        if row[rubric.name] and row[rubric.name] not in rubric.options:
            raise InputError(
                f"{file}: line {number}: {row[rubric.name]!r} is no answer of {rubric.name}"
            )
    return {row[key]: row[rubric.name] for row in rows}


def _both(rows: Iterable[list[str | None]], one: int, two: int) -> list[tuple[str, str]]:
    found = ((row[one], row[two]) for row in rows)
    return [(first, second) for first, second in found if first is not None and second is not None]


def _compared(rubric: Rubric, pairs: Sequence[tuple[str, str]]) -> Figures:
    """Figures of two readings; null where one is not defined."""
    if rubric.limits is None:
        first, second = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        figures = {"cohen_kappa": agreement.cohen_kappa(first, second)}
    else:
        numbers = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        first, second = list(numbers[:, 0]), list(numbers[:, 1])
        figures = {
            "quadratic_kappa": agreement.quadratic_kappa(first, second),
            "within_one": agreement.within_one(first, second),
        }
    figures["exact"] = agreement.exact(first, second)
    return {"texts": len(pairs), **{name: _rounded(value) for name, value in figures.items()}}


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)


def _unparsed(answers: Sequence[Answer]) -> Figures:
    """Share of the answers that have no value, in all and by reason."""
    reasons = Counter(answer.reason for answer in answers if answer.value is None)
    shares = {str(name): round(n / len(answers), 4) for name, n in sorted(reasons.items(), key=str)}
    total = round(sum(reasons.values()) / len(answers), 4) if answers else None
    return {"share": total, "by_reason": shares}


def _counted(rubric: Rubric, values: Values) -> dict[str, int]:
    """How often each answer was given, in the order of the rubric: one that always is shows."""
    given = Counter(value for row in values.values() for value in row)
    return {option: given[option] for option in rubric.options if given[option]}
