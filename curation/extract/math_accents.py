"""What stands above or below a piece of a formula: a limit, an accent, or a label."""

from __future__ import annotations

from curation.extract.math_rows import SINGLE, Piece, with_script
from curation.extract.math_symbols import ACCENTS, UNDERS, WIDE

_EXTENSIBLE = {r"\to": r"\xrightarrow", r"\longrightarrow": r"\xrightarrow"}


def takes_limits(base: Piece) -> bool:
    r"""Whether what stands below and above is a script in LaTeX, as with `\sum`."""
    return base.kind == "prefix" or base.latex.startswith((r"\underbrace", r"\overbrace"))


def below(base: Piece, low: Piece) -> Piece:
    """`base` with `low` below it."""
    if not low.latex:
        return base
    command = UNDERS.get(_sign(low))
    if command:
        return Piece(rf"\{command}{{{base.latex}}}", is_tall=base.is_tall)
    if takes_limits(base):
        return with_script(base, "_", low)
    return Piece(rf"\underset{{{low.latex}}}{{{base.latex}}}", base.kind)


def above(base: Piece, high: Piece, *, mark: str) -> Piece:
    """`base` with `high` above it, an accent where its text `mark` is one."""
    if not high.latex:
        return base
    if command := ACCENTS.get(mark):
        is_single = SINGLE.fullmatch(base.latex) is not None
        name = command if is_single else WIDE.get(command, command)
        return Piece(rf"\{name}{{{base.latex}}}", is_tall=base.is_tall)
    if takes_limits(base):
        return with_script(base, "^", high)
    if base.latex in _EXTENSIBLE:
        return Piece(rf"{_EXTENSIBLE[base.latex]}{{{high.latex}}}", "relation")
    return Piece(rf"\overset{{{high.latex}}}{{{base.latex}}}", base.kind)


def _sign(piece: Piece) -> str:
    """The character that an accent below was written with."""
    return {r"\_": "_", r"\to": "→", r"\leftarrow": "←"}.get(piece.latex, piece.latex)
