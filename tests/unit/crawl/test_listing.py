import pytest

from curation.crawl.listing import (
    UNKNOWN_BYTES,
    WarcFile,
    chunk_id,
    group,
    list_warcs,
    state_after,
)
from curation.errors import InputError


def _files(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    return [str(folder / name) for name in names]


def test_files_are_listed_sorted_and_once_however_often_they_match(tmp_path):
    b, a, deep = _files(tmp_path, "b.warc.gz", "a.warc.gz", "x/y/c.warc.gz")
    _files(tmp_path, "a.txt")
    listed = list_warcs([f"{tmp_path}/**/*.warc.gz", b, f"{tmp_path}/[ab].warc.gz"])
    assert listed == [WarcFile(a, 5), WarcFile(b, 5), WarcFile(deep, 5)]


def test_relative_paths_become_absolute_and_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    (path,) = _files(tmp_path, "a.warc")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("a.warc", "~/a.warc", f"file://{path}"):
        assert list_warcs([name]) == [WarcFile(path, 5)]


def test_a_file_whose_name_looks_like_a_pattern_is_taken_as_it_is(tmp_path):
    (path,) = _files(tmp_path, "crawl[1].warc")
    assert [file.path for file in list_warcs([path])] == [path]


def test_an_empty_file_is_listed(tmp_path):
    path = tmp_path / "empty.warc.gz"
    path.touch()
    assert list_warcs([str(path)]) == [WarcFile(str(path), 0)]


@pytest.mark.parametrize("name", ["absent.warc", "*.warc", "a**.warc"])
def test_a_pattern_without_a_file_is_an_error_that_names_it(tmp_path, name):
    (tmp_path / "folder.warc.d").mkdir()
    with pytest.raises(InputError, match="input") as caught:
        list_warcs([f"{tmp_path}/{name}"])
    assert f"{tmp_path}/{name}" in str(caught.value)


def test_a_folder_is_an_error_that_suggests_a_pattern(tmp_path):
    with pytest.raises(InputError) as caught:
        list_warcs([f"{tmp_path}/"])
    assert f"{tmp_path}/**/*.warc.gz" in str(caught.value)


def test_addresses_are_listed_beside_paths_with_no_size_yet(tmp_path):
    (path,) = _files(tmp_path, "a.warc")
    urls = ["https://a.org/x.warc.gz?v=[1]", "s3://crawls/x.warc.gz"]
    listed = list_warcs([urls[1], urls[0], path, urls[0]])
    assert listed == [
        WarcFile(path, 5), WarcFile(urls[0], UNKNOWN_BYTES), WarcFile(urls[1], UNKNOWN_BYTES)
    ]  # fmt: skip


@pytest.mark.parametrize("address", ["https://a.org/*.warc.gz", "s3://crawls/folder/"])
def test_an_address_names_one_file(address):
    with pytest.raises(InputError, match=r"names one file.*crawl_id"):
        list_warcs([address])


def test_a_retry_changes_what_decides_the_rows_of_a_file():
    assert WarcFile("/a", 5).identity == ["/a", 5]
    assert WarcFile("/a", 5, 2).identity == ["/a", 5, 2]


def test_a_file_is_dead_after_its_last_try():
    states = [state_after(WarcFile("/a", 5, n), "broken", dead_after=3) for n in range(4)]
    assert states == ["failed", "failed", "dead", "dead"]
    assert state_after(WarcFile("/a", 5, 9), None, dead_after=3) == "committed"


def test_files_are_grouped_in_order_and_the_last_group_may_be_smaller():
    a, b, c = (WarcFile(name, 1) for name in "abc")
    assert group([a, b, c], 2) == [(a, b), (c,)]
    assert group([], 2) == []
    with pytest.raises(ValueError, match="n=0"):
        group([a], 0)


def test_a_chunk_id_depends_on_crawl_and_paths_alone():
    a, b = WarcFile("/a", 1), WarcFile("/b", 2)
    name = chunk_id("x", [a, b])
    assert name[0] == "c"
    assert len(name) == 11
    assert int(name[1:], 16) >= 0
    assert name == chunk_id("x", [b, WarcFile("/a", 9)])
    assert name != chunk_id("x", [a])
    assert name != chunk_id("y", [a, b])
