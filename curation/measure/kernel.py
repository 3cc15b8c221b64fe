"""A batch of pages to a batch of measures: the kernel of s02."""

from __future__ import annotations

from typing import Any, cast

import pyarrow as pa

from curation.config import MeasureConfig
from curation.measure.hashing import hash_normalised
from curation.measure.language import LanguageModel, identify
from curation.measure.minhash import MinHasher
from curation.measure.signals import signals
from curation.measure.words import Words
from curation.schemas import MEASURES, PAGES

_KEY = ("doc_id", "crawl", "chunk")
_INPUT = PAGES.select(*_KEY, "text")
_LANGUAGES = [(f"language{number}", f"language{number}_score") for number in ("", "_2", "_3")]
_MEASURED = [
    f for f in MEASURES.columns if f.name not in {*_KEY, *(n for pair in _LANGUAGES for n in pair)}
]


def measure_batch(
    batch: pa.RecordBatch,
    *,
    language_model: LanguageModel,
    hasher: MinHasher,
    conf: MeasureConfig,
) -> pa.RecordBatch:
    """PAGES batch (`doc_id`, `crawl`, `chunk`, `text`) to MEASURES batch, row by row, in order.

    Raises:
        SchemaMismatch: a column is missing, unexpected, of another type, or null.
    """
    pages = _INPUT.conform(batch)
    texts = cast(list[str], pages.column("text").to_pylist())
    rows = [_measures(text, hasher) for text in texts]
    columns = {name: pages.column(name) for name in _KEY}
    for field in _MEASURED:
        columns[field.name] = pa.array([row[field.name] for row in rows], field.type)
    columns |= _languages(identify(texts, language_model, max_chars=conf.max_language_chars))
    return MEASURES.conform(pa.RecordBatch.from_pydict(columns))


def _measures(text: str, hasher: MinHasher) -> dict[str, Any]:
    """Values of the columns `_MEASURED` for one text."""
    words = Words(text)
    return signals(words) | {
        "n_words": words.n_words,
        "n_lines": words.n_lines,
        "n_bytes": len(text.encode()),
        "content_hash": hash_normalised(words.normalised),
        "bands": hasher.bands_of_normalised(words.normalised),
    }


def _languages(found: list[list[tuple[str, float]]]) -> dict[str, pa.Array[Any]]:
    columns: dict[str, pa.Array[Any]] = {}
    for place, (code, score) in enumerate(_LANGUAGES):
        there = [one[place] if place < len(one) else (None, None) for one in found]
        columns[code] = pa.array([name for name, _ in there], pa.string())
        columns[score] = pa.array([value for _, value in there], pa.float32())
    return columns
