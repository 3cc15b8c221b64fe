"""How numbers, times and text from the web are written for people."""

from __future__ import annotations

import math
import re

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # OSC, DCS, ...: titles, links, clipboard
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one C1 character
    r"|\x1b[^\x1b\n]"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]")
"""C0 and C1 controls but tab and newline, and the marks that reverse the reading direction."""

_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
_BLANK_LINES = re.compile(r"\n\s*\n+")


def cleaned(text: str) -> str:
    """`text` without escape sequences and control characters; tabs and newlines stay."""
    text = _ESCAPE_SEQUENCE.sub("", _LINE_ENDS.sub("\n", text))
    return _CONTROL.sub("", text)


def excerpt(text: str, max_chars: int) -> str:
    """The first `max_chars` characters of cleaned `text`, runs of blank lines squeezed.

    An ellipsis says that something was cut. The result can be printed; it is not HTML-escaped.
    """
    squeezed = _BLANK_LINES.sub("\n\n", cleaned(text).strip())
    if len(squeezed) <= max_chars:
        return squeezed
    return squeezed[:max_chars].rstrip() + " …"


def one_line(text: str, max_chars: int) -> str:
    """As `excerpt`, all white space squeezed into single spaces: for URLs, titles, reasons."""
    return excerpt(" ".join(cleaned(text).split()), max_chars)


def compact(count: float) -> str:
    """A count in at most five characters and a unit: 9,999; 12.3k; 4.56M; 7.89B."""
    if not math.isfinite(count) or abs(count) < 9_999.5:
        return f"{count:,.0f}"
    for size, unit in ((1e3, "k"), (1e6, "M"), (1e9, "B")):
        if abs(count) < 999.5 * size:
            return f"{count / size:.3g}{unit}"
    return f"{count / 1e12:,.3g}T"


def percent(frac: float) -> str:
    """A share in 0..1 as a percentage with one decimal."""
    return f"{100 * frac:.1f} %"


def duration(seconds: float) -> str:
    """A time in the two units that matter."""
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"
