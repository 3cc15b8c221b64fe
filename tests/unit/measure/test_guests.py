"""Filters of datatrove as guests: loading, verdicts, and faults that stay with their page."""

import subprocess
import sys
from dataclasses import dataclass, field

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError
from curation.measure.guests import (
    Page,
    batch_verdicts,
    identity,
    load_guests,
    verdicts,
)

pytest.importorskip("datatrove")
from datatrove.pipeline.filters.base_filter import BaseFilter

FILTERS = "datatrove.pipeline.filters"


@dataclass(frozen=True)
class Spec:
    name: str
    filter: str
    options: dict = field(default_factory=dict)


class AtMostTwoWords(BaseFilter):
    name = "two words"

    def filter(self, doc):
        return len(doc.text.split()) <= 2


class Vandal(BaseFilter):
    """Edits what it is shown."""

    name = "vandal"

    def filter(self, doc):
        doc.text = ""
        doc.metadata.clear()
        return True


class Metadata(BaseFilter):
    """Its reason is the metadata that it is shown."""

    name = "metadata"

    def filter(self, doc):
        keys = ("url", "language", "language_score")
        return False, " ".join(str(doc.metadata[key]) for key in keys)


class Whole(BaseFilter):
    """Takes three at once, and all fall when one does."""

    name = "whole"

    def __init__(self, exclusion_writer=None):
        super().__init__(exclusion_writer, batch_size=3)

    def filter(self, doc):
        raise AssertionError("batches only")

    def filter_batch(self, batch):
        if any("bad" in doc.text for doc in batch):
            raise KeyError("bad")
        return [(False, f"{doc.text} of {len(batch)}") for doc in batch]


class Short(Whole):
    """Forgets the last."""

    name = "short"

    def filter_batch(self, batch):
        return [True] * (len(batch) - 1)


class OddReasons(BaseFilter):
    name = "odd"

    def __init__(self, result, exclusion_writer=None):
        super().__init__(exclusion_writer)
        self.result = result

    def filter(self, doc):
        return self.result


class NoData(BaseFilter):
    name = "no data"

    def filter(self, doc):
        raise LookupError("Resource punkt not found")


class Endings(BaseFilter):
    name = "endings"

    def __init__(self, marks: tuple[str, ...] = (".",), exclusion_writer=None):
        super().__init__(exclusion_writer)
        self.marks = marks

    def filter(self, doc):
        return doc.text.endswith(self.marks)


class Interrupts(BaseFilter):
    name = "interrupts"

    def filter(self, doc):
        if doc.text == "now":
            raise KeyboardInterrupt
        return True


def here(name, kind, **options):
    return Spec(name, f"{__name__}.{kind.__name__}", options)


def reasons_of(spec, *texts):
    guests = load_guests([spec])
    return [verdicts(guests, "id", text, {})[0][1] for text in texts]


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])


def test_a_filter_of_datatrove_judges_by_its_options_and_gives_its_reason():
    spec = Spec(
        "gopher_quality",
        f"{FILTERS}.GopherQualityFilter",
        {"min_doc_words": 4, "min_stop_words": 1},
    )
    assert reasons_of(spec, "with the wide ocean", "to be") == ["", "gopher_short_doc"]


def test_the_verdicts_of_all_guests_come_in_the_order_of_conf_and_make_an_arrow_map():
    specs = [here("b_words", AtMostTwoWords), Spec("a_regex", f"{FILTERS}.RegexFilter",
             {"regex_exp": "[0-9]"})]  # fmt: skip
    found = verdicts(load_guests(specs), "id", "one 2 three", {})
    assert found == [("b_words", "dropped"), ("a_regex", "dropped")]
    column = pa.array([found], pa.map_(pa.string(), pa.string()))
    assert column.to_pylist(maps_as_pydicts="strict") == [dict(found)]


def test_c4_which_edits_the_text_leaves_it_whole_for_the_next_guest():
    text = "A menu\n" + "This is a line of five words.\n" * 5
    specs = [Spec("c4", f"{FILTERS}.C4QualityFilter"), here("vandal", Vandal),
             Spec("menu", f"{FILTERS}.RegexFilter", {"regex_exp": "menu"})]  # fmt: skip
    metadata = {"url": "https://example.org/"}
    found = verdicts(load_guests(specs), "id", text, metadata)
    assert found == [("c4", ""), ("vandal", ""), ("menu", "dropped")]
    assert metadata == {"url": "https://example.org/"}


def test_filters_see_url_and_language():
    metadata = {"url": "https://example.org/a", "language": "de", "language_score": 0.5}
    found = verdicts(load_guests([here("seen", Metadata)]), "id", "text", metadata)
    assert found == [("seen", "https://example.org/a de 0.5")]


def test_a_filter_that_raises_on_a_page_gives_the_class_of_the_error():
    assert reasons_of(here("seen", Metadata), "text") == ["error: KeyError"]


def test_batches_have_the_size_of_the_filter_and_one_bad_page_spoils_no_other():
    guests = load_guests([here("whole", Whole)])
    pages = [Page(str(row), text, {}) for row, text in enumerate(["a", "b", "c", "bad", "d"])]
    assert batch_verdicts(guests, pages) == [
        [("whole", "a of 3")],
        [("whole", "b of 3")],
        [("whole", "c of 3")],
        [("whole", "error: KeyError")],
        [("whole", "d of 1")],
    ]


def test_a_filter_that_forgets_a_page_is_an_error_of_each_page_alone():
    guests = load_guests([here("short", Short)])
    found = batch_verdicts(guests, [Page("1", "a", {}), Page("2", "b", {})])
    assert found == [[("short", "error: ValueError")]] * 2


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (True, ""),
        ((True, "fine"), ""),
        (1, ""),
        (None, "dropped"),
        (False, "dropped"),
        ((False, None), "dropped"),
        ((False, ""), "dropped"),
        ((False, 7), "7"),
        ((False, "x" * 300), "x" * 200),
        ((False, "\ud800"), "?"),
        ((False, "a", "b"), "error: ValueError"),
    ],
)
def test_whatever_a_filter_returns_is_a_verdict(result, reason):
    assert reasons_of(here("odd", OddReasons, result=result), "text") == [reason]


def test_a_verdict_does_not_depend_on_whether_warnings_raise():
    # No words: numpy warns of their mean, then datatrove divides by their number.
    spec = Spec("quality", f"{FILTERS}.GopherQualityFilter", {"min_doc_words": 0})
    assert reasons_of(spec, "") == ["error: ZeroDivisionError"]


def test_an_interrupt_by_the_user_is_no_verdict():
    with pytest.raises(KeyboardInterrupt):
        reasons_of(here("interrupts", Interrupts), "now")


def test_lists_of_yaml_become_tuples_where_the_class_wants_them():
    assert reasons_of(here("ends", Endings, marks=[".", "!"]), "a!", "a?") == ["", "dropped"]


def test_an_exclusion_writer_is_left_out():
    assert reasons_of(here("two", AtMostTwoWords, exclusion_writer="anything"), "a") == [""]


def test_no_guests_are_no_verdicts():
    guests = load_guests([])
    assert verdicts(guests, "id", "text", {}) == []
    assert batch_verdicts(guests, [Page("id", "text", {})] * 2) == [[], []]
    assert identity([]) == {}


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (Spec("x", "no_such_module.Filter"), "No module named 'no_such_module'"),
        (Spec("x", f"{FILTERS}.NoSuchFilter"), "has no `NoSuchFilter`"),
        (Spec("x", "Filter"), "write module and class"),
        (Spec("x", "datatrove.data.Document"), "not derived from"),
        (Spec("x", "os.path.join"), "not derived from"),
        (Spec("x", f"{FILTERS}.base_filter.BaseFilter"), "abstract"),
        (Spec("x", f"{FILTERS}.GopherQualityFilter", {"min_words": 1}), "known: min_doc_words"),
        (Spec("x", f"{FILTERS}.RegexFilter", {}), "regex_exp"),
        (Spec("x", f"{FILTERS}.RegexFilter", {"regex_exp": "("}), "unterminated"),
        (Spec("x", f"{FILTERS}.LanguageFilter", {}), "pip install"),
        (Spec("x", f"{FILTERS}.GopherQualityFilter", {"language": "de_nowhere"}), "de_nowhere"),
        (Spec("X y", f"{FILTERS}.RegexFilter"), "`X y` is no name"),
    ],
)
def test_a_guest_that_cannot_be_is_refused_with_the_reason(spec, told):
    with pytest.raises(ConfigError, match=r"measure\.guests") as caught:
        load_guests([spec])
    assert told in str(caught.value)


def test_two_guests_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="two guests are called `two`"):
        load_guests([here("two", AtMostTwoWords)] * 2)


def test_data_that_a_filter_lacks_is_told_before_the_first_page():
    with pytest.raises(ConfigError, match="punkt not found"):
        load_guests([here("no_data", NoData)])


def test_without_datatrove_the_message_says_how_to_install_it():
    code = """
import sys
sys.modules["datatrove"] = None
from curation.measure.guests import load_guests
from curation.errors import ConfigError
from types import SimpleNamespace
assert load_guests([]).guests == ()
try:
    load_guests([SimpleNamespace(name="x", filter="a.B", options={})])
except ConfigError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'curation[bench]'" in told.stdout


def test_nothing_of_datatrove_is_imported_before_a_guest_is_loaded():
    code = "import sys, curation.measure.guests; print('datatrove' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"


def test_identity_is_the_version_and_the_source_of_each_class(monkeypatch, tmp_path):
    (tmp_path / "own_filters.py").write_text(
        "from datatrove.pipeline.filters import RegexFilter\n"
        "class Own(RegexFilter): pass\n"
    )  # fmt: skip
    monkeypatch.syspath_prepend(tmp_path)
    spec = Spec("own", "own_filters.Own")
    first = identity([spec])
    assert set(first) == {"datatrove", "own"}
    with (tmp_path / "own_filters.py").open("a") as file:
        file.write("# changed\n")
    assert identity([spec])["own"] != first["own"]
    assert identity([spec])["datatrove"] == first["datatrove"]


GOPHER = [
    Spec("quality", f"{FILTERS}.GopherQualityFilter", {"min_doc_words": 0}),
    Spec("repetition", f"{FILTERS}.GopherRepetitionFilter"),
    Spec("c4", f"{FILTERS}.C4QualityFilter"),
    Spec("fineweb", f"{FILTERS}.FineWebQualityFilter"),
]


@pytest.fixture(scope="module")
def gopher():
    return load_guests(GOPHER)


BAD_TEXTS = [
    "",
    "\n\n\n",
    "\0",
    "a" * 100_000,
    "\ud800 lone",
    "אבג דהו " * 20,
    "e\u0301\u0301 " * 50,
    " \u3000\t",
    "\U0010ffff",
]


@pytest.mark.parametrize("text", BAD_TEXTS)
def test_bad_texts_get_a_verdict_of_every_guest(gopher, text):
    found = verdicts(gopher, "id", text, {})
    assert [name for name, _ in found] == ["quality", "repetition", "c4", "fineweb"]
    assert pa.array([found], pa.map_(pa.string(), pa.string())).null_count == 0


@given(st.lists(st.text(), min_size=1, max_size=6))
@settings(max_examples=50, deadline=None)
def test_verdicts_do_not_depend_on_the_batch(gopher, texts):
    pages = [Page("id", text, {}) for text in texts]
    whole = batch_verdicts(gopher, pages)
    for size in (1, 2, 3):
        parts = [batch_verdicts(gopher, pages[at : at + size]) for at in range(0, len(pages), size)]
        assert [one for part in parts for one in part] == whole
