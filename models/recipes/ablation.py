"""`python -m models.recipes.ablation --conf FILE --out DIR [--dry-run]`: the recipe's grid.

Trains the run of FILE, whose schedule is `continued`, once for every last rate, switch and warm-up
of Reuse, Don't Retrain (2407.07263, tables 8 and 9, and its finding on warm-up), each into
DIR/NAME. A run that is finished is not done again and one that was cut goes on. DIR/ablation.json
and DIR/ablation.md have the losses by source, and are written anew after each run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from curation.config import RunConfig, TrainConfig, load_config, overrides
from curation.errors import ConfigError, TrainingDiverged, reported
from curation.lock import locked
from curation.tokens.files import replacing
from models.train.folder import check_packages, manifest_path, sources_of
from models.train.phases import plan_of, tokens_per_step

if TYPE_CHECKING:
    from models.train.loop import TrainResult
    from models.train.parallel import Ranks

MIN_FRACS = (1 / 10, 1 / 100, 0.0)
"""Last rate by the first one."""
SWITCH_FRACS = (1.0, 1 / 2, 1 / 5, 1 / 10, 1 / 50)
"""Rate at the switch by the first one."""
WARMUP_FRAC = 0.01
"""Share of the steps that a warm-up has, of two at least; ours, the paper's are not known to us."""


@dataclass(frozen=True)
class Arm:
    """One setting of the grid."""

    min_frac: float
    switch_frac: float
    warmup: bool

    @property
    def name(self) -> str:
        """Name of its folder."""
        warmup = "on" if self.warmup else "off"
        return f"min-{self.min_frac:g}_switch-{self.switch_frac:g}_warmup-{warmup}"

    def settings(self, conf: TrainConfig) -> TrainConfig:
        """`conf` with what the arm says."""
        n_warmup = max(2, round(WARMUP_FRAC * conf.n_steps)) if self.warmup else 0
        own = {"final_frac": self.min_frac, "switch_frac": self.switch_frac}
        return TrainConfig.model_validate(conf.model_dump() | own | {"warmup_steps": n_warmup})


@dataclass(frozen=True)
class Row:
    """What is known of an arm."""

    arm: str
    min_frac: float
    switch_frac: float
    warmup: bool
    switch_step: int | None = None
    """First step of the second blend, counted from 1; null where it is never reached."""
    left_out: str = ""
    """Why the arm was not run, or not to its end; empty where it was."""
    held_out_loss: float | None = None
    """In nats a token; null before the run is done, or where nothing is held out."""
    held_out_losses: Mapping[str, float] | None = None
    """The same by source."""
    n_samples: Mapping[str, int] | None = None
    """Samples read of each source."""


def arms() -> Iterator[Arm]:
    """All thirty settings, reachable or not."""
    for min_frac, switch_frac, warmup in product(MIN_FRACS, SWITCH_FRACS, (False, True)):
        yield Arm(min_frac, switch_frac, warmup)


def plan_row(arm: Arm, conf: TrainConfig) -> Row:
    """What can be said of `arm` before it is run."""
    row, own = Row(arm.name, arm.min_frac, arm.switch_frac, arm.warmup), arm.settings(conf)
    try:
        step = plan_of(own).switch_step(tokens_per_step(own)) + 1
    except ConfigError as error:
        return replace(row, left_out=str(error))
    return replace(row, switch_step=step)


def with_result(row: Row, result: TrainResult) -> Row:
    """`row` with what came of the run."""
    return replace(
        row,
        held_out_loss=result.held_out_loss,
        held_out_losses=result.held_out_losses,
        n_samples=result.n_samples,
    )


def to_markdown(rows: Sequence[Row]) -> str:
    """`rows` as a table, and those left out with their reasons."""
    sources = sorted({name for row in rows for name in row.held_out_losses or {}})
    head = ["last rate", "switch at", "warm-up", "switch step", "held-out loss", *sources]
    lines = ["# Ablation of the recipe", "", _line(head), _line(["---"] * len(head))]
    lines += [_line(_cells(row, sources)) for row in rows if not row.left_out]
    left_out = [f"- {row.arm}: {row.left_out}" for row in rows if row.left_out]
    if left_out:
        lines += ["", "Left out:", "", *left_out]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the grid as the command line says."""
    parser = argparse.ArgumentParser("python -m models.recipes.ablation", description=__doc__)
    parser.add_argument("--conf", required=True, help="YAML file of a run, schedule `continued`")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--out", required=True, type=Path, help="folder of the grid")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="these arms")
    parser.add_argument("--dry-run", action="store_true", help="only say what would be run")
    options = parser.parse_args(arguments)
    with reported():
        conf = load_config(options.conf, overrides(options.overrides))
        _check(conf)
        rows = [(arm, plan_row(arm, conf.train)) for arm in _chosen(options.only)]
        if options.dry_run:
            sys.stdout.write(to_markdown([row for _, row in rows]))
        else:
            _run(conf, rows, options.out)


def _chosen(names: Sequence[str]) -> list[Arm]:
    known = {arm.name: arm for arm in arms()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"--only {unknown[0]}: no such arm; --dry-run lists them")
    return [arm for name, arm in known.items() if not names or name in names]


def _check(conf: RunConfig) -> None:
    if conf.train.schedule != "continued":
        raise ConfigError(
            f"train.schedule: the grid is of `continued`, found {conf.train.schedule}"
        )
    sources_of(conf)


def _run(conf: RunConfig, rows: Sequence[tuple[Arm, Row]], out: Path) -> None:
    check_packages()
    from models.train.parallel import open_ranks

    with (
        open_ranks(conf.train.device) as ranks,
        locked(str(out)) if ranks.is_first else nullcontext(),
    ):
        _train_all(conf, rows, out, ranks)


def _train_all(conf: RunConfig, rows: Sequence[tuple[Arm, Row]], out: Path, ranks: Ranks) -> None:
    from models.train.loop import train

    table = _known(out) | {arm.name: row for arm, row in rows}
    for arm, row in rows:
        if not row.left_out:
            own = arm.settings(conf.train)
            try:
                result = train(own, manifest_path(conf), out / arm.name, ranks=ranks)
                table[arm.name] = with_result(row, result)
            except TrainingDiverged as error:  # a finding about this arm, not about the others
                table[arm.name] = replace(row, left_out=str(error))
        if ranks.is_first:
            _write(list(table.values()), out)
    if ranks.is_first:
        sys.stdout.write(to_markdown(list(table.values())))


def _known(out: Path) -> dict[str, Row]:
    """Rows of arms that earlier commands have run, by name."""
    file = out / "ablation.json"
    found = json.loads(file.read_text("utf-8")) if file.is_file() else []
    return {row["arm"]: Row(**row) for row in found}


def _write(rows: Sequence[Row], out: Path) -> None:
    text = json.dumps([asdict(row) for row in rows], indent=2) + "\n"
    for name, content in (("ablation.json", text), ("ablation.md", to_markdown(rows))):
        with replacing(out / name) as temporary:
            temporary.write_text(content, encoding="utf-8")


def _cells(row: Row, sources: Sequence[str]) -> list[str]:
    losses = [(row.held_out_losses or {}).get(name) for name in sources]
    told = ["" if loss is None else f"{loss:.4f}" for loss in (row.held_out_loss, *losses)]
    warmup = "on" if row.warmup else "off"
    return [f"{row.min_frac:g}", f"{row.switch_frac:g}", warmup, str(row.switch_step), *told]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
