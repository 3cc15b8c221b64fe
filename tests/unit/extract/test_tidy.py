import pytest

from curation.extract.tidy import tidy


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
