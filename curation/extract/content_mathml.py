r"""Content MathML (what a formula means: `apply`, `ci`, `plus`) -> LaTeX.

Elements nested deeper than `_MAX_DEPTH` give their text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from selectolax.lexbor import LexborNode

from curation.extract.math_symbols import escaped, symbol

_MAX_DEPTH = 50

Present = Callable[[LexborNode, int], str]
"""Converter of presentation elements, which may stand in `ci`, `cn` and `csymbol`."""

_RELATION, _SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(1, 7)
"""How tightly an expression holds together: one in another of a higher number needs brackets."""

_INFIX = {
    "plus": (" + ", _SUM), "minus": (" - ", _SUM), "times": (" ", _PRODUCT),
    "union": (r" \cup ", _SUM), "intersect": (r" \cap ", _SUM), "setdiff": (r" \setminus ", _SUM),
    "and": (r" \land ", _SUM), "or": (r" \lor ", _SUM), "xor": (r" \oplus ", _SUM),
    "cartesianproduct": (r" \times ", _PRODUCT), "vectorproduct": (r" \times ", _PRODUCT),
    "scalarproduct": (r" \cdot ", _PRODUCT), "outerproduct": (r" \otimes ", _PRODUCT),
    "compose": (r" \circ ", _PRODUCT), "rem": (r" \bmod ", _PRODUCT),
    "eq": (" = ", _RELATION), "neq": (r" \neq ", _RELATION), "lt": (" < ", _RELATION),
    "gt": (" > ", _RELATION), "leq": (r" \leq ", _RELATION), "geq": (r" \geq ", _RELATION),
    "equivalent": (r" \equiv ", _RELATION), "approx": (r" \approx ", _RELATION),
    "in": (r" \in ", _RELATION), "notin": (r" \notin ", _RELATION),
    "subset": (r" \subseteq ", _RELATION), "prsubset": (r" \subset ", _RELATION),
    "notsubset": (r" \nsubseteq ", _RELATION), "notprsubset": (r" \not\subset ", _RELATION),
    "implies": (r" \implies ", _RELATION), "tendsto": (r" \to ", _RELATION),
    "factorof": (r" \mid ", _RELATION),
}  # fmt: skip
_BETWEEN = {
    "abs": ("|", "|"), "card": ("|", "|"), "determinant": (r"\det(", ")"),
    "floor": (r"\lfloor ", r" \rfloor"), "ceiling": (r"\lceil ", r" \rceil"),
    "exp": ("e^{", "}"), "conjugate": (r"\overline{", "}"), "mean": (r"\langle ", r" \rangle"),
    "set": (r"\{", r"\}"), "list": ("(", ")"), "vector": ("(", ")"), "not": (r"\neg ", ""),
    "curl": (r"\nabla \times ", ""), "divergence": (r"\nabla \cdot ", ""),
    "grad": (r"\nabla ", ""), "laplacian": (r"\nabla^2 ", ""),
}  # fmt: skip
_AFTER = {"factorial": "!", "transpose": "^T", "inverse": "^{-1}"}
_FUNCTIONS = frozenset({
    "sin", "cos", "tan", "sec", "csc", "cot", "sinh", "cosh", "tanh", "coth", "arcsin", "arccos",
    "arctan", "ln", "log", "gcd", "min", "max", "arg",
})  # fmt: skip
_OPERATORS = {
    "int": r"\int", "sum": r"\sum", "product": r"\prod", "limit": r"\lim", "forall": r"\forall",
    "exists": r"\exists",
}  # fmt: skip
_CONSTANTS = {
    "pi": r"\pi", "exponentiale": "e", "imaginaryi": "i", "infinity": r"\infty",
    "emptyset": r"\emptyset", "eulergamma": r"\gamma", "reals": r"\mathbb{R}",
    "integers": r"\mathbb{Z}", "rationals": r"\mathbb{Q}", "complexes": r"\mathbb{C}",
    "naturalnumbers": r"\mathbb{N}", "primes": r"\mathbb{P}", "true": r"\text{true}",
    "false": r"\text{false}", "ident": r"\mathrm{id}", "notanumber": r"\text{NaN}",
}  # fmt: skip
_QUALIFIERS = frozenset({
    "bvar", "lowlimit", "uplimit", "interval", "condition", "domainofapplication", "degree",
    "logbase",
})  # fmt: skip
_CONTAINERS = frozenset({
    "apply", "reln", "ci", "cn", "csymbol", "interval", "matrix", "piecewise", "lambda",
    "condition", "bvar", "lowlimit", "uplimit", "degree",
})  # fmt: skip

ELEMENTS = _CONTAINERS | _CONSTANTS.keys() | {"set", "list", "vector"}
"""Elements that begin content MathML."""


@dataclass(frozen=True)
class _Expression:
    latex: str
    level: int = _ATOM

    def within(self, level: int) -> str:
        """In brackets where it holds together less tightly than `level`."""
        return self.latex if self.level >= level else f"({self.latex})"


@dataclass
class _Application:
    """What an `apply` holds: the operator's name, its qualifiers by name, and its arguments."""

    name: str
    qualifiers: dict[str, list[LexborNode]] = field(default_factory=dict)
    arguments: list[LexborNode] = field(default_factory=list)


def local_name(node: LexborNode) -> str:
    """Name of an element without a namespace's prefix; `-text` for text."""
    return (node.tag or "").rpartition(":")[2]


def children(node: LexborNode) -> Iterator[LexborNode]:
    """The elements directly in `node`."""
    return node.iter(include_text=False)


def latex_of(node: LexborNode, depth: int, present: Present) -> str:
    """LaTeX of a content element; `present` reads the presentation elements in it."""
    return _Reader(present).read(node, depth).latex


class _Reader:
    """Recursive descent with the converter of presentation elements at hand."""

    def __init__(self, present: Present) -> None:
        self.present = present

    def read(self, node: LexborNode, depth: int) -> _Expression:
        name = local_name(node)
        if depth > _MAX_DEPTH:
            return _Expression(escaped(" ".join(node.text().split())))
        if name in ("apply", "reln"):
            return self.application(node, depth + 1)
        if name in ("ci", "cn", "csymbol"):
            return self.token(node, depth + 1)
        if name in _CONSTANTS:
            return _Expression(_CONSTANTS[name])
        if name in ("set", "list", "vector"):
            before, after = _BETWEEN[name]
            return _Expression(before + self.comma_separated(node, depth) + after)
        return self.container(node, name, depth + 1)

    def container(self, node: LexborNode, name: str, depth: int) -> _Expression:
        if name == "interval":
            before, after = _closure(node.attributes.get("closure"))
            return _Expression(before + self.comma_separated(node, depth) + after)
        if name == "matrix":
            rows = [self.cells(row, depth) for row in children(node)]
            return _Expression(rf"\begin{{pmatrix}} {_lines(rows)} \end{{pmatrix}}")
        if name == "piecewise":
            return self.piecewise(node, depth)
        if name == "lambda":
            *names, body = self.all(node, depth) or [_Expression("")]
            variables = ", ".join(n.latex for n in names)
            return _Expression(rf"{variables} \mapsto {body.latex}", _RELATION)
        inner = self.all(node, depth)
        latex = " ".join(e.latex for e in inner) if inner else escaped(node.text(strip=True))
        return _Expression(latex, inner[0].level if len(inner) == 1 else _ATOM)

    def token(self, node: LexborNode, depth: int) -> _Expression:
        """`ci`, `cn`, `csymbol`: a name, a number, or presentation MathML."""
        inner = list(children(node))
        if any(local_name(child) == "sep" for child in inner):
            return _separated(node)
        if inner:
            return _Expression(" ".join(self.present(child, depth) for child in inner))
        text = node.text(strip=True)
        if len(text) > 1 and text.isalpha():
            return _Expression(rf"\mathrm{{{text}}}" if text.isascii() else rf"\text{{{text}}}")
        level = _SUM if text.startswith(("-", "−")) else _ATOM
        return _Expression("".join(symbol(char)[0] for char in text), level)

    def all(self, node: LexborNode, depth: int) -> list[_Expression]:
        return [self.read(child, depth + 1) for child in children(node)]

    def cells(self, node: LexborNode, depth: int) -> list[str]:
        return [e.latex for e in self.all(node, depth)]

    def comma_separated(self, node: LexborNode, depth: int) -> str:
        return ", ".join(self.cells(node, depth))

    def piecewise(self, node: LexborNode, depth: int) -> _Expression:
        rows = []
        for piece in children(node):
            cells = self.cells(piece, depth)
            rows.append(cells if local_name(piece) == "piece" else [*cells, r"\text{otherwise}"])
        return _Expression(rf"\begin{{cases}} {_lines(rows)} \end{{cases}}")

    def application(self, node: LexborNode, depth: int) -> _Expression:
        inner = list(children(node))
        if not inner:
            return _Expression(escaped(node.text(strip=True)))
        head, *rest = inner
        applied = _Application(local_name(head))
        for child in rest:
            name = local_name(child)
            if name in _QUALIFIERS and (name != "interval" or applied.name in _OPERATORS):
                applied.qualifiers.setdefault(name, []).append(child)
            else:
                applied.arguments.append(child)
        arguments = [self.read(child, depth) for child in applied.arguments]
        return self.operation(applied, arguments, depth) or self.call(head, arguments, depth)

    def operation(
        self, applied: _Application, arguments: list[_Expression], depth: int
    ) -> _Expression | None:
        """One of the operators known here; None where it is a function of the page's own."""
        name = applied.name
        if name == "minus" and len(arguments) == 1:
            return _Expression("-" + arguments[0].within(_PRODUCT), _SUM)
        if name in _INFIX:
            return _infix(name, arguments)
        if name in _OPERATORS or name in ("diff", "partialdiff"):
            return self.bound(applied, arguments, depth)
        if name in ("power", "divide", "root", "log", "quotient"):
            return self.two_part(applied, arguments, depth)
        inside = ", ".join(argument.latex for argument in arguments)
        if name in _BETWEEN:
            return _Expression(inside.join(_BETWEEN[name]))
        if name in _AFTER and arguments:
            return _Expression(arguments[0].within(_ATOM) + _AFTER[name], _POWER)
        if name in _FUNCTIONS:
            return _Expression(rf"\{name}({inside})")
        return None

    def two_part(
        self, applied: _Application, arguments: list[_Expression], depth: int
    ) -> _Expression | None:
        """Powers, quotients, roots and logarithms."""
        name, latex = applied.name, [argument.latex for argument in arguments]
        if name in ("root", "log"):
            which = "degree" if name == "root" else "logbase"
            extra = [self.read(q, depth).latex for q in applied.qualifiers.get(which, [])]
            inside = ", ".join(latex)
            if name == "root":
                return _Expression(rf"\sqrt{f'[{extra[0]}]' if extra else ''}{{{inside}}}")
            return _Expression(rf"\log{f'_{{{extra[0]}}}' if extra else ''}({inside})")
        if len(arguments) != 2:
            return None
        if name == "power":
            return _Expression(f"{arguments[0].within(_ATOM)}^{{{latex[1]}}}", _POWER)
        fraction = rf"\frac{{{latex[0]}}}{{{latex[1]}}}"
        return _Expression(fraction if name == "divide" else rf"\lfloor {fraction} \rfloor")

    def bound(self, applied: _Application, arguments: list[_Expression], depth: int) -> _Expression:
        """Sums, integrals, limits, derivatives and quantifiers, with their bound variables."""
        name = applied.name
        parts = {
            key: ", ".join(self.read(node, depth).latex for node in nodes)
            for key, nodes in applied.qualifiers.items()
            if key != "interval"
        }
        for interval in applied.qualifiers.get("interval", [])[:1]:
            ends = self.cells(interval, depth)
            parts |= dict(zip(("lowlimit", "uplimit"), ends, strict=False))
        body = " ".join(argument.within(_PRODUCT) for argument in arguments)
        variable = parts.get("bvar", "")
        if name in ("diff", "partialdiff"):
            return _derivative(body, variable, sign="d" if name == "diff" else r"\partial ")
        if name in ("forall", "exists"):
            return _Expression(rf"{_OPERATORS[name]} {variable} : {body}", _RELATION)
        return _Expression(_limits(name, parts) + f" {body}" + _differential(name, variable), _SUM)

    def call(self, head: LexborNode, arguments: list[_Expression], depth: int) -> _Expression:
        """A function of the page's own: `f(x, y)`."""
        name = local_name(head)
        is_known = name in ELEMENTS
        function = self.read(head, depth).latex if is_known else rf"\operatorname{{{name}}}"
        return _Expression(f"{function}({', '.join(a.latex for a in arguments)})")


def _infix(name: str, arguments: list[_Expression]) -> _Expression:
    sign, level = _INFIX[name]
    parts = [
        argument.within(level + (i > 0 and name == "minus")) for i, argument in enumerate(arguments)
    ]
    if name == "times" and any(part[:1].isdigit() for part in parts[1:]):
        sign = r" \cdot "
    return _Expression(sign.join(parts), level)


def _derivative(body: str, variable: str, *, sign: str) -> _Expression:
    if not variable:
        return _Expression(f"{body}'", _POWER)
    below = " ".join(f"{sign}{name}" for name in variable.split(", "))
    return _Expression(rf"\frac{{{sign.strip()}}}{{{below}}} {body}", _PRODUCT)


def _limits(name: str, parts: dict[str, str]) -> str:
    low, variable = parts.get("lowlimit", ""), parts.get("bvar", "")
    if name == "limit" and low:
        low = rf"{variable} \to {low}"
    elif name in ("sum", "product") and low:
        low = f"{variable} = {low}"
    low = low or parts.get("condition", "") or parts.get("domainofapplication", "")
    high = parts.get("uplimit", "")
    under, over = f"_{{{low}}}" if low else "", f"^{{{high}}}" if high else ""
    return _OPERATORS[name] + under + over


def _differential(name: str, variable: str) -> str:
    return rf" \, d{variable}" if name == "int" and variable else ""


def _closure(closure: str | None) -> tuple[str, str]:
    return {
        "open": ("(", ")"), "open-closed": ("(", "]"), "closed-open": ("[", ")"),
    }.get(closure or "", ("[", "]"))  # fmt: skip


def _lines(rows: list[list[str]]) -> str:
    return r" \\ ".join(" & ".join(row) for row in rows)


def _separated(node: LexborNode) -> _Expression:
    """`<cn type="rational">1<sep/>2</cn>` and its like."""
    parts = [escaped(c.text(strip=True)) for c in node.iter(include_text=True) if c.is_text_node]
    kind = node.attributes.get("type") or ""
    if len(parts) == 2 and kind == "rational":
        return _Expression(rf"\frac{{{parts[0]}}}{{{parts[1]}}}")
    if len(parts) == 2 and kind == "e-notation":
        return _Expression(rf"{parts[0]} \times 10^{{{parts[1]}}}", _PRODUCT)
    if len(parts) == 2 and kind == "complex-cartesian":
        return _Expression(f"{parts[0]} + {parts[1]} i", _SUM)
    return _Expression(" ".join(parts))
