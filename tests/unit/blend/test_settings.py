"""What a `blend:` section may say, and which sources and sizes follow from it."""

import re

import duckdb
import pytest

from curation.blend.sources import identity, source_sql
from curation.config import BlendConfig, RunConfig, load_config
from curation.errors import ConfigError


def loaded(tmp_path, section):
    path = tmp_path / "run.yaml"
    path.write_text(f"blend: {{{section}}}", encoding="utf-8")
    return load_config(str(path)).blend


@pytest.mark.parametrize(
    ("section", "method"),
    [
        ("", "natural"),
        ("weights: {}", "natural"),
        ("weights: {high: 1.0}", "weights"),
        ("epochs: {high: 2}", "epochs"),
        ("temperature: 1.3", "temperature"),
        ("method: unimax, total_words: 10", "unimax"),
        ("method: weights, weights: {high: 1.0}", "weights"),
    ],
)
def test_a_method_that_is_not_named_follows_from_its_setting(tmp_path, section, method):
    assert loaded(tmp_path, section).method == method


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ("method: natural, weights: {high: 1.0}", "weights: without effect under method natural"),
        ("method: unimax, total_words: 9, epochs: {high: 2}", "epochs: without effect .* unimax"),
        ("weights: {high: 1.0}, temperature: 1.3", "temperature: without effect .* weights"),
        ("method: weights", "method weights needs `weights`"),
        ("method: epochs", "method epochs needs `epochs`"),
        ("method: temperature", "method temperature needs `temperature`"),
        ("method: unimax", "unimax needs `total_words`"),
        ("method: uniform", "method.*'natural', 'weights', 'epochs', 'temperature' or 'unimax'"),
        ("epochs: {high: 2}, total_words: 9", "total_words: without effect under method epochs"),
        ("temperature: 0.77", "at least 1, found 0.77.*large sources would gain, not small ones"),
        ("temperature: 0", "at least 1, found 0"),
        ("temperature: .inf", "must be finite.*found inf"),
        ("min_source_frac: 1.5", "min_source_frac.*≤ 1"),
        ("sources: [quality, domain, speech]", "at most 2"),
        ("sources: [quality, quality]", "an attribute counts once"),
        ("sources: [colour]", "colour"),
        ("sources: [toxicity]", r"need two, ascending, as in \[0.2, 0.6\], found \[\]"),
        ("sources: toxicity, toxicity_cuts: [0.6, 0.2]", r"ascending.*found \[0.6, 0.2\]"),
        ("sources: quality, toxicity_cuts: [0.2, 0.6]", "sources has no toxicity"),
        ("select: {frac: 0.5}", "give `target` or `target_files`, one of them"),
        ("select: {target: 'true', target_files: [a], frac: 0.5}", "one of them"),
        ("select: {target: 'true'}", "give `frac` or `n`, one of them"),
        ("select: {target: 'true', frac: 0.5, n: 3}", "give `frac` or `n`, one of them"),
        ("select: {target: 'true', n: 3, quotas: {high: 1}}", "quotas: .*without effect with `n`"),
        ("select: {target: 'true', frac: 1, temperature: 2}", "without effect under score raw"),
        ("select: {target: 'true', frac: 1.5}", "frac.*less than or equal to 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_by_name(tmp_path, section, fault):
    with pytest.raises(ConfigError, match=fault):
        loaded(tmp_path, section)


@pytest.mark.parametrize("section", ["a.jsonl", "[a.jsonl]", "{common-crawl: a.jsonl}"])
def test_published_files_without_a_name_are_of_common_crawl(tmp_path, section):
    assert loaded(tmp_path, f"published: {section}").published == {"common-crawl": ("a.jsonl",)}


def test_one_source_needs_no_list(tmp_path):
    assert loaded(tmp_path, "sources: quality").sources == ("quality",)


def named(conf, **text):
    """The source of a text whose columns are `text`, in DuckDB, which knows the same functions."""
    columns = ", ".join(f"{value!r} AS {name}" for name, value in text.items())
    sql = re.sub(r"(0\.\d+)D", r"\1", source_sql(conf))
    sql = sql.replace("AS string", "AS varchar").replace("`", '"')
    return duckdb.sql(f"SELECT {sql} FROM (SELECT {columns})").fetchone()[0]


def test_by_default_a_source_is_quality_kind_and_kind2():
    text = {"quality": "high", "kind": "synthetic", "kind2": "distill"}
    assert named(BlendConfig(), **text) == "high/synthetic/distill"


@pytest.mark.parametrize(
    ("toxicity", "level"), [(0.0, "low"), (0.2, "medium"), (0.6, "high"), (1.0, "high")]
)
def test_toxicity_is_cut_at_what_the_settings_say(toxicity, level):
    conf = BlendConfig(sources=("quality", "toxicity"), toxicity_cuts=(0.2, 0.6))
    assert named(conf, quality="low", toxicity=toxicity) == f"quality=low,toxicity={level}"


def run(**sections):
    return RunConfig.model_validate(sections)


ONE_MEMBER = {"members": {"a": {"kind": "fasttext", "model": "shipped"}}}


def test_an_attribute_that_no_model_gives_is_refused_before_anything_runs():
    with pytest.raises(ConfigError, match=r"blend\.sources: score\.members gives no domain"):
        identity(run(score=ONE_MEMBER, blend={"sources": ["quality", "domain"]}))


@pytest.mark.parametrize("attribute", ["domain", "speech", "language", "crawl"])
def test_attributes_that_the_shipped_models_give_or_that_need_none_are_taken(attribute):
    assert identity(run(blend={"sources": [attribute]})) == {}
    assert identity(run(score=ONE_MEMBER, blend={"sources": ["kind2"]})) == {}
