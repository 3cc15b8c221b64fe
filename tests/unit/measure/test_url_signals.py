import csv
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.crawl.urls import host_of, normalized_url, registered_domain
from curation.measure.url_signals import url_signals


def found(url):
    host = host_of(url)
    return url_signals(normalized_url(url), host, registered_domain(host))


def test_an_address_by_its_parts():
    assert found("https://www.news.example.co.uk/2024/07/Title-42?b=2&a=1") == {
        "n_url_chars": 55,
        "url_digit_frac": 10 / 55,
        "n_url_path_segments": 3,
        "n_url_parameters": 2,
        "is_home_page": 0,
        "url_tld": "uk",
        "has_ip_host": 0,
        "n_subdomains": 1,
        "is_adult_url": 0,
        "is_shop_url": 0,
        "is_forum_url": 0,
    }


@pytest.mark.parametrize(
    ("url", "is_home"),
    [
        ("https://example.com", 1),
        ("https://example.com/", 1),
        ("http://example.com/index.php", 1),
        ("http://example.com/Default.aspx", 1),
        ("http://example.com/?p=12", 0),
        ("http://example.com/about", 0),
        ("http://example.com/blog/index.html", 0),
        ("mailto:someone", 0),
        ("", 0),
    ],
)
def test_a_home_page_has_neither_path_nor_parameters(url, is_home):
    assert found(url)["is_home_page"] == is_home


@pytest.mark.parametrize(
    ("host", "n"),
    [
        ("example.com", 0),
        ("www.example.com", 0),
        ("a.b.example.co.uk", 2),
        ("www.a.example.com", 1),
        ("www2.example.com", 1),
        ("me.github.io", 1),
        ("localhost", 0),
        ("192.0.2.7", 0),
        ("example.com.", 0),
    ],
)
def test_subdomains_are_what_stands_before_the_domain_but_www(host, n):
    assert found(f"http://{host}/")["n_subdomains"] == n


@pytest.mark.parametrize(
    ("host", "is_address", "tld"),
    [
        ("192.0.2.7", 1, ""),
        ("[2001:db8::1]", 1, ""),
        ("192.0.2.7.example.org", 0, "org"),
        ("xn--e1afmkfd.xn--p1ai", 0, "xn--p1ai"),
        ("example.com.", 0, "com"),
    ],
)
def test_an_address_of_numbers_has_no_top_level_domain(host, is_address, tld):
    signals = found(f"http://{host}/")
    assert (signals["has_ip_host"], signals["url_tld"]) == (is_address, tld)


@pytest.mark.parametrize(
    "host",
    [
        "some.site.xxx", "a.porn", "free-porn.example.com", "bestpornvideos.com", "someporn.net",
        "hentai.example.org", "my-milf.example.com", "pornos.example.de",
    ],
)  # fmt: skip
def test_adult_hosts_are_known_by_whole_words(host):
    assert found(f"http://{host}/a/b")["is_adult_url"] == 1


@pytest.mark.parametrize(
    "url",
    [
        "https://www.essex.ac.uk/", "https://scunthorpe.example.gov.uk/", "https://sussex.police.uk",
        "https://pornic.example.fr/", "https://pornthip.example.com/", "https://xxx.example.gov/",
        "https://xxxl-moebel.example.de/", "https://cabinporn.com/", "https://foodporn.example.org/",
        "https://sexualhealth.example.org/", "https://news.example.com/porn-law/hentai",
        "https://dickens.example.org/", "https://analytics.example.com/",
    ],
)  # fmt: skip
def test_innocent_hosts_are_not_adult(url):
    assert found(url)["is_adult_url"] == 0


@pytest.mark.parametrize(
    ("url", "shop", "forum"),
    [
        ("https://example.com/products/blue-mug", 1, 0),
        ("https://example.de/warenkorb", 1, 0),
        ("https://shop.example.com/", 1, 0),
        ("https://shop.example.com/forum/1", 1, 1),
        ("https://example.com/shopping-bags-banned", 0, 0),
        ("https://shop.com/", 0, 0),
        ("https://forums.example.com/x", 0, 1),
        ("https://example.com/threads/how-to.123/", 0, 1),
        ("https://example.com/viewtopic.php?t=5", 0, 1),
        ("https://forumromanum.example.org/rome-forum-history", 0, 0),
        ("https://example.com/read?next=/forum/", 0, 0),
    ],
)
def test_shops_and_forums_are_known_by_whole_segments(url, shop, forum):
    signals = found(url)
    assert (signals["is_shop_url"], signals["is_forum_url"]) == (shop, forum)


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text(), st.text())
def test_whatever_it_is_given_it_has_a_value(url, host, domain):
    signals = url_signals(url, host, domain)
    assert set(signals) == set(found("https://example.com/"))
    assert 0 <= signals["url_digit_frac"] <= 1
    assert signals["n_subdomains"] >= 0
    assert url_signals(url, host, domain) == signals


@pytest.mark.parametrize(
    "url", ["http://" + "a" * 1_000_000 + ".com/", "http://e.com" + "/1" * 500_000, "\ud800://\0/"]
)
def test_absurd_addresses_have_values_too(url):
    signals = url_signals(url, url[7:], "")
    assert signals["n_url_chars"] == len(url)


@pytest.mark.shared
def test_on_real_pages_shops_and_forums_are_seldom_something_else(shared_data):
    with gzip.open(shared_data / "crawl" / "gold.jsonl.gz", "rt", encoding="utf-8") as file:
        types = {row["sha1"]: row.get("page_type") for row in map(json.loads, file)}
    called = {"is_shop_url": [], "is_forum_url": []}
    with gzip.open(shared_data / "crawl" / "manifest.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            signals = found(row["target_uri"])
            for flag, found_types in called.items():
                if signals[flag] and types.get(row["sha1_payload"]):
                    found_types.append(types[row["sha1_payload"]])
    shops, forums = called["is_shop_url"], called["is_forum_url"]
    assert len(shops) > 40
    assert sum(kind in ("product", "collection") for kind in shops) >= 0.8 * len(shops)
    assert len(forums) > 40
    assert forums.count("forum") >= 0.9 * len(forums)
