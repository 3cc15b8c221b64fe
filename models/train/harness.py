"""`python -m models.train.harness --model DIR --data DIR [--tasks arc_easy,mmlu]`.

Tasks of lm-evaluation-harness on a model, through its own Python API and with local files: no hub
is asked for anything. Accuracy is normalised by the length of the answers where the paper's is
(2412.02595: ARC and HellaSwag), and plain elsewhere (MMLU).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from curation.errors import ConfigError, EnvironmentFault, reported
from models.train.benchmarks import read_items
from models.train.folder import check_packages

TASKS = Path(__file__).with_name("tasks")
"""A file a task, in the harness's own form."""
OF_PAPER = ("arc_easy", "arc_challenge", "hellaswag", "mmlu")
"""Those of the paper's tasks whose items are there."""


@dataclass(frozen=True)
class TaskScore:
    """A model's score on a task."""

    task: str
    version: int
    """Of the task's file."""
    metric: str
    """The one that is reported: acc, acc_norm, exact_match."""
    value: float
    stderr: float | None
    """Null where the harness computes none, as of a single item."""
    n_items: int


def task_config(name: str, data: Path) -> dict[str, Any]:
    """The task as the harness takes it, its items from the files in `data`.

    Raises:
        ConfigError: there is no such task.
    """
    file = TASKS / f"{name}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in TASKS.glob("*.yaml")))
        raise ConfigError(f"--tasks: {name} is none of {known}")
    conf: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    return conf | {"custom_dataset": partial(_splits, data=data, layout=name)}


def _splits(*, data: Path, layout: str, **told: Any) -> Mapping[str, Any]:
    """The splits of a task; `told` is what the harness adds: files by split, and metadata."""
    from datasets import Dataset

    return {
        split: Dataset.from_list(read_items(data / told[split], layout))
        for split in ("train", "test")
        if split in told
    }


def run_tasks(
    model: Any, tasks: Sequence[str], data: Path, *, limit: int | None = None, seed: int = 17
) -> list[TaskScore]:
    """Scores of `model`, an LM of the harness, on `tasks` in order.

    Args:
        model: What the harness asks for likelihoods, see `harness_model`.
        tasks: Names of files in `tasks/`.
        data: Folder of the benchmark items.
        limit: Items of a task that count, the first; null: all.
        seed: Of the choice of examples.

    Raises:
        ConfigError: there is no such task.
        InputError: items are missing or damaged.
    """
    from lm_eval import simple_evaluate

    confs = [task_config(name, data) for name in tasks]
    found = simple_evaluate(
        model=model,
        tasks=confs,
        limit=limit,
        log_samples=False,
        bootstrap_iters=1000,
        random_seed=seed,
        numpy_random_seed=seed,
        torch_random_seed=seed,
        fewshot_random_seed=seed,
    )
    return [_score(conf, found) for conf in confs]


def _score(conf: Mapping[str, Any], found: Mapping[str, Any]) -> TaskScore:
    task, metric = conf["task"], conf["metadata"]["reported"]
    filters = conf.get("filter_list") or [{"name": "none"}]
    name, result = filters[0]["name"], found["results"][task]
    stderr = result.get(f"{metric}_stderr,{name}")
    known = isinstance(stderr, float) and math.isfinite(stderr)
    return TaskScore(
        task,
        conf["metadata"]["version"],
        metric,
        float(result[f"{metric},{name}"]),
        stderr if known else None,
        found["n-samples"][task]["effective"],
    )


def harness_model(folder: Path, tokenizer: Path | None, *, device: str, batch_size: int) -> Any:
    """The model in `folder` as the harness takes it; arguments as of `load_trained`."""
    from lm_eval.models.huggingface import HFLM
    from transformers import PreTrainedTokenizerFast

    from models.train.trained import load_trained

    trained = load_trained(folder, tokenizer, device=device)
    end = trained.encoder.tokenizer.id_to_token(trained.encoder.eod_id)
    made: Any = PreTrainedTokenizerFast
    return HFLM(
        pretrained=trained.model,
        tokenizer=made(tokenizer_file=str(trained.tokenizer_file), eos_token=end, pad_token=end),
        max_length=trained.longest,
        batch_size=batch_size,
    )


def check_harness() -> None:
    """Find lm-evaluation-harness.

    Raises:
        EnvironmentFault: it is not installed.
    """
    if find_spec("lm_eval") is None:
        raise EnvironmentFault("tasks need lm-evaluation-harness: pip install 'curation[eval]'")


def table(found: Sequence[TaskScore]) -> str:
    """The scores as text."""
    rows = [f"{'task':16} {'metric':12} {'value':>7} {'stderr':>7} {'items':>7}"]
    for one in found:
        stderr = "–" if one.stderr is None else f"{one.stderr:.4f}"
        rows.append(f"{one.task:16} {one.metric:12} {one.value:7.4f} {stderr:>7} {one.n_items:7,}")
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate as the command line says."""
    parser = argparse.ArgumentParser(
        "python -m models.train.harness", description="Tasks of lm-evaluation-harness."
    )
    add: Any = parser.add_argument
    add("--model", type=Path, required=True, help="folder of the model, e.g. OUT/model/hf")
    add("--data", type=Path, required=True, help="folder of the benchmark items")
    add("--tasks", default=",".join(OF_PAPER), help="names with commas between")
    add("--tokenizer", type=Path, help="tokenizer.json or its folder; by default the model's")
    add("--limit", type=int, help="the first so many items of each task; by default all")
    add("--batch-size", type=int, default=8)
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--json", type=Path, help="where the scores go as JSON")
    options = parser.parse_args(arguments)
    with reported():
        check_packages()
        check_harness()
        tasks = options.tasks.split(",")
        for name in tasks:
            task_config(name, options.data)  # before the model is loaded
        model = harness_model(
            options.model, options.tokenizer, device=options.device, batch_size=options.batch_size
        )
        found = run_tasks(model, tasks, options.data, limit=options.limit)
        if options.json:
            told = [asdict(one) for one in found]
            options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(table(found))


if __name__ == "__main__":
    main()
