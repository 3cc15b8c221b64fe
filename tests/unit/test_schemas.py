import pyarrow as pa
import pytest

from curation.errors import SchemaMismatch
from curation.schemas import TABLES, Table, column, optional

TABLE = Table(
    "things",
    "Things.",
    pa.schema([column("a", pa.int32(), "An a"), optional("b", pa.string(), "A b; null: none")]),
    key=("a",),
)


def batch(**columns):
    return pa.RecordBatch.from_pydict(columns)


def test_columns_are_put_in_order_by_name():
    found = TABLE.conform(batch(b=pa.array(["x"]), a=pa.array([1], pa.int32())))
    assert found.schema.names == ["a", "b"]
    assert found.to_pylist() == [{"a": 1, "b": "x"}]


def test_a_missing_column_is_named():
    with pytest.raises(SchemaMismatch, match=r"things: missing columns \['b'\]"):
        TABLE.conform(batch(a=pa.array([1], pa.int32())))


def test_an_unexpected_column_is_named():
    with pytest.raises(SchemaMismatch, match=r"unexpected columns \['c'\]"):
        TABLE.conform(batch(a=pa.array([1], pa.int32()), b=pa.array(["x"]), c=pa.array([1])))


def test_another_type_is_named_with_both_types():
    with pytest.raises(SchemaMismatch, match=r"things\.a: found type int64, expected int32"):
        TABLE.conform(batch(a=pa.array([1]), b=pa.array(["x"])))


def test_nulls_are_refused_where_there_must_be_none_and_taken_where_they_mean_something():
    with pytest.raises(SchemaMismatch, match=r"things\.a: 1 nulls"):
        TABLE.conform(batch(a=pa.array([None], pa.int32()), b=pa.array(["x"])))
    rows = TABLE.conform(batch(a=pa.array([1], pa.int32()), b=pa.array([None], pa.string())))
    assert rows["b"].to_pylist() == [None]


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_every_table_documents_its_columns_and_has_its_keys(table):
    names = table.columns.names
    assert {*table.key, *table.partition_by} <= set(names)
    assert all(field.metadata[b"comment"] for field in table.columns)
    assert len(set(names)) == len(names)
