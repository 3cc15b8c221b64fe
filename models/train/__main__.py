"""`python -m models.train --conf FILE [--set section.key=value] [--out DIR]`.

Trains on DIR/tokens/manifest.json into DIR/model. An error is one line and exit code 2.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from curation.config import RunConfig, load_config, overrides
from curation.errors import CurationError, EnvironmentFault


def main(arguments: Sequence[str] | None = None) -> int:
    """Train as the command line says; the exit code."""
    parser = argparse.ArgumentParser("python -m models.train", description="Train on token shards.")
    parser.add_argument("--conf", required=True, help="YAML file of the run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--out", help="folder of the run, instead of the file's `out`")
    options = parser.parse_args(arguments)
    try:
        conf = load_config(options.conf, overrides(options.overrides, out=options.out))
        sys.stdout.write(_train(conf) + "\n")
    except (CurationError, FloatingPointError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    return 0


def _train(conf: RunConfig) -> str:
    """One line about the finished run."""
    for package in ("torch", "transformers"):
        if importlib.util.find_spec(package) is None:
            raise EnvironmentFault(f"{package} is not installed: pip install 'curation[score]'")
    from models.train.loop import train

    out = Path(conf.out)
    result = train(conf.train, out / "tokens" / "manifest.json", out / "model")
    held_out = "" if result.held_out_loss is None else f", held out {result.held_out_loss:.4f}"
    seen = f"{result.n_steps} steps, {result.n_tokens} tokens"
    return f"{seen}, loss {result.loss:.4f}{held_out} nats a token: {result.checkpoint}"


if __name__ == "__main__":
    sys.exit(main())
