import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.errors import ConfigError, InputError
from models.classifiers.annotation.answers import ANSWERS, Answer, AnswerFile
from models.classifiers.annotation.settings import load_settings
from models.classifiers.annotation.texts import load_texts

ROWS = [{"id": "a", "text": "first", "more": 1}, {"id": 7, "text": "se\nzwölf"}]
LINES = "".join(f"{json.dumps(row)}\n" for row in ROWS).encode()


def answer(request_id, raw="Answer: 3"):
    return Answer(request_id, "edu", "v", "m", "s", 1, 1, "h", raw, "3", None, None, 10, 2, 0.5)


@pytest.mark.parametrize("name", ["t.jsonl", "t.jsonl.gz", "t.jsonl.zst", "t.parquet"])
def test_texts_of_every_kind_of_file(tmp_path, name):
    file = tmp_path / name
    if name.endswith(".parquet"):
        pq.write_table(pa.table({"id": ["a", "7"], "text": ["first", "se\nzwölf"]}), file)
    elif name.endswith(".zst"):
        with pa.output_stream(str(file), compression="zstd") as stream:
            stream.write(LINES)
    else:
        file.write_bytes(gzip.compress(LINES) if name.endswith(".gz") else LINES)
    assert load_texts(file, max_chars=5) == {"a": "first", "7": "se\nzw"}
    assert load_texts(file, max_chars=5, start=1, count=1) == {"7": "se\nzw"}


def test_half_a_surrogate_pair_is_replaced(tmp_path):
    file = tmp_path / "t.jsonl"
    file.write_text('{"id": "a", "text": "x\\ud800y"}\n')
    assert load_texts(file, max_chars=9) == {"a": "x?y"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"id": "a"}\n', "line 1: needs"),
        (b'{"id": "a", "text": null}\n', "line 1: needs"),
        (b"[1]\n", "line 1: needs"),
        (LINES + b'{"id": "7", "text": ""}\n', "line 3: another row has the id 7"),
        (LINES + b"{\n", "line 3"),
        (b'{"id": "a", "text": "\xff"}\n', "not readable"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, content, said):
    file = tmp_path / "t.jsonl"
    file.write_bytes(content)
    with pytest.raises(InputError, match=said):
        load_texts(file, max_chars=9)


def test_files_that_are_missing_or_of_another_kind_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        load_texts(tmp_path / "t.jsonl", max_chars=9)
    for name in ("t.parquet", "t.jsonl.gz", "t.jsonl.zst"):
        (tmp_path / name).write_bytes(LINES)
        with pytest.raises(InputError, match="not readable"):
            load_texts(tmp_path / name, max_chars=9)
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "t.parquet")
    with pytest.raises(InputError):
        load_texts(tmp_path / "t.parquet", max_chars=9)


def test_answers_come_back_and_a_torn_last_line_is_cut_off(tmp_path):
    AnswerFile(tmp_path).append([answer("r1"), answer("r2", "Ünicode\nline")])
    file = tmp_path / ANSWERS
    whole = file.read_bytes()
    assert whole.count(b"\n") == 2
    for n_left in range(1, len(whole.splitlines()[1]) + 1):
        file.write_bytes(whole[: len(whole) - n_left])
        assert list(AnswerFile(tmp_path).by_request) == ["r1"]
        assert file.read_bytes() == whole.splitlines(keepends=True)[0]
    kept = AnswerFile(tmp_path)
    kept.append([answer("r2", "Ünicode\nline")])
    assert file.read_bytes() == whole
    assert kept.by_request["r2"].raw == ""
    assert json.loads(whole.splitlines()[1])["raw"] == "Ünicode\nline"


def test_a_broken_line_in_the_middle_is_an_error_and_nothing_is_cut(tmp_path):
    AnswerFile(tmp_path).append([answer("r1"), answer("r2")])
    file = tmp_path / ANSWERS
    content = b"{}\n" + file.read_bytes()
    file.write_bytes(content)
    with pytest.raises(InputError, match="line 1 is not an answer"):
        AnswerFile(tmp_path)
    assert file.read_bytes() == content


def test_settings_by_name_and_the_options_over_them():
    settings = load_settings({"passes": 3, "model": None}, ["passes=1", "max_text_chars=900"])
    assert (settings.passes, settings.max_text_chars, settings.model) == (3, 900, "smollm2-135m")


@pytest.mark.parametrize(
    ("named", "settings", "said"),
    [
        ({}, ["max_text_char=9"], "did you mean `max_text_chars`"),
        ({}, ["passes=0"], "`passes`: .* found 0"),
        ({}, ["top_p=2"], "`top_p`"),
        ({}, ["backend=gguf"], "`backend`"),
        ({}, ["passes"], "write it as"),
        ({"tries": 0}, [], "`tries`"),
    ],
)
def test_a_wrong_setting_is_named(named, settings, said):
    with pytest.raises(ConfigError, match=said):
        load_settings(named, settings)
