"""Accounts: what became of every row. They close, or the work fails and names the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.errors import AccountingError
from curation.spark.tables import small

CULPRITS = 10


@dataclass(frozen=True)
class Account:
    """Rows read, rows that went on, and rows that did not, by reason."""

    rows_in: int
    rows_out: int
    reasons: dict[str, int] = field(default_factory=dict)
    tokens: int | None = None
    culprits: Callable[[], list[str]] = list
    """Ids of some rows that are missing or come twice; asked only where the account is open."""
    notes: dict[str, int] = field(default_factory=dict)
    """What else happened, by kind; not part of the sum."""

    def close(self, stage: str, unit: str) -> None:
        """Check that the rows add up.

        Raises:
            AccountingError: they do not; the message gives both sides and some of the rows.
        """
        accounted = self.rows_out + sum(self.reasons.values())
        if accounted == self.rows_in:
            return
        raise AccountingError(
            f"{stage} of {unit}: {self.rows_in} rows in, but {self.rows_out} out and "
            f"{self.reasons} dropped make {accounted}; rows in question: {self.culprits()}"
        )


def account(inputs: DataFrame, outcomes: DataFrame, key: str) -> Account:
    """The account of a stage in which each input row has one outcome.

    Args:
        inputs: Rows read; only `key` is looked at.
        outcomes: One row per input: `key`, `reason` (null: it went on), `tokens` (or null).
        key: Column that identifies a row.
    """
    by_reason = outcomes.groupBy("reason").agg(
        F.count(F.lit(1)).alias("n"), F.sum("tokens").cast("long").alias("tokens")
    )
    counts = {row["reason"]: (row["n"], row["tokens"]) for row in small(by_reason)}
    rows_out, tokens = counts.pop(None, (0, 0))
    return Account(
        rows_in=inputs.count(),
        rows_out=rows_out,
        reasons={reason: n for reason, (n, _) in sorted(counts.items())},
        tokens=tokens,
        culprits=lambda: _culprits(inputs, outcomes, key),
    )


def _culprits(inputs: DataFrame, outcomes: DataFrame, key: str) -> list[str]:
    """Keys that do not occur exactly once on each side, with the two counts."""
    sides = inputs.select(key, F.lit(1).alias("read"), F.lit(0).alias("told")).unionAll(
        outcomes.select(key, F.lit(0), F.lit(1))
    )
    counts = sides.groupBy(key).agg(F.sum("read").alias("read"), F.sum("told").alias("told"))
    wrong = counts.where("read != 1 OR told != 1").orderBy(key).limit(CULPRITS)
    return [f"{row[key]} (in {row['read']}, out {row['told']})" for row in small(wrong)]
