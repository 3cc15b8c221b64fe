"""Telephone numbers, cards, and IP addresses in a block of digits; IBANs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from curation.measure import pii_context
from curation.measure.pii_checks import IBAN_CHARS, is_card, is_iban
from curation.measure.pii_scan import Found

_BLANKS = " \xa0\u2009\u202f"
_DASHES = r"\-\u2010\u2011\u2012\u2013"
_GAP = rf"(?:[{_BLANKS}./{_DASHES}]|[{_BLANKS}./{_DASHES}]?\(|\)[{_BLANKS}./{_DASHES}]?)?"
_NOT_DIGIT = re.compile(r"\D+")

_CARD = re.compile(
    r"(?<![\w.,+-])(?<!\d[ ])(?:\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|3[47]\d\d([ -])\d{6}\2\d{5}"
    r"|3[068]\d\d([ -])\d{6}\3\d{4}|\d{13,19})(?![\w-]|[ .,]\d)"
)
_EXPIRY = re.compile(r"[|:;,/ ]{1,3}(?:0[1-9]|1[0-2])[|:;,/ ]?(?:20)?[2-4]\d(?!\d)")

_INTERNATIONAL = re.compile(
    rf"(?<![\w+.)])\+[{_BLANKS}]?\(?(?!0|28|83|89)\d(?:{_GAP}\d){{6,14}}(?![\d%]|[,.]\d)"
)
_TRUNK_ZERO = re.compile(r"\(0\)")
_NORTH_AMERICAN = re.compile(
    rf"(?<![\w.,$€£#+/=-])(?:(?:1|\(1\))[. -])?"
    rf"(?:\([2-9]\d\d\)[{_BLANKS}.{_DASHES}]?|[2-9]\d\d(?P<gap>[. {_DASHES}]))"
    rf"[2-9]\d\d(?P<last>[. {_DASHES}])\d{{4}}(?![\d%]|[{_DASHES}./]\d|[A-WYZa-wyz])"
)
_NANP_DIGITS = re.compile(r"1[2-9]\d\d[2-9]\d{6}")
_NATIONAL = re.compile(rf"\(?\d(?:{_GAP}\d){{6,12}}(?![\w%]|[,.{_DASHES}/]\d)")
_NO_PHONE = re.compile(
    r"(?:\d{4}[-./]\d\d?[-./]\d\d?|\d\d?[-./ ]\d\d?[-./ ](?:19|20)\d\d)(?!\d)"  # dates
    r"|(?:19|20)\d\d\W{1,3}(?:19|20)\d\d(?!\d)"  # years
    r"|\d{1,3}(?:[. \xa0]000)+\Z|\d(?:[. \xa0]\d{3}){2}\Z|\d+\.\d+\Z"  # amounts
    r"|97[89]([ -])?\d"  # ISBN
)
_MONEY = "$€£¥#%"
_MIN_DIGITS, _MAX_DIGITS = 9, 15
_LEAST = {"1": 11, "7": 11}
"""Digits of an international number, by the first of them; E.164 allows 15."""

_IPV4 = re.compile(
    r"(?:(?<![A-Za-z0-9_.-])(?<!\w/)|(?<=\bIP))(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})"
    r"(?![A-Za-z0-9_-]|/\d|\.\w)"
)
_IPV6 = re.compile(r"[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{1,34}+(?![A-Za-z0-9_]|/\d|\.\d)")
_NUMBER_BEHIND = re.compile(r"[ ,]-?\.?\d")
_SMALL_OCTET = 32
_RESOLVERS = frozenset(
    ipaddress.ip_address(one)
    for one in ("8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "208.67.222.222",
                "208.67.220.220", "2001:4860:4860::8888", "2001:4860:4860::8844",
                "2606:4700:4700::1111", "2606:4700:4700::1001")
)  # fmt: skip
"""Public name servers: they are nobody's."""

_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?:[ \xa0-]?[A-Z0-9]{1,4}){2,8}")


def find_card(text: str, start: int, end: int) -> Iterator[Found]:
    """Payment cards. Digits without separators are one only behind a word or before a date of
    expiry: of the identifiers in programs one in fifty has a card's prefix and check digit.
    """
    for match in _CARD.finditer(text, start, end + 1):
        digits = _digits(match[0])
        if is_card(digits) and (
            len(match[0]) > len(digits)
            or pii_context.follows(text, match.start(), pii_context.CARD)
            or _EXPIRY.match(text, match.end())
        ):
            yield Found("card", *match.span())


def find_phone(text: str, start: int, end: int) -> Iterator[Found]:
    """International and North American numbers by their form, others behind a word."""
    begin = start - 2 if text[start - 1 : start] in _BLANKS + "(" and start > 1 else start - 1
    if "+" in text[max(0, begin) : start]:
        for match in _INTERNATIONAL.finditer(text, max(0, begin), end + 2):
            if _is_international(text, match):
                yield Found("phone", *match.span())
    if end - start >= 12:
        for match in _NORTH_AMERICAN.finditer(text, max(0, start - 1), end + 2):
            if _is_north_american(text, match):
                yield Found("phone", *match.span())
    yield from find_national_phone(text, start, end)


def find_national_phone(text: str, start: int, end: int) -> Iterator[Found]:
    """The number at `start`, where the words before it announce a telephone number."""
    first = start - (text[start - 1 : start] == "(")
    if (first and text[first - 1] in _MONEY) or not pii_context.is_phone_named(text, first):
        return
    match = _NATIONAL.match(text, first, end + 2)
    if match and not _NO_PHONE.match(match[0]) and len(set(_digits(match[0]))) > 1:
        yield Found("phone", *match.span())


def _is_international(text: str, match: re.Match[str]) -> bool:
    digits = _digits(_TRUNK_ZERO.sub("", match[0]))
    if digits[0] == "1" and not _NANP_DIGITS.fullmatch(digits):
        return False
    least = _LEAST.get(digits[0], _MIN_DIGITS)
    is_length = least <= len(digits) <= _MAX_DIGITS and len(set(digits)) > 2
    # `+40.712812345` is a number as others are, `+1.2125550123` is how registries of domains write.
    is_decimal = match[0].count(".") == 1 and _digits(match[0], ".") == match[0][1:]
    return is_length and (not is_decimal or digits[0] == "1" or pii_context.is_phone_named(
        text, match.start()))  # fmt: skip


def _is_north_american(text: str, match: re.Match[str]) -> bool:
    """Dots, dashes or brackets, the same throughout; blanks alone only behind a word."""
    gap, last = match["gap"], match["last"]
    if gap is None:
        return True
    if gap != last:
        return False
    return gap != " " or pii_context.is_phone_named(text, match.start())


def find_ipv4(text: str, start: int, end: int) -> Iterator[Found]:
    """Public addresses. With two small numbers in front, as versions have them (`7.1.180.94`), or a
    zero at the end, as networks have it, one only behind a word that says so.
    """
    for match in _IPV4.finditer(text, start, end + 2):
        octets = [int(octet) for octet in match[0].split(".")]
        if max(octets) > 255 or pii_context.follows(text, match.start(), pii_context.VERSION):
            continue
        is_plain = max(octets[:2]) >= _SMALL_OCTET and octets[3]
        is_plain = is_plain and (octets[0] >= _SMALL_OCTET or not _is_beside_number(text, match))
        if not is_plain and not pii_context.follows(text, match.start(), pii_context.ADDRESS):
            continue
        if _is_public(match[0]):
            yield Found("ip", *match.span())


def _is_beside_number(text: str, match: re.Match[str]) -> bool:
    """Whether a number is next to it, as in the paths of drawings: `2.83 1.35.75.9 1.13`."""
    before, behind = text[max(0, match.start() - 2) : match.start()], match.end()
    is_before = before[:1].isdecimal() and before[1:] in (" ", ",")
    return is_before or bool(_NUMBER_BEHIND.match(text, behind))


def find_ipv6(text: str, start: int, _end: int) -> Iterator[Found]:
    """The public address (2000::/3) that begins at `start`."""
    match = _IPV6.match(text, start)
    if match and match[0].count(":") >= 2 and _is_public(match[0].rstrip(":")):
        yield Found("ip", start, start + len(match[0].rstrip(":")))


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_global and not found.is_multicast and found not in _RESOLVERS


def find_iban(text: str, start: int, _end: int) -> Iterator[Found]:
    """The IBAN that begins at `start`, written together or in groups; upper-case."""
    n_chars = IBAN_CHARS.get(text[start : start + 2])
    match = _IBAN.match(text, start) if n_chars else None
    if match is None or n_chars is None:
        return
    end, n_found = start, 0
    while end < match.end() and n_found < n_chars:
        n_found += text[end].isalnum()
        end += 1
    code = re.sub(r"[ \xa0-]", "", text[start:end])
    is_whole = not text[end : end + 1].isalnum() or not text[end : end + 1].isascii()
    if n_found == n_chars and is_whole and is_iban(code):
        yield Found("iban", start, end)


def _digits(text: str, keep: str = "") -> str:
    return "".join(c for c in text if "0" <= c <= "9" or c in keep) if keep else _NOT_DIGIT.sub(
        "", text)  # fmt: skip
