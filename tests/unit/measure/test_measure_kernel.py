import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.config import MeasureConfig
from curation.errors import SchemaMismatch
from curation.measure.hashing import content_hash
from curation.measure.kernel import INPUT, instruments, measure_batch
from curation.measure.language import load_language_model
from curation.measure.minhash import MinHasher
from curation.model_store import language_model_path
from curation.schemas import MEASURES, PERPLEXITY

TEXTS = [
    "The quick brown fox jumps over the lazy dog.\n\nThe end.",
    "",
    "\n \n",
    "$x^2$ and naïve words of the sea\n" * 3,
    "\0",
    "短い",
    "THE quick   brown fox jumps over the lazy dog. The end.",
]
HASHER = MinHasher(ngram_chars=24, n_bands=20, rows_per_band=13, seed=42)


class FakeLanguageModel:
    """Says `xx` of every text, with its number of characters as per mille."""

    def predict(self, text, k=1):
        scores = [np.array([len(entry) / 1000], np.float32) for entry in text]
        return [["__label__xx"]] * len(text), scores


def pages(texts):
    n = len(texts)
    columns = {name: pa.array([""] * n, pa.string()) for name in INPUT.columns.names} | {
        "text": pa.array(texts, pa.string()),
        "doc_id": pa.array([f"{k:032x}" for k in range(n)], pa.string()),
        "chunk": pa.array(["c0"] * n, pa.string()),
        "crawl": pa.array(["demo"] * n, pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns)


def measure(batch, **settings):
    return measure_batch(batch, instruments(MeasureConfig(**settings), FakeLanguageModel()))


def test_a_page_has_the_measures_of_its_text():
    row = measure(pages(TEXTS)).to_pylist()[0]
    assert (row["doc_id"], row["crawl"], row["chunk"]) == ("0" * 32, "demo", "c0")
    assert (row["n_words"], row["n_lines"], row["n_bytes"]) == (11, 2, 54)
    assert measure(pages(["短い é"])).column("n_bytes").to_pylist() == [9]
    assert (row["language"], row["language_score"]) == ("xx", pytest.approx(0.054))
    assert row["n_common_words"] == 1
    assert row["max_word_chars"] == 5
    assert row["mean_word_chars"] == pytest.approx(43 / 11)
    assert row["content_hash"] == content_hash(TEXTS[0])
    assert row["bands"] == HASHER.bands(TEXTS[0]).tolist()


def test_rows_keep_their_order_and_have_the_columns_of_the_table():
    measured = measure(pages(TEXTS))
    assert measured.schema.equals(MEASURES.columns)
    assert measured.column("doc_id").to_pylist() == [f"{k:032x}" for k in range(len(TEXTS))]
    assert measured.column("n_words").to_pylist() == [11, 0, 0, 21, 1, 1, 11]


def test_copies_that_differ_in_case_and_white_space_share_hash_and_bands():
    rows = measure(pages(TEXTS)).to_pylist()
    assert rows[0]["content_hash"] == rows[6]["content_hash"]
    assert rows[0]["bands"] == rows[6]["bands"]


def test_empty_and_short_texts_have_every_measure_and_no_bands():
    for row in measure(pages(["", "\n \n", "\0", "短い"])).to_pylist():
        missing = {name for name, value in row.items() if value is None}
        assert missing <= {
            *(f"language_{n}{s}" for n in (2, 3) for s in ("", "_score")), "line_language_frac",
            "benchmark_frac",
            "second_line_language", "licence", "n_stop_words", "n_distinct_stop_words",
            *(field.name for field in PERPLEXITY),
        }  # fmt: skip
        assert row["bands"] == []
    (row,) = measure(pages([""])).to_pylist()
    assert (row["language"], row["language_score"], row["n_bytes"]) == ("und", 0.0, 0)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_size_of_a_batch_changes_nothing(size):
    batch = pages(TEXTS)
    parts = [measure(batch.slice(start, size)) for start in range(0, len(TEXTS), size)]
    assert pa.Table.from_batches(parts).equals(pa.Table.from_batches([measure(batch)]))


def test_a_batch_without_rows_is_measured_as_one():
    assert measure(pages([])).num_rows == 0


def test_a_missing_column_or_a_null_text_is_refused_by_name():
    with pytest.raises(SchemaMismatch, match="chunk"):
        measure(pages(TEXTS).drop_columns(["chunk"]))
    with pytest.raises(SchemaMismatch, match="text"):
        measure(pages(["a", None]))


def test_every_measure_has_its_column():
    text = (
        "Write to jane.doe@mail-server.org about the page.\n\n"
        "It is licensed under CC BY-SA 4.0.\n\nfor (int i = 0; i < n; i++) {\n    f(i);\n}\n"
    )
    about = {"url_normalized": "https://shop.example.org/cart?a=1", "host": "shop.example.org",
             "domain": "example.org"}  # fmt: skip
    batch = pages([text])
    columns = {
        name: pa.array([about[name]]) if name in about else batch.column(name)
        for name in batch.schema.names
    }
    (row,) = measure(pa.RecordBatch.from_pydict(columns)).to_pylist()
    assert row["n_pii_email"] == 1
    assert row["licence"] == "cc-by-sa"
    assert row["n_code_blocks"] == 1
    assert row["latin_frac"] == 1.0
    assert (row["is_shop_url"], row["n_url_parameters"], row["url_tld"]) == (1, 1, "org")
    assert row["perplexity"] is None
    assert row["guests"] == []


def test_perplexity_and_guests_are_columns_where_conf_asks_for_them():
    english = instruments(
        MeasureConfig(
            perplexity_models={"en": "shipped"},
            guests=[{
                "name": "regex",
                "filter": "datatrove.pipeline.filters.RegexFilter",
                "options": {"regex_exp": "forbidden"},
            }],
        ),
        load_language_model(str(language_model_path())),
    )  # fmt: skip
    texts = ["The river runs to the sea.", "A forbidden word in the text.", "Кошка спит на диване."]
    rows = measure_batch(pages(texts), english).to_pylist()
    assert rows[0]["perplexity"] > 1
    assert rows[2]["perplexity"] is None  # no model for its language
    assert dict(rows[0]["guests"])["regex"] == ""
    assert dict(rows[1]["guests"])["regex"] != ""
    assert rows[0]["n_stop_words"] == 2


_ANY = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)
_REAL = instruments(MeasureConfig(), load_language_model(str(language_model_path())))


@settings(max_examples=100, deadline=None)
@given(st.lists(_ANY, max_size=4))
def test_any_texts_have_finite_measures(texts):
    for row in measure_batch(pages(texts), _REAL).to_pylist():
        numbers = [value for value in row.values() if isinstance(value, float)]
        assert all(math.isfinite(number) for number in numbers)
