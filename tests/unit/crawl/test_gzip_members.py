import gzip
import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.crawl.gzip_members import GzipMembers


def members_of(data, *, start=0, step=1000, buffer_size=1 << 12):
    """(offset, content) of each member that is read, `step` bytes at a time."""
    file = io.BytesIO(data)
    file.seek(start)
    reader, found = GzipMembers(file, buffer_size=buffer_size), []
    while piece := reader.read(step):
        offset = reader.frame_start_position()
        if found and found[-1][0] == offset:
            found[-1] = (offset, found[-1][1] + piece)
        else:
            found.append((offset, piece))
    return found


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=4000), max_size=8),
    st.integers(1, 5000),
    st.integers(1, 3000),
)
def test_every_member_is_read_from_its_offset_and_no_read_crosses_its_end(
    contents, step, buffer_size
):
    packed = [gzip.compress(content) for content in contents]
    offsets = [sum(map(len, packed[:n])) for n in range(len(packed))]
    found = members_of(b"".join(packed), step=step, buffer_size=buffer_size)
    assert found == list(zip(offsets, contents, strict=True))


def test_a_member_is_read_in_pieces_where_it_is_large_and_from_any_offset():
    small, large = gzip.compress(b"small"), random.Random(1).randbytes(3_000_000) * 2
    data = small + gzip.compress(large) + small
    found = members_of(data, start=len(small), step=1 << 17, buffer_size=1 << 17)
    assert [(offset, len(content)) for offset, content in found] == [
        (len(small), len(large)),
        (len(data) - len(small), 5),
    ]
    assert found[0][1] == large


def test_members_without_content_are_passed_over():
    empty, some = gzip.compress(b""), gzip.compress(b"some")
    assert members_of(empty + some + empty) == [(len(empty), b"some")]


@pytest.mark.parametrize("end", [-1, -8, -12])
def test_a_member_that_is_cut_short_is_not_left_for_the_next(end):
    whole = gzip.compress(b"x" * 5000)
    file = io.BytesIO(whole + whole[:end])
    reader = GzipMembers(file, buffer_size=100)
    assert reader.read(5000) == b"x" * 5000
    assert len(reader.read(9000)) <= 5000
    assert reader.read(1) == b""


@pytest.mark.parametrize("place", [-1, -6, 15])
def test_nothing_is_read_behind_damage(place):
    damaged = bytearray(gzip.compress(b"abc" * 3000))
    damaged[place] ^= 0xFF
    reader = GzipMembers(io.BytesIO(bytes(damaged) + gzip.compress(b"behind")), buffer_size=4096)
    read = b""
    while piece := reader.read(100):
        read += piece
    assert b"behind" not in read
    assert reader.frame_start_position() == 0
