"""Every error that curation raises on purpose.

CurationError                 the root; the command line prints it as one line and exits with 2
├── ConfigError               a setting is misspelled, out of range, or contradicts another
├── InputError                a path, file, table or earlier result is missing, empty or damaged
├── EnvironmentFault          Java, a package or a model that the work needs is not on this machine,
│                             or a generator that it needs does not work
├── SchemaMismatch            rows do not have the columns that `schemas.py` promises
├── AccountingError           rows in are not rows out plus rows by reason
├── TrainingDiverged          a gradient is not finite
├── FetchFailed               one file cannot be had now
│   └── NotThere              the host says that there is no such file
├── FetchBanned               a host answered 403
└── TooManyFailures           a host fails over 5 % of its requests

Broken data is not an error: a page or an answer that cannot be used is a row with a reason.
"""

import contextlib
import sys
from collections.abc import Iterator


class CurationError(Exception):
    """Root of the errors that curation raises; the message says what, where, and what to do."""


class ConfigError(CurationError):
    """A setting is unknown, has a wrong type, or lies outside its range."""


class InputError(CurationError):
    """An input path, a table, or the result of an earlier stage is missing, empty or damaged."""


class EnvironmentFault(CurationError):
    """What the work needs is not installed here, or does not work: Java, a package, a model."""


class SchemaMismatch(CurationError):
    """Rows do not match the table they are meant for."""


class AccountingError(CurationError):
    """A stage cannot say what became of every row that it read."""


class FetchFailed(CurationError):
    """One file cannot be had now; the others can. The message ends in the ledger."""


class NotThere(FetchFailed):
    """The host says that there is no such file (404, 410)."""


class FetchBanned(CurationError):
    """A host answered 403: the whole fetch stops, and nothing is tried again."""


class TooManyFailures(CurationError):
    """A host fails too many requests: the whole fetch stops, and nothing is tried again."""


class TrainingDiverged(CurationError):
    """A training step has a gradient that is not finite; the last checkpoint stays good."""


@contextlib.contextmanager
def reported() -> Iterator[None]:
    """Turn a `CurationError` into one line on standard error and exit code 2."""
    try:
        yield
    except CurationError as error:
        sys.stderr.write(f"curation: {' '.join(str(error).split())}\n")
        raise SystemExit(2) from None
