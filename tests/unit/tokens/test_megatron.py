import hashlib
from pathlib import Path

import numpy as np
import pytest

from curation.errors import InputError
from curation.tokens import megatron
from curation.tokens.megatron import optimal_dtype, read_indexed, write_indexed

DOCUMENTS = [np.array([1, 2, 3]), np.array([7]), np.array([300, 4])]

BIN = b"\x01\x00\x02\x00\x03\x00\x07\x00\x2c\x01\x04\x00"

IDX = (
    b"MMIDIDX\x00\x00"
    b"\x01\x00\x00\x00\x00\x00\x00\x00"  # version
    b"\x08"  # uint16
    b"\x03\x00\x00\x00\x00\x00\x00\x00"  # sequences
    b"\x04\x00\x00\x00\x00\x00\x00\x00"  # document indices
    b"\x03\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"  # lengths in tokens
    b"\x00\x00\x00\x00\x00\x00\x00\x00"  # offsets in bytes: 0, 6, 8
    b"\x06\x00\x00\x00\x00\x00\x00\x00"
    b"\x08\x00\x00\x00\x00\x00\x00\x00"
    b"\x00\x00\x00\x00\x00\x00\x00\x00"  # documents: 0, 1, 2, 3
    b"\x01\x00\x00\x00\x00\x00\x00\x00"
    b"\x02\x00\x00\x00\x00\x00\x00\x00"
    b"\x03\x00\x00\x00\x00\x00\x00\x00"
)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A shard of DOCUMENTS as uint16; the dot in its name is no suffix."""
    prefix = tmp_path / "shard.00000"
    write_indexed(prefix, DOCUMENTS, np.uint16)
    return prefix


def _file(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(prefix.name + suffix)


def _overwrite(path: Path, at: int, data: bytes) -> None:
    old = path.read_bytes()
    path.write_bytes(old[:at] + data + old[at + len(data) :])


def test_three_documents_give_the_bytes_of_the_format(prefix):
    assert _file(prefix, ".bin").read_bytes() == BIN
    assert _file(prefix, ".idx").read_bytes() == IDX


def test_the_facts_are_those_of_the_files(tmp_path):
    facts = write_indexed(tmp_path / "a", iter(DOCUMENTS), np.uint16)
    assert (facts.n_documents, facts.n_tokens) == (3, 6)
    assert facts.sha256_bin == hashlib.sha256(BIN).hexdigest()
    assert facts.sha256_idx == hashlib.sha256(IDX).hexdigest()


def test_int32_takes_code_4_and_four_bytes_a_token(tmp_path):
    write_indexed(tmp_path / "a", [np.array([70_000]), np.array([1, 2])], np.int32)
    index = (tmp_path / "a.idx").read_bytes()
    assert (tmp_path / "a.bin").read_bytes() == b"\x70\x11\x01\x00\x01\x00\x00\x00\x02\x00\x00\x00"
    assert index[17] == 4
    assert index[42:58] == b"\x00" * 8 + b"\x04" + b"\x00" * 7


def test_what_was_written_is_read_back(prefix):
    dataset = read_indexed(prefix)
    assert len(dataset) == 3
    assert [document.tolist() for document in dataset] == [[1, 2, 3], [7], [300, 4]]
    assert dataset[2].dtype == np.uint16
    assert dataset.tokens.tolist() == [1, 2, 3, 7, 300, 4]


def test_an_index_past_the_end_is_an_index_error(prefix):
    with pytest.raises(IndexError):
        read_indexed(prefix)[3]


def test_a_shard_of_no_documents_is_read_back(tmp_path):
    facts = write_indexed(tmp_path / "a", [], np.uint16)
    assert (facts.n_documents, facts.n_tokens) == (0, 0)
    assert (tmp_path / "a.idx").stat().st_size == 34 + 8
    assert len(read_indexed(tmp_path / "a")) == 0


def test_nothing_is_left_beside_the_two_files(prefix):
    assert sorted(path.name for path in prefix.parent.iterdir()) == [
        "shard.00000.bin",
        "shard.00000.idx",
    ]


def test_an_error_among_the_documents_leaves_the_old_shard(prefix):
    def documents():
        yield np.array([9, 9])
        raise RuntimeError("the source died")

    with pytest.raises(RuntimeError, match="the source died"):
        write_indexed(prefix, documents(), np.uint16)
    assert _file(prefix, ".bin").read_bytes() == BIN
    assert _file(prefix, ".idx").read_bytes() == IDX
    assert len(list(prefix.parent.iterdir())) == 2


def test_a_death_between_the_two_files_leaves_no_index_beside_foreign_tokens(prefix, monkeypatch):
    def die(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(megatron, "_index_bytes", die)
    with pytest.raises(KeyboardInterrupt):
        write_indexed(prefix, [np.array([9, 9])], np.uint16)
    assert [path.name for path in prefix.parent.iterdir()] == ["shard.00000.bin"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (np.array([1, 65_536]), "65536"),
        (np.array([-1]), "-1"),
        (np.array([1.0]), "float64"),
        (np.array([[1, 2]]), r"\(1, 2\)"),
    ],
)
def test_a_document_that_the_type_cannot_hold_is_refused(tmp_path, document, message):
    with pytest.raises(InputError, match=message):
        write_indexed(tmp_path / "a", [document], np.uint16)
    assert list(tmp_path.iterdir()) == []


def test_65_535_is_the_largest_id_of_uint16(tmp_path):
    write_indexed(tmp_path / "a", [np.array([65_535])], np.uint16)
    assert read_indexed(tmp_path / "a")[0].tolist() == [65_535]


def test_a_float_type_is_refused(tmp_path):
    with pytest.raises(InputError, match="float32"):
        write_indexed(tmp_path / "a", DOCUMENTS, np.float32)


def test_uint16_ends_at_a_vocabulary_of_65_499():
    assert optimal_dtype(65_499) == np.uint16
    assert optimal_dtype(65_500) == np.int32


def test_a_truncated_bin_is_refused(prefix):
    _file(prefix, ".bin").write_bytes(BIN[:-1])
    with pytest.raises(InputError, match=r"shard\.00000\.bin: truncated: 11 bytes.*12"):
        read_indexed(prefix)


def test_a_bin_with_more_than_the_index_says_is_refused(prefix):
    _file(prefix, ".bin").write_bytes(BIN + b"\x00\x00")
    with pytest.raises(InputError, match=r"\.bin: too long: 14 bytes.*12"):
        read_indexed(prefix)


def test_a_truncated_idx_is_refused(prefix):
    _file(prefix, ".idx").write_bytes(IDX[:-8])
    with pytest.raises(InputError, match=r"\.idx: truncated: 94 bytes.*102"):
        read_indexed(prefix)


def test_an_idx_cut_in_its_header_is_refused(prefix):
    _file(prefix, ".idx").write_bytes(IDX[:20])
    with pytest.raises(InputError, match=r"\.idx: truncated: 20 bytes"):
        read_indexed(prefix)


@pytest.mark.parametrize("suffix", [".bin", ".idx"])
def test_a_missing_file_is_named(prefix, suffix):
    _file(prefix, suffix).unlink()
    with pytest.raises(InputError, match=rf"shard\.00000\{suffix}: no such file"):
        read_indexed(prefix)


def test_a_wrong_magic_is_shown(prefix):
    _overwrite(_file(prefix, ".idx"), 0, b"TNTIDX\x00")
    with pytest.raises(InputError, match=r"\.idx: not a Megatron index.*TNTIDX"):
        read_indexed(prefix)


def test_a_foreign_version_is_shown(prefix):
    _overwrite(_file(prefix, ".idx"), 9, b"\x02")
    with pytest.raises(InputError, match=r"\.idx: found index version 2"):
        read_indexed(prefix)


def test_a_type_that_is_no_integer_is_shown(prefix):
    _overwrite(_file(prefix, ".idx"), 17, b"\x07")
    with pytest.raises(InputError, match=r"\.idx: found token type code 7"):
        read_indexed(prefix)


def test_offsets_that_leave_a_gap_are_refused(prefix):
    _overwrite(_file(prefix, ".idx"), 34 + 12 + 8, b"\x04")
    with pytest.raises(InputError, match=r"\.idx: damaged"):
        read_indexed(prefix)


def test_megatron_core_reads_what_we_write(prefix):
    peer = pytest.importorskip("megatron.core.datasets.indexed_dataset", reason="no megatron-core")
    theirs = peer.IndexedDataset(str(prefix))
    assert [theirs[i].tolist() for i in range(len(theirs))] == [[1, 2, 3], [7], [300, 4]]
    assert theirs.document_indices.tolist() == [0, 1, 2, 3]
