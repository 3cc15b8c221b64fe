import gzip
import json

import ftfy
import pytest

from curation.extract.tidy import _REPAIRS, needs_repair, tidy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("donâ€™t âœ”", "don’t ✔"),  # mojibake, and the curly quote stays
        ("“ﬁne” １２３ e\u0301", "“ﬁne” １２３ e\u0301"),  # quotes, ligatures, widths, no NFC
        ("&lt;b&gt; &amp;", "<b> &"),
        ("a &lt; b <i>", "a &lt; b <i>"),  # a literal tag: entities are left alone
        ("a\0b\x1b[31mc", "abc"),
        ("a\r\nb\rc\n", "a\nb\nc"),
        ("a \t\nb\xa0\n", "a\nb"),
        ("a\n\nb\n\n\n\n \nc", "a\n\nb\n\nc"),
        (" \n\n indented\n\n", " indented"),
        (" \n ", ""),
    ],
)
def test_text_is_put_in_order(text, expected):
    assert tidy(text) == expected


def test_tidy_text_stays_as_it_is():
    text = tidy("a  \r\n\r\n\r\n\r\nb &amp;amp; donâ€™t")
    assert tidy(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "plain words, and more of them\n" * 9,
        "“Déjà vu” – naïve €5, Größe, Ås, Łódź, вода и ветер, 漢字かな, ไทย, קול" * 9,
        "R&D, AT&T: a & b, x &y z",
        "a\tb\x0cc",
    ],
)
def test_clean_text_is_not_given_to_ftfy(text, monkeypatch):
    monkeypatch.setattr("ftfy.fix_text", None)
    assert tidy(text) == text.rstrip("\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a few words of plain text before: donâ€™t", "a few words of plain text before: don’t"),
        ("voilÃ le travail", "voilà le travail"),
        ("Line one.\nÃ la carte", "Line one.\nà la carte"),  # a sign only where a line begins
        ("many plain words before &eacute; here", "many plain words before é here"),
        ("a\x85b", "a…b"),
        ("\ufeffa", "a"),
        ("ÐŸÑ€Ð¸Ð²ÐµÑ‚, Ð¼Ð¸Ñ€", "Привет, мир"),
    ],
)
def test_what_ftfy_repairs_is_seen_beforehand(text, expected):
    assert needs_repair(text)
    assert tidy(text) == expected


@pytest.mark.shared
def test_no_repair_is_missed_in_75_languages_and_their_mojibake(shared_data):
    with gzip.open(shared_data / "text/language_sentences.jsonl.gz", "rt") as file:
        sentences = [json.loads(line)["text"] for line in file][::7]
    for codec in ("sloppy-windows-1252", "sloppy-windows-1251", "latin-1", "macroman"):
        for text in sentences:
            spoiled = text.encode().decode(codec, "replace")
            for page in (text, spoiled, f"{text}\n{text[:20]}\n{spoiled}\n{text}"):
                assert needs_repair(page) or ftfy.fix_text(page, _REPAIRS) == page
