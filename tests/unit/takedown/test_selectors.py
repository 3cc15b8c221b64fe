import pytest

from curation.errors import InputError
from curation.takedown.selectors import Selector, said, selectors


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://Example.org", "https://example.org/"),
        (" http://example.org:80/a/../b#part ", "http://example.org/b"),
        ("https://example.org/a?b=2&a=1&utm_source=x", "https://example.org/a?a=1&b=2"),
    ],
)
def test_a_url_is_spelled_as_deduplication_spells_it(url, spelled):
    assert selectors([url], [], []) == (Selector("url", spelled),)


@pytest.mark.parametrize(
    "url", ["example.org/a", "", "ftp://example.org/a", "https://", "http://["]
)
def test_what_is_no_address_is_said_in_one_line(url):
    with pytest.raises(InputError, match=r"--url .*write it whole"):
        selectors([url], [], [])


@pytest.mark.parametrize(
    ("domain", "spelled"),
    [("Example.ORG.", "example.org"), ("*.example.co.uk", "example.co.uk"),
     ("blog.example.org", "blog.example.org"), ("192.0.2.7", "192.0.2.7")],
)  # fmt: skip
def test_a_domain_is_spelled_as_hosts_are(domain, spelled):
    assert selectors([], [domain], []) == (Selector("domain", spelled),)


@pytest.mark.parametrize(
    "domain", ["org", "co.uk", "", "https://example.org", "example.org/a", "a b.org", "a.org:80"]
)
def test_a_suffix_or_an_address_is_no_domain(domain):
    with pytest.raises(InputError, match="--domain"):
        selectors([], [domain], [])


def test_a_doc_id_has_32_hex_digits():
    assert selectors([], [], ["AB" * 16])[0].value == "ab" * 16
    with pytest.raises(InputError, match="32 hex digits"):
        selectors([], [], ["ab"])


def test_each_thing_comes_once_and_long_lists_are_cut():
    many = [f"https://example.org/{number}" for number in range(7)]
    found = selectors([*many, *many], ["example.org"], [])
    assert len(found) == 8
    assert said(found, shown=2) == "domain example.org, url https://example.org/0 and 6 more"
