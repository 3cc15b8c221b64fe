import io

import pytest
from fastwarc.stream_io import Lz4Writer, ZstdWriter, zstd_train_dictionary_from_samples

from curation.crawl.frames import lz4_frame_end, zstd_dictionary, zstd_frame_end
from curation.crawl.record import Damage
from curation.crawl.warc import read_records

SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
ENDS = {ZstdWriter: zstd_frame_end, Lz4Writer: lz4_frame_end}


def _record(number):
    words = " ".join(f"word{number}-{i * i}" for i in range(400)).encode()
    head = b"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:%d>\r\n" % number
    return head + b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (len(words), words)


def _frame(writer, data, **settings):
    target = io.BytesIO()
    stream = writer(target, **settings)
    stream.write(data)
    stream.close()
    return target.getvalue()


def _read(path, data):
    path.write_bytes(data)
    return list(read_records(str(path)))


def _ids(items):
    return ["damage" if isinstance(i, Damage) else i.record_id.removeprefix("urn:uuid:")
            for i in items]  # fmt: skip


@pytest.mark.parametrize("writer", ENDS)
@pytest.mark.parametrize("n_bytes", [0, 10, 300, 70_000, 400_000])
def test_a_frame_ends_where_the_next_begins_and_not_one_byte_earlier(writer, n_bytes):
    noise = b"".join(b"%d" % (i * i * i) for i in range(n_bytes))[:n_bytes]
    frame = _frame(writer, noise)
    find_end = ENDS[writer]
    assert find_end(io.BytesIO(frame + frame), 0) == len(frame)
    assert find_end(io.BytesIO(b"xy" + frame), 2) == len(frame) + 2
    assert find_end(io.BytesIO(frame[:-1]), 0) is None
    assert find_end(io.BytesIO(frame[: len(frame) // 2]), 0) is None


@pytest.mark.parametrize("find_end", ENDS.values())
def test_a_skippable_frame_ends_where_its_size_says(find_end):
    assert find_end(io.BytesIO(SKIPPABLE), 0) == 11
    assert find_end(io.BytesIO(SKIPPABLE[:-1]), 0) is None
    assert find_end(io.BytesIO(b"no frame at all"), 0) is None
    assert find_end(io.BytesIO(b""), 0) is None


@pytest.mark.parametrize("writer", ENDS)
def test_a_damaged_frame_costs_its_own_record_only(tmp_path, writer):
    frames = [_frame(writer, _record(number)) for number in range(4)]
    spoiled = bytearray(frames[1])
    spoiled[len(spoiled) // 2] ^= 0xFF
    items = _read(tmp_path / "a", frames[0] + bytes(spoiled) + frames[2] + frames[3])
    assert _ids(items)[0] == "0"
    assert _ids(items)[-2:] == ["2", "3"]
    assert len(items) == 4
    assert items[1].offset == len(frames[0])
    assert isinstance(items[1], Damage) or items[1].problem in ("damaged", "truncated")


@pytest.mark.parametrize("writer", ENDS)
def test_a_file_that_lacks_its_last_byte_has_no_whole_last_record(tmp_path, writer):
    frames = [_frame(writer, _record(number)) for number in range(2)]
    items = _read(tmp_path / "a", b"".join(frames)[:-1])
    assert _ids(items) == ["0", "damage"]
    assert "the file ends inside it" in items[1].detail


@pytest.mark.parametrize("writer", ENDS)
def test_skippable_frames_between_records_are_passed_over(tmp_path, writer):
    first, second = (_frame(writer, _record(number)) for number in range(2))
    items = _read(tmp_path / "a", first + SKIPPABLE + second + SKIPPABLE)
    assert _ids(items) == ["0", "1"]
    assert sum(item.length for item in items) == len(first + second) + 2 * len(SKIPPABLE)


@pytest.mark.parametrize("writer", ENDS)
def test_a_file_in_a_single_frame_is_read(tmp_path, writer):
    items = _read(tmp_path / "a", _frame(writer, _record(0) + _record(1)))
    assert _ids(items) == ["0", "1"]
    assert [item.offset for item in items] == [0, 0]


def test_a_zstd_file_with_a_dictionary_is_read_behind_damage_too(tmp_path):
    dictionary = zstd_train_dictionary_from_samples([_record(i) for i in range(100)], 8_000)
    data = _frame(ZstdWriter, _record(0), dictionary=dictionary)
    head = zstd_dictionary(io.BytesIO(data))
    assert len(head) > 8
    frames = [_frame(ZstdWriter, _record(i), dictionary=dictionary)[len(head) :] for i in range(4)]
    spoiled = bytearray(frames[1])
    spoiled[len(spoiled) // 2] ^= 0xFF
    assert _ids(_read(tmp_path / "a", head + b"".join(frames))) == ["0", "1", "2", "3"]
    items = _read(tmp_path / "b", head + frames[0] + bytes(spoiled) + frames[2] + frames[3])
    assert _ids(items)[0] == "0"
    assert _ids(items)[-2:] == ["2", "3"]
