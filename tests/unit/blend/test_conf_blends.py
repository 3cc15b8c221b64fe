"""The blends of the papers as files: every one loads, and says what the specs say."""

from pathlib import Path

import pytest

from curation.config import load_config
from curation.errors import ConfigError
from models.recipes.blends import GENERAL, general_blend

BLENDS = sorted(Path("conf/blends").glob("*.yaml"))
ONE_T = {"books-and-patents": 0.09, "papers": 0.09, "code": 0.05, "conversational": 0.03,
         "wikipedia": 0.01}  # fmt: skip
REUSE = {"reuse-pretraining": "pretraining", "reuse-reweight-domains": "reweight_domains",
         "reuse-pretraining-hq-web": "pretraining_hq_web", "reuse-no-web": "no_web",
         "reuse-general": GENERAL}  # fmt: skip
"""Files, and the blends of `models/recipes/reuse_blends.yaml` that they are."""


def loaded(name, **settings):
    told = {f"blend.{key}": value for key, value in settings.items()}
    return load_config("conf/demo.yaml", {"blend": f"conf/blends/{name}.yaml", **told}).blend


def by_corpus(name):
    """Share of each corpus."""
    shares = {}
    for source, weight in loaded(name).weights.items():
        corpus = source.split(",")[0].removeprefix("corpus=")
        shares[corpus] = shares.get(corpus, 0.0) + weight
    return shares


@pytest.mark.parametrize("path", BLENDS, ids=lambda path: path.stem)
def test_every_blend_takes_the_place_of_the_section_of_a_run(path):
    blend = loaded(path.stem, total_words=1_000)
    assert (blend.method, blend.total_words, blend.epochs) == ("weights", 1_000, {})
    assert sum(blend.weights.values()) == pytest.approx(1.0, abs=1e-7)


def test_the_blend_of_1t_is_that_of_the_paper():
    assert by_corpus("nemotron-cc-1t") == pytest.approx({"common-crawl": 0.73, **ONE_T})


@pytest.mark.parametrize(("phase", "share"), [(1, 0.59), (2, 0.31)])
def test_both_phases_have_the_papers_share_and_the_rest_as_in_1t(phase, share):
    rest = {name: (1 - share) * part / 0.27 for name, part in ONE_T.items()}
    expected = pytest.approx({"common-crawl": share, **rest}, abs=1e-8)
    assert by_corpus(f"nemotron-cc-15t-phase{phase}") == expected


def test_the_phases_leave_out_what_the_paper_leaves_out():
    first, second = (loaded(f"nemotron-cc-15t-phase{n}").weights for n in (1, 2))
    assert [first[f"corpus=common-crawl,quality={q}"] for q in ("low", "medium-low")] == [0, 0]
    assert second["corpus=common-crawl,quality=high"] == 0.31
    assert "corpus=common-crawl" not in second


def test_minds_blend_is_that_of_the_spec():
    assert by_corpus("mind") == {"mind": 0.33, "common-crawl": 0.66, "code": 0.01}


def reuse(blend):
    """Shares of a blend of the recipe by corpus; its web is Common Crawl."""
    named = {"web": "common-crawl", "hq_web": "common-crawl"}
    return {named.get(name, name): share for name, share in general_blend(blend).items()}


@pytest.mark.parametrize(("name", "blend"), REUSE.items())
def test_the_five_blends_of_reuse_are_those_of_the_recipe(name, blend):
    assert by_corpus(name) == pytest.approx(reuse(blend), abs=1e-8)
    takes_high = "corpus=common-crawl,quality=high" in loaded(name).weights
    assert takes_high == ("hq_web" in general_blend(blend))


def test_the_second_blend_of_reuse_is_nine_tenths_of_the_first():
    asked = {name: 0.9 * part for name, part in reuse(GENERAL).items()} | {"qa": 0.1}
    assert by_corpus("reuse-qa") == pytest.approx(asked, abs=1e-8)


def test_a_section_that_is_no_file_is_told():
    with pytest.raises(ConfigError, match=r"conf/nowhere\.yaml: no such"):
        load_config("conf/demo.yaml", {"blend": "conf/nowhere.yaml"})
    with pytest.raises(ConfigError, match=r"unknown key `blend\.weigths`; did you mean `weights`"):
        load_config("conf/demo.yaml", {"blend.weigths": {}})
