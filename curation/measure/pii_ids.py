"""Identity numbers that states give to people, told by check characters, dates and words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from curation.measure import pii_checks, pii_context
from curation.measure.pii_scan import Found

_KIND = "national_id"
_INSEE = re.compile(
    r"(?<![\w.,+-])[12]( ?)\d\d\1\d\d\1(?:\d\d|2[ABab])\1\d{3}\1\d{3}[ /-]?\d\d(?![\w-]|[.,]\d)"
)
_CHINESE = re.compile(r"(?<![A-Za-z0-9.,+-])[1-8]\d{16}[\dXx](?![A-Za-z0-9-]|[.,]\d)")
_ELEVEN = re.compile(
    r"(?<![\w.,+-])(?:(?P<cpf>\d{3}\.\d{3}\.\d{3}-\d\d)|\d\d \d{3} \d{3} \d{3}|\d{11})"
    r"(?![\w-]|[.,]\d)"
)
_TWELVE = re.compile(r"(?<![\w.,+-])(?<!\d[ ])[2-9]\d{3}([ -]?)\d{4}\1\d{4}(?![\w-]|[ .,]\d)")
_SSN = re.compile(r"(?<![\w.,$+/-])\d{3}([ -]?)\d\d\1\d{4}(?![\w-]|[.,]\d)")
_DNI = re.compile(r"(?<![\w.,+-])(?:\d\d\.\d{3}\.\d{3}|\d{8})([ -]?)[A-Za-z](?![\w-])")
_NIE = re.compile(r"(?<![\w-])[XYZxyz]([ -]?)\d{7}\1[A-Za-z](?![\w-])")
_NINO = re.compile(r"(?<!\w)[A-Z]{2}([ ]?)\d\d\1\d\d\1\d\d\1[A-D](?!\w)")
_FISCAL = re.compile(r"(?<!\w)[A-Za-z]{6}\d\d[A-Za-z]\d\d[A-Za-z]\d{3}[A-Za-z](?!\w)")
_SEPARATORS = str.maketrans("", "", " .-/")


def find_few(text: str, start: int, end: int) -> Iterator[Found]:
    """DNI and NIE: seven or eight digits with letters around them."""
    if text[end : end + 1] == " " or text[end : end + 1] == "-" or text[end : end + 1].isalpha():
        yield from _identified(text, _DNI.match(text, start), "dni")
        for begin in (start - 1, start - 2):
            if begin >= 0 and text[begin] in "XYZxyz":
                yield from _identified(text, _NIE.match(text, begin), "dni")


def _identified(text: str, match: re.Match[str] | None, words: str) -> Iterator[Found]:
    """A DNI or NIE. Its letter is one of 23: without dots and dash a word has to say what it is."""
    if match is None or not pii_checks.is_dni(_bare(match)):
        return
    if "." in match[0] or pii_context.follows(text, match.start(), pii_context.IDS[words]):
        yield Found(_KIND, *match.span())


def find_many(text: str, start: int, end: int) -> Iterator[Found]:
    """Numbers of nine digits and more."""
    n_chars = end - start
    yield from find_few(text, start, end)
    for pattern, least, check in ((_SSN, 9, _is_ssn), (_ELEVEN, 11, _is_eleven),
                                  (_TWELVE, 12, _is_aadhaar)):  # fmt: skip
        if n_chars >= least:
            for match in pattern.finditer(text, start, end + 2):
                if check(text, match):
                    yield Found(_KIND, *match.span())
    if n_chars >= 13:
        yield from _strong(text, start, end)


def _strong(text: str, start: int, end: int) -> Iterator[Found]:
    for match in _INSEE.finditer(text, start, end + 2):
        if pii_checks.is_insee(_bare(match)) and (match[1] or _is_named(text, match, "insee")):
            yield Found(_KIND, *match.span())
    for match in _CHINESE.finditer(text, start, end + 2):
        if pii_checks.is_chinese_id(_bare(match)):
            yield Found(_KIND, *match.span())


def _is_ssn(text: str, match: re.Match[str]) -> bool:
    return pii_checks.is_ssn(_bare(match)) and _is_named(text, match, "ssn")


def _is_eleven(text: str, match: re.Match[str]) -> bool:
    digits = _bare(match)
    if pii_checks.is_cpf(digits) and (match["cpf"] or _is_named(text, match, "cpf")):
        return True
    return (pii_checks.is_steuer_id(digits) and _is_named(text, match, "steuer")) or (
        pii_checks.is_pesel(digits) and _is_named(text, match, "pesel")
    )


def _is_aadhaar(text: str, match: re.Match[str]) -> bool:
    return pii_checks.is_aadhaar(_bare(match)) and _is_named(text, match, "aadhaar")


def _is_named(text: str, match: re.Match[str], words: str) -> bool:
    return pii_context.follows(text, match.start(), pii_context.IDS[words])


def find_code(text: str, start: int, _end: int) -> Iterator[Found]:
    """The NINO or codice fiscale that begins at `start`.

    A NINO has no check character: in one piece it needs a word that says what it is.
    """
    match = _NINO.match(text, start)
    if match and pii_checks.is_nino(_bare(match)) and (
        match[1] or pii_context.follows(text, start, pii_context.IDS["nino"])
    ):  # fmt: skip
        yield Found(_KIND, *match.span())
    match = _FISCAL.match(text, start)
    if match and pii_checks.is_codice_fiscale(_bare(match)):
        yield Found(_KIND, *match.span())


def _bare(match: re.Match[str]) -> str:
    return match[0].translate(_SEPARATORS).upper()
