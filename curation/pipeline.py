"""The flow, as data. Read this first.

A stage reads tables and writes tables. Its work is cut into units: a *chunk* of WARC files where
chunks do not concern each other, the whole *corpus* where they do. `spark/job.py` runs a unit,
closes its account in `funnel`, and skips it next time while its fingerprint is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from curation.errors import ConfigError


@dataclass(frozen=True)
class Stage:
    """One step of the flow."""

    name: str
    doc: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    scope: Literal["chunk", "corpus"]
    device: Literal["CPU", "GPU or CPU"]
    sections: tuple[str, ...]
    """Settings that decide the result: a change of theirs makes the stage run again."""
    run: str
    """`module:function` that does one unit; imported only when the stage runs."""
    after: tuple[str, ...] = ()
    """Stages whose results this one reads."""
    identity: str = ""
    """`module:function` of the settings that names what else decides the result, such as prompts
    or weights that the package ships."""
    engine: bool = False
    """Hosts a language model: an application of its own, one task an executor."""
    version: int = 1
    """Raised when the code changes what the stage computes."""


STAGES: tuple[Stage, ...] = (
    Stage(
        name="s01_extract",
        doc="Read WARC records, decode, extract main text; every record is a page or a reject.",
        reads=(),
        writes=("pages", "rejects", "ledger"),
        scope="chunk",
        device="CPU",
        sections=("extract", "filter"),
        run="curation.extract.stage:extract",
        identity="curation.extract.stage:identity",
        version=3,
    ),
    Stage(
        name="s02_measure",
        doc="Language, heuristic signals, content hash, MinHash bands: one pass over the text.",
        reads=("pages",),
        writes=("measures",),
        scope="chunk",
        device="CPU",
        sections=("measure",),
        run="curation.measure.stage:measure",
        identity="curation.measure.stage:identity",
        after=("s01_extract",),
        version=5,
    ),
    Stage(
        name="s03_dedup",
        doc="Exact and near duplicates of the whole corpus; one deterministic survivor each.",
        reads=("measures", "pages"),
        writes=(
            "dedup_keys",
            "pairs",
            "dedup_components",
            "clusters",
            "spans",
            "survivor_changes",
            "documents",
            "domain_repetition",
            "dedup_batches",
        ),
        scope="corpus",
        device="CPU",
        sections=("dedup",),
        run="curation.dedup.stage:dedup",
        after=("s02_measure",),
        version=2,
    ),
    Stage(
        name="s04_score",
        doc="Every model of score.members reads every document that it has not scored yet.",
        reads=("documents",),
        writes=("scores",),
        scope="chunk",
        device="GPU or CPU",
        sections=("score",),
        run="curation.score.stage:score",
        identity="curation.score.kernel:identity",
        after=("s03_dedup",),
        version=3,
    ),
    Stage(
        name="s05_label",
        doc="Scores to buckets 0..19, one of the ensemble, five labels; heuristics.",
        reads=("scores", "documents", "measures"),
        writes=("bucket_edges", "labels", "label_drift"),
        scope="corpus",
        device="CPU",
        sections=("label",),
        run="curation.label.stage:label",
        identity="curation.label.stage:identity",
        after=("s04_score",),
        version=5,
    ),
    Stage(
        name="s06_rephrase",
        doc="Low quality rewritten; QA, distillation, extraction, lists from high quality.",
        reads=("documents", "labels"),
        writes=("requests", "generations", "verdicts", "synthetic"),
        scope="corpus",
        device="GPU or CPU",
        sections=("synth",),
        run="curation.synth.stage:rephrase",
        identity="curation.synth.requests:identity",
        engine=True,
        after=("s05_label",),
        version=2,
    ),
    Stage(
        name="s07_dialogue",
        doc="Mathematics as dialogues: the seven MIND styles over chunks of 500 tokens.",
        reads=("documents", "labels"),
        writes=("requests", "generations", "verdicts", "synthetic"),
        scope="corpus",
        device="GPU or CPU",
        sections=("synth",),
        run="curation.synth.stage:dialogue",
        identity="curation.synth.requests:identity",
        engine=True,
        after=("s05_label",),
        version=2,
    ),
    Stage(
        name="s07a_judge",
        doc="A judge model grades what was generated beside its source, if `judge.enabled`.",
        reads=("synthetic", "requests", "documents"),
        writes=("requests", "generations", "judgements"),
        scope="corpus",
        device="GPU or CPU",
        sections=("judge",),
        run="curation.synth.judging:judge",
        identity="curation.synth.judging:identity",
        engine=True,
        after=("s06_rephrase", "s07_dialogue"),
    ),
    Stage(
        name="s07b_gate",
        doc="Generated text measured beside its source, looked for among the others, and judged.",
        reads=("synthetic", "requests", "judgements", "documents", "measures"),
        writes=("synthetic_measures",),
        scope="corpus",
        device="CPU",
        sections=("gate", "measure"),
        run="curation.gates.stage:gate",
        identity="curation.gates.stage:identity",
        after=("s06_rephrase", "s07_dialogue", "s07a_judge"),
        version=2,
    ),
    Stage(
        name="s08_blend",
        doc="Texts selected, sources by weight, repeats far apart, in one global order; Parquet.",
        reads=("documents", "scores", "labels", "synthetic", "synthetic_measures"),
        writes=("published", "selection", "selection_mix", "blend", "blend_mix"),
        scope="corpus",
        device="CPU",
        sections=("blend",),
        run="curation.blend.stage:blend",
        identity="curation.blend.sources:identity",
        after=("s05_label", "s07b_gate"),
        version=3,
    ),
    Stage(
        name="s09_tokenize",
        doc="Token shards: packed Parquet and Megatron .bin/.idx, one manifest.",
        reads=("blend",),
        writes=("shards",),
        scope="corpus",
        device="CPU",
        sections=("tokens",),
        run="curation.tokens.stage:tokenize",
        identity="curation.tokens.encode:identity",
        after=("s08_blend",),
        version=2,
    ),
)

TRAIN = "train"
"""What follows the stages: `models.train` on the shards; not a Spark job."""


def select_stages(only: str) -> tuple[Stage, ...]:
    """Stages named by `only`: names or their numbers (`s03`), separated by commas; empty: all.

    Raises:
        ConfigError: a name is not a stage, or commas are all there is.
    """
    if not only.strip():
        return STAGES
    named = [part.strip() for part in only.split(",") if part.strip()]
    if not named:
        raise ConfigError(f"--only {only}: names no stage; write e.g. --only s01,s02")
    wanted = [name for name in named if name != TRAIN]
    return tuple(sorted((stage_named(name) for name in wanted), key=STAGES.index))


def stages_before(stage: Stage) -> tuple[Stage, ...]:
    """The stages whose results `stage` rests on, directly or not, in the flow's order."""
    found = {stage_named(name) for name in stage.after}
    found |= {earlier for near in tuple(found) for earlier in stages_before(near)}
    return tuple(sorted(found, key=STAGES.index))


def stage_named(name: str) -> Stage:
    """The stage called `name`, or numbered so (`s03`).

    Raises:
        ConfigError: there is none.
    """
    for stage in STAGES:
        if name in (stage.name, stage.name.partition("_")[0]):
            return stage
    known = ", ".join(stage.name for stage in STAGES)
    raise ConfigError(f"no stage is called `{name}`; the stages are {known}, {TRAIN}")
