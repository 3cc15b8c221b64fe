"""`python -m bench.science NAME ...|all --out DIR [--seeds 3] [--steps 200] [--images DIR]`.

Trains the arms of an experiment at seeds 0, 1, ... and reports on them. A run that OUT has already
is not made again, so that a broken run is gone on with by the same command.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.science import (
    dialogue,
    duplicates,
    labels,
    phases,
    rewarming,
    rewriting,
    selection,
    unimax,
)
from bench.science.design import Experiment
from bench.science.report import write_report
from bench.science.runner import Result, keep_result, load_results, prepare, run
from curation.errors import ConfigError, reported

MODULES = (labels, duplicates, rewriting, dialogue, selection, unimax, phases, rewarming)
EXPERIMENTS: dict[str, Experiment] = {
    module.EXPERIMENT.name: module.EXPERIMENT for module in MODULES
}
STEPS, SEEDS = 200, 3


def results_of(
    experiment: Experiment, *, n_seeds: int, n_steps: int, data: Path, out: Path
) -> list[Result]:
    """Every run of `experiment`: those that `out` has, and the others, which are made now."""
    known = {result.identity: result for result in load_results(out)}
    results = list[Result]()
    for seed in range(n_seeds):
        prepared = prepare(experiment, seed, n_steps=n_steps, data=data, out=out)
        for arm in prepared.arms():
            result = known.get(prepared.identity(arm))
            if result is None:
                result = run(prepared, arm, out, n_base_steps=n_steps)
                keep_result(result, out)
                sys.stdout.write(
                    f"{experiment.name}, {arm.name}, seed {seed}: {result.seconds} s\n"
                )
                sys.stdout.flush()
            results.append(result)
    return results


def main(given: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser("python -m bench.science", description=__doc__)
    parser.add_argument("names", nargs="+", choices=[*EXPERIMENTS, "all"], metavar="NAME")
    parser.add_argument("--out", required=True, type=Path, help="results, tokenizers, bases")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--images", type=Path, help="where pictures go; by default to OUT")
    args = parser.parse_args(given)
    if args.seeds < 2 or args.steps < 20:
        raise ConfigError("--seeds: at least 2, for an interval; --steps: at least 20")
    for name in EXPERIMENTS if "all" in args.names else args.names:
        results = results_of(
            EXPERIMENTS[name], n_seeds=args.seeds, n_steps=args.steps, data=args.data, out=args.out
        )
        text = write_report(EXPERIMENTS[name], results, args.out, args.images or args.out)
        sys.stdout.write(f"\n## {EXPERIMENTS[name].title}\n\n{text}\n")
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
