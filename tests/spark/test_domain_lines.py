"""Lines that a domain repeats, worked out by hand."""

import pytest

from curation.dedup.domain_lines import domain_repetition

pytestmark = pytest.mark.spark

SCHEMA = "doc_id string, crawl string, chunk string, domain string, text string"


def repetition(spark, texts, n_documents):
    rows = [(doc, "cr", "c", domain, text) for doc, domain, text in texts]
    found = domain_repetition(spark.createDataFrame(rows, SCHEMA), n_documents).collect()
    return {r["doc_id"]: (r["domain_line_frac"], r["domain_paragraph_frac"], r["n_domain_lines"])
            for r in found}  # fmt: skip


def test_a_line_that_enough_documents_of_the_domain_have_counts_and_only_there(spark):
    texts = [
        ("a", "x.org", "menu\nabcd\nmenu"),  # 8 of 12 characters; one paragraph of its own
        ("b", "x.org", "menu\n\nabcdefgh"),  # 4 of 12, in lines and paragraphs
        ("c", "y.org", "menu"),  # another domain
        ("d", "", "menu"),  # no domain: never
        ("e", "", "menu"),
        ("f", "x.org", ""),  # no lines: no row
    ]
    found = repetition(spark, texts, 2)
    assert found == {
        "a": (pytest.approx(8 / 12), 0.0, 1),
        "b": (pytest.approx(4 / 12), 0.0, 1),
        "c": (0.0, 0.0, 0),
        "d": (0.0, 0.0, 0),
        "e": (0.0, 0.0, 0),
    }


def test_paragraphs_that_a_domain_repeats(spark):
    texts = [(name, "x.org", f"about us\nwe sell\n\n{name * 17}") for name in "abc"]
    found = repetition(spark, texts, 3)
    # 8 + 7 characters of lines and 17 of its own; the paragraph has the line feed too.
    assert found["a"] == (pytest.approx(15 / 32), pytest.approx(16 / 33), 2)
    assert repetition(spark, texts, 4)["a"] == (0.0, 0.0, 0)
