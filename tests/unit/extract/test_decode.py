import pytest

from curation.extract.decode import decode

POLISH = "<p>Wójt zgubił żółtą łódź, więc poszedł pieszo przez śnieg</p>"
FRENCH = "<p>Déjà vu à l'hôtel, où l'été a été frais, très frais</p>"
RUSSIAN = "<p>Сегодня утром мы пошли к реке и увидели там большую лодку</p>" * 5
JAPANESE = "<p>これは日本語のページです。たくさんの文章があります。</p>" * 5


def _told(payload, http_charset=None):
    decoded = decode(payload, http_charset)
    return decoded.text, decoded.charset, decoded.source


@pytest.mark.parametrize(
    ("codec", "charset"),
    [("utf-8-sig", "utf-8"), ("utf-16-le", "utf-16le"), ("utf-16-be", "utf-16be")],
)
def test_a_byte_order_mark_wins_and_is_no_text(codec, charset):
    text = POLISH if codec == "utf-8-sig" else "\ufeff" + POLISH
    assert _told(text.encode(codec), "iso-8859-2") == (POLISH, charset, "bom")


def test_the_header_wins_over_meta():
    page = '<meta charset="windows-1251">' + POLISH
    assert _told(page.encode("iso8859-2"), "ISO-8859-2") == (page, "iso-8859-2", "header")


@pytest.mark.parametrize(
    "meta",
    [
        '<meta charset="iso-8859-2">',
        "<META CHARSET=ISO-8859-2 />",
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">',
        "<!-- <meta charset=koi8-r> --><meta name=x><meta charset = 'iso-8859-2' >",
    ],
)
def test_meta_tells_where_the_header_does_not(meta):
    page = f"<html><head>{meta}</head>{POLISH}"
    assert _told(page.encode("iso8859-2")) == (page, "iso-8859-2", "meta")


def test_meta_behind_the_first_kilobyte_is_not_read():
    page = "<!doctype html>" + " " * 1024 + "<meta charset=koi8-r>" + POLISH
    assert _told(page.encode()) == (page, "utf-8", "detected")


def test_an_unknown_name_is_passed_over():
    page = '<meta charset="utf-8">' + POLISH
    assert _told(page.encode(), "none") == (page, "utf-8", "meta")
    assert _told(page.encode(), "utf-7") == (page, "utf-8", "meta")


@pytest.mark.parametrize(
    ("text", "codec", "charset"),
    [
        (POLISH, "utf-8", "utf-8"),
        ("<p>plain</p>", "ascii", "utf-8"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (JAPANESE, "shift_jis", "shift_jis"),
        (JAPANESE, "euc_jp", "euc-jp"),
        (FRENCH, "cp1252", "windows-1252"),
    ],
)
def test_what_nobody_declares_is_detected(text, codec, charset):
    assert _told(text.encode(codec)) == (text, charset, "detected")


def test_latin_1_means_windows_1252_with_all_of_its_bytes():
    assert _told(b"\x93quoted\x94 \x80 \x81", "ISO-8859-1") == (
        "“quoted” € \x81",
        "windows-1252",
        "header",
    )


@pytest.mark.parametrize(
    ("payload", "label", "text", "charset"),
    [
        (b"\x87\x40", "shift_jis", "①", "shift_jis"),  # NEC's extension
        (b"\x8c\x63", "euc-kr", "똠", "euc-kr"),  # not in KS X 1001
        (b"\xa2\xe3", "gb2312", "€", "gbk"),
        (b"\x80", "tis-620", "€", "windows-874"),
    ],
)
def test_east_asian_names_mean_their_larger_sets(payload, label, text, charset):
    assert _told(payload, label) == (text, charset, "header")


def test_declared_utf_8_that_plainly_fails_falls_on_to_detection():
    assert _told(FRENCH.encode("cp1252"), "utf-8") == (FRENCH, "windows-1252", "detected")


def test_declared_utf_8_with_one_bad_byte_in_many_characters_stays_utf_8():
    text, charset, source = _told(POLISH.encode() * 2 + b"\xff", "utf-8")
    assert (text, charset, source) == (POLISH * 2 + "\ufffd", "utf-8", "header")


def test_replacement_characters_of_the_page_itself_are_no_fault():
    assert _told("a\ufffd\ufffdb".encode(), "utf-8") == ("a\ufffd\ufffdb", "utf-8", "header")


def test_valid_utf_8_outweighs_a_declaration_from_four_characters_on():
    assert _told("éàü".encode(), "iso-8859-1") == ("Ã©Ã\xa0Ã¼", "windows-1252", "header")
    assert _told("éàüö".encode(), "iso-8859-1") == ("éàüö", "utf-8", "detected")


def test_utf_16_without_a_nul_byte_is_not_believed():
    assert _told(b"<p>plain words</p>", "utf-16") == ("<p>plain words</p>", "utf-8", "detected")
    assert _told(POLISH.encode("utf-16-le"), "utf-16") == (POLISH, "utf-16le", "header")


def test_meta_that_says_utf_16_means_utf_8():
    page = "<meta charset=utf-16>" + POLISH
    assert _told(page.encode()) == (page, "utf-8", "meta")


def test_bytes_in_no_charset_become_utf_8_with_replacements(monkeypatch):
    monkeypatch.setattr("curation.extract.decode.detect_encoding", lambda payload: "euc_jp")
    text, charset, source = _told(b"ab\xff\xff\xff")
    assert (text, charset, source) == ("ab\ufffd\ufffd\ufffd", "utf-8", "fallback")


def test_nul_and_lone_surrogates_are_taken_out():
    assert decode(b"a\0b", "utf-8").text == "ab"
    assert decode(b"\xff\xfea\0\x00\xd8b\0", None).text.encode()
