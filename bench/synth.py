"""Speed of synthesis: tokens a second of the Spark stage beside bare `LLM.chat`.

`python -m bench.synth [--jsonl FILE] [--requests 24] [--rounds 3] [--device cuda [--geometry 7b]]`
gives the same requests, made of real texts by the package's prompts, to

- chat: vLLM's `LLM.chat` in this process, all requests at once, in the order of the stage;
- stage: what s06 and s07 do, `answers_to` in a Spark worker, its rows appended to a Delta table;
- mixed: `LLM.chat` in the order of a hash, prompts and lengths mixed, for what grouping is worth.

Both engines have the same settings and threads, and are started, and have answered a few, before
the clock runs. Every round has texts of its own; rounds are interleaved, each begins with another
contestant. Printed are medians over the rounds of generated tokens a second, and of ratios in one
round. `mixed` has its own texts too, so that nothing is cached; its ratio to `chat` compares
rounds, not one text.

`--geometry` generates with random weights of a common size; on a device whose bandwidth is known,
the share of what reading weights, keys and values from memory allows is printed too.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from bench.rounds import turns
from bench.score_texts import read_jsonl
from bench.synth_requests import (
    Row,
    bandwidth_limit,
    in_order,
    kv_bytes_per_token,
    peak_bytes,
    rounds_of,
    shuffled,
)
from curation.config import EngineConfig, SparkConfig, SynthConfig
from curation.errors import ConfigError, reported
from curation.model_store import model_folder
from curation.schemas import GENERATIONS, REQUESTS
from curation.spark.batches import spark_schema
from curation.spark.session import open_session
from curation.synth.asking import answers_to
from curation.synth.backends.vllm import engine_settings, import_vllm, usable_cpus
from curation.synth.prompts import load_prompts, render
from curation.synth.tokenizer import load_chat_tokenizer

CHAT, STAGE, MIXED = "chat", "stage", "mixed"
GOAL = 0.95
"""Least share of the speed of `chat` that `stage` is to have."""
_JSONL = Path("../shared/data/crawl/gold.jsonl.gz")
_PROMPTS = ("diverse_qa", "distill", "extract_knowledge", "knowledge_list")
_WARM = 4
_GEOMETRIES: Mapping[str, dict[str, int]] = {
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32,
           "num_attention_heads": 32, "num_key_value_heads": 8},
    "14b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 48,
            "num_attention_heads": 40, "num_key_value_heads": 8},
    "tiny": {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
             "num_attention_heads": 4, "num_key_value_heads": 2},
}  # fmt: skip
"""Of Llama's form: what a generator of that size is like."""


@dataclass(frozen=True)
class Done:
    """What a contestant did in a round."""

    seconds: float
    n_input: int
    n_output: int

    @property
    def speed(self) -> float:
        """Generated tokens a second."""
        return self.n_output / self.seconds


class Chat:
    """Bare `LLM.chat` on an engine with the stage's settings."""

    def __init__(self, conf: SynthConfig, *, on_cpu: bool) -> None:
        cpus = usable_cpus()
        self._vllm = import_vllm(cpus)
        if on_cpu:
            import_module("torch").set_num_threads(len(cpus))
        self._llm = self._vllm.LLM(
            model=str(model_folder(conf.model)), seed=conf.engine_seed, use_tqdm_on_load=False,
            max_model_len=conf.max_model_tokens, **engine_settings(conf.engine, on_cpu=on_cpu),
        )  # fmt: skip
        self._tokenizer = load_chat_tokenizer(model_folder(conf.model))
        self._prompts = load_prompts()

    @property
    def n_at_once(self) -> int:
        """Answers that the engine decodes together at most."""
        return int(self._llm.llm_engine.vllm_config.scheduler_config.max_num_seqs)

    def __call__(self, rows: Sequence[Row]) -> Done:
        """Ask everything at once."""
        chats, sampling = [self._turns(row) for row in rows], [self._sampling(row) for row in rows]
        began = time.perf_counter()
        outputs = self._llm.chat(chats, sampling_params=sampling, use_tqdm=False)
        seconds = time.perf_counter() - began
        return Done(
            seconds,
            sum(len(one.prompt_token_ids) for one in outputs),
            sum(len(one.outputs[0].token_ids) for one in outputs),
        )

    def _turns(self, row: Row) -> list[dict[str, str]]:
        prompt = self._prompts[row["task"]]
        return self._tokenizer.turns(prompt.system, render(prompt, row["text"]))

    def _sampling(self, row: Row) -> Any:
        prompt = self._prompts[row["task"]]
        return self._vllm.SamplingParams(
            temperature=prompt.temperature, top_p=prompt.top_p, max_tokens=row["max_output_tokens"]
        )


class Stage:
    """What s06 and s07 do with their requests, answers committed to a Delta table."""

    def __init__(self, conf: SynthConfig, folder: Path) -> None:
        settings = SparkConfig(master="local[1]", shuffle_partitions=1)
        self._spark: SparkSession = open_session(settings, "bench-synth", log=folder / "spark.log")
        self._conf = conf
        self._folder = folder
        self._n_rounds = 0

    def __call__(self, rows: Sequence[Row]) -> Done:
        """Ask everything in one commit.

        Spark ends a worker that was idle for a minute, and its engine with it: one question first.
        """
        self._timed(rows[:1])
        return self._timed(rows)

    def _timed(self, rows: Sequence[Row]) -> Done:
        self._n_rounds += 1
        path = str(self._folder / f"generations-{self._n_rounds}")
        asked = self._spark.createDataFrame(
            [tuple(row[name] for name in REQUESTS.columns.names) for row in rows],
            spark_schema(REQUESTS),
        )
        began = time.perf_counter()
        answers_to(asked, self._conf).write.format("delta").mode("append").save(path)
        seconds = time.perf_counter() - began
        sums = self._spark.read.format("delta").load(path).selectExpr(
            "count(*)", "sum(n_input_tokens)", "sum(n_output_tokens)", "count(error)"
        )  # fmt: skip
        n, n_input, n_output, n_errors = sums.collect()[0]
        if (n, n_errors) != (len(rows), 0):
            raise AssertionError(f"{GENERATIONS.name}: {n} answers of {len(rows)}, {n_errors} bad")
        return Done(seconds, n_input, n_output)

    def stop(self) -> None:
        """End Spark, and with it the worker's engine."""
        self._spark.stop()


def raced(
    runs: Mapping[str, Callable[[Sequence[Row]], Done]], rounds: Sequence[Sequence[Row]]
) -> dict[str, list[Done]]:
    """What each contestant did in each round; each round begins with another one."""
    found: dict[str, list[Done]] = {name: [] for name in runs}
    for number, rows in enumerate(rounds):
        for name in turns(runs, number):
            found[name].append(runs[name](rows))
            sys.stderr.write(f"round {number + 1}, {name}: {found[name][-1].seconds:.1f} s\n")
    return found


def report(found: Mapping[str, Sequence[Done]]) -> dict[str, Any]:
    """Medians over the rounds.

    Raises:
        AssertionError: the same requests came to another number of tokens with chat and stage.
    """
    for chat, stage in zip(found[CHAT], found[STAGE], strict=True):
        if chat.n_input != stage.n_input:
            raise AssertionError(f"chats of {chat.n_input} tokens, the stage's of {stage.n_input}")
    speeds = {name: statistics.median(one.speed for one in done) for name, done in found.items()}
    pairs = zip(found[STAGE], found[CHAT], strict=True)
    return {
        "tokens_per_s": {name: round(speed, 1) for name, speed in speeds.items()},
        "seconds": {name: [round(one.seconds, 2) for one in done] for name, done in found.items()},
        "output_tokens": {name: [one.n_output for one in done] for name, done in found.items()},
        "input_tokens": [one.n_input for one in found[CHAT]],
        "stage / chat": round(statistics.median(a.speed / b.speed for a, b in pairs), 3),
        "chat / mixed": round(speeds[CHAT] / speeds[MIXED], 3),
    }


def share_of_bandwidth(
    conf: SynthConfig, found: Mapping[str, Any], n_at_once: int, n_requests: int
) -> dict[str, float] | None:
    """Speed of the stage as a share of what memory allows; None where that is not known."""
    torch = import_module("torch")
    if not torch.cuda.is_available() or (peak := peak_bytes(torch.cuda.get_device_name())) is None:
        return None
    folder = model_folder(conf.model)
    n_together = min(n_at_once, n_requests)
    n_input, n_output = found["input_tokens"][0], found["output_tokens"][STAGE][0]
    limit = bandwidth_limit(
        peak=peak, n_at_once=n_together, context=(n_input + n_output / 2) / n_requests,
        weight_bytes=sum(file.stat().st_size for file in folder.glob("*.safetensors")),
        kv_bytes=kv_bytes_per_token(json.loads((folder / "config.json").read_text()), 2),
    )  # fmt: skip
    return {"limit": round(limit, 1), "share": round(found["tokens_per_s"][STAGE] / limit, 3)}


def save_geometry(name: str, folder: Path, *, on_cpu: bool) -> Path:
    """A generator of that size with random weights, and the tokenizer of SmolLM2."""
    torch, transformers = import_module("torch"), import_module("transformers")
    source = model_folder("smollm2-135m")
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, local_files_only=True)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=8_192, **_GEOMETRIES[name]
    )
    torch.manual_seed(1)
    with torch.device("cpu" if on_cpu else "cuda"):
        model = transformers.LlamaForCausalLM(config).to(
            torch.float32 if on_cpu else torch.bfloat16
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def table(found: Mapping[str, Any]) -> str:
    """The report as text."""
    lines = [f"{n:6} {speed:10.1f} tokens/s" for n, speed in found["tokens_per_s"].items()]
    met = "met" if found["stage / chat"] >= GOAL else "missed"
    lines += [f"stage / chat {found['stage / chat']:.3f} (goal {GOAL}: {met})"]
    lines += [f"chat / mixed {found['chat / mixed']:.3f}"]
    if limit := found["bandwidth"]:
        lines += [f"memory allows {limit['limit']} tokens/s: the stage has {limit['share']:.1%}"]
    return "\n".join(lines) + "\n"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line.

    Raises:
        ConfigError: a number is below 1, or a prompt is unknown.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--jsonl", type=Path, nargs="+", default=[_JSONL], help="JSON lines, plain or gz")
    add("--field", default="main_text", help="of the JSON lines")
    add("--prompts", nargs="+", default=[*_PROMPTS], help="names of prompts")
    add("--requests", type=int, default=24, help="of a round")
    add("--rounds", type=int, default=3)
    add("--max-output-tokens", type=int, default=64, help="cap on an answer; 0: the prompt's own")
    add("--max-model-tokens", type=int, default=2_048)
    add("--model", default="smollm2-135m", help="a name of the model store, or a folder")
    add("--geometry", choices=sorted(_GEOMETRIES), help="random weights of that size instead")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--json", type=Path, help="where the numbers go")
    args = parser.parse_args(given)
    if min(args.requests, args.rounds) < 1:
        raise ConfigError("--requests, --rounds: at least 1")
    if unknown := {*args.prompts} - {*load_prompts()}:
        raise ConfigError(f"--prompts: no {sorted(unknown)}; there are {sorted(load_prompts())}")
    return args


def run_all(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole bench."""
    on_cpu = args.device == "cpu"
    model = args.model
    if args.geometry:
        model = str(save_geometry(args.geometry, folder / "model", on_cpu=on_cpu))
    conf = SynthConfig(
        model=model, max_model_tokens=args.max_model_tokens, prefill=False, engine=EngineConfig(),
        max_output_tokens=args.max_output_tokens,
    )  # fmt: skip
    texts = [text for path in args.jsonl for text in read_jsonl(path, args.field)]
    # The last round is for warming up, and one of each is for the mixed order.
    rounds = rounds_of(texts, args.prompts, conf, n_requests=args.requests, n=2 * args.rounds + 1)
    chat, stage = Chat(conf, on_cpu=on_cpu), Stage(conf, folder)
    warm = rounds[-1][:_WARM]
    chat(warm), stage(warm)
    mixed = iter(rounds[args.rounds : -1])
    found = raced(
        {CHAT: lambda rows: chat(in_order(rows)), STAGE: stage,
         MIXED: lambda _: chat(shuffled(next(mixed)))},
        rounds[: args.rounds],
    )  # fmt: skip
    told = report(found)
    stage.stop()
    told["bandwidth"] = share_of_bandwidth(conf, told, chat.n_at_once, args.requests)
    return told | {"settings": {name: str(value) for name, value in vars(args).items()}}


def main(given: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    args = arguments(given)
    with tempfile.TemporaryDirectory(prefix="bench-synth-") as folder:
        found = run_all(args, Path(folder))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(found))
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
