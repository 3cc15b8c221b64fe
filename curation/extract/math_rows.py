"""Pieces of a formula in LaTeX, and how several make one: rows, scripts, fences around tables."""

from __future__ import annotations

import re
from typing import NamedTuple

from curation.extract.math_symbols import FUNCTIONS, Kind

_MATRICES = {
    ("(", ")"): "pmatrix", ("[", "]"): "bmatrix", ("|", "|"): "vmatrix", (r"\|", r"\|"): "Vmatrix",
    (r"\{", r"\}"): "Bmatrix",
}  # fmt: skip
_CLOSERS = (")", "]", r"\}", r"\rangle", r"\rfloor", r"\rceil")
_CONTROL_WORD_END = re.compile(r"\\[A-Za-z]+$")
SINGLE = re.compile(r"\\[A-Za-z]+|[^\\{}\s]|\\(?:mathbb|mathbf|mathcal|mathfrak|mathrm)\{\w\}")
"""LaTeX of one sign, which takes a script or an accent without braces."""

_BEFORE_SIGNS: tuple[Kind | None, ...] = (
    None, "binary", "relation", "open", "prefix", "punct",
)  # fmt: skip
MODULO = r"\bmod"
_MAX_FENCED = 200
"""Pieces looked at behind a bracket, so that a row of nothing but brackets costs no square."""


class Piece(NamedTuple):
    """LaTeX of a part of a formula, and what its neighbours must know of it."""

    latex: str
    kind: Kind = "atom"
    is_tall: bool = False
    """Higher than a line: brackets around it stretch."""
    scripts: str = ""
    """What the piece ends in: some of `_`, `^`; `'` for primes."""
    table: tuple[tuple[str, ...], ...] | None = None
    """Cells, while the fences around them are not known."""
    is_aligned: bool = False
    over: tuple[str, str] | None = None
    """Numerator and denominator of a fraction without a line, while its fences are not known."""


def assembled(pieces: list[Piece]) -> Piece:
    """Several pieces as one; a single one stays what it is."""
    pieces = [piece for piece in pieces if piece.latex or piece.table is not None]
    if len(pieces) == 1:
        return pieces[0]
    pieces = _stretched(_with_moduli(_with_tables(pieces)))
    scripts = "many" if len(pieces) > 1 else ""
    return Piece(_joined(pieces), "atom", any(p.is_tall for p in pieces), scripts)


def _with_tables(pieces: list[Piece]) -> list[Piece]:
    """Fences around a table or a binomial taken into it."""
    if not any(piece.table is not None or piece.over for piece in pieces):
        return pieces
    done: list[Piece] = []
    rest = iter(range(len(pieces)))
    for i in rest:
        piece = pieces[i]
        before = done[-1] if done else None
        after = pieces[i + 1] if i + 1 < len(pieces) else None
        fences = (before.latex if before else "", after.latex if after else "")
        if piece.table is not None and fences in _MATRICES:
            done[-1] = Piece(_environment(_MATRICES[fences], piece.table), is_tall=True)
            next(rest)
        elif piece.over and fences == ("(", ")"):
            done[-1] = Piece(rf"\binom{{{piece.over[0]}}}{{{piece.over[1]}}}", is_tall=True)
            next(rest)
        elif piece.table is not None and fences[0] == r"\{":
            done[-1] = Piece(_environment("cases", piece.table), is_tall=True)
        else:
            done.append(piece)
    return done


def _with_moduli(pieces: list[Piece]) -> list[Piece]:
    r"""`(mod 7)` as `\pmod{7}`."""
    latex = [piece.latex for piece in pieces]
    if MODULO not in latex:
        return pieces
    i = latex.index(MODULO)
    if i == 0 or latex[i - 1] != "(" or ")" not in latex[i:]:
        return pieces
    end = latex.index(")", i)
    modulus = Piece(rf"\pmod{{{_joined(pieces[i + 1 : end])}}}", "relation")
    return [*pieces[: i - 1], modulus, *pieces[end + 1 :]]


def _stretched(pieces: list[Piece]) -> list[Piece]:
    r"""`\left` and `\right` before matching brackets with something tall between them."""
    if not any(piece.is_tall for piece in pieces):
        return pieces
    done, opened = list(pieces), list[int]()
    for i, piece in enumerate(pieces):
        if piece.kind == "open":
            opened.append(i)
        elif opened and piece.kind == "close" and piece.latex.startswith(_CLOSERS):
            start = opened.pop()
            if any(p.is_tall for p in pieces[start + 1 : min(i, start + _MAX_FENCED)]):
                done[start] = done[start]._replace(latex=r"\left" + done[start].latex)
                done[i] = piece._replace(latex=r"\right" + piece.latex)
    return done


def _joined(pieces: list[Piece]) -> str:
    """LaTeX of a row: relations and operators between spaces, signs close to what they precede."""
    out: list[str] = []
    before: Kind | None = None
    operand: Kind | None = None  # what stands before, spaces left out
    for piece in pieces:
        latex, kind = written(piece), piece.kind
        is_sign = kind == "binary" and operand in _BEFORE_SIGNS
        if _wants_space(before, kind, is_sign=is_sign) or _would_merge(out, latex):
            out.append(" ")
        out.append(latex)
        before = "open" if is_sign else kind
        if kind != "space":
            operand = before
    return "".join(out)


def _wants_space(before: Kind | None, kind: Kind, *, is_sign: bool) -> bool:
    if before in (None, "open") or kind in ("close", "punct"):
        return before in ("binary", "relation")
    if before in ("binary", "relation", "prefix", "punct", "space"):
        return not (before == "prefix" and kind == "open")
    return kind in ("relation", "prefix", "space") or (kind == "binary" and not is_sign)


def _would_merge(out: list[str], latex: str) -> bool:
    """Whether `latex` would be read as part of what is written before it."""
    if not out or not latex:
        return False
    first, last = latex[0], out[-1][-1:]
    if first.isdigit() and last.isdigit():
        return True
    return first.isalpha() and last.isalpha() and bool(_CONTROL_WORD_END.search(out[-1][-40:]))


def written(piece: Piece) -> str:
    """LaTeX of a piece whose fences will not be found any more."""
    if piece.table is None:
        return piece.latex
    return _environment("aligned" if piece.is_aligned else "matrix", piece.table)


def _environment(name: str, table: tuple[tuple[str, ...], ...]) -> str:
    rows = r" \\ ".join(" & ".join(row) for row in table)
    return rf"\begin{{{name}}} {rows} \end{{{name}}}"


def finished(piece: Piece) -> Piece:
    """`piece` with its table or binomial written out."""
    if piece.table is None:
        return piece
    return Piece(written(piece), is_tall=True)


def with_script(base: Piece, mark: str, script: Piece) -> Piece:
    """`base` with a script by `_` or `^`; primes stand without the mark."""
    if not script.latex:
        return base
    is_prime = mark == "^" and not script.latex.strip("'")
    taken = mark in base.scripts or (mark == "^" and "'" in base.scripts)
    if base.scripts == "many" or taken or not base.latex:
        core = base_of(base) if not taken else f"{{{base.latex}}}"
    else:
        core = base.latex
    kind: Kind = base.kind if base.kind == "prefix" or base.kind == "close" else "atom"
    added = script.latex if is_prime else mark + _argument(script.latex)
    ends = ("" if base.scripts == "many" or taken else base.scripts) + ("'" if is_prime else mark)
    is_tall = base.is_tall or (base.kind == "prefix" and base.latex[1:] not in FUNCTIONS)
    return Piece(core + added, kind, is_tall, ends)


def _argument(latex: str) -> str:
    r"""A script: bare where it is one character, `x^2`, else in braces. `90^\circ` for a degree."""
    if latex == r"^{\circ}":
        return r"\circ"
    return latex if len(latex) == 1 and latex not in "'^_" else f"{{{latex}}}"


def base_of(piece: Piece) -> str:
    """A base for scripts: in braces unless it is one sign or stands between brackets."""
    latex = piece.latex
    if SINGLE.fullmatch(latex) or (piece.scripts != "many" and latex) or _is_bracketed(latex):
        return latex
    return f"{{{latex}}}"


def _is_bracketed(latex: str) -> bool:
    """Whether the bracket that begins `latex` ends it."""
    if not latex.startswith(("(", r"\left(")) or not latex.endswith(")"):
        return False
    depth = 0
    for i, char in enumerate(latex):
        depth += (char == "(") - (char == ")")
        if depth == 0 and char == ")":
            return i == len(latex) - 1
    return False


def script_pairs(base: Piece, scripts: list[Piece]) -> Piece:
    """`base` with subscripts and superscripts in turn, as in `mmultiscripts`."""
    for i, script in enumerate(scripts):
        mark = "_^"[i % 2]
        if script.latex and mark in base.scripts:
            base = Piece(base.latex + "{}")
        base = with_script(base, mark, script)
    return base
