"""The one door from Spark to Python: kernels over Arrow batches, checked by name and type."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import (
    ArrayType,
    BooleanType,
    DataType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from curation.errors import SchemaMismatch
from curation.schemas import Table

Kernel = Callable[[pa.RecordBatch], Iterable[pa.RecordBatch]]
PartitionKernel = Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]

_SIMPLE: dict[pa.DataType, DataType] = {
    pa.string(): StringType(),
    pa.int32(): IntegerType(),
    pa.int64(): LongType(),
    pa.float32(): FloatType(),
    pa.float64(): DoubleType(),
    pa.bool_(): BooleanType(),
    pa.timestamp("us", tz="UTC"): TimestampType(),
}


def map_batches(df: DataFrame, make_kernel: Callable[[], Kernel], table: Table) -> DataFrame:
    """Rows of `table` that a kernel makes of the batches of `df`.

    Args:
        df: Input; select the columns that the kernel reads, in any order.
        make_kernel: Called once a task, on the executor: models are loaded here.
        table: What the kernel returns; every batch is checked against it.

    A kernel takes one batch and yields any number. Batches without rows are not shown to it.
    """

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        kernel = make_kernel()
        for batch in batches:
            yield from kernel(batch)

    return map_partitions(df, run, table)


def map_partitions(df: DataFrame, run: PartitionKernel, table: Table) -> DataFrame:
    """Rows of `table` that `run` makes of a whole partition of `df`, batch by batch."""

    def checked(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for result in run(batch for batch in batches if batch.num_rows):
            yield table.conform(result)

    return df.mapInArrow(checked, spark_schema(table))


def spark_schema(table: Table, *, nullable: bool = False) -> StructType:
    """Spark's form of the table's columns, with their comments.

    Args:
        table: The table.
        nullable: Take nulls anywhere, for rows whose nulls are checked when they are written.
    """
    return StructType([_field(field, nullable) for field in table.columns])


def _field(field: pa.Field[Any], nullable: bool) -> StructField:
    comment = (field.metadata or {}).get(b"comment", b"").decode()
    metadata = {"comment": comment} if comment else {}
    type_ = _type(field.type, nullable)
    return StructField(field.name, type_, nullable or field.nullable, metadata)


def _type(type_: pa.DataType, nullable: bool) -> DataType:
    if pa.types.is_list(type_):
        element = _type(type_.value_type, nullable)
        return ArrayType(element, nullable or type_.value_field.nullable)
    if pa.types.is_map(type_):
        return MapType(_type(type_.key_type, nullable), _type(type_.item_type, nullable), True)
    if type_ not in _SIMPLE:
        raise SchemaMismatch(f"no Spark type is agreed for Arrow's {type_}")
    return _SIMPLE[type_]


def not_broadcast(df: DataFrame) -> DataFrame:
    """`df`, joined by sorting, which spills, whatever size Spark takes it for.

    For rows that `explode` or a kernel made of fewer: Spark believes that there are no more of them
    than before, and would broadcast to every executor what does not fit into one.
    """
    return df.hint("merge")
