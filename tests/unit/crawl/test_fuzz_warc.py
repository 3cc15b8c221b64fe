"""Real archives, mutilated: the reader neither fails nor hangs, and tells every byte."""

import gzip

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.crawl import warc
from curation.crawl.record import WarcRecord
from curation.crawl.warc import read_records

pytestmark = pytest.mark.shared

BOUNDED = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
MAX_FILE_BYTES = 200_000
PACKED = "warc/pywb__example.warc.gz"
FAR = 1 << 20


class Files(list):
    """A list that hypothesis tells in one word."""

    def __repr__(self):
        return "FILES"


@pytest.fixture(scope="module")
def files(shared_data):
    """Bytes of real files of every kind, small ones."""
    names = [
        PACKED,
        "warc/warcio__example.warc",
        "warc/warcio__example.arc.gz",
        "warc/warcio__example.arc",
        "warc/whirlwind-python__whirlwind.warc.wat.gz",
        "warc/whirlwind-python__whirlwind.warc.wet.gz",
        "warc/replayweb.page__iframetest.wacz",
        "warc_edge/chatnoir-resiliparse__block-sized-records.warc.lz4",
        "warc_edge/sparkwarc__sample.warc.gz",
        "warc_edge/warcio__example-iana.org-chunked.warc",
    ]
    return Files((shared_data / name).read_bytes()[:MAX_FILE_BYTES] for name in names)


def _read(path, data):
    path.write_bytes(data)
    return list(read_records(str(path)))


def _expect_closed(items, n_bytes, *, has_gaps):
    """Items in order and without overlap; without gaps too, but in a zip archive."""
    assert items
    end = 0 if has_gaps else items[0].offset
    first = items[0].offset
    for item in items:
        assert item.length >= 0
        assert item.offset >= end if has_gaps else item.offset == end
        end = item.offset + item.length
    assert end <= n_bytes if has_gaps else (end == n_bytes and first < 16)


@st.composite
def mutations(draw):
    """How to spoil a file: flip, cut, insert, drop or double a stretch, at shares of its length."""
    kind = draw(st.sampled_from(["flip", "cut", "insert", "drop", "double", "zero", "swap"]))
    at = draw(st.floats(0, 1, exclude_max=True))
    n_bytes = draw(st.integers(1, 5_000))
    junk = draw(st.binary(min_size=1, max_size=64))
    return kind, at, n_bytes, junk


def _spoiled(data, mutation):
    kind, share, n_bytes, junk = mutation
    at = int(share * len(data))
    head, middle, tail = data[:at], data[at : at + n_bytes], data[at + n_bytes :]
    if kind == "flip":
        return head + bytes(byte ^ junk[0] for byte in middle[:8]) + middle[8:] + tail
    return {
        "cut": head,
        "insert": head + junk + middle + tail,
        "drop": head + tail,
        "double": head + middle + middle + tail,
        "zero": head + bytes(len(middle)) + tail,
        "swap": tail + middle + head,
    }[kind]


@BOUNDED
@given(number=st.integers(0, 9), steps=st.lists(mutations(), min_size=1, max_size=3))
def test_any_mutilation_closes_its_account(files, tmp_path, number, steps):
    data = files[number]
    for step in steps:
        data = _spoiled(data, step)
    items = _read(tmp_path / "a", data)
    blank = len(data) - len(data.lstrip(b"\r\n"))
    if not data.startswith(b"PK") and blank < 16 and data:
        _expect_closed(items, len(data), has_gaps=False)
    else:
        _expect_closed(items, len(data), has_gaps=True)


@BOUNDED
@given(step=mutations(), victim=st.floats(0, 1, exclude_max=True))
def test_damage_to_one_member_costs_that_member_only(files, tmp_path, step, victim):
    whole = _read(tmp_path / "whole", files[0])
    members = [files[0][r.offset : r.offset + r.length] for r in whole]
    chosen = int(victim * len(members))
    spoiled = _spoiled(members[chosen], step)
    data = b"".join([*members[:chosen], spoiled, *members[chosen + 1 :]])
    found = _read(tmp_path / "spoiled", data)
    ids = [item.record_id for item in found if isinstance(item, WarcRecord)]
    for record in whole[:chosen] + whole[chosen + 1 :]:
        assert record.record_id in ids
        if record is not whole[chosen - 1]:  # what follows it may look like a part of it
            twin = found[[getattr(i, "record_id", "") for i in found].index(record.record_id)]
            assert twin.payload == record.payload


@BOUNDED
@given(order=st.permutations(range(6)), copies=st.lists(st.integers(0, 5), max_size=4))
def test_members_in_any_order_and_number_are_all_read(files, tmp_path, order, copies):
    whole = _read(tmp_path / "whole", files[0])
    assert len(whole) == 6
    members = [files[0][r.offset : r.offset + r.length] for r in whole]
    chosen = [*order, *copies]
    found = _read(tmp_path / "mixed", b"".join(members[number] for number in chosen))
    assert [item.record_id for item in found] == [whole[number].record_id for number in chosen]
    assert [item.payload for item in found] == [whole[number].payload for number in chosen]


@BOUNDED
@given(step=mutations(), number=st.sampled_from([0, 2, 4, 5]))
def test_the_fast_path_tells_what_the_exact_one_tells(files, tmp_path, step, number):
    data = _spoiled(files[number], step)
    if not data.startswith(b"\x1f\x8b\x08"):
        return
    fast = _read(tmp_path / "a", data)
    with (tmp_path / "a").open("rb") as file:
        codec = warc.codec_of(file)
        exact = warc._with_lengths(warc._exact_items(file, codec, 0, at_least=FAR), len(data))
        assert list(exact) == fast


def test_a_gzip_bomb_is_read_in_bounded_memory_and_ends(tmp_path):
    bomb = gzip.compress(b"WARC/1.0\r\nContent-Length: 300000000\r\n\r\n" + bytes(100_000_000), 9)
    (item,) = _read(tmp_path / "a", bomb)
    assert item.problem == "truncated"
    assert len(item.payload) <= warc.MAX_BLOCK_BYTES
