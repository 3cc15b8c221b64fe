import pytest

from curation.extract.optout import opt_outs


@pytest.mark.parametrize(
    ("headers", "html", "expected"),
    [
        ({}, "<p>noai</p>", []),
        ({"x-robots-tag": "NoAI, noimageai"}, "", ["noai", "noimageai"]),
        ({"x-robots-tag": "otherbot: noindex, nofollow, noarchive"}, "", ["noindex", "noarchive"]),
        ({}, '<META content="noindex,nocache" name=robots>', ["noindex", "nocache"]),
        ({}, "<meta name='CCBot' content='none'>", ["noindex"]),
        ({}, '<meta name="description" content="noai">', []),
        ({"tdm-reservation": "1"}, "", ["tdm-reservation"]),
        ({"tdm-reservation": "0"}, '<meta name="tdm-reservation" content="0">', []),
        ({}, '<meta name="tdm-reservation" content="1">', ["tdm-reservation"]),
        ({"x-robots-tag": "noai"}, '<meta name="robots" content="noai">', ["noai"]),
    ],
)
def test_signals_come_from_the_response_and_from_meta(headers, html, expected):
    assert opt_outs(headers, html) == expected
