"""Buckets of documents by one attribute or a cross of two, in Python and in Spark SQL.

A bucket is called `quality=High` or `quality=High,domain=Science`; the attributes stand in the
order in which they are given. In a value `%`, `,` and `=` are written `%25`, `%2C` and `%3D`, so
that different values never share a name. A missing value and an empty one are both nothing:
`quality=`. Every bucket is then a source of `mixing`, the small ones merged by `merge_small`.

Source: 2407.06380 (Data, Data Everywhere), use of attributes in sampling: the web crawl cut by
quality, domain, type of speech or toxicity, one class a bucket.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from curation.errors import ConfigError, InputError

MAX_ATTRIBUTES = 2

_ESCAPES = (("%", "%25"), (",", "%2C"), ("=", "%3D"))
"""The first must be the first: the others write its sign."""

_COMMA = ", ',', "
"""Between the arguments of two attributes."""

Value = str | int | None


def bucket_key(values: Mapping[str, Value]) -> str:
    """Name of the bucket of a document whose attributes are `values`.

    Raises:
        ConfigError: there is no attribute or more than two, or a name has one of `%,=`.
        InputError: a value is neither text nor a whole number: Spark writes others differently.
    """
    _check_attributes(list(values))
    return ",".join(f"{name}={_escaped(name, value)}" for name, value in values.items())


def bucket_keys(columns: Mapping[str, Sequence[Value]]) -> list[str]:
    """Name of the bucket of every row of `columns`, in their order.

    Raises:
        ConfigError, InputError: as for `bucket_key`; columns of different lengths are an
            InputError.
    """
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise InputError(f"buckets: columns must be of one length, found {lengths}")
    _check_attributes(list(columns))
    rows = zip(*columns.values(), strict=True)
    return [bucket_key(dict(zip(columns, row, strict=True))) for row in rows]


def bucket_sql(attributes: Sequence[str], *, columns: Mapping[str, str] | None = None) -> str:
    """Spark SQL expression of `bucket_key` over a row.

    Args:
        attributes: One or two names.
        columns: Expression of the values of an attribute that is not a column of the same name,
            e.g. `labels.quality`; of type string or a whole number. It is put in as it stands.

    Raises:
        ConfigError: as for `bucket_key`; a name of `columns` is not among `attributes`.
    """
    _check_attributes(attributes)
    expressions = columns or {}
    strangers = sorted(set(expressions) - set(attributes))
    if strangers:
        raise ConfigError(f"buckets: {strangers} are not among the attributes {list(attributes)}")
    parts = [
        f"{sql_string(name + '=')}, {_escaped_sql(expressions.get(name, sql_name(name)))}"
        for name in attributes
    ]
    return f"concat({_COMMA.join(parts)})"


def sql_string(value: str) -> str:
    """`value` as a literal of Spark SQL, whose escapes are with a backslash (its default)."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def sql_name(name: str) -> str:
    """`name` as a column's name in Spark SQL."""
    return f"`{name.replace('`', '``')}`"


def _escaped_sql(expression: str) -> str:
    escaped = f"coalesce(cast({expression} AS string), '')"
    for character, code in _ESCAPES:
        escaped = f"replace({escaped}, {sql_string(character)}, {sql_string(code)})"
    return escaped


def _escaped(name: str, value: Value) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise InputError(
            f"buckets: values of {name!r} must be text or whole numbers, found {value!r}; cut "
            f"scores into classes first"
        )
    escaped = "" if value is None else str(value)
    for character, code in _ESCAPES:
        escaped = escaped.replace(character, code)
    return escaped


def _check_attributes(attributes: Sequence[str]) -> None:
    if not 1 <= len(attributes) <= MAX_ATTRIBUTES or len(set(attributes)) < len(attributes):
        raise ConfigError(
            f"buckets: give one attribute or two different ones, found {list(attributes)}"
        )
    for name in attributes:
        if not name or any(character in name for character, _ in _ESCAPES):
            raise ConfigError(f"buckets: an attribute's name has none of %,= in it, found {name!r}")
