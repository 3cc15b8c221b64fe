"""Which of several engines' texts of a page to keep: the one with the best estimated F1.

Engines err in different ways, so a text that the others find too is likely the main text. The
estimate is linear in that agreement, in the engine's own confidence, and in how much shorter or
longer a text is than the others; its weights are fitted by `python -m bench.arbitration`.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean, median
from types import MappingProxyType

from curation.extract.engines import UNION_SIGN, Engine, Extracted
from curation.extract.guard import Failure, KnownFault, attempt

_WORD = re.compile(r"\w+")
_FLOOR_WORDS = 10
"""Added to the number of words, so that ratios between very short texts do not count."""


@dataclass(frozen=True)
class Candidate:
    """What one engine found in a page."""

    engine: str
    text: str
    page_type: str = ""
    confidence: float | None = None


@dataclass(frozen=True)
class Prior:
    """What is known of an engine beforehand."""

    f1: float
    """Estimated F1 of a text that agrees with no other and has the usual length."""
    confidence: float = 0.0
    """Mean of the engine's own confidence; of no use where it gives none."""


PRIORS = MappingProxyType({
    "fast": Prior(0.254, 0.878),
    "rs-trafilatura": Prior(0.243, 0.936),
    "trafilatura": Prior(0.221),
    "resiliparse": Prior(0.183),
    "justext": Prior(0.10),
})  # fmt: skip
"""Fitted by `bench.arbitration`, but for `fast`, which is trained on the pages that they are fitted
on: its F1 in cross-validation (.878; rs-trafilatura .864, trafilatura .836, resiliparse .785 on the
same pages) on the line through the others'. Its mean confidence is that of cross-validation too."""
_UNKNOWN = Prior(0.183)
"""For an engine that was not there when the weights were fitted."""

AGREEMENT = 0.745
"""Weight of the mean token F1 of a text against the others."""
CONFIDENCE = 0.105
"""Weight of what the engine's own confidence differs from its mean."""
SHORTER = 0.045
"""Weight of the logarithm of a text's words over the others' median, where it is below 0."""
LONGER = 0.132
"""The same above 0: a text that agrees well for its length is the more complete one."""
MARGIN = 0.1
"""What another estimate must be above that of the best engine: the highest of several estimates is
too high on average. Without it choosing gains half as much."""


@dataclass(frozen=True)
class Union:
    """An engine that asks several and keeps one text; `Extracted.engine` says whose."""

    name: str
    engines: tuple[Engine, ...]
    max_s: float = math.inf
    """Seconds of the processor that each engine may take."""

    def __call__(self, html: str, *, url: str) -> Extracted:
        """What the engine with the best estimate found; `confidence` is that estimate.

        An engine that fails over the page is left out. Time is the sum of the engines'.

        Raises:
            KnownFault: every engine fails over the page; the reason is the first one's.
        """
        found: list[tuple[Engine, Extracted]] = []
        failures: list[Failure] = []
        for engine in self.engines:
            one = attempt(partial(engine, html, url=url), name=engine.name, max_s=self.max_s)
            if isinstance(one, Failure):
                failures.append(one)
            else:
                found.append((engine, one))
        faults = tuple(failure.detail for failure in failures)
        if not found:
            raise KnownFault(Failure(failures[0].reason, "; ".join(faults)))
        return replace(_chosen(found), faults=faults)


def union(engines: tuple[Engine, ...]) -> Union:
    """The engine that lets arbitration choose among `engines`; its name joins theirs with `+`."""
    return Union(UNION_SIGN.join(engine.name for engine in engines), engines)


def choose(candidates: Sequence[Candidate]) -> int:
    """Number of the candidate to keep: that of the best engine, or one estimated clearly better.

    Of equals the first. Texts without words lose against any with words.

    Raises:
        ValueError: there are no candidates.
    """
    if not candidates:
        raise ValueError("no candidates to choose from")
    return _best(candidates, estimates(candidates))


def estimates(candidates: Sequence[Candidate]) -> list[float]:
    """Estimated token F1 of each candidate, 0..1, in order; 0 for one without words.

    Cost: linear in the words of all texts, times the number of candidates.
    """
    bags = [words_of(candidate.text) for candidate in candidates]
    return [_estimate(number, candidates, bags) for number in range(len(candidates))]


def words_of(text: str) -> Counter[str]:
    """Word tokens of `text`, lower-cased, with their counts."""
    return Counter(_WORD.findall(text.lower()))


def token_f1(found: Counter[str], wanted: Counter[str]) -> float:
    """2 * shared / (found + wanted), counted as multisets of words; 0 where both are empty."""
    n_words = found.total() + wanted.total()
    return 2 * (found & wanted).total() / n_words if n_words else 0.0


def agreement(number: int, bags: Sequence[Counter[str]]) -> float:
    """Mean token F1 of one text against the others, 0..1; 0 where there are no others."""
    others = [bag for other, bag in enumerate(bags) if other != number]
    return mean(token_f1(bags[number], other) for other in others) if others else 0.0


def length_ratio(number: int, bags: Sequence[Counter[str]]) -> float:
    """Logarithm of one text's number of words over the median of the others; 0 without others."""
    n_others = [bag.total() for other, bag in enumerate(bags) if other != number]
    if not n_others:
        return 0.0
    return math.log((bags[number].total() + _FLOOR_WORDS) / (median(n_others) + _FLOOR_WORDS))


def _estimate(number: int, candidates: Sequence[Candidate], bags: Sequence[Counter[str]]) -> float:
    if not bags[number]:
        return 0.0
    candidate = candidates[number]
    prior = _prior(candidate)
    own = 0.0 if candidate.confidence is None else candidate.confidence - prior.confidence
    ratio = length_ratio(number, bags)
    length = SHORTER * min(ratio, 0.0) + LONGER * max(ratio, 0.0)
    estimate = prior.f1 + AGREEMENT * agreement(number, bags) + CONFIDENCE * own + length
    return min(1.0, max(0.0, estimate))


def _best(candidates: Sequence[Candidate], scores: Sequence[float]) -> int:
    numbers = [number for number, score in enumerate(scores) if score > 0] or [0]
    leader = max(numbers, key=lambda number: (_prior(candidates[number]).f1, -number))
    best = max(numbers, key=lambda number: (scores[number], -number))
    return best if scores[best] > scores[leader] + MARGIN else leader


def _prior(candidate: Candidate) -> Prior:
    return PRIORS.get(candidate.engine, _UNKNOWN)


def _chosen(found: Sequence[tuple[Engine, Extracted]]) -> Extracted:
    candidates = [
        Candidate(engine.name, extracted.text, extracted.page_type, extracted.confidence)
        for engine, extracted in found
    ]
    scores = estimates(candidates)
    number = _best(candidates, scores)
    engine, extracted = found[number]
    page_type = extracted.page_type or next((c.page_type for c in candidates if c.page_type), "")
    return replace(
        extracted,
        engine=engine.name,
        page_type=page_type,
        confidence=scores[number],
    )
