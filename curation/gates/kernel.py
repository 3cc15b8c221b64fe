"""A batch of generated texts beside their sources to a batch of measures: the kernel of s07b.

Everything is measured before anything is judged: the rules are SQL over these columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curation.gates.names import name_faithfulness
from curation.gates.stock_phrases import count_stock_phrases
from curation.measure.benchmarks import Benchmarks
from curation.measure.hashing import hash_normalised
from curation.measure.language import LanguageModel, identify
from curation.measure.minhash import MinHasher
from curation.measure.ngrams import covered_frac, word_hashes
from curation.measure.pii import pii_counts
from curation.measure.repetition import repetition
from curation.measure.words import Words
from curation.schemas import SYNTHETIC_MEASURES
from curation.synth.generated import GENERATED, own_text

COPIED_WORDS = 8
"""Words in a row that are a copy: shorter runs of the same words are the same facts told again."""
_SAME = ("synthetic_id", "doc_id", "crawl", "stage", "task")


@dataclass(frozen=True)
class Instruments:
    """What is loaded once a process."""

    language_model: LanguageModel
    hasher: MinHasher
    benchmarks: Benchmarks
    max_language_chars: int


def measure_generated(batch: pa.RecordBatch, tools: Instruments) -> pa.RecordBatch:
    """Batch of `GENERATED` to a batch of SYNTHETIC_MEASURES without what other texts decide.

    `duplicate_of`, `duplicate_kind`, `keep` and `drop_reasons` are null, or as good as empty.
    """
    rows = GENERATED.conform(batch).to_pylist()
    own = [own_text(row["text"], row["source"]) for row in rows]
    languages = identify(own, tools.language_model, max_chars=tools.max_language_chars)
    told = [
        {**{name: row[name] for name in _SAME}, **_language(found[0], row["source_language"]),
         **_beside_source(text, row["source"]), **_alone(row["text"], tools)}
        for row, text, found in zip(rows, own, languages, strict=True)
    ]  # fmt: skip
    return pa.RecordBatch.from_pylist(told, schema=SYNTHETIC_MEASURES.columns)


def _language(found: tuple[str, float], of_source: str) -> dict[str, Any]:
    code, score = found
    return {"language": code, "language_score": score, "language_kept": int(code == of_source)}


def _beside_source(text: str, source: str) -> dict[str, Any]:
    """Measures of what the generator wrote against what it was given."""
    words, known = word_hashes(text), word_hashes(source)
    return {
        "n_words": int(words.size),
        "length_ratio": words.size / known.size if known.size else 0.0,
        "copied_frac": covered_frac(words, COPIED_WORDS, known),
        "name_frac": name_faithfulness(source, text),
        "n_new_pii": _new_pii(text, source),
        "n_stock_phrases": max(0, count_stock_phrases(text) - count_stock_phrases(source)),
    }


def _new_pii(text: str, source: str) -> int:
    """Finds of each kind beyond those of the source."""
    found, known = pii_counts(text), pii_counts(source)
    return sum(max(0, n - known[kind]) for kind, n in found.items())


def _alone(text: str, tools: Instruments) -> dict[str, Any]:
    """Measures of the whole text as it would be trained on."""
    words = Words(text)
    return {
        **_repetition(repetition(words)),
        "benchmark_frac": tools.benchmarks.overlap_frac(word_hashes(text)),
        "content_hash": hash_normalised(words.normalised),
        "bands": tools.hasher.bands_of_normalised(words.normalised).tolist(),
        "keep": False,
        "drop_reasons": [],
    }


def _repetition(shares: Mapping[str, float]) -> dict[str, float]:
    return {name: shares[name] for name in ("unique_line_frac", "top_3gram_frac", "dup_8gram_frac")}
