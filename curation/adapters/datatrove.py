"""Delta tables of a run as a datatrove reader: every row of one version once, over all ranks.

    from curation.adapters.datatrove import DeltaReader

    LocalPipelineExecutor(
        pipeline=[
            DeltaReader("OUT/tables/documents", where="language = 'en' AND n_words > 100"),
            JsonlWriter("OUT/english"),
        ],
        tasks=8,
    ).run()

The files of the table are dealt out to the ranks; deletion vectors and partition columns are
honoured. `beside` names a second table of the same key, `measures` say, whose columns then are
there for `where` and as metadata. Needs datatrove: `pip install 'curation[bench]'`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from operator import and_
from typing import Any, cast
from urllib.parse import unquote

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pa_fs
from datatrove.data import Document  # type: ignore[import-untyped]
from datatrove.pipeline.readers.base import BaseReader  # type: ignore[import-untyped]
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from deltalake.fs import DeltaStorageHandler

from curation.errors import ConfigError, InputError

_READ_FEATURES = frozenset(
    {"deletionVectors", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}
)
"""Features of a Delta table that the reader knows; column mapping is the one it lacks."""
_PARTITION = "partition."


@dataclass(frozen=True)
class _File:
    """A data file of a table."""

    path: str
    """Below the table's folder."""
    partition: Mapping[str, Any]
    kept: pa.Array[Any] | None
    """Which of its rows are not deleted; None: all are there."""


@dataclass(frozen=True)
class _Snapshot:
    """One version of a table."""

    schema: pa.Schema
    files: tuple[_File, ...]
    """In order of their paths."""
    filesystem: pa_fs.FileSystem


class DeltaReader(BaseReader):  # type: ignore[misc]
    """Reads a Delta table; a row is a document, and its other columns are the metadata.

    The version is fixed when the reader is made, so that all ranks see the same files even while
    the table is written to. Rank r of n takes the files r, r + n, ... in order of their paths;
    ranks beyond the number of files have nothing. Rows without text are skipped, as every datatrove
    reader does.
    """

    name = "🔺 Delta"
    _requires_dependencies = ("deltalake", "duckdb", "pyarrow")

    def __init__(
        self,
        table_path: str,
        *,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        beside: str | None = None,
        version: int | None = None,
        limit: int = -1,
        skip: int = 0,
        batch_size: int = 1000,
        adapter: Callable[..., dict[str, Any]] | None = None,
        text_key: str = "text",
        id_key: str = "doc_id",
        default_metadata: dict[str, Any] | None = None,
        storage_options: Mapping[str, str] | None = None,
    ) -> None:
        """Opens the table's log; no data file is read.

        Args:
            table_path: Folder or URL of the table.
            columns: Columns for the metadata; all by default. Text and id are always read.
            where: SQL in DuckDB's dialect that is true for the rows to read, over all columns.
            beside: A second table with one row for each value of `id_key`; columns that the first
                lacks are added from there, null where it has no row. Where both are partitioned
                by a column, a row is looked for in its own partition.
            version: Version of the table; the latest by default. Not of `beside`, whose latest is
                taken.
            limit: Documents that each rank reads at most; -1: all.
            skip: Documents that each rank leaves out at its start.
            batch_size: Rows read at once.
            adapter: Makes a document's fields of a row, as for every datatrove reader.
            text_key: Column of the text.
            id_key: Column of the id.
            default_metadata: Metadata of documents that lack it.
            storage_options: Access to an object store, as `deltalake` takes it.

        Raises:
            InputError: a table or version is not there, or has a feature that is not known here.
            ConfigError: a column is unknown, or `where` is not SQL over the columns.
        """
        super().__init__(limit, skip, adapter, text_key, id_key, default_metadata)
        self.table_path, self.beside = table_path, beside
        self.where, self.batch_size = where, batch_size
        self.storage_options = dict(storage_options or {})
        table = _table(table_path, version, self.storage_options)
        self.version: int = table.version()
        self.columns = None if columns is None else tuple(columns)
        self.beside_version: int | None = None
        schema = _schema(table)
        if beside is not None:
            other = _table(beside, None, self.storage_options)
            self.beside_version = other.version()
            _check(_schema(other), (id_key,), beside)
            schema = pa.schema([*schema, *_added(schema, _schema(other))])
        _check(schema, (text_key, id_key, *(columns or ())), table_path)
        if where is not None:
            _filtered(schema.empty_table(), where)

    def run(
        self, data: Iterator[Document] | None = None, rank: int = 0, world_size: int = 1
    ) -> Iterator[Document]:
        """Documents handed on, then those of this rank."""
        if data:
            yield from data
        self._log_limit_scope(rank, world_size)
        stop = None if self.limit == -1 else self.skip + self.limit
        for document in islice(self._documents(rank, world_size), self.skip, stop):
            self.update_doc_stats(document)
            yield document

    def _documents(self, rank: int, world_size: int) -> Iterator[Document]:
        snapshot = _snapshot(self.table_path, self.version, self.storage_options)
        other = None
        if self.beside is not None:
            other = _snapshot(self.beside, self.beside_version, self.storage_options)
        for file in snapshot.files[rank::world_size]:
            self.stat_update("input_files")
            rows = (row for batch in self._batches(snapshot, file, other) for row in _rows(batch))
            for number, row in enumerate(rows):
                document = self.get_document_from_dict(row, file.path, number)
                if document:
                    yield document

    def _batches(
        self, snapshot: _Snapshot, file: _File, other: _Snapshot | None
    ) -> Iterator[pa.Table]:
        """Rows of a file that are there and wanted, in their order, some at a time."""
        wanted = self._wanted(snapshot, other)
        lookup = None if other is None else self._lookup(snapshot, other, file)
        # `where` may ask for any column.
        columns = None if self.where else [n for n in wanted if n in snapshot.schema.names]
        for rows in _read(snapshot, file, columns, self.batch_size):
            joined = rows if lookup is None else _joined(rows, lookup, self.id_key)
            kept = _filtered(joined, self.where) if self.where else joined
            yield kept.select(wanted)

    def _wanted(self, snapshot: _Snapshot, other: _Snapshot | None) -> list[str]:
        if self.columns is not None:
            return list(dict.fromkeys((self.id_key, self.text_key, *self.columns)))
        added = [] if other is None else _added(snapshot.schema, other.schema)
        return [*snapshot.schema.names, *(field.name for field in added)]

    def _lookup(self, snapshot: _Snapshot, other: _Snapshot, file: _File) -> pa.Table:
        """Rows of the second table that may belong to `file`: ids and the columns that it adds."""
        added = _added(snapshot.schema, other.schema)
        columns = [self.id_key, *(field.name for field in added)]
        parts = [
            part
            for one in other.files
            if all(file.partition.get(k, v) == v for k, v in one.partition.items())
            for part in _read(other, one, columns, self.batch_size)
        ]
        empty = pa.schema([other.schema.field(name) for name in columns]).empty_table()
        return pa.concat_tables([empty, *parts]).combine_chunks()


def _check(schema: pa.Schema, names: Sequence[str], where: str) -> None:
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise ConfigError(f"{where}: no column `{missing[0]}`; there are {schema.names}")


def _table(path: str, version: int | None, options: Mapping[str, str]) -> DeltaTable:
    try:
        table = DeltaTable(path, version=version, storage_options=dict(options))
    except (DeltaError, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as a Delta table: {error}") from error
    unknown = set(table.protocol().reader_features or ()) - _READ_FEATURES
    if unknown:
        raise InputError(f"{path}: has {', '.join(sorted(unknown))}, which this reader cannot read")
    return table


def _schema(table: DeltaTable) -> pa.Schema:
    return pa.schema(cast(Any, table.schema().to_arrow()))


def _added(first: pa.Schema, second: pa.Schema) -> list[pa.Field[Any]]:
    """Columns of `second` that `first` has not got."""
    return [field.with_nullable(True) for field in second if field.name not in first.names]


def _snapshot(path: str, version: int | None, options: Mapping[str, str]) -> _Snapshot:
    table = _table(path, version, options)
    handler = DeltaStorageHandler(table.table_uri, dict(options))
    files = tuple(sorted(_files(table), key=lambda file: file.path))
    return _Snapshot(_schema(table), files, pa_fs.PyFileSystem(handler))


def _files(table: DeltaTable) -> Iterator[_File]:
    kept = _kept_rows(table)
    actions = pa.table(table.get_add_actions(flatten=True))
    partitions = [name for name in actions.column_names if name.startswith(_PARTITION)]
    for row in actions.select(["path", *partitions]).to_pylist():
        values = {name.removeprefix(_PARTITION): row[name] for name in partitions}
        path = row["path"]
        if "://" in path:
            raise InputError(f"{table.table_uri}: a shallow clone; read the table it is made from")
        # Paths in the log are parts of a URL.
        yield _File(unquote(path), values, kept.get(path))


def _kept_rows(table: DeltaTable) -> dict[str, pa.Array[Any]]:
    """Masks of the files that have a deletion vector, by their path in the log."""
    found = pa.table(table.deletion_vectors())
    folder = table.table_uri.rstrip("/") + "/"
    paths, masks = found.column("filepath"), found.column("selection_vector")
    return {
        str(path).removeprefix(folder): mask.values
        for path, mask in zip(paths.to_pylist(), masks, strict=True)
    }


def _read(
    snapshot: _Snapshot, file: _File, columns: list[str] | None, batch_size: int
) -> Iterator[pa.Table]:
    """Rows of a file that are not deleted, with the partition columns, in their order."""
    fragment = ds.ParquetFileFormat().make_fragment(
        file.path, snapshot.filesystem, _partition(file)
    )
    n_read = 0
    for batch in fragment.to_batches(snapshot.schema, columns=columns, batch_size=batch_size):
        rows = pa.Table.from_batches([batch])
        if file.kept is not None:
            mask = file.kept.slice(n_read, rows.num_rows)
            # The mask may end before the file: the rows behind it are all there.
            rest = pa.array([True] * (rows.num_rows - len(mask)), pa.bool_())
            n_read, rows = n_read + rows.num_rows, rows.filter(pa.concat_arrays([mask, rest]))
        yield rows


def _partition(file: _File) -> ds.Expression:
    """What holds for every row of a file."""
    told = [
        ds.field(name).is_null() if value is None else ds.field(name) == value
        for name, value in file.partition.items()
    ]
    return reduce(and_, told, ds.scalar(True))


def _joined(rows: pa.Table, lookup: pa.Table, id_key: str) -> pa.Table:
    place = pc.index_in(rows.column(id_key), value_set=lookup.column(id_key).combine_chunks())
    added = lookup.drop_columns([id_key]).take(place)
    for name in added.column_names:
        rows = rows.append_column(added.schema.field(name), added.column(name))
    return rows


def _filtered(rows: pa.Table, where: str) -> pa.Table:
    """Rows for which `where` is true; not those for which it is null.

    Raises:
        ConfigError: it is not SQL over the columns, or is neither true nor false for each row.
    """
    try:
        with duckdb.connect() as connection:
            told = duckdb.from_arrow(rows, connection=connection).project(f"({where}) AS keep")
            keep = told.to_arrow_table().column("keep")
    except duckdb.Error as error:
        raise ConfigError(f"where: {where}: {' '.join(str(error).split())}") from error
    if not pa.types.is_boolean(keep.type) or len(keep) != rows.num_rows:
        raise ConfigError(f"where: {where}: must be true or false for each row")
    return rows.filter(keep, null_selection_behavior="drop")


def _rows(batch: pa.Table) -> list[dict[str, Any]]:
    return batch.to_pylist(maps_as_pydicts="strict")
