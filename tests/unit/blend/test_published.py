"""Files of the published form as rows of `published`."""

import gzip
import hashlib
import json
import re

import pyarrow as pa
import pytest

from curation.blend.published import list_published, print_of, read_rows, texts_of
from curation.errors import InputError
from curation.schemas import PUBLISHED

UUID = "01234567-89ab-cdef-0123-456789abcdef"
LINE = {"warc_record_id": UUID, "url": "HTTPS://A.org/x#y", "text": "two words", "language": "eng"}


def put(path, *lines, codec="zstd"):
    path.parent.mkdir(parents=True, exist_ok=True)
    # A frame a line: files may be made of many.
    parts = [json.dumps(line).encode() + b"\n" for line in lines]
    if codec == "zstd":
        parts = [pa.Codec("zstd").compress(part, asbytes=True) for part in parts]
    path.write_bytes(gzip.compress(b"".join(parts)) if codec == "gzip" else b"".join(parts))
    return path


def folder(root, quality="high", kind="synthetic", kind2="distill"):
    return root / f"quality={quality}" / f"kind={kind}" / f"kind2={kind2}"


def rows(path, corpus="common-crawl"):
    [file] = list_published({corpus: [str(path)]}, "c0")
    return [row for batch in read_rows(file, "p") for row in batch.to_pylist()]


def hashed(value):
    return hashlib.blake2b(value.encode(), digest_size=16).hexdigest()


def test_a_line_of_nvidias_has_the_place_of_its_file_and_the_doc_id_of_its_record(tmp_path):
    path = put(
        folder(tmp_path) / "CC-MAIN-2024-51-part-00003.jsonl.zstd", LINE, LINE | {"text": ""}
    )
    first, second = rows(path)
    assert first == {
        "id": hashed(f"{UUID}\0HTTPS://A.org/x#y\0two words"),
        "doc_id": hashed(f"<urn:uuid:{UUID}>"), "crawl": "CC-MAIN-2024-51",
        "corpus": "common-crawl", "file": str(path), "line": 1, "files": "p",
        "warc_record_id": UUID, "url": "HTTPS://A.org/x#y", "url_normalized": "https://a.org/x",
        "host": "a.org", "language": "en", "quality": "high", "kind": "synthetic",
        "kind2": "distill", "n_words": 2, "drop_reason": None, "text": "two words",
    }  # fmt: skip
    assert (second["line"], second["drop_reason"]) == (2, "no_text")
    assert [*first] == PUBLISHED.columns.names


def test_a_line_of_ours_keeps_its_id_and_one_without_a_record_is_its_own_document(tmp_path):
    id_ = hashed("a text of ours")
    ours = {"text": "a", "id": id_, "copy": 1, "language": "de"}
    [row] = rows(put(folder(tmp_path) / "books.jsonl", ours, codec=""), "books")
    assert [row[name] for name in ("id", "doc_id", "crawl", "corpus", "url", "host")] == [
        id_, id_, "c0", "books", "", "",
    ]  # fmt: skip
    assert row["language"] == "de"


def test_numbers_of_a_files_own_are_ids_within_its_corpus_and_can_be_taken_down(tmp_path):
    path = put(
        folder(tmp_path) / "a.jsonl", {"id": 5, "text": "a"}, {"id": 6, "text": "a"}, codec=""
    )
    found = [row for corpus in ("books", "code") for row in rows(path, corpus)]
    assert len({row["id"] for row in found}) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", row["doc_id"]) for row in found)


def test_half_of_a_surrogate_pair_is_mended_and_a_whole_one_is_read(tmp_path):
    path = folder(tmp_path) / "a.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text('{"text": "a \\ud83d b \\ud83d\\ude00", "url": "https://a.org/\\udc00"}\n')
    [row] = rows(path)
    assert row["text"] == "a \ufffd b \U0001f600"
    assert row["url"] == "https://a.org/\ufffd"


@pytest.mark.parametrize(("name", "codec"), [("a.jsonl.zst", "zstd"), ("a.jsonl.gz", "gzip"),
                                             ("a.jsonl", "")])  # fmt: skip
def test_files_are_read_whatever_packs_them(tmp_path, name, codec):
    path = put(
        folder(tmp_path) / name, *[LINE | {"text": str(n)} for n in range(1_200)], codec=codec
    )
    assert [row["line"] for row in rows(path)] == [*range(1, 1_201)]
    assert texts_of(str(path)) == [str(n) for n in range(1_200)]


def test_what_is_missing_or_damaged_is_told_with_its_place(tmp_path):
    good = put(folder(tmp_path) / "a.jsonl.zstd", LINE)
    with pytest.raises(InputError, match=r"line 2 has no `text`"):
        rows(put(folder(tmp_path) / "b.jsonl.zstd", LINE, {"url": "x"}))
    cut = folder(tmp_path) / "c.jsonl.zstd"
    cut.write_bytes(good.read_bytes() + good.read_bytes()[:-9])
    with pytest.raises(InputError, match=r"c\.jsonl\.zstd: not readable after line 0: Truncated"):
        rows(cut)
    with pytest.raises(InputError, match=r"must lie in quality=Q/kind=K/kind2=K2/"):
        rows(put(tmp_path / "d.jsonl", LINE, codec=""))
    with pytest.raises(InputError, match=r"no file matches .*nowhere"):
        list_published({"common-crawl": [str(tmp_path / "nowhere*")]}, "c0")
    with pytest.raises(InputError, match="is of common-crawl and books"):
        list_published({"common-crawl": [str(good)], "books": [str(good)]}, "c0")


def test_other_files_and_changed_ones_have_another_print(tmp_path):
    path = put(folder(tmp_path) / "a.jsonl.zstd", LINE)
    patterns = {"common-crawl": [f"{tmp_path}/**/*.jsonl.zstd"]}
    before = print_of(list_published(patterns, "c0"))
    assert print_of(list_published(patterns, "c0")) == before
    put(path, LINE, LINE)
    changed = print_of(list_published(patterns, "c0"))
    put(folder(tmp_path, kind2="other") / "a.jsonl.zstd", LINE)
    assert len({before, changed, print_of(list_published(patterns, "c0"))}) == 3
