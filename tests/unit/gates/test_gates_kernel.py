"""What is measured of a generated text beside its source."""

import pyarrow as pa
import pytest

from curation.config import MeasureConfig
from curation.gates.kernel import Instruments, measure_generated
from curation.gates.names import name_faithfulness, names_in
from curation.gates.stock_phrases import count_stock_phrases
from curation.measure.benchmarks import benchmarks_of
from curation.measure.kernel import hasher_of
from curation.measure.language import load_language_model
from curation.model_store import language_model_path
from curation.schemas import SYNTHETIC_MEASURES
from curation.synth.generated import GENERATED, own_text

SOURCE = (
    "Marie Curie was born in Warsaw in 1867. With her husband Pierre she found two new elements, "
    "polonium and radium, and in 1911 she was given the prize for chemistry as well."
)
REWRITE = (
    "In 1867 the city of Warsaw saw the birth of Marie Curie, who would discover the elements "
    "radium and polonium together with Pierre; a second prize, for chemistry, came in 1911."
)
ITEM = "which two new elements were found by the woman who was born in warsaw and won twice"


@pytest.fixture(scope="module")
def tools():
    return Instruments(
        load_language_model(str(language_model_path())), hasher_of(MeasureConfig()),
        benchmarks_of([ITEM]), 2_000,
    )  # fmt: skip


def measured(tools, text, source=SOURCE, language="en"):
    same = ["x"] * 5
    row = dict(zip(GENERATED.columns.names, [*same, text, source, language], strict=True))
    (found,) = measure_generated(
        pa.RecordBatch.from_pylist([row], schema=GENERATED.columns), tools
    ).to_pylist()
    return found


def test_a_faithful_rewrite_passes_for_one(tools):
    found = measured(tools, REWRITE)
    assert 0.8 < found["length_ratio"] < 1.2
    assert found["copied_frac"] == 0
    assert found["name_frac"] == 1
    assert (found["language_kept"], found["n_new_pii"], found["n_stock_phrases"]) == (1, 0, 0)
    assert found["benchmark_frac"] == 0
    assert len(found["bands"]) == MeasureConfig().n_bands


def test_a_copy_is_told_by_its_words_in_any_case(tools):
    assert measured(tools, SOURCE.upper())["copied_frac"] == 1
    half = measured(tools, SOURCE.partition(". ")[0] + " and went on to other things entirely")
    assert 0.3 < half["copied_frac"] < 0.7


def test_of_a_text_that_begins_with_its_source_the_rest_is_measured(tools):
    pairs = "Question: Where was she born? Answer: In Warsaw, then a part of Russia."
    assert own_text(f"{SOURCE}\n\n{pairs}", SOURCE) == pairs
    found = measured(tools, f"{SOURCE}\n\n{pairs}")
    assert found["copied_frac"] == 0
    assert found["length_ratio"] < 0.6
    assert own_text(SOURCE, SOURCE) == SOURCE


def test_another_language_new_data_of_persons_and_benchmark_items_are_seen(tools):
    assert measured(tools, "Marie Curie wurde 1867 in Warschau geboren.")["language_kept"] == 0
    assert measured(tools, f"{REWRITE} Write to marie.curie@sorbonne-archive.fr.")["n_new_pii"] == 1
    known = f"{SOURCE} Write to marie.curie@sorbonne-archive.fr."
    assert (
        measured(tools, f"{REWRITE} Or marie.curie@sorbonne-archive.fr.", known)["n_new_pii"] == 0
    )
    assert measured(tools, f"{REWRITE} {ITEM.title()}?")["benchmark_frac"] > 0.2


def test_rows_are_those_of_the_table(tools):
    found = measured(tools, REWRITE)
    assert {*found} == {*SYNTHETIC_MEASURES.columns.names}


@pytest.mark.parametrize("text", ["", " ", "\n\n", "\u0000", "a" * 200_000, "\U0001f600" * 50])
def test_hostile_texts_are_measured_like_others(tools, text):
    assert measured(tools, text)["keep"] is False
    assert measured(tools, REWRITE, text)["length_ratio"] >= 0


def test_names_are_words_that_begin_upper_case_within_a_sentence():
    text = "Then we met Pierre O'Neil-Smith.\nShe left. \u201cNobody in Paris knew, I said.\u201d"
    assert names_in(text) == {"pierre", "o'neil-smith", "paris"}
    assert name_faithfulness("PIERRE'S house", "That was Pierre in Rome.") == 0.5
    assert name_faithfulness("x", "nobody there.") is None


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("As an AI language model, I cannot help with that.", 2),
        ("Here is the rewritten text: cells divide.", 1),
        ("Here is the rewritten version. I hope this helps!", 2),
        ("<|im_end|>", 1),
        ("An AI model reads the text provided by its user.", 1),
        ("She can help; here is the bus.", 0),
        ("The passage of light through glass bends it.", 0),
    ],
)
def test_stock_phrases_are_counted(text, n):
    assert count_stock_phrases(text) == n
