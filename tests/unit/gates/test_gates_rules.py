"""Gates in YAML: what they say in SQL, and what is refused."""

import duckdb
import pytest

from curation.errors import ConfigError
from curation.gates.rules import DEFAULT, NONE, gates


def rule(tmp_path, line):
    file = tmp_path / "gates.yaml"
    file.write_text(f"rules:\n  - {{{line}}}\n")
    (found,) = gates(str(file))
    return found


def fails(found, value, task="distill"):
    row = f"(SELECT {value} AS {found.signal}, '{task}' AS task)"
    return duckdb.sql(f"SELECT {found.fails} FROM {row}").fetchone()[0]


def test_a_bound_holds_both_ways_and_a_null_passes(tmp_path):
    found = rule(tmp_path, "reason: odd, signal: length_ratio, min: 0.2, max: 2")
    assert [fails(found, v) for v in ("0.1", "CAST(0.2 AS FLOAT)", "2", "2.1", "NULL")] == [
        True, False, False, True, False,
    ]  # fmt: skip


def test_a_gate_judges_the_prompts_that_it_names(tmp_path):
    only = rule(tmp_path, "reason: odd, signal: copied_frac, max: 0.5, tasks: [distill]")
    assert (fails(only, "0.9"), fails(only, "0.9", "wikipedia")) == (True, False)
    but = rule(tmp_path, "reason: odd, signal: copied_frac, max: 0.5, but: [distill]")
    assert (fails(but, "0.9"), fails(but, "0.9", "wikipedia")) == (False, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("reason: odd, signal: nothing, max: 1", "no column of numbers `nothing`"),
        ("reason: odd, signal: copied_frac", "neither `min` nor `max`"),
        ("reason: odd, signal: copied_frac, max: 1, tasks: [nope]", "no prompt is called nope"),
        ("reason: odd, signal: copied_frac, max: 1, tasks: [distill], but: [debate]", "beside"),
        ("reason: Odd One, signal: copied_frac, max: 1", "pattern"),
        ("reason: odd, signal: copied_frac, most: 1", "not permitted"),
    ],
)
def test_what_is_not_rightly_written_is_named(tmp_path, line, said):
    with pytest.raises(ConfigError, match=said):
        rule(tmp_path, line)


def test_the_shipped_gates_are_read_and_none_is_none():
    assert len(gates(DEFAULT)) > 10
    assert gates(NONE) == ()
    with pytest.raises(ConfigError, match="no file `gone"):
        gates("gone.yaml")
