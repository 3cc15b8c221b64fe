"""Fits the weights of `curation.extract.arbitration`, and says whether choosing pays.

`python -m bench.arbitration --warc GLOB --gold FILE --engines fast rs-trafilatura ...` runs the
engines over the pages of the gold, fits the estimate of F1 by least squares on the domains that
`models.extractor` trains on, and prints, there and on the domains held out, the mean F1 of each
engine alone, of the text that arbitration chooses with the shipped and with the fitted weights, and
of the best text of every page, which no choice can beat.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.extract import Page, files_of, is_held_out, read_gold, read_pages, score
from curation.errors import InputError, reported
from curation.extract.arbitration import (
    MARGIN,
    PRIORS,
    Candidate,
    agreement,
    choose,
    length_ratio,
    words_of,
)
from curation.extract.engines import Engine, Extracted, engine
from curation.extract.guard import Failure, attempt

RIDGE = 1.0
MAX_PAGE_S = 20.0
ENGINES = ("fast", "rs-trafilatura", "trafilatura", "resiliparse")

Array = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """A page: what each engine found, and the F1 of that."""

    is_held_out: bool
    candidates: tuple[Candidate, ...]
    f1: tuple[float, ...]


def candidate(one: Engine, page: Page) -> Candidate:
    """What an engine finds in a page; no text where it fails."""
    found = attempt(lambda: one(page.html, url=page.url), name=one.name, max_s=MAX_PAGE_S)
    extracted = Extracted("", "") if isinstance(found, Failure) else found
    return Candidate(one.name, extracted.text, extracted.page_type, extracted.confidence)


def features(case: Case, number: int, own_means: Sequence[float]) -> list[float]:
    """What the estimate of one candidate is linear in: which engine, agreement, own confidence
    against its mean, and the logarithm of the length ratio below and above 0.
    """
    bags = [words_of(one.text) for one in case.candidates]
    own = case.candidates[number].confidence
    ratio = length_ratio(number, bags)
    return [
        *(float(place == number) for place in range(len(bags))),
        agreement(number, bags),
        0.0 if own is None else own - own_means[number],
        min(ratio, 0.0),
        max(ratio, 0.0),
    ]


def fit(x: Array, y: Array) -> Array:
    """Ridge regression without a penalty worth the name: weights of the columns of `x`."""
    return np.asarray(np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y))


def with_margin(estimates: Array, *, leader: int) -> Numbers:
    """Number of the chosen candidate of each row, by the rule of `choose`."""
    favoured = estimates.copy()
    favoured[:, leader] += MARGIN
    return np.asarray(favoured.argmax(axis=1))


def own_means(cases: Sequence[Case]) -> list[float]:
    """Mean of each engine's own confidence; 0 where it gives none."""
    columns = [[case.candidates[n].confidence for case in cases] for n in range(len(cases[0].f1))]
    told = [[value for value in column if value is not None] for column in columns]
    return [sum(values) / len(values) if values else 0.0 for values in told]


def read_cases(warc: Sequence[str], gold_path: str, engines: Sequence[Engine]) -> list[Case]:
    """All pages of the gold with a main text, through all engines.

    Raises:
        InputError: there is none.
    """
    gold = {key: one for key, one in read_gold(gold_path).items() if one.words is not None}
    cases: list[Case] = []
    for page in read_pages(files_of(warc), gold):
        found = tuple(candidate(one, page) for one in engines)
        wanted = gold[page.sha1].words
        assert wanted is not None
        f1 = tuple(score(words_of(one.text), wanted)[0] for one in found)
        cases.append(Case(is_held_out(page.url), found, f1))
    if not cases:
        raise InputError(f"--warc {' '.join(warc)}: no page of {gold_path} with a main text")
    return cases


def report(cases: Sequence[Case], names: Sequence[str]) -> str:
    """The fitted weights, and F1 of each way to choose."""
    trained = [case for case in cases if not case.is_held_out]
    means = own_means(trained)
    x = np.array([[features(c, n, means) for n in range(len(names))] for c in cases])
    y = np.array([case.f1 for case in cases])
    is_test = np.array([case.is_held_out for case in cases])
    weights = fit(x[~is_test].reshape(-1, x.shape[2]), y[~is_test].reshape(-1))
    columns = [*names, "agreement", "confidence", "shorter", "longer"]
    lines = [f"{name} {weight:.3f}" for name, weight in zip(columns, weights, strict=True)]
    lines += [f"mean confidence {n} {mean:.3f}" for n, mean in zip(names, means, strict=True)]
    shipped = np.array([choose(case.candidates) for case in cases])
    fitted = with_margin(x @ weights, leader=int(y[~is_test].mean(axis=0).argmax()))
    for part, rows in (("trained", ~is_test), ("held out", is_test)):
        lines.append(f"{part}: {int(rows.sum())} pages")
        lines += _f1_lines(y[rows], names, shipped[rows], fitted[rows])
    return "\n".join(lines) + "\n"


def _f1_lines(y: Array, names: Sequence[str], shipped: Numbers, fitted: Numbers) -> list[str]:
    if not len(y):
        return []
    everyone = np.arange(len(y))
    best = int(y.mean(axis=0).argmax())
    gain = y[everyone, shipped] - y[:, best]
    error = float(gain.std() / np.sqrt(len(y)))
    shares = np.bincount(shipped, minlength=len(names)) / len(y)
    return [
        *(f"  {name} {y[:, place].mean():.4f}" for place, name in enumerate(names)),
        f"  chosen, shipped weights {y[everyone, shipped].mean():.4f} "
        f"({gain.mean():+.4f} +- {error:.4f} over {names[best]})",
        f"  chosen, fitted weights {y[everyone, fitted].mean():.4f}",
        f"  best of every page {y.max(axis=1).mean():.4f}",
        "  chosen: " + ", ".join(f"{n} {s:.0%}" for n, s in zip(names, shares, strict=True)),
    ]


def main() -> None:
    """Fits and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--warc", required=True, nargs="+", help="patterns of WARC files")
    parser.add_argument("--gold", required=True, help="JSON lines, plain or gz")
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), choices=list(PRIORS))
    options = parser.parse_args()
    with reported():
        engines = [engine(name) for name in options.engines]
        cases = read_cases(options.warc, options.gold, engines)
    sys.stdout.write(report(cases, options.engines))


if __name__ == "__main__":
    main()
