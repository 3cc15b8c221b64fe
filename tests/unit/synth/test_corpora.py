import duckdb
import pytest

from curation.config import SynthConfig
from curation.synth.corpora import COLUMNS, corpora, dialogue_styles

S, T, D = "two_students", "teacher_student", "debate"

# Chunk d/0: three dialogues, two of them of 90 tokens; d/1: a rephrase alone; e/0: one dialogue.
ASKED = [("d", 0, "r0", 5), ("d", 1, "r1", 7), ("e", 0, "r2", 9)]
MADE = [
    ("d", 0, S, "s", 90), ("d", 0, T, "t", 90), ("d", 0, D, "x", 80),
    ("d", 0, "rephrase", "p", 200),
    ("d", 1, "rephrase", "q", 8), ("e", 0, D, "y", 60),
]  # fmt: skip


@pytest.fixture
def tables():
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE requests (doc_id TEXT, crawl TEXT, stage TEXT, task TEXT, segment INT, "
            "prompt_version TEXT, model TEXT, n_text_tokens INT, text TEXT)"
        )
        connection.execute(
            "CREATE TABLE synthetic (synthetic_id TEXT, doc_id TEXT, crawl TEXT, stage TEXT, "
            "task TEXT, segment INT, prompt_version TEXT, model TEXT, n_tokens BIGINT, "
            "number_faithfulness FLOAT, text TEXT)"
        )
        for doc, chunk, raw, n in ASKED:
            for style in (S, T, D, "rephrase"):
                connection.execute(
                    "INSERT INTO requests VALUES (?, 'c', 's07_dialogue', ?, ?, 'v', 'm', ?, ?)",
                    (doc, style, chunk, n, raw),
                )
        # Another stage's row, and one that an earlier prompt made, are no part of a corpus.
        strange = [("wikipedia", None, "v"), (S, 1, "old")]
        for style, chunk, version in strange:
            stage = "s06_rephrase" if style == "wikipedia" else "s07_dialogue"
            connection.execute(
                "INSERT INTO synthetic VALUES ('z', 'd', 'c', ?, ?, ?, ?, 'm', 999, NULL, 'w')",
                (stage, style, chunk, version),
            )
        for doc, chunk, style, text, n in MADE:
            connection.execute(
                "INSERT INTO synthetic VALUES "
                "(?, ?, 'c', 's07_dialogue', ?, ?, 'v', 'm', ?, NULL, ?)",
                (f"{doc}{chunk}{style}", doc, style, chunk, n, text),
            )
        yield connection


def rows(tables, name, **options):
    found = tables.execute(corpora(**options)[name]).fetchall()
    assert tuple(column[0] for column in tables.description) == COLUMNS
    assert len({row[0] for row in found}) == len(found)
    return sorted((row[0], row[5], row[6]) for row in found)


def test_raw_is_every_chunk_once(tables):
    assert rows(tables, "raw") == [("d/0/raw", 5, "r0"), ("d/1/raw", 7, "r1"), ("e/0/raw", 9, "r2")]


def test_a_style_is_what_was_accepted_of_it(tables):
    assert rows(tables, S) == [(f"d/0/{S}", 90, "s")]
    assert rows(tables, D) == [(f"d/0/{D}", 80, "x"), (f"e/0/{D}", 60, "y")]
    assert rows(tables, "rephrase") == [("d/0/rephrase", 200, "p"), ("d/1/rephrase", 8, "q")]
    assert rows(tables, "interview") == []


def test_the_longest_dialogue_of_a_chunk_or_the_chunk_itself(tables):
    # Of two of 90 tokens the first by name; the rephrase of 200 is no dialogue; d/1 has none.
    assert rows(tables, "longest") == [
        (f"d/0/{T}", 90, "t"), ("d/1/raw", 7, "r1"), (f"e/0/{D}", 60, "y"),
    ]  # fmt: skip


def test_all_is_every_dialogue_and_as_many_as_the_styles_together(tables):
    found = rows(tables, "all")
    assert [text for _, _, text in found] == ["x", "t", "s", "y"]
    assert found == sorted(row for style in dialogue_styles() for row in rows(tables, style))


def test_one_to_one_is_as_many_chunks_as_dialogues(tables):
    assert rows(tables, "one_to_one") == [
        ("d/0/raw", 5, "r0"), (f"d/0/{T}", 90, "t"), (f"e/0/{D}", 60, "y"), ("e/0/raw", 9, "r2"),
    ]  # fmt: skip


def test_a_concatenation_has_the_tokens_of_chunk_dialogue_and_separator(tables):
    assert rows(tables, "concatenation", n_separator_tokens=2) == [
        (f"d/0/raw+{T}", 97, "r0\n\nt"), (f"e/0/raw+{D}", 71, "r2\n\ny"),
    ]  # fmt: skip


def test_every_style_has_its_corpus_and_the_rephrase_is_no_dialogue():
    assert set(corpora()) == {
        "raw", "all", "longest", "one_to_one", "concatenation", "rephrase", *SynthConfig().styles,
    }  # fmt: skip
    assert set(dialogue_styles()) == set(SynthConfig().styles)
