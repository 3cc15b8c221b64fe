from pathlib import Path

import pytest

from curation.config import RunConfig, fingerprint, load_config, parse_override
from curation.errors import ConfigError

ROOT = Path(__file__).parents[2]


def written(tmp_path, text):
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("path", sorted((ROOT / "conf").glob("*.yaml")), ids=lambda p: p.name)
def test_every_shipped_configuration_loads(path):
    assert load_config(str(path)).crawl


def test_an_empty_file_is_the_defaults(tmp_path):
    assert load_config(written(tmp_path, "")) == RunConfig()


def test_a_misspelled_key_names_itself_and_its_neighbour(tmp_path):
    with pytest.raises(ConfigError, match=r"`dedup\.fuzy`; did you mean `fuzzy`\?"):
        load_config(written(tmp_path, "dedup: {fuzy: true}"))


def test_a_misspelled_section_names_its_neighbour(tmp_path):
    with pytest.raises(ConfigError, match=r"`extrct`; did you mean `extract`"):
        load_config(written(tmp_path, "extrct: {}"))


def test_a_key_like_no_other_lists_those_there_are(tmp_path):
    with pytest.raises(ConfigError, match="`zzzz`; known here: blend, crawl, dedup"):
        load_config(written(tmp_path, "zzzz: 1"))


def test_a_value_out_of_range_names_the_whole_range(tmp_path):
    with pytest.raises(ConfigError, match=r"min_language_score.*≥ 0 and ≤ 1.*found 3"):
        load_config(written(tmp_path, "score: {min_language_score: 3}"))


def test_a_wrong_choice_names_the_choices(tmp_path):
    with pytest.raises(ConfigError, match="'oldest', 'newest', 'longest'"):
        load_config(written(tmp_path, "dedup: {survivor: best}"))


@pytest.mark.parametrize("text", ["a: [1,", "- a list", "just words"])
def test_what_is_not_a_mapping_is_one_clear_error(tmp_path, text):
    with pytest.raises(ConfigError, match=r"run\.yaml: "):
        load_config(written(tmp_path, text))


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match=r"no-such\.yaml"):
        load_config("no-such.yaml")


def test_overrides_reach_into_sections_and_are_checked(tmp_path):
    path = written(tmp_path, "dedup: {survivor: newest}")
    assert load_config(path, {"dedup.survivor": "longest"}).dedup.survivor == ("longest",)
    with pytest.raises(ConfigError, match="survivr"):
        load_config(path, {"dedup.survivr": "longest"})


@pytest.mark.parametrize("n_heads", [3, 16])
def test_heads_that_do_not_divide_the_width_into_even_parts_are_refused(tmp_path, n_heads):
    path = written(tmp_path, f"train: {{hidden_size: 16, n_heads: {n_heads}}}")
    with pytest.raises(ConfigError, match=rf"`train`: hidden_size must .* found 16 and {n_heads}"):
        load_config(path)


def test_parts_of_a_batch_that_do_not_make_it_up_are_refused(tmp_path):
    path = written(tmp_path, "train: {batch_size: 4, micro_batch_size: 3}")
    with pytest.raises(ConfigError, match="micro_batch_size must divide batch_size, found 3 and 4"):
        load_config(path)


@pytest.mark.parametrize(
    ("blend", "fault"),
    [
        ("weights: {high: 0.5, low: 0.4}", r"sum to 1, found 0\.9"),
        ("weights: {high: 1.0}, epochs: {high: 2}", "not both"),
        ("epochs: {high: 99}", "max_epochs, 4, found 99"),
    ],
)
def test_a_blend_that_cannot_be_is_refused_before_anything_runs(tmp_path, blend, fault):
    with pytest.raises(ConfigError, match=fault):
        load_config(written(tmp_path, f"blend: {{{blend}}}"))


def test_keys_of_spark_keep_their_dots_and_numbers_become_text(tmp_path):
    loaded = load_config(
        written(tmp_path, "crawl: 2024"), {"spark.conf.a.x": 5, "spark.conf.b": True}
    )
    assert loaded.spark.conf == {"a.x": "5", "b": "true"}
    assert loaded.crawl == "2024"


def test_an_object_store_as_out_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="object-store addresses are not supported yet"):
        load_config(written(tmp_path, "out: s3a://bucket/run"))


def test_an_override_into_a_value_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"`crawl` is a value"):
        load_config(written(tmp_path, "crawl: x"), {"crawl.name": "y"})


def test_override_text_is_read_as_yaml():
    assert parse_override("dedup.fuzzy=false") == ("dedup.fuzzy", False)
    assert parse_override("score.languages=[en, de]") == ("score.languages", ["en", "de"])


@pytest.mark.parametrize("text", ["dedup.fuzzy", "=3", "a=[1"])
def test_malformed_overrides_are_refused(text):
    with pytest.raises(ConfigError, match="--set"):
        parse_override(text)


def test_the_fingerprint_changes_with_any_setting_and_with_nothing_else():
    base = RunConfig()
    other = base.model_copy(update={"dedup": base.dedup.model_copy(update={"fuzzy": False})})
    assert fingerprint(base) == fingerprint(RunConfig())
    assert fingerprint(base) != fingerprint(other)
    assert len(fingerprint(base)) == 12


def test_survivor_criteria_that_need_a_list_say_so(tmp_path):
    with pytest.raises(ConfigError, match="source needs survivor_sources"):
        load_config(written(tmp_path, "dedup: {survivor: [source, oldest]}"))
    with pytest.raises(ConfigError, match="at least one criterion"):
        load_config(written(tmp_path, "dedup: {survivor: []}"))
    with pytest.raises(ConfigError, match="needs fuzzy"):
        load_config(written(tmp_path, "dedup: {fuzzy: false, min_jaccard: 0.8}"))
