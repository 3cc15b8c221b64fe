import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import InputError
from curation.publish.files import FIELDS, part_name, read_part, write_parts
from curation.schemas import BLEND

ROW = {"id": "d", "copy": 0, "order": 5, "source": "high/actual/actual", "n_words": 2,
       "crawl": "CC-MAIN-2024-51", "warc_record_id": "<urn:uuid:1>", "url": "https://a.org/",
       "language": "en",
       "text": "A tab\tand \u2028 a line\nend, \U0001f600."}  # fmt: skip
PLAIN = [name for name in BLEND.columns.names if name not in BLEND.partition_by]


def blend_file(path, *rows, **settings):
    schema = BLEND.select(*PLAIN).columns
    pq.write_table(pa.Table.from_pylist([ROW | row for row in rows], schema), path, **settings)
    return path


def test_texts_come_back_in_their_order_as_the_published_fields(tmp_path):
    rows = [{"id": f"d{n}", "copy": n % 2, "text": f"{ROW['text']} {n}"} for n in range(10)]
    source = blend_file(tmp_path / "a.parquet", *rows, row_group_size=3)
    target = tmp_path / "quality=high" / part_name("CC-MAIN-2024-51", 7)
    assert target.name == "CC-MAIN-2024-51-part-00007.jsonl.zstd"
    assert write_parts(source, {"CC-MAIN-2024-51": target}) == {"CC-MAIN-2024-51": 10}
    found = list(read_part(target))
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert [row["text"] for row in found] == [row["text"] for row in rows]
    assert {tuple(row) for row in found} == {FIELDS}
    assert FIELDS[:4] == ("warc_record_id", "url", "text", "language")
    assert {row["language"] for row in found} == {"eng"}


def test_another_language_keeps_its_code(tmp_path):
    source = blend_file(tmp_path / "a.parquet", {"language": "de"})
    write_parts(source, {ROW["crawl"]: tmp_path / "a.jsonl.zstd"})
    assert [row["language"] for row in read_part(tmp_path / "a.jsonl.zstd")] == ["de"]


def test_each_crawl_has_a_file_of_its_own_and_an_older_blend_says_none(tmp_path):
    rows = [{"id": f"d{n}", "crawl": f"c{n % 2}"} for n in range(5)]
    source = blend_file(tmp_path / "a.parquet", *rows, row_group_size=2)
    targets = {f"c{n}": tmp_path / f"c{n}.jsonl.zstd" for n in range(2)}
    assert write_parts(source, targets) == {"c0": 3, "c1": 2}
    assert [row["id"] for row in read_part(targets["c1"])] == ["d1", "d3"]
    older = tmp_path / "older.parquet"
    pq.write_table(pq.read_table(source).drop_columns("crawl"), older)
    assert write_parts(older, {None: tmp_path / "older.jsonl.zstd"}) == {None: 5}


def test_frames_one_behind_the_other_are_one_file(tmp_path):
    path = tmp_path / "two.jsonl.zstd"
    codec = pa.Codec("zstd")
    frames = [json.dumps({"text": str(n)}).encode() + b"\n" for n in range(3)]
    path.write_bytes(b"".join(codec.compress(frame, asbytes=True) for frame in frames))
    assert [row["text"] for row in read_part(path)] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("content", "told"),
    [(b'{"text": "a"}\nnot json\n', "after line 1"), (b"[1]\n", "no JSON object"),
     (b'{"text": "\xff"}\n', "not readable")],
)  # fmt: skip
def test_what_is_no_json_line_is_told_with_its_place(tmp_path, content, told):
    path = tmp_path / "a.jsonl.zstd"
    path.write_bytes(pa.Codec("zstd").compress(content, asbytes=True))
    with pytest.raises(InputError, match=told):
        list(read_part(path))


def test_a_file_cut_short_is_not_taken_for_a_whole_one(tmp_path):
    path = tmp_path / "a.jsonl.zstd"
    lines = b"".join(json.dumps({"text": str(n) * 50}).encode() + b"\n" for n in range(5_000))
    whole = pa.Codec("zstd").compress(lines, asbytes=True)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"a\.jsonl\.zstd"):
        list(read_part(path))
    path.write_bytes(b"no zstd at all")
    with pytest.raises(InputError, match=r"a\.jsonl\.zstd"):
        list(read_part(path))


def test_a_damaged_file_of_the_blend_leaves_nothing_behind(tmp_path):
    source = tmp_path / "a.parquet"
    source.write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="not a file of the blend"):
        write_parts(source, {"c": tmp_path / "out" / "a.jsonl.zstd"})
    assert list((tmp_path / "out").iterdir()) == []
