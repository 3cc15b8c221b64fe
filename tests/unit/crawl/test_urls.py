import pytest

from curation.crawl.urls import host_of, normalized_url, registered_domain


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.ORG:80/a/../b/./c?b=2&a=1#part", "http://example.org/b/c?a=1&b=2"),
        ("https://example.org", "https://example.org/"),
        ("https://example.org/?utm_source=x&q=1", "https://example.org/?q=1"),
        ("https://example.org:8443/", "https://example.org:8443/"),
        ("  https://example.org/a b ", "https://example.org/a%20b"),
        ("dns:example.org", "dns:example.org"),
        ("http://[x/", "http://[x/"),
        ("", ""),
    ],
)
def test_a_url_is_spelled_in_one_way(url, expected):
    assert normalized_url(url) == expected
    assert normalized_url(expected) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://User@WWW.Example.org:8443/a", "www.example.org"),
        ("http://[::1]/", "::1"),
        ("http://[x/", ""),
        ("dns:example.org", ""),
    ],
)
def test_the_host_has_neither_port_nor_user(url, expected):
    assert host_of(url) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("www.example.co.uk", "example.co.uk"),
        ("user.github.io", "github.io"),
        ("example.org", "example.org"),
        ("a.example.unknown", "example.unknown"),
        ("co.uk", ""),
        ("localhost", ""),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("", ""),
    ],
)
def test_the_registered_domain_is_one_label_more_than_the_public_suffix(host, expected):
    assert registered_domain(host) == expected
