"""Spec: mind_data_reuse.md, parts 3.1 to 3.3."""

import math

import pytest
import yaml

from curation.config import RunConfig
from curation.errors import ConfigError
from models.recipes.blends import general_blend, main, qa_shares, scaled, sizes
from models.recipes.continued import Plan

ROWS = """
web           46.5 53.2  0    0    0
hq_web        0    0    46.6  0   12.0
books         3.2  3.6  3.2  12.9 10.7
news          4.7  5.3  4.7  4.8  4.0
papers        3.3  3.7  3.3  16.2 13.4
encyclopedia  1.5  1.7  1.5  11.0 9.1
legal         0.9  1.0  0.9  2.2  1.8
finance       1.0  1.2  1.0  4.8  4.0
misc          8.9  10.3 8.9  18.1 14.9
multilingual  15   5    15   15   15
code          15   15   15   15   15
"""
NAMES = ("pretraining", "reweight_domains", "pretraining_hq_web", "no_web",
         "upweight_non_web_hq_web")  # fmt: skip
QA_ROWS = """
qa_chat 9.1 7.8 9.2
qa_reasoning 35.9 31.2 32.8
qa_stem 4.7 11.3 10.9
qa_code 7.9 6.8 6.5
qa_world 42.5 42.8 40.6
"""


def _columns(text, names):
    rows = [line.split() for line in text.strip().splitlines()]
    return {
        name: {row[0]: float(row[k + 1]) for row in rows if float(row[k + 1])}
        for k, name in enumerate(names)
    }


@pytest.mark.parametrize(("name", "percent"), _columns(ROWS, NAMES).items())
def test_the_general_blends_are_those_of_the_spec(name, percent):
    shares = general_blend(name)
    assert math.fsum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    assert shares.keys() == percent.keys()
    # Rounded columns sum to 99.9 to 100.1.
    assert all(100 * shares[source] == pytest.approx(p, abs=0.06) for source, p in percent.items())


@pytest.mark.parametrize(
    ("name", "percent"), _columns(QA_ROWS, ("qa_1", "qa_2", "qa_3")).items()
)  # fmt: skip
def test_the_qa_blends_are_those_of_the_spec(name, percent):
    shares = qa_shares(name)
    assert math.fsum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    assert shares.keys() == percent.keys()
    assert all(100 * shares[source] == pytest.approx(p, abs=0.06) for source, p in percent.items())


def test_the_recipes_blends_are_the_ones_taken_where_none_is_named():
    assert general_blend() == general_blend("upweight_non_web_hq_web")
    assert qa_shares() == qa_shares("qa_3")


def test_the_sizes_are_those_of_tables_1_and_2():
    billions = {name: size / 1e9 for name, size in sizes().items()}
    general = sum(size for name, size in billions.items() if not name.startswith("qa_"))
    assert general == pytest.approx(8508)
    assert sum(billions.values()) - general == pytest.approx(2.81)


def test_300b_are_read_as_the_spec_works_out():
    read = scaled(general_blend(), qa_shares(), Plan(4.5e-5, 300e9), available=sizes())
    first = sum(tokens.general_phase for tokens in read.values())
    second = sum(tokens.qa_phase for tokens in read.values())
    assert (round(first / 1e9, 1), round(second / 1e9, 1)) == (213.4, 86.6)
    qa = [tokens for name, tokens in read.items() if name.startswith("qa_")]
    assert sum(tokens.general_phase for tokens in qa) == 0
    assert round(sum(tokens.qa_phase for tokens in qa) / 1e9, 1) == 8.7
    # 3.08 passes over the pool of 2.81 billion, which the third blend takes nearly as it is.
    assert round(sum(tokens.qa_phase for tokens in qa) / 2.81e9, 2) == 3.08
    assert all(tokens.epochs == pytest.approx(3.08, abs=0.13) for tokens in qa)
    assert read["hq_web"].epochs is None
    # 9.1 % of 213.4 and 8.19 % of 86.6 billion, of 31.
    assert read["encyclopedia"].epochs == pytest.approx((19.42 + 7.09) / 31, abs=0.005)


def test_the_command_prints_a_section_that_loads_and_warns_of_repeats(capsys):
    main(["--tokens", "1e12"])
    text = capsys.readouterr().out
    conf = RunConfig.model_validate(yaml.safe_load(text)).train
    assert (conf.schedule, conf.warmup_steps, conf.final_frac) == ("continued", 0, 0.01)
    assert (conf.general, conf.qa) == (general_blend(), qa_shares())
    # Spec: 10.3 passes at a trillion.
    warned = [line for line in text.splitlines() if line.endswith("more than 4")]
    assert len(warned) == 5
    assert all(line.startswith("# qa_") for line in warned)


def test_an_unknown_blend_is_refused_with_those_there_are(capsys):
    with pytest.raises(ConfigError, match="no such blend; there are pretraining, reweight"):
        general_blend("best")
    with pytest.raises(SystemExit, match="2"):
        main(["--qa", "qa_4", "--tokens", "1e9"])
    assert "--qa qa_4: no such blend; there are qa_1, qa_2, qa_3" in capsys.readouterr().err
