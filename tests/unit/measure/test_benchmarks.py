"""Benchmark items are found wherever they are planted, and ordinary text is not taken for one."""

import gzip
import json

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.config import MeasureConfig, RunConfig
from curation.errors import InputError
from curation.measure.benchmarks import benchmarks_of, load_benchmarks
from curation.measure.kernel import INPUT, instruments, measure_batch
from curation.measure.language import load_language_model
from curation.measure.ngrams import word_hashes
from curation.measure.stage import identity
from curation.model_store import language_model_path

LONG = (
    "A train leaves the station at nine in the morning and travels for three hours at sixty "
    "miles an hour; how far from the station is it then?"
)
SHORT = "Which planet is the closest to the sun?"
FILLER = ("the", "weather", "was", "mild", "that", "spring", "and", "boats", "came", "in", "daily")
KNOWN = benchmarks_of([LONG, SHORT, "What is it?"])


def frac(text):
    return KNOWN.overlap_frac(word_hashes(text))


@settings(deadline=None)
@given(
    st.sampled_from([LONG, SHORT]), st.integers(0, 200), st.integers(0, 200),
    st.sampled_from([str.upper, str.lower, str.title, str]),
    st.sampled_from([" ", "\n", " * ", ", ", "... ", "\t"]),
)  # fmt: skip
def test_a_planted_item_is_found_at_any_place_in_any_case_and_punctuation(
    item, before, after, case, joint
):
    words = item.split()
    text = [FILLER[i % len(FILLER)] for i in range(before)] + words
    text += [FILLER[i % len(FILLER)] for i in range(after)]
    found = frac(case(joint.join(text)))
    assert found == pytest.approx(len(words) / len(text))


def test_ordinary_text_and_a_part_of_an_item_are_not_taken_for_one():
    assert frac(" ".join(FILLER * 20)) == 0
    assert frac(" ".join(LONG.split()[:12])) == 0
    assert frac("") == 0


def test_items_that_are_too_short_are_counted_and_left_out():
    assert (KNOWN.n_items, KNOWN.n_short) == (3, 1)
    assert frac("What is it?") == 0


def test_files_of_json_lines_are_read_plain_and_compressed(tmp_path):
    lines = "\n".join(json.dumps({"question": LONG, "n": i}) for i in range(2)) + "\n\n"
    plain, packed = tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz"
    plain.write_text(lines.strip())
    packed.write_bytes(gzip.compress(json.dumps({"text": SHORT}).encode()))
    found = load_benchmarks((str(plain), str(packed)), ("question", "text"))
    assert found.n_items == 3
    assert found.overlap_frac(word_hashes(SHORT)) == 1


@pytest.mark.parametrize("content", [b"not json", b"\x1f\x8b\x08broken", b'{"other": "x"}\n'])
def test_a_file_that_is_no_benchmark_is_named(tmp_path, content):
    file = tmp_path / ("a.jsonl.gz" if content[:1] == b"\x1f" else "a.jsonl")
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.jsonl"):
        load_benchmarks((str(file),), ("question",))
    with pytest.raises(InputError, match="gone"):
        load_benchmarks((str(tmp_path / "gone.jsonl"),), ("question",))


def test_the_sieve_lets_no_item_fall_through():
    items = [f"{LONG} {n} {' '.join(str(n * k) for k in range(9))}" for n in range(3_000)]
    known = benchmarks_of(items)
    assert all(known.overlap_frac(word_hashes(item)) == 1 for item in items)
    assert max(sieve.mean() for sieve in known.sieves.values()) <= 1 / 16


def test_pages_are_measured_only_where_items_are_named(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text(json.dumps({"question": LONG}))
    assert _frac_of_page(f"Read this. {LONG}", MeasureConfig()) is None
    asked = MeasureConfig(benchmarks=(str(file),))
    n = len(LONG.split())
    assert _frac_of_page(f"Read this. {LONG}", asked) == pytest.approx(n / (n + 2))
    assert _frac_of_page("Read that.", asked) == 0


def _frac_of_page(text, conf):
    tools = instruments(conf, load_language_model(str(language_model_path())))
    page = dict.fromkeys(INPUT.columns.names, "x") | {"text": text}
    batch = pa.RecordBatch.from_pylist([page], schema=INPUT.columns)
    return measure_batch(batch, tools)["benchmark_frac"][0].as_py()


def test_other_items_measure_anew(tmp_path):
    file = tmp_path / "a.jsonl"
    told = []
    for text in (LONG, SHORT):
        file.write_text(json.dumps({"question": text}))
        told.append(identity(RunConfig(measure={"benchmarks": [str(file)]})))
    assert told[0] != told[1]
    assert "benchmarks" not in identity(RunConfig())
