"""How often each source goes into the blend, by the method that the settings name.

A source is `quality/kind/kind2`, e.g. `high/synthetic/distill`, or a bucket of attributes, e.g.
`quality=high,domain=Science`. Settings name sources or their beginnings: `high` means all of high
quality, real and synthetic. The longest name that fits counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

from curation.blend.mixing import (
    Mix,
    largest_budget,
    mix,
    temperature_shares,
    unimax_shares,
)
from curation.blend.sources import separator
from curation.config import BlendConfig
from curation.errors import ConfigError

_ROUNDING = 1e-9
"""A source that is taken exactly `max_epochs` times may come out above it by rounding."""

Sizes = Mapping[str, float]
Epochs = dict[str, float]


def epochs_by_source(n_words: Sizes, conf: BlendConfig) -> Epochs:
    """Times that each source is gone through: 1.5 is every text once and half of them again.

    Args:
        n_words: Words by source; sources without words are not in it.
        conf: Section `blend`.

    Raises:
        ConfigError: a name fits no source, or a budget cannot be spent: a source would be repeated
            more than `max_epochs` times.
    """
    epochs = _METHODS[conf.method](n_words, conf)
    _check_repeats(n_words, epochs, conf.max_epochs)
    return epochs


def mix_of_epochs(n_words: Sizes, epochs: Mapping[str, float]) -> Mix:
    """The report on a blend in which each source is taken so many times.

    Raises:
        ConfigError: nothing is taken at all.
    """
    words = {source: size * epochs[source] for source, size in n_words.items()}
    total = math.fsum(words.values())
    if not total:
        raise ConfigError(f"blend: nothing is taken of any source; they are {sorted(n_words)}")
    return mix(n_words, {source: part / total for source, part in words.items()}, budget=total)


def _natural(n_words: Sizes, conf: BlendConfig) -> Epochs:
    there_are = math.fsum(n_words.values())
    return dict.fromkeys(n_words, (conf.total_words or there_are) / there_are)


def _named_epochs(n_words: Sizes, conf: BlendConfig) -> Epochs:
    names = named_groups(n_words, conf.epochs, "epochs", separator(conf))
    return {source: conf.epochs.get(name, 1.0) for source, name in names.items()}


def _weights(n_words: Sizes, conf: BlendConfig) -> Epochs:
    groups = named_groups(n_words, conf.weights, "weights", separator(conf))
    wanted = {name: weight for name, weight in conf.weights.items() if weight > 0}
    words = dict.fromkeys(wanted, 0.0)
    for source, name in groups.items():
        if name in wanted:
            words[name] += n_words[source]
    named = _epochs_of_shares(words, wanted, conf)
    return {source: named.get(name, 0.0) for source, name in groups.items()}


def _temperature(n_words: Sizes, conf: BlendConfig) -> Epochs:
    shares = temperature_shares(n_words, temperature=conf.temperature or 1.0)
    return _epochs_of_shares(n_words, shares, conf)


def _unimax(n_words: Sizes, conf: BlendConfig) -> Epochs:
    shares = unimax_shares(n_words, budget=conf.total_words, max_epochs=conf.max_epochs)
    return _epochs_of_shares(n_words, shares, conf)


def _epochs_of_shares(n_words: Sizes, shares: Mapping[str, float], conf: BlendConfig) -> Epochs:
    total = conf.total_words or largest_budget(n_words, shares)
    sources = mix(n_words, shares, budget=total).sources
    return {source: found.epochs for source, found in sources.items()}


_METHODS: Mapping[str, Callable[[Sizes, BlendConfig], Epochs]] = {
    "natural": _natural,
    "weights": _weights,
    "epochs": _named_epochs,
    "temperature": _temperature,
    "unimax": _unimax,
}


def named_groups(
    sources: Iterable[str], names: Mapping[str, float], setting: str, between: str
) -> dict[str, str]:
    """The longest of `names` that each source begins with; empty where none does.

    Raises:
        ConfigError: a name with a value above 0 is of no source; `setting` has it, in `blend`.
    """
    sources = sorted(sources)
    groups = {
        source: max((n for n in names if _fits(source, n, between)), key=len, default="")
        for source in sources
    }
    idle = [name for name, value in names.items() if value > 0 and name not in groups.values()]
    if idle:
        raise ConfigError(f"blend.{setting}: no text for {idle}; the sources are {sources}")
    return groups


def _fits(source: str, name: str, between: str) -> bool:
    return source == name or source.startswith(name.rstrip(between) + between)


def _check_repeats(n_words: Sizes, epochs: Epochs, max_epochs: float) -> None:
    worst = max(epochs, key=lambda source: epochs[source], default=None)
    if worst is not None and epochs[worst] > max_epochs * (1 + _ROUNDING):
        total = math.fsum(n_words[source] * times for source, times in epochs.items())
        left = math.fsum(
            n_words[source] * max(times - max_epochs, 0.0) for source, times in epochs.items()
        )
        raise ConfigError(
            f"blend: {worst} would be gone through {epochs[worst]:.2f} times; blend.max_epochs is "
            f"{max_epochs:g}, so that {left:,.0f} of {total:,.0f} words cannot be spent: lower its "
            "weight or total_words, or raise max_epochs"
        )
