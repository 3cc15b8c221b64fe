import gzip
import io
import zipfile

import pytest

from curation.crawl.record import Damage
from curation.crawl.warc import read_records, why_ended_early


def _record(number):
    body = b"words of %d " % number * 50
    head = b"WARC/1.0\r\nWARC-Type: resource\r\nWARC-Record-ID: <urn:uuid:%d>\r\n" % number
    return head + b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (len(body), body)


PACKED = gzip.compress(_record(1)) + gzip.compress(_record(2))
PLAIN = _record(3) + _record(4)


def _wacz(path, *, kind=zipfile.ZIP_STORED, **entries):
    files = {"pages/pages.jsonl": b"{}\n"} | {f"archive/{n}": data for n, data in entries.items()}
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path.read_bytes()


def _read(path):
    return list(read_records(str(path)))


def _ids(items):
    return [None if isinstance(i, Damage) else int(i.record_id.rsplit(":", 1)[1]) for i in items]


def test_records_of_stored_files_have_their_place_in_the_archive(tmp_path):
    path = tmp_path / "a.wacz"
    data = _wacz(path, **{"a.warc.gz": PACKED, "b.warc": PLAIN, "notes.txt": b"WARC/1.0"})
    items = _read(path)
    assert _ids(items) == [1, 2, 3, 4]
    packed = [data[item.offset : item.offset + item.length] for item in items]
    assert [gzip.decompress(member) for member in packed[:2]] == [_record(1), _record(2)]
    assert packed[2:] == [_record(3), _record(4)]
    assert why_ended_early(items[-1]) is None


def test_records_of_a_deflated_file_share_its_place(tmp_path):
    path = tmp_path / "a.wacz"
    data = _wacz(path, kind=zipfile.ZIP_DEFLATED, **{"b.warc": PLAIN})
    items = _read(path)
    assert _ids(items) == [3, 4]
    assert len({item.offset for item in items}) == 1
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert [i.length for i in items] == [0, archive.getinfo("archive/b.warc").compress_size]


def test_a_deflated_file_that_is_damaged_is_told(tmp_path):
    path = tmp_path / "a.wacz"
    noise = bytes((i * i * 31) % 251 for i in range(4000))
    data = bytearray(_wacz(path, kind=zipfile.ZIP_DEFLATED, **{"b.warc": PLAIN + noise}))
    start = data.index(b"archive/b.warc") + len("archive/b.warc")
    data[start + 1000 : start + 1040] = bytes(40)
    path.write_bytes(data)
    assert isinstance(_read(path)[-1], Damage)


def test_an_archive_that_lost_its_directory_is_searched_for_members(tmp_path):
    path = tmp_path / "a.wacz"
    data = _wacz(path, **{"a.warc.gz": PACKED})
    path.write_bytes(data[: data.index(PACKED) + len(PACKED)])
    items = _read(path)
    assert _ids(items) == [None, 1, 2]
    assert sum(item.length for item in items) == path.stat().st_size


@pytest.mark.parametrize(
    ("at", "spoiled", "name"),
    [
        (0, b"PX", b"a12"),  # no entry of a directory
        (6, b"\xff", b"a12"),  # for readers of version 25.5
        (9, b"\x08", b"a\xff\xff"),  # says that its name is UTF-8
    ],
)
def test_an_archive_whose_directory_cannot_be_read_is_searched_for_members(
    tmp_path, at, spoiled, name
):
    path = tmp_path / "a.wacz"
    data = bytearray(_wacz(path, **{"a12.warc.gz": PACKED}).replace(b"a12", name))
    entry = data.rindex(b"PK\x01\x02")
    data[entry + at : entry + at + len(spoiled)] = spoiled
    path.write_bytes(data)
    assert _ids(_read(path))[:3] == [None, 1, 2]


def test_an_archive_without_warc_files_is_one_damage(tmp_path):
    path = tmp_path / "a.wacz"
    data = _wacz(path)
    assert _read(path) == [
        Damage(0, len(data), "a zip archive without a WARC or ARC file in archive/")
    ]


def test_an_encrypted_file_is_told_and_the_others_are_read(tmp_path):
    path = tmp_path / "a.wacz"
    data = bytearray(_wacz(path, **{"a.warc.gz": PACKED, "b.warc": PLAIN}))
    entry = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1))
    data[entry + 8] |= 1
    path.write_bytes(data)
    items = _read(path)
    assert sorted(map(str, _ids(items))) in (["3", "4", "None"], ["1", "2", "None"])
    assert any(isinstance(i, Damage) and "encrypted" in i.detail for i in items)
