r"""Presentation and content MathML -> LaTeX, for formulas that come without their source.

A formula is read from the leaves up: every element becomes a `Piece`, and a row of pieces becomes
one again. What has no meaning here gives its text. Elements nested deeper than `_MAX_DEPTH`, and
single-child rows do not count, give their text too, so that no page can exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from selectolax.lexbor import LexborNode

from curation.extract import content_mathml
from curation.extract.content_mathml import children, local_name
from curation.extract.math_rows import (
    MODULO,
    SINGLE,
    Piece,
    assembled,
    base_of,
    finished,
    script_pairs,
    with_script,
    written,
)
from curation.extract.math_symbols import (
    ACCENTS,
    ALPHABETS,
    ENCLOSURES,
    FUNCTIONS,
    UNDERS,
    WIDE,
    Kind,
    escaped,
    symbol,
)

_MAX_DEPTH = 50

_TRANSPARENT = frozenset({"mrow", "mstyle", "mpadded", "merror", "math", "mtd", "a", "mlabel"})
_EXTENSIBLE = {r"\to": r"\xrightarrow", r"\longrightarrow": r"\xrightarrow"}
_NAMED_SPACES = {
    "veryverythinmathspace": 0.06, "verythinmathspace": 0.11, "thinmathspace": 0.17,
    "mediummathspace": 0.22, "thickmathspace": 0.28, "verythickmathspace": 0.33,
    "veryverythickmathspace": 0.39,
}  # fmt: skip
_EMS = {"em": 1.0, "ex": 0.45, "px": 1 / 16, "pt": 1 / 12, "mm": 0.24, "cm": 2.4}
_WIDTH = re.compile(r"\s*(-?\d*\.?\d+)\s*(em|ex|px|pt|mm|cm)\s*", re.IGNORECASE)

_BLANKS = re.compile(r"[ \t\r\n\f\v]+")
_SPACES = re.compile(r"(?<=\\\\) {2,}|(?<!\\) {2,}")


_Handler = Callable[[LexborNode, int], Piece]


def latex_of(math: LexborNode) -> str:
    r"""LaTeX of a `<math>` element, on one line; its plain text where that is all it has.

    Cost: about 3 µs an element.
    """
    return _on_one_line(written(_row(math, 0)))


def latex_of_text(text: str) -> str:
    """LaTeX of characters in a row, such as `x²≤α`."""
    return _on_one_line(_bare(text).latex)


def _on_one_line(latex: str) -> str:
    return _SPACES.sub(" ", _BLANKS.sub(" ", latex)).strip()


def _row(node: LexborNode, depth: int) -> Piece:
    """The children of `node` as one row, as they stand in `mrow` and where MathML implies it."""
    return assembled([_piece(child, depth + 1) for child in _contents(node)])


def _piece(node: LexborNode, depth: int) -> Piece:
    node = _innermost(node)
    if node.is_text_node:
        return _bare(node.text(strip=True))
    if depth > _MAX_DEPTH:
        return _bare(node.text())
    name = local_name(node)
    if handler := _HANDLERS.get(name):
        return handler(node, depth)
    if name in content_mathml.ELEMENTS:
        return Piece(content_mathml.latex_of(node, depth, _presented))
    return _row(node, depth)


def _contents(node: LexborNode) -> Iterator[LexborNode]:
    return node.iter(include_text=True, skip_empty=True)


def _presented(node: LexborNode, depth: int) -> str:
    return written(_piece(node, depth))


def _innermost(node: LexborNode) -> LexborNode:
    """What a chain of rows with a single element each comes down to."""
    while node.is_element_node and local_name(node) in _TRANSPARENT:
        only = [child for _, child in zip(range(2), _contents(node), strict=False)]
        if len(only) != 1 or not only[0].is_element_node:
            break
        node = only[0]
    return node


# Leaves


def _bare(text: str) -> Piece:
    """Text outside of any leaf, or of what is not understood: sign by sign."""
    return assembled([Piece(*symbol(char)) for char in " ".join(text.split())])


def _identifier(node: LexborNode, depth: int) -> Piece:
    text = node.text(strip=True).strip("\u2061\u2062\u2063")
    if (name := "".join(text.split())) in FUNCTIONS:
        return Piece("\\" + name, "prefix")
    if text == "mod":
        return Piece(MODULO, "relation")
    if len(text) > 1 and text.isalpha():
        return Piece(_word(text, node.attributes.get("mathvariant")))
    piece = Piece(*symbol(text)) if len(text) == 1 else _bare(text)
    alphabet = ALPHABETS.get(node.attributes.get("mathvariant") or "")
    if alphabet and text.isalnum() and not (alphabet == r"\mathrm" and not text.isascii()):
        return piece._replace(latex=f"{alphabet}{{{piece.latex}}}")
    return piece


def _word(text: str, variant: str | None) -> str:
    """A name of several letters; those that LaTeX's alphabets lack stand as text."""
    if not text.isascii():
        return _bare(text).latex if _is_greek(text) else rf"\text{{{text}}}"
    return f"{ALPHABETS.get(variant or 'normal', ALPHABETS['normal'])}{{{text}}}"


def _is_greek(text: str) -> bool:
    return any("\u0370" <= char <= "\u03ff" or char >= "\U0001d400" for char in text)


def _number(node: LexborNode, depth: int) -> Piece:
    text = "".join(node.text(strip=True).split())
    if text.isascii() and text.replace(".", "").replace(",", "").isalnum():
        return Piece(text)
    return Piece("".join(symbol(char)[0] for char in text))


def _operator(node: LexborNode, depth: int) -> Piece:
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


def _text(node: LexborNode, depth: int) -> Piece:
    raw = node.text()
    # MathML trims the text of its leaves; where it does not come of indentation, it was meant.
    text = _BLANKS.sub(" ", raw.strip() if "\n" in raw else raw)
    if not text.strip():
        return Piece(r"\ " if text else "", "space")
    if len(text) == 1 and not text.isalpha():
        return Piece(*symbol(text))
    if text.isascii() and text.replace(".", "", 1).isdigit():
        return Piece(text)
    return Piece(rf"\text{{{escaped(text)}}}")


def _space(node: LexborNode, depth: int) -> Piece:
    """Space by its width. An unclosed `<m:mspace/>` of HTML contains what should follow it."""
    if node.attributes.get("linebreak") == "newline":
        return Piece(r"\\", "space")
    width = (node.attributes.get("width") or "").lower()
    space = Piece(_space_command(_ems(width)), "space")
    return assembled([space, _row(node, depth)]) if node.first_child is not None else space


def _ems(width: str) -> float:
    if width in _NAMED_SPACES:
        return _NAMED_SPACES[width]
    match = _WIDTH.fullmatch(width)
    return float(match[1]) * _EMS[match[2].lower()] if match else 0.0


def _space_command(ems: float) -> str:
    steps = ((1.8, r"\qquad"), (0.8, r"\quad"), (0.26, r"\;"), (0.2, r"\:"), (0.1, r"\,"))
    return next((command for least, command in steps if ems >= least), "")


def _nothing(node: LexborNode, depth: int) -> Piece:
    return Piece("", "space")


# Scripts, fractions, roots


def _parts(node: LexborNode, depth: int) -> list[Piece]:
    return [finished(_piece(child, depth + 1)) for child in children(node)]


def _frac(node: LexborNode, depth: int) -> Piece:
    parts = _parts(node, depth)
    if len(parts) != 2:
        return assembled(parts)
    top, bottom = parts[0].latex, parts[1].latex
    if (node.attributes.get("linethickness") or "").strip().rstrip("ptxem%") in ("0", "0.0"):
        return Piece(rf"{{{top} \atop {bottom}}}", is_tall=True, over=(top, bottom))
    if node.attributes.get("bevelled") == "true":
        return Piece(f"{base_of(parts[0])}/{base_of(parts[1])}", scripts="many")
    return Piece(rf"\frac{{{top}}}{{{bottom}}}", is_tall=True)


def _sqrt(node: LexborNode, depth: int) -> Piece:
    inside = _row(node, depth)
    return Piece(rf"\sqrt{{{written(inside)}}}", is_tall=inside.is_tall)


def _root(node: LexborNode, depth: int) -> Piece:
    parts = _parts(node, depth)
    if len(parts) != 2:
        return assembled(parts)
    return Piece(rf"\sqrt[{parts[1].latex}]{{{parts[0].latex}}}", is_tall=parts[0].is_tall)


def _sub(node: LexborNode, depth: int) -> Piece:
    return _scripted(node, depth, marks="_")


def _sup(node: LexborNode, depth: int) -> Piece:
    return _scripted(node, depth, marks="^")


def _subsup(node: LexborNode, depth: int) -> Piece:
    return _scripted(node, depth, marks="_^")


def _scripted(node: LexborNode, depth: int, *, marks: str) -> Piece:
    base, *scripts = _parts(node, depth) or [Piece("")]
    if len(scripts) != len(marks):
        return assembled([base, *scripts])
    for mark, script in zip(marks, scripts, strict=True):
        base = with_script(base, mark, script)
    return base


# Above and below


def _under(node: LexborNode, depth: int) -> Piece:
    parts = _parts(node, depth)
    return _below(*parts) if len(parts) == 2 else assembled(parts)


def _over(node: LexborNode, depth: int) -> Piece:
    parts = _parts(node, depth)
    return _above(*parts, mark=_mark(node, 1)) if len(parts) == 2 else assembled(parts)


def _under_over(node: LexborNode, depth: int) -> Piece:
    parts = _parts(node, depth)
    if len(parts) != 3:
        return assembled(parts)
    base, low, high = parts
    if _takes_limits(base):
        return with_script(with_script(base, "_", low), "^", high)
    return _above(_below(base, low), high, mark=_mark(node, 2))


def _mark(node: LexborNode, position: int) -> str:
    """Text of a part that may be an accent."""
    return [child.text(strip=True) for child in children(node)][position]


def _takes_limits(base: Piece) -> bool:
    return base.kind == "prefix" or base.latex.startswith((r"\underbrace", r"\overbrace"))


def _below(base: Piece, low: Piece) -> Piece:
    if not low.latex:
        return base
    command = UNDERS.get(_sign(low))
    if command:
        return Piece(rf"\{command}{{{base.latex}}}", is_tall=base.is_tall)
    if _takes_limits(base):
        return with_script(base, "_", low)
    return Piece(rf"\underset{{{low.latex}}}{{{base.latex}}}", base.kind)


def _above(base: Piece, high: Piece, *, mark: str) -> Piece:
    if not high.latex:
        return base
    if command := ACCENTS.get(mark):
        is_single = SINGLE.fullmatch(base.latex) is not None
        name = command if is_single else WIDE.get(command, command)
        return Piece(rf"\{name}{{{base.latex}}}", is_tall=base.is_tall)
    if _takes_limits(base):
        return with_script(base, "^", high)
    if base.latex in _EXTENSIBLE:
        return Piece(rf"{_EXTENSIBLE[base.latex]}{{{high.latex}}}", "relation")
    return Piece(rf"\overset{{{high.latex}}}{{{base.latex}}}", base.kind)


def _sign(piece: Piece) -> str:
    """The character that an accent below was written with."""
    return {r"\_": "_", r"\to": "→", r"\leftarrow": "←"}.get(piece.latex, piece.latex)


def _multiscripts(node: LexborNode, depth: int) -> Piece:
    """A base with scripts behind it and, after `mprescripts`, before it."""
    inner = list(children(node))
    if not inner:
        return _bare(node.text())
    names = [local_name(child) for child in inner]
    cut = names.index("mprescripts") if "mprescripts" in names else len(inner)
    pieces = [finished(_piece(child, depth + 1)) for child in inner]
    before = script_pairs(Piece("{}"), pieces[cut + 1 :])
    after = script_pairs(pieces[0], pieces[1:cut])
    return Piece((before.latex if cut < len(inner) else "") + after.latex, scripts=after.scripts)


# Fences and tables


def _fenced(node: LexborNode, depth: int) -> Piece:
    attributes = node.attributes
    separators = "".join((attributes.get("separators", ",") or "").split())
    pieces = [_fence(attributes.get("open", "("), "open")]
    for i, child in enumerate(children(node)):
        if i and separators:
            pieces.append(Piece(*symbol(separators[min(i - 1, len(separators) - 1)])))
        pieces.append(_piece(child, depth + 1))
    return assembled([*pieces, _fence(attributes.get("close", ")"), "close")])


def _fence(sign: str | None, kind: Kind) -> Piece:
    sign = (sign or "").strip()
    return Piece("".join(symbol(char)[0] for char in sign), kind)


def _enclosed(node: LexborNode, depth: int) -> Piece:
    inside = _row(node, depth)
    latex = written(inside)
    for notation in (node.attributes.get("notation") or "").lower().split():
        if notation in ENCLOSURES:
            latex = f"{ENCLOSURES[notation]}{{{latex}}}"
        elif notation in ("left", "right"):
            latex = f"|{latex}" if notation == "left" else f"{latex}|"
    return Piece(latex, is_tall=inside.is_tall, scripts=inside.scripts)


def _table(node: LexborNode, depth: int) -> Piece:
    rows = tuple(
        tuple(_cell(cell, depth + 2) for cell in _cells(row))
        for row in children(node)
        if local_name(row) in ("mtr", "mlabeledtr", "tr", "mtd")
    )
    latex = "" if not rows else " "
    return Piece(latex, is_tall=True, table=rows, is_aligned=_is_aligned(node, rows))


def _cells(row: LexborNode) -> list[LexborNode]:
    """Cells of a row: without its number, and a cell without a row is a row."""
    if local_name(row) == "mtd":
        return [row]
    cells = [cell for cell in children(row) if local_name(cell) in ("mtd", "td")]
    return cells[1:] if local_name(row) == "mlabeledtr" else cells


def _cell(cell: LexborNode, depth: int) -> str:
    return written(_row(cell, depth))


def _is_aligned(node: LexborNode, rows: tuple[tuple[str, ...], ...]) -> bool:
    r"""Whether a table stands for lines of an equation: `\begin{aligned}`."""
    if (node.attributes.get("columnalign") or "").startswith("right left"):
        return True
    return bool(rows) and any(len(r) > 1 and r[1].startswith(_RELATION_STARTS) for r in rows)


_RELATION_STARTS = (
    "=",
    "<",
    ">",
    r"\leq",
    r"\geq",
    r"\neq",
    r"\approx",
    r"\equiv",
    r"\to",
    r"\sim",
)


def _semantics(node: LexborNode, depth: int) -> Piece:
    """The first child; the annotations behind it say the same again."""
    first = next(children(node), None)
    return _piece(first, depth + 1) if first is not None else _bare(node.text())


_HANDLERS: dict[str, _Handler] = {
    "mi": _identifier, "mn": _number, "mo": _operator, "mtext": _text, "ms": _text,
    "mspace": _space, "none": _nothing, "mprescripts": _nothing, "mphantom": _nothing,
    "annotation": _nothing, "annotation-xml": _nothing, "malignmark": _nothing,
    "maligngroup": _nothing, "mfrac": _frac, "msqrt": _sqrt, "mroot": _root, "msub": _sub,
    "msup": _sup, "msubsup": _subsup, "munder": _under, "mover": _over, "munderover": _under_over,
    "mmultiscripts": _multiscripts, "mfenced": _fenced, "menclose": _enclosed, "mtable": _table,
    "semantics": _semantics, "maction": _semantics,
}  # fmt: skip
