"""How often each source goes into the blend, from shares or from repeats.

A source is `quality/kind/kind2`, e.g. `high/synthetic/distill`. Settings name sources or their
beginnings: `high` means all of high quality, real and synthetic. The longest name that fits counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from curation.blend.mixing import largest_budget, mix
from curation.config import BlendConfig
from curation.errors import ConfigError

_ROUNDING = 1e-9
"""A source that is taken exactly `max_epochs` times may come out above it by rounding."""


def epochs_by_source(n_words: Mapping[str, int], conf: BlendConfig) -> dict[str, float]:
    """Times that each source is gone through: 1.5 is every text once and half of them again.

    Args:
        n_words: Words by source; sources without words are not in it.
        conf: Section `blend`.

    Raises:
        ConfigError: a name fits no source, or a source would be repeated more than `max_epochs`
            times.
    """
    if conf.weights:
        epochs = _from_weights(n_words, conf)
    else:
        names = _groups(n_words, conf.epochs, "epochs")
        epochs = {source: conf.epochs.get(name, 1.0) for source, name in names.items()}
    _check_repeats(epochs, conf.max_epochs)
    return epochs


def _from_weights(n_words: Mapping[str, int], conf: BlendConfig) -> dict[str, float]:
    groups = _groups(n_words, conf.weights, "weights")
    wanted = {name: weight for name, weight in conf.weights.items() if weight > 0}
    words = dict.fromkeys(wanted, 0)
    for source, name in groups.items():
        if name in wanted:
            words[name] += n_words[source]
    total = conf.total_words or largest_budget(words, wanted)
    named = mix(words, wanted, budget=total).sources
    return {
        source: named[name].epochs if name in wanted else 0.0 for source, name in groups.items()
    }


def _groups(sources: Iterable[str], names: Mapping[str, float], setting: str) -> dict[str, str]:
    """The longest of `names` that each source begins with; empty where none does."""
    sources = sorted(sources)
    groups = {
        source: max((n for n in names if _fits(source, n)), key=len, default="")
        for source in sources
    }
    idle = [name for name, value in names.items() if value > 0 and name not in groups.values()]
    if idle:
        raise ConfigError(f"blend.{setting}: no text for {idle}; the sources are {sources}")
    return groups


def _fits(source: str, name: str) -> bool:
    return source == name or source.startswith(name.rstrip("/") + "/")


def _check_repeats(epochs: Mapping[str, float], max_epochs: float) -> None:
    worst = max(epochs, key=lambda source: epochs[source], default=None)
    if worst is not None and epochs[worst] > max_epochs * (1 + _ROUNDING):
        raise ConfigError(
            f"blend: {worst} would be gone through {epochs[worst]:.2f} times; blend.max_epochs is "
            f"{max_epochs:g}: lower its weight or total_words, or raise max_epochs"
        )
