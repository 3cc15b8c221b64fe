import pyarrow as pa
import pytest

from curation.errors import InputError, SchemaMismatch
from curation.schemas import Table, column, optional
from curation.spark.batches import map_batches
from curation.spark.funnel import account
from curation.spark.tables import Store, Txn

pytestmark = pytest.mark.spark

THINGS = Table(
    "things",
    "Things.",
    pa.schema([
        column("name", pa.string(), "Name"),
        column("size", pa.int32(), "Size"),
        optional("note", pa.string(), "Note; null: none"),
    ]),
    key=("name",),
    partition_by=("name",),
)  # fmt: skip


@pytest.fixture
def store(spark, tmp_path):
    store = Store(spark, str(tmp_path))
    store.create(THINGS)
    return store


def rows(store):
    return {row["name"]: row["size"] for row in store.read(THINGS).collect()}


def test_a_write_with_a_mark_that_the_table_bears_is_skipped(store):
    for size in (1, 2):
        store.append(store.make([("a", size, None)], THINGS), THINGS, Txn("app", 1))
    assert rows(store) == {"a": 1}


def test_replacing_leaves_other_rows_alone_and_empties_what_has_no_rows(store):
    both = store.make([("a", 1, None), ("b", 2, "n")], THINGS)
    store.replace(both, THINGS, Txn("app", 1), where="")
    store.replace(both.where("false"), THINGS, Txn("app", 2), where="name = 'a'")
    assert rows(store) == {"b": 2}


def test_a_table_of_an_older_version_gets_the_columns_that_it_lacks(store):
    store.append(store.make([("a", 1, None)], THINGS), THINGS, Txn("app", 1))
    fields = [*THINGS.columns, column("colour", pa.string(), "Colour")]
    newer = Table("things", "Things.", pa.schema(fields), key=("name",), partition_by=("name",))
    for _ in range(2):
        store.create(newer)
    store.append(store.make([("b", 2, None, "red")], newer), newer, Txn("app", 2))
    found = {row["name"]: row["colour"] for row in store.read(newer).collect()}
    assert found == {"a": None, "b": "red"}


def test_a_missing_table_is_an_input_error(store):
    with pytest.raises(InputError, match="things: nothing at"):
        Store(store.spark, f"{store.root}/other").read(THINGS)


def test_a_damaged_table_is_an_input_error_of_one_line(spark, tmp_path):
    log = tmp_path / "things" / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text("{not json")
    with pytest.raises(InputError, match=r"things at .* cannot be read: ") as caught:
        Store(spark, str(tmp_path)).read(THINGS)
    assert len(str(caught.value).splitlines()) == 1


def test_columns_of_a_python_kernel_bind_by_name(store):
    def doubled(batch):  # here, not in the module: workers cannot import tests
        yield pa.RecordBatch.from_pydict({
            "note": pa.nulls(batch.num_rows, pa.string()),
            "size": pa.array([2 * size for size in batch["size"].to_pylist()], pa.int32()),
            "name": batch["name"],
        })  # fmt: skip

    df = store.make([("a", 1, None), ("b", 2, None)], THINGS)
    made = map_batches(df, lambda: doubled, THINGS)
    assert {row["name"]: row["size"] for row in made.collect()} == {"a": 2, "b": 4}


def test_a_kernel_that_forgets_a_column_fails_by_its_name(store):
    df = store.make([("a", 1, None)], THINGS)
    made = map_batches(df, lambda: lambda batch: [batch.select(["name", "size"])], THINGS)
    with pytest.raises(
        Exception, match=r"SchemaMismatch: table things: missing columns \['note'\]"
    ) as caught:
        made.collect()
    assert SchemaMismatch.__name__ in str(caught.value)


def test_an_account_counts_outcomes_and_names_the_rows_it_misses(spark):
    inputs = spark.createDataFrame([("a",), ("b",), ("c",)], "id string")
    outcomes = spark.createDataFrame(
        [("a", None, 5), ("b", "dull", 3)], "id string, reason string, tokens int"
    )
    found = account(inputs, outcomes, "id")
    assert (found.rows_in, found.rows_out, found.reasons, found.tokens) == (3, 1, {"dull": 1}, 5)
    assert found.culprits() == ["c (in 1, out 0)"]


def test_an_account_of_nothing_is_empty(spark):
    inputs = spark.createDataFrame([], "id string")
    outcomes = spark.createDataFrame([], "id string, reason string, tokens int")
    found = account(inputs, outcomes, "id")
    assert (found.rows_in, found.rows_out, found.reasons) == (0, 0, {})
