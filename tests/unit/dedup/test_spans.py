import itertools
import random
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.dedup import suffix_oracle

from curation.dedup.spans import (
    ANCHORS,
    CUTS,
    WINDOWS,
    anchor_runs,
    anchor_tokens,
    anchors_batch,
    cut,
    cuts_batch,
    gram_hashes,
    judge,
    runs_of,
    tokens_of,
    windows_batches,
)

RANK = pa.list_(pa.float64())
ANY_TEXT = st.text(st.characters(), max_size=200)  # lone surrogates, NULs, right-to-left
ODD_TEXT = st.text("ab1.。 \n\t\u0301中文あกั", max_size=60)


def tokens(text):
    found = tokens_of(text)
    bounds = zip(found.start.tolist(), found.end.tolist(), strict=True)
    return [text[start:end] for start, end in bounds]


def runs(text, min_tokens):
    return [column.tolist() for column in runs_of(tokens_of(text), min_tokens=min_tokens)]


def later_by_anchors(texts, min_tokens):
    """What the Spark job does, on lists of tokens, in memory."""
    batch = pa.RecordBatch.from_pydict(
        {"doc_id": [str(t) for t in range(len(texts))], "text": [" ".join(t) for t in texts]}
    )
    anchors = anchors_batch(batch, min_tokens=min_tokens).to_pylist()
    count = Counter()
    for row in anchors:
        count[row["anchor"]] += row["n_places"]
    wanted = [
        [r["first_window"] for r in anchors if r["doc_id"] == str(t) and count[r["anchor"]] > 1]
        for t in range(len(texts))
    ]
    batch = batch.append_column("rank", pa.array([[0.0]] * len(texts), RANK))
    batch = batch.append_column("runs", pa.array(wanted, pa.list_(pa.int32())))
    first, later = {}, {}
    for rows in windows_batches(batch, min_tokens=min_tokens):
        for row in rows.to_pylist():
            place = (int(row["doc_id"]), row["start_token"])
            known = first.setdefault((row["anchor"], row["hash"]), place)
            if known != place:
                later[place] = known
    return later


def test_tokens_are_words_as_they_stand():
    assert tokens(" The\tquick,  quick\n\nfox ") == ["The", "quick,", "quick", "fox"]
    hashes = tokens_of("fox Fox fox fox. fox").hash
    assert len(set(hashes.tolist())) == 3
    assert hashes[0] == hashes[2] == hashes[4]


def test_letters_of_scripts_without_spaces_are_tokens_with_the_marks_behind_them():
    assert tokens("我们。abc中1 文") == ["我", "们。", "abc", "中1", "文"]
    assert tokens("กัน x") == ["กั", "น", "x"]
    assert tokens("한국어 नमस्ते") == ["한국어", "नमस्ते"]


def test_no_token_is_in_a_text_of_white_space():
    assert [tokens(text) for text in ("", "\n\n", " \u3000\u00a0")] == [[], [], []]


@given(ANY_TEXT)
def test_tokens_cover_all_but_white_space(text):
    found = tokens_of(text)
    assert "".join(tokens(text)) == "".join(text.split())
    assert (found.start < found.end).all()
    assert (found.end[:-1] <= found.start[1:]).all()


def test_grams_are_equal_where_their_tokens_are():
    grams = gram_hashes(tokens_of("a b c a b c b a").hash, 3).tolist()
    assert [grams.index(gram) for gram in grams] == [0, 1, 2, 0, 4, 5]
    assert gram_hashes(tokens_of("a b").hash, 3).size == 0


def test_a_run_is_of_windows_whose_least_gram_is_the_same():
    grams = np.array([5, 3, 9, 9, 7, 3, 8, 8, 8], np.uint64)
    found = [column.tolist() for column in anchor_runs(grams, 3)]
    # Least of three: 3 3 7 3 3 3 8; the last 8 is the only one of its window's that counts.
    assert found == [[3, 7, 3, 8], [0, 2, 3, 6], [2, 1, 3, 1], [1, 1, 1, 1]]


def test_one_word_again_and_again_is_one_run_of_many_places():
    assert runs("a " * 1000, 50)[1:] == [[0], [951], [951]]


def test_a_text_shorter_than_a_window_has_no_run():
    words = [f"w{i}" for i in range(50)]
    assert runs(" ".join(words[:49]), 50)[1:] == [[], [], []]
    assert runs(" ".join(words), 50)[1:] == [[0], [1], [1]]


def test_runs_are_few_on_text_that_does_not_repeat():
    rng = random.Random(5)
    text = " ".join(str(rng.randrange(10**9)) for _ in range(20_000))
    n_windows = 20_000 - 50 + 1
    anchor, first, windows, places = runs(text, 50)
    assert sum(windows) == n_windows
    assert set(places) == {1}
    assert 0.9 < len(anchor) / n_windows * (50 - anchor_tokens(50) + 2) / 2 < 1.1
    assert first == [0, *itertools.accumulate(windows[:-1])]


@pytest.mark.parametrize(("n_shared", "n_later"), [(49, 0), (50, 1), (51, 2)])
def test_fifty_tokens_in_common_are_found_and_forty_nine_are_not(n_shared, n_later):
    shared = [f"s{i}" for i in range(n_shared)]
    texts = [["a", "b", *shared, "c"], ["d", *shared, "e", "f"]]
    expected = {(1, 1 + i): (0, 2 + i) for i in range(n_later)}
    assert later_by_anchors(texts, 50) == expected
    assert suffix_oracle.later_windows(texts, 50) == expected


def test_a_repeat_does_not_cross_the_end_of_a_text():
    halves = [[f"s{i}" for i in range(25)], [f"s{i}" for i in range(25, 50)]]
    texts = [*halves, halves[0] + halves[1]]
    assert later_by_anchors(texts, 50) == suffix_oracle.later_windows(texts, 50) == {}


def test_the_oracle_gives_what_is_worked_out_by_hand():
    texts = [list("abcdefxabcdey"), list("zabcdefz"), list("mmmmmm")]
    assert suffix_oracle.spans(texts, 4) == [(0, 7, 12, 0), (1, 1, 7, 0), (2, 1, 6, 2)]
    assert suffix_oracle.spans([[], list("ab")], 4) == []


@st.composite
def corpora(draw):
    """Few words, so that much repeats; and planted repeats that overlap."""
    alphabet = draw(st.sampled_from(["a", "ab", "abcdef"]))
    texts = draw(st.lists(st.lists(st.sampled_from(alphabet), max_size=40), max_size=6))
    planted = draw(st.lists(st.sampled_from("pqrs"), min_size=6, max_size=12))
    places = draw(st.lists(st.integers(0, 40), max_size=6))
    for text, place in zip(texts, places, strict=False):
        text[place:place] = planted[place % 3 :]
    return texts


@settings(max_examples=300)
@given(corpora(), st.integers(1, 8))
def test_windows_by_anchors_are_those_of_the_suffix_array(texts, min_tokens):
    expected = suffix_oracle.later_windows(texts, min_tokens)
    assert later_by_anchors(texts, min_tokens) == expected


@pytest.mark.parametrize("size", [1, 2, 3])
def test_batches_of_any_size_give_the_same_rows(size):
    texts = ["a b c d e f g", "", "c d e f g h", "x", "b c d e f"]
    ids = [f"d{i}" for i in range(5)]
    batch = pa.RecordBatch.from_pydict(
        {"doc_id": ids, "text": texts, "rank": pa.array([[3], [1], [2], [1], [5]], RANK),
         "runs": pa.array([[0, 1, 2, 3], [], [0], [], [1, 0]], pa.list_(pa.int32())),
         "starts": [[0, 8], [], [2], [0], [4]], "ends": [[3, 9], [], [5], [1], [9]]}
    )  # fmt: skip

    def rows(part, kernel):
        columns = {"anchors": ["doc_id", "text"], "windows": ["doc_id", "text", "rank", "runs"]}
        part = part.select(columns.get(kernel, ["doc_id", "text", "starts", "ends"]))
        if kernel == "anchors":
            return ANCHORS.conform(anchors_batch(part, min_tokens=3)).to_pylist()
        if kernel == "cuts":
            return CUTS.conform(cuts_batch(part, min_tokens_left=3)).to_pylist()
        found = windows_batches(part, min_tokens=3)
        return [row for one in found for row in WINDOWS.conform(one).to_pylist()]

    for kernel in ("anchors", "windows", "cuts"):
        whole = rows(batch, kernel)
        assert len(whole) >= 5
        parts = [rows(batch.slice(i, size), kernel) for i in range(0, 5, size)]
        assert [row for part in parts for row in part] == whole


def test_windows_come_with_their_characters_and_in_batches_of_bounded_size():
    text = "ab  cd\nef gh " + "x " * 250_000
    batch = pa.RecordBatch.from_pydict(
        {"doc_id": ["d", "e"], "rank": pa.array([[7, 1], [8, 0]], RANK), "text": [text, "p q r"],
         "runs": pa.array([list(range(250_004)), [0]], pa.list_(pa.int32()))}
    )  # fmt: skip
    large, small = windows_batches(batch, min_tokens=3)
    assert large.num_rows == 250_002
    first, second = large.slice(0, 2).to_pylist()
    assert (first["start_token"], first["start_char"], first["end_char"]) == (0, 0, 9)
    assert (second["start_token"], second["start_char"], second["end_char"]) == (1, 4, 12)
    (last,) = small.to_pylist()
    assert (last["doc_id"], last["rank"], last["start_token"], last["end_char"]) == (
        "e",
        [8, 0],
        0,
        5,
    )


def without(text, *phrases):
    spans = [(text.index(phrase), text.index(phrase) + len(phrase)) for phrase in phrases]
    return cut(text, sorted(spans))


def test_a_cut_leaves_one_gap_and_the_stronger_of_the_two():
    assert without("one two three four", "two three") == "one four"
    assert without("one\n\ntwo three", "two") == "one\n\nthree"
    assert without("one two\nthree", "two") == "one\nthree"
    assert without("one\ttwo  three", "two") == "one\tthree"
    assert without("a b c d e", "b", "d") == "a c e"


def test_a_cut_at_an_end_leaves_no_gap_there_and_the_other_end_as_it_is():
    assert without(" one two\n", "one") == "two\n"
    assert without(" one two\n", "two") == " one"
    assert without(" a a", "a") == "a"


def test_nothing_is_left_where_all_is_cut_and_all_where_nothing_is():
    assert cut(" one two\n", [(1, 8)]) == ""
    assert cut(" one two\n", []) == " one two\n"
    assert cut("", []) == ""


def test_characters_join_where_no_space_was_and_words_never_do():
    assert without("我们吃饭了", "吃饭") == "我们了"
    assert without("abc吃饭def", "吃饭") == "abc def"
    assert without("abc 吃饭def", "吃饭") == "abc def"


@settings(max_examples=300)
@given(st.one_of(ANY_TEXT, ODD_TEXT), st.data())
def test_a_cut_text_has_the_tokens_that_were_not_cut(text, data):
    found = tokens_of(text)
    n = found.start.size
    cuts = sorted(set(data.draw(st.lists(st.integers(0, n), max_size=6))))
    pairs = list(itertools.pairwise(cuts))[::2]
    # Spans that touch are one span.
    pairs = [pair for pair in pairs if pair[0] < pair[1]]
    spans = [(int(found.start[a]), int(found.end[b - 1])) for a, b in pairs]
    removed = {i for a, b in pairs for i in range(a, b)}
    left = cut(text, spans)
    assert tokens(left) == [one for i, one in enumerate(tokens(text)) if i not in removed]
    assert len(left) <= len(text)


def test_a_text_that_was_cut_is_judged_by_what_is_left():
    assert [judge(n, min_tokens_left=3) for n in (0, 1, 2, 3)] == [
        "substring_empty", "substring_short", "substring_short", None
    ]  # fmt: skip


def test_a_cut_row_tells_what_is_left_and_why_it_is_dropped():
    batch = pa.RecordBatch.from_pydict(
        {"doc_id": ["a", "b", "c"], "text": ["één two three", "one two", "我们吃饭了"],
         "starts": [[4], [0], [0]], "ends": [[7], [7], [2]]}
    )  # fmt: skip
    columns = ("text", "n_words", "n_tokens", "n_bytes", "reason")
    rows = cuts_batch(batch, min_tokens_left=3).to_pylist()
    assert [tuple(row[name] for name in columns) for row in rows] == [
        ("één three", 2, 2, 11, "substring_short"),
        ("", 0, 0, 0, "substring_empty"),
        ("吃饭了", 1, 3, 9, None),
    ]


@pytest.mark.parametrize(
    ("text", "n_tokens"),
    [("x" * 10_000_000, 1), ("\x00\x00 \ud800", 2), ("\ud83d " * 60, 60), ("\u0301" * 1000, 1)],
)
def test_odd_texts_have_tokens_and_runs(text, n_tokens):
    found = tokens_of(text)
    assert found.start.size == n_tokens
    n_windows = runs_of(found, min_tokens=50).n_windows.sum()
    assert n_windows == max(0, n_tokens - 49)
    assert cut(text, [(int(found.start[0]), int(found.end[-1]))]) == ""
