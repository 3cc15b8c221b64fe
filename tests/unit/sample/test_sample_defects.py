import codecs

import pytest

from curation.sample.build import SampleCrawl, build_sample
from curation.sample.defects import DEFECTS, TEXTLESS

HTML = (
    "<!DOCTYPE html>\n<html lang='en'>\n<head><meta charset=\"utf-8\"><title>T</title></head>\n"
    "<body><p>One. Two.</p>\n<p>the end</p></body>\n</html>\n"
)


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> SampleCrawl:
    return build_sample(tmp_path_factory.mktemp("sample"), n_pages=220)


def test_every_defect_occurs_in_a_medium_sample(crawl: SampleCrawl) -> None:
    found = {page.defect for page in crawl.pages}
    assert set(DEFECTS) <= found
    assert "empty_body" in found


def test_defects_keep_to_their_languages(crawl: SampleCrawl) -> None:
    for page in crawl.pages:
        if page.defect in DEFECTS:
            assert page.language in DEFECTS[page.defect].languages


def test_unclosed_tags_lose_the_end_of_paragraphs_only() -> None:
    body = DEFECTS["unclosed_tags"].encode(HTML)
    assert b"</p>" not in body
    assert b"</body>" in body


def test_wrong_nesting_crosses_two_elements() -> None:
    assert b"<p><b><i>One. Two.</b></p></i>" in DEFECTS["wrong_nesting"].encode(HTML)


def test_no_html_body_leaves_the_content() -> None:
    body = DEFECTS["no_html_body"].encode(HTML).lower()
    assert b"<p>one. two.</p>" in body
    assert not any(tag in body for tag in (b"<html", b"</html", b"<head", b"<body", b"<!doctype"))


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("windows_1252", "“é”", b"\x93\xe9\x94"),
        ("latin1_declared_utf8", "é", b"\xe9"),
        ("utf8_declared_latin1", "é", b"\xc3\xa9"),
        ("windows_1251", "Я", b"\xdf"),
        ("shift_jis", "あ", b"\x82\xa0"),
        ("gb18030", "中", b"\xd6\xd0"),
        ("utf_16", "A", b"\xff\xfeA\x00"),
        ("utf8_bom", "A", codecs.BOM_UTF8 + b"A"),
        ("windows_1252", "中", b"&#20013;"),
    ],
)
def test_bytes_are_in_the_charset_of_the_defect(name: str, text: str, expected: bytes) -> None:
    assert DEFECTS[name].encode(text) == expected


def test_wrong_declarations_contradict_the_bytes() -> None:
    wrong = DEFECTS["latin1_declared_utf8"]
    assert (wrong.charset, wrong.header) == ("utf-8", "text/html; charset=UTF-8")
    with pytest.raises(UnicodeDecodeError):
        wrong.encode("née").decode("utf-8")


def test_nul_bytes_stand_in_the_text() -> None:
    assert b"One.\x00 Two." in DEFECTS["nul_bytes"].encode(HTML)


def test_a_long_line_has_no_line_end() -> None:
    body = DEFECTS["long_line"].encode(HTML)
    assert b"\n" not in body
    assert len(body) > 90_000


def test_an_undeclared_charset_leaves_no_declaration() -> None:
    assert b"charset" not in DEFECTS["undeclared_charset"].encode(HTML)
    assert DEFECTS["undeclared_charset"].header == "text/html"


def test_textless_pages_have_no_paragraph() -> None:
    assert TEXTLESS["empty_body"] == b""
    assert TEXTLESS["whitespace_body"].strip() == b""
    assert not any(b"<p" in body for body in TEXTLESS.values())
