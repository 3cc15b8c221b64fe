import gzip
import json

import pytest
from pyspark.sql import functions as F

from curation.config import FilterConfig, RunConfig
from curation.crawl.blocklists import identity, suffixes, url_key, with_filter_reason
from curation.errors import ConfigError, InputError

pytestmark = pytest.mark.spark

URLS = {
    "good": "https://good.org/",
    "bad": "https://bad.org/x",
    "below": "https://a.b.bad.org/x",
    "alike": "https://notbad.org/x",
    "page": "http://www.Good.org:80/one/?q=1#top",
    "sibling": "https://good.org/one/two",
    "closed": "https://closed.org/x",
    "signal": "https://signal.org/",
    "nowhere": "urn:x",
}


@pytest.fixture
def pages(spark):
    rows = [
        (name, url, url.split("/")[2].lower().split(":")[0] if "//" in url else "",
         ["noai"] if name == "signal" else [])
        for name, url in URLS.items()
    ]  # fmt: skip
    return spark.createDataFrame(rows, "name string, url string, host string, optout array<string>")


@pytest.fixture
def written(tmp_path):
    def write(name, text):
        path = tmp_path / name
        data = text.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(path)

    return write


def reasons(pages, conf):
    rows = with_filter_reason(pages, conf).collect()
    assert len(rows) == len(URLS)
    return {row["name"]: row["filter_reason"] for row in rows if row["filter_reason"]}


def test_without_settings_every_page_is_kept_and_no_column_is_lost(pages):
    assert reasons(pages, FilterConfig()) == {}
    assert with_filter_reason(pages, FilterConfig()).columns == [
        *pages.columns,
        "filter_reason",
        "filter_detail",
    ]


def test_a_domain_stands_for_itself_and_all_below_it_but_not_for_one_that_ends_alike(
    pages, written
):
    blocked = written("domains.txt.gz", "# people\n\n  BAD.org.  # spam\n*.other.org\n")
    expected = {"bad": "blocked_domain", "below": "blocked_domain"}
    assert reasons(pages, FilterConfig(block_domains=(blocked,))) == expected


def test_a_domain_below_another_does_not_block_the_one_above(pages, written):
    blocked = written("d", "b.bad.org\norg.bad\n")
    assert reasons(pages, FilterConfig(block_domains=(blocked,))) == {"below": "blocked_domain"}


@pytest.mark.parametrize(
    "entry", ["good.org/one?q=1", "https://WWW.good.org/one/?q=1#x", "http://good.org/one/?q=1 # x"]
)
def test_a_url_is_blocked_however_its_scheme_host_and_fragment_are_written(pages, written, entry):
    is_exact = "/?" in entry
    found = reasons(pages, FilterConfig(block_urls=(written("u", entry + "\n"),)))
    assert found == ({"page": "blocked_url"} if is_exact else {})


def test_with_an_allow_list_all_others_go(pages, written):
    conf = FilterConfig(allow_domains=(written("a", "good.org\nb.bad.org\n"),))
    kept = set(URLS) - reasons(pages, conf).keys()
    assert kept == {"good", "page", "sibling", "below"}
    assert set(reasons(pages, conf).values()) == {"not_allowed"}


def test_robots_txt_is_asked_for_each_of_its_host(pages, tmp_path):
    folder = tmp_path / "robots"
    folder.mkdir()
    rows = [
        {"host": "Closed.org", "robots": "User-agent: CCBot\nDisallow: /"},
        {"host": "good.org", "robots": "User-agent: *\nDisallow: /one/two"},
        {"host": "bad.org", "robots": None},
        {"host": None, "robots": "User-agent: *\nDisallow: /"},
    ]
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    conf = FilterConfig(robots=(str(folder),))
    assert reasons(pages, conf) == {"closed": "robots", "sibling": "robots"}
    other = FilterConfig(robots=(str(folder),), robots_agents=("curation",))
    assert reasons(pages, other) == {"sibling": "robots"}


def test_opt_outs_are_domains_urls_and_signals(pages, written):
    out = written("out", "closed.org\nhttps://good.org/one/two\nhttps://bad.org/\n")
    conf = FilterConfig(opted_out=(out,), optout_signals=("noai", "noindex"))
    names = {"closed", "sibling", "bad", "below", "signal"}
    assert reasons(pages, conf) == dict.fromkeys(names, "opted_out")
    assert reasons(pages, FilterConfig(optout_signals=("noindex",))) == {}


def test_of_several_reasons_the_first_of_the_list_is_given(pages, written):
    every = written("e", "".join(f"{url}\n" for url in URLS.values()))
    conf = FilterConfig(
        block_domains=(written("d", "bad.org\n"),), block_urls=(every,),
        allow_domains=(written("a", "nobody.org\n"),), opted_out=(every,),
    )  # fmt: skip
    found = reasons(pages, conf)
    assert found["bad"] == "blocked_domain"
    assert found["good"] == "blocked_url"
    assert reasons(pages, conf.model_copy(update={"block_urls": ()}))["good"] == "not_allowed"


def test_the_detail_is_what_gave_the_reason(pages, written):
    conf = FilterConfig(
        block_domains=(written("d", "org\nbad.org\n"),), block_urls=(written("u", "closed.org/x"),)
    )
    rows = with_filter_reason(pages, conf).collect()
    found = {row["name"]: row["filter_detail"] for row in rows}
    assert found["below"] == "bad.org"  # the longest entry that it is under
    assert found["closed"] == "org"  # by its domain first
    assert found["nowhere"] is None
    conf = FilterConfig(optout_signals=("noai", "noindex"))
    rows = with_filter_reason(pages, conf).collect()
    assert {row["filter_detail"] for row in rows} == {"noai", None}


def test_entries_in_two_lists_do_not_double_a_page(pages, written):
    twice = (written("a", "bad.org\nbad.org\na.b.bad.org\n"), written("b", "bad.org\n"))
    assert len(reasons(pages, FilterConfig(block_domains=twice))) == 2


def test_suffixes_and_keys_of_urls(spark):
    rows = [("a.b.c", "HTTPS://www.X.org:443/A/?b#c"), ("", "x.org")]
    frame = spark.createDataFrame(rows, "host string, url string")
    found = frame.select(suffixes("host").alias("s"), url_key("url").alias("k")).collect()
    assert [row["s"] for row in found] == [["a.b.c", "b.c", "c"], [""]]
    assert [row["k"] for row in found] == ["x.org/A/?b", "x.org"]


def test_signals_without_their_column_and_lists_that_are_not_there_are_errors(pages, tmp_path):
    with pytest.raises(ConfigError, match="no column `optout`"):
        with_filter_reason(pages.drop("optout"), FilterConfig(optout_signals=("noai",)))
    with pytest.raises(InputError, match="none: no such file"):
        with_filter_reason(pages, FilterConfig(block_urls=(str(tmp_path / "none"),)))


def test_the_identity_of_a_filter_changes_with_its_lists(written, tmp_path):
    def of(**lists):
        return identity(RunConfig(filter=FilterConfig(**lists)))

    path = written("d", "a.org\n")
    one = of(block_domains=(path,))
    assert one == of(block_domains=(path,)) != of(block_urls=(written("d2", "b.org\n"),))
    written("d", "b.org\n")
    assert one != of(block_domains=(path,))
    with pytest.raises(InputError):
        of(robots=(str(tmp_path / "none"),))
    assert of() == []


def test_lists_are_broadcast_and_the_text_is_not_shuffled(pages, written):
    conf = FilterConfig(block_domains=(written("d", "bad.org\n"),))
    wide = pages.withColumn("text", F.lit("x"))
    plan = with_filter_reason(wide, conf)._jdf.queryExecution().toString()
    physical = plan[plan.index("Physical Plan") :]
    assert "SortMergeJoin" not in physical
    assert "BroadcastHashJoin" in physical
