import pytest

from curation.extract.decode import decode
from curation.extract.prescan import meta_labels

POLISH = "<p>Wójt zgubił żółtą łódź, więc poszedł pieszo przez śnieg</p>"
FRENCH = "<p>Déjà vu à l'hôtel, où l'été a été frais, très frais</p>"
RUSSIAN = "<p>Сегодня утром мы пошли к реке и увидели там большую лодку</p>" * 5
JAPANESE = "<p>これは日本語のページです。たくさんの文章があります。</p>" * 5

UKRAINIAN = (
    "<p>Сьогодні вранці ми пішли до річки і побачили там великий човен, її бачили всі</p>" * 5
)
LITHUANIAN = (
    "<p>Šiandien rytą nuėjome prie upės ir „ten“ pamatėme didelę valtį, ją matė visi</p>" * 5
)
KOREAN = "<p>오늘 아침에 우리는 강으로 걸어가서 큰 배를 보았습니다. 똠방각하도 있었다.</p>" * 5


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


@pytest.mark.parametrize(
    "meta",
    [
        '<meta name="x" content="text/html; charset=koi8-r">',  # no http-equiv: no declaration
        "<!--><meta charset=iso-8859-2><!-- <meta charset=koi8-r> -->",  # `<!-->` is a comment
        "<a title='<meta charset=koi8-r>'><meta charset=iso-8859-2>",
        "<script>'<meta charset=koi8-r>'</script><meta charset=iso-8859-2>",
        "<? <meta charset=koi8-r><meta charset=iso-8859-2>",
        "<meta charset=iso-8859-2 charset=koi8-r>",  # of two attributes the first counts
        "<meta charset=nonsense><meta charset=iso-8859-2>",
        '<meta content="a; charset=iso-8859-2" http-equiv=content-TYPE>',
        "<meta name=description content=don't /><meta/charset='iso-8859-2'/>",
    ],
)
def test_meta_is_read_as_the_standard_reads_it(meta):
    decoded = decode(f"<html>{meta}{POLISH}".encode("iso8859-2"), None)
    if "koi8-r" in meta and "iso" not in meta:
        assert decoded.source == "detected"
    else:
        assert (decoded.charset, decoded.source) == ("iso-8859-2", "meta")


def test_a_meta_that_the_end_of_the_bytes_cuts_off_is_none():
    assert list(meta_labels(b"<meta charset=koi8-r>")) == ["koi8-r"]
    for cut in (b"<meta charset=koi8-r", b'<meta charset="koi8', b"<meta charset", b"<!-- >"):
        assert list(meta_labels(cut)) == []


def test_a_later_meta_is_read_where_nothing_before_it_tells():
    page = "<!doctype html>" + " " * 1024 + "<meta charset=iso-8859-2>" + POLISH
    assert _told(page.encode("iso8859-2")) == (page, "iso-8859-2", "meta")
    assert _told(page.encode()) == (page, "utf-8", "detected")
    far = "<!doctype html>" + " " * 70_000 + "<meta charset=iso-8859-5>" + POLISH
    assert _told(far.encode("iso8859-2"))[2] == "detected"


@pytest.mark.parametrize(
    ("declaration", "source"),
    [
        ('<?xml version="1.0" encoding="iso-8859-2"?>', "xml"),
        ("<?xml encoding = 'ISO-8859-2' ?>", "xml"),
        ('<?xml version="1.0" encoding="koi8-r"?><meta charset=iso-8859-2>', "meta"),
        (' <?xml version="1.0" encoding="iso-8859-2"?>', "detected"),  # not at the beginning
        ('<?xml version="1.0"?><a encoding="iso-8859-2">', "detected"),
    ],
)
def test_an_xml_declaration_tells_where_meta_does_not(declaration, source):
    page = declaration + POLISH * 3
    assert _told(page.encode("iso8859-2")) == (page, "iso-8859-2", source)


@pytest.mark.parametrize(
    ("codec", "charset"), [("utf-16-le", "utf-16le"), ("utf-16-be", "utf-16be")]
)
def test_utf_16_without_a_byte_order_mark_shows_in_its_xml_declaration_or_its_nul_bytes(
    codec, charset
):
    page = "<?xml version='1.0'?>" + POLISH
    assert _told(page.encode(codec)) == (page, charset, "xml")
    assert _told(POLISH.encode(codec)) == (POLISH, charset, "detected")


NEWS = (
    '<!DOCTYPE html>\r\n<html lang="{lang}">\r\n<head>\r\n<meta charset="{declared}">\r\n'
    "<title>{title}</title>\r\n<style>body {{ margin: 0 }}</style>\r\n</head>\r\n<body>\r\n"
    "<h1>{title}</h1>\r\n<p>{text}</p>\r\n</body>\r\n</html>\r\n"
)
WIDE_PAGES = [
    NEWS.format(lang="en", declared="utf-8", title="Tides", text="It’s “high water” at 5 – or 6."),
    NEWS.format(lang="fr", declared="windows-1252", title="Été", text=FRENCH * 20),
    NEWS.format(lang="ru", declared="utf-16", title="Река и лодка", text=RUSSIAN * 20),
    NEWS.format(lang="ja", declared="shift_jis", title="日本語のページ", text=JAPANESE * 20),
    RUSSIAN,
    "\r\n \r\n<html><body><p>Short.",
]


@pytest.mark.parametrize(
    "codec_and_charset", [("utf-16-le", "utf-16le"), ("utf-16-be", "utf-16be")], ids=str
)
@pytest.mark.parametrize("header", [None, "utf-8", "iso-8859-1", "windows-1251", "gb2312"])
@pytest.mark.parametrize("page", WIDE_PAGES)
def test_every_second_byte_nul_is_utf_16_whatever_is_declared(page, header, codec_and_charset):
    codec, charset = codec_and_charset
    assert _told(page.encode(codec), header) == (page, charset, "detected")


def test_a_header_that_says_utf_16_is_believed_in_its_byte_order_only():
    page = WIDE_PAGES[0]
    assert _told(page.encode("utf-16-le"), "utf-16") == (page, "utf-16le", "header")
    assert _told(page.encode("utf-16-be"), "utf-16") == (page, "utf-16be", "detected")
    assert _told(page.encode("utf-16-be"), "utf-16be") == (page, "utf-16be", "header")


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"<p>\0\0\0\0\0\0 zeros</p>" + b"\0" * 500, "<p> zeros</p>"),  # as many on both sides
        (b"w\0o\0r\0d\0s\0a\0b\0", "wordsab"),  # seven are too few
        (b"xx" * 33 + b"y\0" * 8, "x" * 66 + "y" * 8),  # 8 of 41 second bytes
        (b"\0\0", ""),
        (b"", ""),
    ],
)
def test_nul_here_and_there_is_no_utf_16(payload, text):
    assert _told(payload, "utf-8") == (text, "utf-8", "header")


@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (b"w\0o\0r\0d\0s\0a\0b\0c\0", "wordsabc"),  # eight
        (b"xx" * 32 + b"y\0" * 8, "\u7878" * 32 + "y" * 8),  # 8 of 40 second bytes
    ],
)
def test_nul_in_eight_and_a_fifth_of_every_second_byte_is_utf_16(payload, text):
    assert _told(payload, "utf-8") == (text, "utf-16le", "detected")


@pytest.mark.parametrize("codec", ["utf-32-le", "utf-32-be"])
def test_utf_32_reads_as_utf_16_without_its_nul_bytes(codec):
    assert _told(WIDE_PAGES[0].encode(codec), "utf-8")[0] == WIDE_PAGES[0]


@pytest.mark.parametrize(
    ("label", "codec", "charset"),
    [
        ("x-mac-cyrillic", "mac-cyrillic", "x-mac-cyrillic"),
        ("hz-gb-2312", "hz", "hz-gb-2312"),
        ("iso-2022-kr", "iso2022_kr", "iso-2022-kr"),
        ("\tUTF8\n", "utf-8", "utf-8"),
        ("latin1", "cp1252", "windows-1252"),
        ("iso-8859-9", "cp1254", "windows-1254"),
        ("ks_c_5601-1987", "cp949", "euc-kr"),
        ("unicodefffe", "utf-16-be", "utf-16be"),
    ],
)
def test_labels_mean_what_whatwg_says(label, codec, charset):
    text = {"x-mac-cyrillic": "вода", "hz-gb-2312": "汉字", "iso-2022-kr": "한국"}.get(label, "a")
    assert _told(text.encode(codec), label)[:2] == (text, charset)


def test_meta_that_says_x_user_defined_means_windows_1252():
    page = "<meta charset=x-user-defined>" + FRENCH
    assert _told(page.encode("cp1252")) == (page, "windows-1252", "meta")


def test_an_unknown_name_is_passed_over():
    page = '<meta charset="utf-8">' + POLISH
    assert _told(page.encode(), "none") == (page, "utf-8", "meta")
    assert _told(page.encode(), "utf-7") == (page, "utf-8", "meta")


@pytest.mark.parametrize(
    ("text", "codec", "charset"),
    [
        (POLISH, "utf-8", "utf-8"),
        ("<p>plain</p>", "ascii", "utf-8"),
        (RUSSIAN, "koi8-r", "koi8-u"),  # the same letters; Ukrainian has four more
        (UKRAINIAN, "koi8-u", "koi8-u"),
        (LITHUANIAN, "cp1257", "windows-1257"),  # not iso-8859-13: it has quotes at 84 and 93
        (KOREAN, "cp949", "euc-kr"),
        (JAPANESE, "iso2022_jp", "iso-2022-jp"),
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


def test_bytes_in_no_charset_become_windows_1252(monkeypatch):
    monkeypatch.setattr("curation.extract.decode.detect_encoding", lambda payload, **_: "euc_jp")
    assert _told(b"ab\xff\xff\xff\xff") == ("abÿÿÿÿ", "windows-1252", "fallback")


def test_too_few_bytes_beyond_ascii_for_statistics_are_windows_1252():
    assert _told(b"caf\xe9 \x93a\x94") == ("café “a”", "windows-1252", "fallback")


def test_utf_8_with_an_escape_stays_utf_8():
    assert _told("a\x1b$b é".encode()) == ("a\x1b$b é", "utf-8", "detected")


def test_nul_and_lone_surrogates_are_taken_out():
    assert decode(b"a\0b", "utf-8").text == "ab"
    assert decode(b"\xff\xfea\0\x00\xd8b\0", None).text.encode()
