"""Leaves of presentation MathML -> `Piece`: identifiers, numbers, operators, text, spaces.

Functions of a node take its depth as all readers of elements do, and do not need it.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

from curation.extract.math_rows import MODULO, Piece, assembled
from curation.extract.math_symbols import ALPHABETS, FUNCTIONS, escaped, symbol

_NAMED_SPACES = {
    "veryverythinmathspace": 0.06, "verythinmathspace": 0.11, "thinmathspace": 0.17,
    "mediummathspace": 0.22, "thickmathspace": 0.28, "verythickmathspace": 0.33,
    "veryverythickmathspace": 0.39,
}  # fmt: skip
_EMS = {"em": 1.0, "ex": 0.45, "px": 1 / 16, "pt": 1 / 12, "mm": 0.24, "cm": 2.4}
_WIDTH = re.compile(r"\s*(-?\d*\.?\d+)\s*(em|ex|px|pt|mm|cm)\s*", re.IGNORECASE)
BLANKS = re.compile(r"[ \t\r\n\f\v]+")


def characters(text: str) -> Piece:
    """Text outside of any leaf, or of what is not understood: sign by sign."""
    return assembled([Piece(*symbol(char)) for char in " ".join(text.split())])


def identifier(node: LexborNode, depth: int) -> Piece:
    """`<mi>`: a variable, a function, or a name in the alphabet of its variant."""
    text = node.text(strip=True).strip("\u2061\u2062\u2063")
    if (name := "".join(text.split())) in FUNCTIONS:
        return Piece("\\" + name, "prefix")
    if text == "mod":
        return Piece(MODULO, "relation")
    if len(text) > 1 and text.isalpha():
        return Piece(_word(text, node.attributes.get("mathvariant")))
    piece = Piece(*symbol(text)) if len(text) == 1 else characters(text)
    alphabet = ALPHABETS.get(node.attributes.get("mathvariant") or "")
    if alphabet and text.isalnum() and not (alphabet == r"\mathrm" and not text.isascii()):
        return piece._replace(latex=f"{alphabet}{{{piece.latex}}}")
    return piece


def _word(text: str, variant: str | None) -> str:
    """A name of several letters; those that LaTeX's alphabets lack stand as text."""
    if not text.isascii():
        return characters(text).latex if _is_greek(text) else rf"\text{{{text}}}"
    return f"{ALPHABETS.get(variant or 'normal', ALPHABETS['normal'])}{{{text}}}"


def _is_greek(text: str) -> bool:
    return any("\u0370" <= char <= "\u03ff" or char >= "\U0001d400" for char in text)


def number(node: LexborNode, depth: int) -> Piece:
    """`<mn>`: a number without spaces."""
    text = "".join(node.text(strip=True).split())
    if text.isascii() and text.replace(".", "").replace(",", "").isalnum():
        return Piece(text)
    return Piece("".join(symbol(char)[0] for char in text))


def operator(node: LexborNode, depth: int) -> Piece:
    """`<mo>`: a sign, several, or the name of a function."""
    text = node.text(strip=True)
    if len(text) == 1:
        return Piece(*symbol(text))
    if (name := "".join(text.split())) in FUNCTIONS:
        return Piece("\\" + name, "prefix")
    if text == "mod":
        return Piece(MODULO, "relation")
    if text in ("...", "⋅⋅⋅", "···"):
        return Piece(r"\dots", "prefix")
    if len(text) > 1 and text.isalpha():
        return Piece(rf"\operatorname{{{text}}}", "prefix")
    signs = [symbol(char) for char in text if not char.isspace()]
    latex = "".join(sign for sign, _ in signs)
    kinds = {kind for _, kind in signs if kind != "space"}
    return Piece(latex, kinds.pop() if len(kinds) == 1 else "relation" if kinds else "space")


def text_leaf(node: LexborNode, depth: int) -> Piece:
    """`<mtext>`, `<ms>`: words, a sign, a number, or a space."""
    raw = node.text()
    # MathML trims the text of its leaves; where it does not come of indentation, it was meant.
    text = BLANKS.sub(" ", raw.strip() if "\n" in raw else raw)
    if not text.strip():
        return Piece(r"\ " if text else "", "space")
    if len(text) == 1 and not text.isalpha():
        return Piece(*symbol(text))
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return Piece(text)
    return Piece(rf"\text{{{escaped(text)}}}")


def space_of_width(width: str) -> Piece:
    """The space that comes next to a width such as `0.2em` or `thickmathspace`."""
    return Piece(_space_command(_ems(width)), "space")


def _ems(width: str) -> float:
    if width in _NAMED_SPACES:
        return _NAMED_SPACES[width]
    match = _WIDTH.fullmatch(width)
    return float(match[1]) * _EMS[match[2].lower()] if match else 0.0


def _space_command(ems: float) -> str:
    steps = ((1.8, r"\qquad"), (0.8, r"\quad"), (0.26, r"\;"), (0.2, r"\:"), (0.1, r"\,"))
    return next((command for least, command in steps if ems >= least), "")
