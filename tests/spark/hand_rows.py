"""Rows of tables made by hand, for stages that read a few of their columns."""

from datetime import UTC, datetime

import pyarrow as pa

_EMPTY = (
    (pa.types.is_string, ""), (pa.types.is_integer, 1), (pa.types.is_floating, 1.0),
    (pa.types.is_boolean, False), (pa.types.is_map, {}), (pa.types.is_list, []),
    (pa.types.is_timestamp, datetime(2026, 1, 1, tzinfo=UTC)),
)  # fmt: skip


def row(table, **known):
    """A row of `table`; what is not known is null, or as good as empty."""
    return tuple(
        known.get(field.name, None if field.nullable else
                  next(value for is_type, value in _EMPTY if is_type(field.type)))
        for field in table.columns
    )  # fmt: skip
