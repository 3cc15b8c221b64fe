"""`python -m models.recipes.blends [--general NAME] [--qa NAME] --tokens N`: blends for a run.

The five general and three question-answer blends of Reuse, Don't Retrain (2407.07263, figures 1 and
2; `reuse_blends.yaml`), scaled to N tokens: a `train:` section to put into a run's file, and what
is read of each source, in each phase of the recipe, with the passes over the paper's own sources.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml

from curation.blend.mixing import normalised
from curation.errors import ConfigError, reported
from models.recipes.continued import MAX_QA_EPOCHS, QA_SHARE, Plan, qa_blend

GENERAL = "upweight_non_web_hq_web"
"""GB of the recipe."""
QA = "qa_3"
"""QA data of the recipe."""
LEARNING_RATE = 4.5e-5
"""Where the paper's pretraining ended, and its continuation begins."""


@dataclass(frozen=True)
class SourceTokens:
    """What a run reads of one source."""

    general_phase: float
    """Tokens before the switch."""
    qa_phase: float
    """Tokens after it."""
    epochs: float | None
    """Both by the tokens that the paper has of the source; null where that is not known."""


def general_blend(name: str = GENERAL) -> dict[str, float]:
    """Shares of the general blend `name`, which sum to 1.

    Raises:
        ConfigError: there is none of that name.
    """
    return _blend("general", name)


def qa_shares(name: str = QA) -> dict[str, float]:
    """Shares of the QA sources within the QA data of the blend `name`, which sum to 1.

    Raises:
        ConfigError: there is none of that name.
    """
    return _blend("qa", name)


def sizes() -> dict[str, float]:
    """Tokens that the paper has of each source."""
    return {name: 1e9 * size for name, size in _read()["sizes_billion_tokens"].items()}


def scaled(
    general: Mapping[str, float],
    qa: Mapping[str, float],
    plan: Plan,
    *,
    available: Mapping[str, float],
    qa_share: float = QA_SHARE,
) -> dict[str, SourceTokens]:
    """What the run of `plan` reads of each source, by name in order.

    Args:
        general: Shares of the general blend.
        qa: Shares of the sources of QA data within these.
        plan: The run.
        available: Tokens that there are, of the sources of which that is known.
        qa_share: Part of the second blend that is QA data.
    """
    second = qa_blend(general, qa, qa_share=qa_share)
    n_first = plan.switch_tokens
    n_second = plan.n_tokens - n_first
    read = {name: (general.get(name, 0.0) * n_first, second[name] * n_second) for name in second}
    return {
        name: SourceTokens(*tokens, sum(tokens) / available[name] if name in available else None)
        for name, tokens in read.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the run that the command line asks for."""
    parser = argparse.ArgumentParser("python -m models.recipes.blends", description=__doc__)
    parser.add_argument("--general", default=GENERAL, help="a general blend")
    parser.add_argument("--qa", default=QA, help="a blend of question-answer data")
    parser.add_argument("--tokens", type=float, required=True, help="tokens of the run")
    options = parser.parse_args(arguments)
    with reported():
        general, qa = general_blend(options.general), qa_shares(options.qa)
        plan = Plan(LEARNING_RATE, options.tokens)
        read = scaled(general, qa, plan, available=sizes())
        sys.stdout.write(_settings(general, qa) + _table(read))


def _blend(kind: str, name: str) -> dict[str, float]:
    known = _read()[kind]
    if name not in known:
        raise ConfigError(f"--{kind} {name}: no such blend; there are {', '.join(known)}")
    return normalised(known[name])


def _read() -> dict[str, Any]:
    text = files("models.recipes").joinpath("reuse_blends.yaml").read_text(encoding="utf-8")
    blends: dict[str, Any] = yaml.safe_load(text)
    return blends


def _settings(general: Mapping[str, float], qa: Mapping[str, float]) -> str:
    """The `train:` section, but for the folders, which only the user knows."""
    train = {
        "schedule": "continued",
        "learning_rate": LEARNING_RATE,
        "sources": {name: f"FOLDER/{name}/tokens" for name in sorted({**general, **qa})},
        "general": dict(general),
        "qa": dict(qa),
    }
    return yaml.safe_dump({"train": train}, sort_keys=False)


def _table(read: Mapping[str, SourceTokens]) -> str:
    lines = ["# source: billion tokens before the switch, after it, passes over the paper's source"]
    for name, tokens in read.items():
        passes = "unknown" if tokens.epochs is None else f"{tokens.epochs:.2f}"
        often = tokens.epochs is not None and tokens.epochs > MAX_QA_EPOCHS
        note = f", more than {MAX_QA_EPOCHS:g}" if often else ""
        first, second = tokens.general_phase / 1e9, tokens.qa_phase / 1e9
        lines.append(f"# {name}: {first:.2f}, {second:.2f}, {passes}{note}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
