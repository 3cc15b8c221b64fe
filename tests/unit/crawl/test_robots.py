import pyarrow as pa
import pytest

from curation.crawl.optout import FORBIDDEN, HOSTS, forbidden, forbidden_urls

ROBOTS = """
User-agent: *
Disallow: /private

User-agent: CCBot
Disallow: /
Allow: /open/
"""
OPEN, SHUT, PRIVATE = "https://a.org/open/x", "https://a.org/x", "https://a.org/private/x"


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        (["CCBot"], [SHUT, PRIVATE]),
        (["ccbot"], [SHUT, PRIVATE]),
        (["curation"], [PRIVATE]),
        (["curation", "CCBot"], [SHUT, PRIVATE]),
    ],
)
def test_an_agent_may_read_what_its_group_allows(agents, expected):
    assert forbidden_urls(ROBOTS, [OPEN, SHUT, PRIVATE], agents=agents) == expected


@pytest.mark.parametrize(
    "robots",
    ["", "\x00\x00", "<html>Disallow: /</html>", "Disallow: /x", "User-agent: *\nDisallow:"],
)
def test_what_is_no_rule_forbids_nothing(robots):
    assert forbidden_urls(robots, [OPEN, SHUT], agents=["CCBot"]) == []


def test_rules_beyond_the_limit_are_not_read():
    late = "#" + "x" * 600_000 + "\nUser-agent: *\nDisallow: /"
    assert forbidden_urls(late, [SHUT], agents=["CCBot"]) == []


def test_the_kernel_gives_the_same_rows_in_batches_of_any_size():
    rows = [
        {"host": f"{i}.org", "robots": ROBOTS, "urls": [f"https://{i}.org{path}" for path in paths]}
        for i, paths in enumerate([["/x", "/open/x"], [], ["/open/"], ["/y"]])
    ]
    batch = pa.RecordBatch.from_pylist(rows, schema=HOSTS.columns)
    whole = pa.Table.from_batches(forbidden(batch, agents=["CCBot"]))
    assert whole["url"].to_pylist() == ["https://0.org/x", "https://3.org/y"]
    for size in (1, 2, 3):
        slices = [batch.slice(i, size) for i in range(0, 4, size)]
        parts = [part for one in slices for part in forbidden(one, agents=["CCBot"])]
        assert pa.Table.from_batches(parts, schema=FORBIDDEN.columns).equals(whole)
