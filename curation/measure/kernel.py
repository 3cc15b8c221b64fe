"""A batch of pages to a batch of measures: the kernel of s02."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import pyarrow as pa

from curation.config import MeasureConfig
from curation.measure.benchmarks import Benchmarks, load_benchmarks
from curation.measure.code import code_density
from curation.measure.guests import Guests, Page, batch_verdicts, load_guests
from curation.measure.hashing import bytes_hash, hash_normalised
from curation.measure.language import LanguageModel, identify
from curation.measure.licences import licence_marks
from curation.measure.line_languages import line_languages
from curation.measure.minhash import MinHasher
from curation.measure.ngrams import word_hashes
from curation.measure.perplexity import PerplexityModels
from curation.measure.pii import counts_of
from curation.measure.scripts import script_shares
from curation.measure.signals import signals
from curation.measure.stop_words import stop_words
from curation.measure.url_signals import url_signals
from curation.measure.words import Words
from curation.schemas import MEASURES, PAGES

INPUT = PAGES.select("doc_id", "crawl", "chunk", "url", "url_normalized", "host", "domain", "text")
"""What is read of a page."""
_KEY = ("doc_id", "crawl", "chunk")
_LANGUAGES = [(f"language{number}", f"language{number}_score") for number in ("", "_2", "_3")]

Languages = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Instruments:
    """What is loaded once a process: models, hashes, guests."""

    language_model: LanguageModel
    hasher: MinHasher
    perplexity: PerplexityModels
    guests: Guests
    max_language_chars: int
    benchmarks: Benchmarks | None = None
    """None: no files of items are named."""


def instruments(conf: MeasureConfig, language_model: LanguageModel) -> Instruments:
    """The instruments that `conf` asks for.

    Raises:
        ConfigError: a perplexity model is not there, or a guest cannot be used.
        InputError: a file of benchmark items is missing or not JSON lines.
    """
    return Instruments(
        language_model, hasher_of(conf), PerplexityModels(perplexity_paths(conf)),
        load_guests(conf.guests), conf.max_language_chars,
        load_benchmarks(conf.benchmarks, conf.benchmark_fields) if conf.benchmarks else None,
    )  # fmt: skip


def hasher_of(conf: MeasureConfig) -> MinHasher:
    """The MinHash of a run: texts of all kinds have bands of the same."""
    return MinHasher(
        ngram_chars=conf.ngram_chars, ngram_words=conf.ngram_words, n_bands=conf.n_bands,
        rows_per_band=conf.rows_per_band, seed=conf.minhash_seed,
    )  # fmt: skip


def perplexity_paths(conf: MeasureConfig) -> dict[str, str]:
    """The perplexity models asked for, by language."""
    return {language: path for language, path in conf.perplexity_models.items() if path}


def measure_batch(batch: pa.RecordBatch, tools: Instruments) -> pa.RecordBatch:
    """Batch of `INPUT` to MEASURES batch, row by row, in order.

    Raises:
        SchemaMismatch: a column is missing, unexpected, of another type, or null.
    """
    pages = INPUT.conform(batch).to_pylist()
    texts = [page["text"] for page in pages]
    languages = identify(texts, tools.language_model, max_chars=tools.max_language_chars)
    lines = line_languages(texts, tools.language_model, languages)
    verdicts = _verdicts(pages, languages, tools.guests)
    rows = (
        {**_measures(page, found, tools), **one._asdict(), "guests": said}
        for page, found, one, said in zip(pages, languages, lines, verdicts, strict=True)
    )
    return MEASURES.conform(_columns(rows))


def _columns(rows: Iterable[Mapping[str, Any]]) -> pa.RecordBatch:
    """Row by row, since a row's values lie together in memory: twice as fast as by column."""
    names = MEASURES.columns.names
    columns = list(zip(*map(itemgetter(*names), rows), strict=True)) or [()] * len(names)
    arrays = [pa.array(c, f.type) for c, f in zip(columns, MEASURES.columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _measures(page: Mapping[str, str], languages: Languages, tools: Instruments) -> dict[str, Any]:
    """Values of the columns of one page but for lines and guests."""
    text, language = page["text"], languages[0][0]
    words, encoded = Words(text), text.encode("utf-8", "surrogatepass")
    return {
        **{name: page[name] for name in _KEY},
        **_languages(languages),
        **signals(words),
        **stop_words(words, language),
        **script_shares(words),
        **code_density(words),
        **licence_marks(words),
        **counts_of(text, words.codes),
        **url_signals(page["url_normalized"], page["host"], page["domain"]),
        **tools.perplexity.perplexities(text, language),
        "benchmark_frac": _benchmark_frac(text, tools.benchmarks),
        "n_words": words.n_words,
        "n_lines": words.n_lines,
        "n_bytes": len(encoded),
        "content_hash": hash_normalised(words.normalised),
        "text_hash": bytes_hash(encoded),
        "bands": tools.hasher.bands_of_normalised(words.normalised),
    }


def _benchmark_frac(text: str, benchmarks: Benchmarks | None) -> float | None:
    return None if benchmarks is None else benchmarks.overlap_frac(word_hashes(text))


def _languages(found: Languages) -> dict[str, str | float | None]:
    best = [*found, *[(None, None)] * (len(_LANGUAGES) - len(found))]
    names = [name for pair in _LANGUAGES for name in pair]
    return dict(zip(names, (value for pair in best for value in pair), strict=True))


def _verdicts(
    pages: Sequence[Mapping[str, str]], languages: Sequence[Languages], guests: Guests
) -> list[list[tuple[str, str]]]:
    """What each guest says of each page."""
    shown = [
        Page(
            page["doc_id"],
            page["text"],
            {"url": page["url"], "language": found[0][0], "language_score": found[0][1]},
        )
        for page, found in zip(pages, languages, strict=True)
    ]
    return batch_verdicts(guests, shown)
