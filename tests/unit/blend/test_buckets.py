"""Spec: mind_data_reuse.md, part 2.6."""

import duckdb
import pytest

from curation.blend.buckets import bucket_key, bucket_keys, bucket_sql
from curation.errors import ConfigError, InputError


def test_a_bucket_is_named_by_attribute_and_value():
    assert bucket_key({"quality": "High"}) == "quality=High"
    assert bucket_key({"quality": "High", "domain": "Arts & Entertainment"}) == (
        "quality=High,domain=Arts & Entertainment"
    )
    assert bucket_key({"score": 19}) == "score=19"


def test_nothing_and_an_empty_text_are_one_bucket():
    assert bucket_key({"domain": None}) == bucket_key({"domain": ""}) == "domain="


def test_different_values_never_share_a_name():
    values = ["x", "x,b=y", "x%2Cb%3Dy", "x%2Cb=y", "", ",", "=", "%", "%25"]
    keys = {bucket_key({"a": one, "b": two}) for one in values for two in values}
    assert len(keys) == len(values) ** 2
    assert bucket_key({"a": "x,b=y%", "b": "z"}) == "a=x%2Cb%3Dy%25,b=z"


def test_columns_give_a_key_a_row():
    columns = {"quality": ["High", None], "domain": ["News", "Law"]}
    assert bucket_keys(columns) == ["quality=High,domain=News", "quality=,domain=Law"]
    assert bucket_keys({"quality": []}) == []


@pytest.mark.parametrize("value", [True, 0.5, b"x"])
def test_other_values_are_refused(value):
    with pytest.raises(InputError, match=r"'quality'.*text or whole numbers"):
        bucket_key({"quality": value})


@pytest.mark.parametrize("attributes", [[], ["a", "b", "c"], ["a", "a"], ["a=b"], [""], ["a,b"]])
def test_other_attributes_are_refused(attributes):
    with pytest.raises(ConfigError, match="buckets"):
        bucket_sql(attributes)
    if len(attributes) == len(set(attributes)):
        with pytest.raises(ConfigError, match="buckets"):
            bucket_key(dict.fromkeys(attributes, "x"))
        with pytest.raises(ConfigError, match="buckets"):
            bucket_keys({name: [] for name in attributes})


def test_columns_must_be_of_one_length():
    with pytest.raises(InputError, match=r"\{'a': 1, 'b': 2\}"):
        bucket_keys({"a": ["x"], "b": ["x", "y"]})


ESCAPED = (
    "replace(replace(replace(coalesce(cast({} AS string), ''), '%', '%25'), ',', '%2C'), "
    "'=', '%3D')"
)


def test_the_sql_writes_the_same_name():
    assert bucket_sql(["quality"]) == f"concat('quality=', {ESCAPED.format('`quality`')})"


def test_a_cross_in_sql_has_a_comma_and_may_name_other_columns():
    sql = bucket_sql(["quality", "domain"], columns={"domain": "labels.domain"})
    first, second = ESCAPED.format("`quality`"), ESCAPED.format("labels.domain")
    assert sql == f"concat('quality=', {first}, ',', 'domain=', {second})"
    with pytest.raises(ConfigError, match="speech"):
        bucket_sql(["quality"], columns={"speech": "x"})


def test_names_and_values_cannot_break_out_of_the_sql():
    assert bucket_sql(["it's `x`"]).startswith("concat('it\\'s `x`=', ")
    assert "cast(`it's ``x``` AS string)" in bucket_sql(["it's `x`"])


def test_an_engine_that_runs_the_sql_gives_what_python_gives():
    # DuckDB reads the same SQL, but for backticks and backslashes, which are not in it here.
    values = ["High", "x,b=y%2C", "", None, "it is\nso", "é"]
    rows = [(one, two) for one in values for two in values]
    keys = bucket_keys({"a": [one for one, _ in rows], "b": [two for _, two in rows]})
    key_sql = bucket_sql(["a", "b"], columns={"a": "a", "b": "b"})
    with duckdb.connect() as engine:
        engine.execute("CREATE TABLE t (n int, a string, b string)")
        engine.executemany(
            "INSERT INTO t VALUES (?, ?, ?)", [(n, *row) for n, row in enumerate(rows)]
        )
        found = engine.execute(f"SELECT {key_sql} FROM t ORDER BY n").fetchall()
    assert found == [(key,) for key in keys]
