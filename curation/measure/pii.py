"""Personal data and secrets found in a text, by kind and place: precise first. A measure only.

Kinds, with their rules in `docs/pii.md`: e-mail addresses, payment cards, IBANs, identity numbers
of states, public IP addresses, telephone numbers, secrets (keys, tokens, passwords with a name).
What has a check digit must pass it; what has none must have a form of its own or a word before it
that says what it is. Addresses, ranges and numbers that are reserved for examples are nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from curation.measure import pii_scan
from curation.measure.characters import Codes, codes_of
from curation.measure.pii_checks import IBAN_CHARS
from curation.measure.pii_email import find_email
from curation.measure.pii_ids import find_code, find_few, find_many
from curation.measure.pii_numbers import (
    find_card,
    find_iban,
    find_ipv4,
    find_ipv6,
    find_national_phone,
    find_phone,
)
from curation.measure.pii_scan import Found
from curation.measure.pii_secrets import (
    NAME_ENDS,
    TOKEN_STARTS,
    find_key_block,
    find_named_value,
    find_token,
)

__all__ = ["KINDS", "Found", "counts_of", "find_pii", "pii_counts"]

KINDS = ("secret", "email", "iban", "card", "national_id", "ip", "phone")
"""In order of precedence: of two finds that overlap, the one whose kind is first here counts."""

Finder = Callable[[str, int, int], Iterator[Found]]

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}
_COLUMNS = {kind: f"n_pii_{kind}" for kind in KINDS}
_FINDERS: dict[int, tuple[Finder, ...]] = {
    pii_scan.EMAIL: (find_email,),
    pii_scan.FEW_DIGITS: (find_few, find_national_phone),
    pii_scan.MANY_DIGITS: (find_card, find_many, find_ipv4, find_phone),
    pii_scan.DOTTED: (find_ipv4,),
    pii_scan.CODE: (find_iban, find_code),
    pii_scan.TOKEN: (find_token,),
    pii_scan.NAMED_VALUE: (find_named_value,),
    pii_scan.KEY_BLOCK: (find_key_block,),
    pii_scan.IPV6: (find_ipv6,),
}
_NINO_STARTS = tuple(a + b for a in "ABCEGHJKLMNOPRSTWXYZ" for b in "ABCEGHJKLMNPRSTWXYZ")
_PAIRS = pii_scan.pair_table((*IBAN_CHARS, *_NINO_STARTS), TOKEN_STARTS, NAME_ENDS)


def find_pii(text: str) -> list[Found]:
    """What was found in `text`, by place; no two finds overlap. Cost: see `pii_counts`."""
    return _found(text, codes_of(text))


def pii_counts(text: str) -> dict[str, int]:
    """Number of finds of each kind, by column name `n_pii_<kind>`.

    About 15 us for 5,000 characters of ordinary text; linear in the worst.
    """
    return counts_of(text, codes_of(text))


def counts_of(text: str, codes: Codes) -> dict[str, int]:
    """`pii_counts` of a text whose code points are known already: `Words.codes`."""
    counts = dict.fromkeys(_COLUMNS.values(), 0)
    for found in _found(text, codes):
        counts[_COLUMNS[found.kind]] += 1
    return counts


def _found(text: str, codes: Codes) -> list[Found]:
    places = pii_scan.candidates(codes, pii_scan.CLASSES, _PAIRS, pii_scan.STEPS)
    if not places.size:
        return []
    found = [
        one
        for start, end, sort in places.tolist()
        for finder in _FINDERS[sort]
        for one in finder(text, start, end)
    ]
    return _apart(found) if len(found) > 1 else found


def _apart(found: list[Found]) -> list[Found]:
    """`found` by place, without the finds of less precedence among those that overlap."""
    kept: list[Found] = []
    for one in sorted(found, key=lambda one: (one.start, _RANK[one.kind], -one.end)):
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
        elif _RANK[one.kind] < _RANK[kept[-1].kind]:
            kept[-1] = one
    return kept
