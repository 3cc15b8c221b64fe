"""`spark.read.format("warc")`: WARC and ARC files as rows, for looking into them.

Register it once a session, `spark.dataSource.register(WarcDataSource)`; docs/records.md has an
example. The stages do not read through it: they need an account of every file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.types import BinaryType, StructField, StructType

from curation.crawl.listing import list_warcs
from curation.crawl.record import Item, WarcRecord
from curation.crawl.warc import read_records
from curation.errors import ConfigError
from curation.schemas import Table, column, optional
from curation.spark.batches import spark_schema

MAX_BATCH_ROWS = 1_000
MAX_BATCH_BYTES = 1 << 23
"""Bytes of payload in a batch after which it is handed on."""

_STRING, _LONG = pa.string(), pa.int64()

RECORDS = Table(
    name="warc",
    doc="One row a record, or a stretch of a file that cannot be read. Not a table of a run.",
    columns=pa.schema([
        column("warc_file", _STRING, "Path of the file"),
        column("offset", _LONG, "Byte offset of the record's (compressed) start in the file"),
        column("length", _LONG, "Bytes from there to the next record"),
        column("record_type", _STRING, "WARC-Type, lower-cased; empty for what cannot be read"),
        column("record_id", _STRING, "WARC-Record-ID without its brackets"),
        column("url", _STRING, "WARC-Target-URI"),
        optional("date", pa.timestamp("us", tz="UTC"), "WARC-Date; null where it cannot be read"),
        optional("http_status", pa.int32(), "HTTP status; null without an HTTP response"),
        column("http_headers", pa.map_(_STRING, _STRING), "HTTP fields by lower-cased name"),
        column("content_type", _STRING, "Media type of the payload, lower-cased"),
        optional("payload", pa.binary(), "Payload without codings; null with payload=false, and "
                 "for what cannot be read"),
        optional("error", _STRING, "What is wrong with the record; null: nothing"),
    ]),
    key=("warc_file", "offset", "record_id"),
)  # fmt: skip


@dataclass
class WarcFilePartition(InputPartition):
    """One file: a record cannot be found in the middle of one without reading what is before."""

    path: str


class WarcDataSource(DataSource):
    """The data source. Options: the paths or patterns to load, and `payload` (true or false)."""

    @classmethod
    def name(cls) -> str:
        return "warc"

    def schema(self) -> StructType:
        return _spark_schema()

    def reader(self, schema: StructType) -> DataSourceReader:
        """Reader of the files that `load(PATTERN)` or `load([PATTERN, ...])` names.

        Raises:
            ConfigError: no path is given, or `payload` is neither true nor false.
        """
        patterns = patterns_of(self.options)
        told = self.options.get("payload", "true").lower()
        if told not in ("true", "false"):
            raise ConfigError(f'format("warc"): option payload={told}; it is true or false')
        return WarcReader(patterns, with_payload=told == "true")


class WarcReader(DataSourceReader):
    """Reads one file a partition."""

    def __init__(self, patterns: Sequence[str], *, with_payload: bool) -> None:
        self._patterns = patterns
        self._with_payload = with_payload

    def partitions(self) -> Sequence[InputPartition]:
        return [WarcFilePartition(file.path) for file in list_warcs(self._patterns)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """RECORDS of one file, in file order, in batches of bounded size."""
        assert isinstance(partition, WarcFilePartition)
        rows = (self._row(partition.path, item) for item in read_records(partition.path))
        for batch in _batched(rows):
            yield pa.RecordBatch.from_pylist(batch, schema=_NULLABLE)

    def _row(self, path: str, item: Item) -> dict[str, Any]:
        place = {"warc_file": path, "offset": item.offset, "length": item.length}
        if not isinstance(item, WarcRecord):
            return place | _UNREAD | {"error": f"damaged: {item.detail}"}
        return place | {
            "record_type": item.record_type,
            "record_id": item.record_id,
            "url": item.url,
            "date": item.date,
            "http_status": item.http_status,
            "http_headers": list(item.http_headers.items()),
            "content_type": item.content_type,
            "payload": item.payload if self._with_payload else None,
            "error": f"{item.problem}: {item.detail}" if item.problem else None,
        }


def patterns_of(options: Mapping[str, str]) -> list[str]:
    """The paths and patterns that `load` was given.

    Spark passes a single one as the option `path`, and several as `paths`, a list in JSON.

    Raises:
        ConfigError: there is none, or `paths` was set by hand and is no such list.
    """
    write = 'write .load("/data/*.warc.gz") or .load(["/data/a.warc.gz", "/data/b.warc.gz"])'
    told = options.get("paths", "[]")
    try:
        several = json.loads(told)
    except json.JSONDecodeError as error:
        raise ConfigError(f'format("warc"): option paths={told}: {error}; {write}') from error
    if not isinstance(several, list) or not all(isinstance(path, str) for path in several):
        raise ConfigError(f'format("warc"): option paths={told}: no list of paths; {write}')
    patterns = [path for path in [options.get("path", ""), *several] if path]
    if not patterns:
        raise ConfigError(f'format("warc"): no path; {write}')
    return patterns


def _spark_schema() -> StructType:
    """All columns nullable, as Spark takes any data source's to be. No table of a run has bytes."""
    names = [name for name in RECORDS.columns.names if name != "payload"]
    told = {field.name: field for field in spark_schema(RECORDS.select(*names), nullable=True)}
    told["payload"] = StructField("payload", BinaryType(), True)
    return StructType([told[name] for name in RECORDS.columns.names])


_UNREAD = {"record_type": "", "record_id": "", "url": "", "content_type": "", "http_headers": []}
_NULLABLE = pa.schema([field.with_nullable(True) for field in RECORDS.columns])


def _batched(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    n_bytes = 0
    for row in rows:
        batch.append(row)
        n_bytes += len(row.get("payload") or b"")
        if len(batch) >= MAX_BATCH_ROWS or n_bytes >= MAX_BATCH_BYTES:
            yield batch
            batch, n_bytes = [], 0
    if batch:
        yield batch
