import json

import pytest
import yaml

pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from models.train.__main__ import main

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.fixture
def conf_file(tmp_path, toy_conf):
    path = tmp_path / "run.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "out": "elsewhere",
                "tokens": {"tokenizer": "toy", "sequence_length": 16},
                "train": toy_conf.model_dump(),
            }
        )
    )
    return str(path)


def test_the_command_trains_on_the_shards_of_the_run(
    tmp_path, conf_file, write_shards, toy_corpus, capsys
):
    write_shards(toy_corpus)
    main(["--conf", conf_file, "--set", "train.n_steps=3", "--out", str(tmp_path)])
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.startswith("3 steps, 192 tokens, loss ")
    lines = (tmp_path / "model" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3]


def test_an_error_is_one_line_and_exit_code_2(tmp_path, conf_file, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--conf", conf_file, "--out", str(tmp_path)])
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("curation: ")
    assert "manifest.json: no manifest here" in output.err
    assert output.err.count("\n") == 1


def test_an_unknown_setting_is_named(conf_file, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--conf", conf_file, "--set", "train.n_step=3"])
    assert "did you mean `n_steps`?" in capsys.readouterr().err
