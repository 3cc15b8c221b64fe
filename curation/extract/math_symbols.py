r"""Characters of mathematics, with the LaTeX that means them and how they space in a formula."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Literal

Kind = Literal["atom", "binary", "relation", "open", "close", "fence", "punct", "prefix", "space"]
"""How a sign behaves in a row: `prefix` is what wants a space behind it (sums, functions, dots),
`fence` a bar that opens and closes alike."""

FUNCTIONS = frozenset({
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc", "deg", "det", "dim",
    "exp", "gcd", "hom", "inf", "ker", "lg", "lim", "liminf", "limsup", "ln", "log", "max", "min",
    "Pr", "sec", "sin", "sinh", "sup", "tan", "tanh",
})  # fmt: skip
"""Names that LaTeX has a command for."""

ACCENTS = {
    "¯": "bar", "‾": "bar", "ˉ": "bar", "_": "bar", "―": "bar", "^": "hat", "ˆ": "hat", "̂": "hat",
    "~": "tilde", "˜": "tilde", "∼": "tilde", "→": "vec", "⃗": "vec", "⟶": "vec", "˙": "dot",
    ".": "dot", "¨": "ddot", "ˇ": "check", "´": "acute", "`": "grave", "˘": "breve", "̄": "bar",
    "←": "overleftarrow", "⏞": "overbrace", "︷": "overbrace", "\u23b4": "overbracket",
}  # fmt: skip
"""Signs above, with the command that sets them on one letter."""
WIDE = {"bar": "overline", "hat": "widehat", "tilde": "widetilde", "vec": "overrightarrow"}
"""The same over several letters."""
UNDERS = {
    "_": "underline", "¯": "underline", "‾": "underline", "̲": "underline", "―": "underline",
    "⏟": "underbrace", "︸": "underbrace", "→": "underrightarrow", "←": "underleftarrow",
}  # fmt: skip
"""Signs below."""
ALPHABETS = {
    "normal": r"\mathrm", "bold": r"\mathbf", "bold-italic": r"\boldsymbol", "italic": r"\mathit",
    "double-struck": r"\mathbb", "script": r"\mathcal", "bold-script": r"\mathcal",
    "fraktur": r"\mathfrak", "bold-fraktur": r"\mathfrak", "sans-serif": r"\mathsf",
    "monospace": r"\mathtt",
}  # fmt: skip
"""Values of `mathvariant`."""
ENCLOSURES = {
    "box": r"\boxed", "roundedbox": r"\boxed", "top": r"\overline", "actuarial": r"\overline",
    "bottom": r"\underline", "radical": r"\sqrt", "updiagonalstrike": r"\cancel",
    "downdiagonalstrike": r"\bcancel", "horizontalstrike": r"\sout",
}  # fmt: skip
"""Values of `notation` of `menclose`."""

_BINARY = (
    "+ ×:times ·:cdot ⋅:cdot ÷:div ±:pm ∓:mp * ∗:ast ⋆:star ∘:circ ∙:bullet ∪:cup ∩:cap "
    "∖:setminus ⊕:oplus ⊖:ominus ⊗:otimes ⊙:odot ∧:wedge ∨:vee ⊎:uplus ⊓:sqcap ⊔:sqcup ≀:wr "
    "⋄:diamond †:dagger ‡:ddagger ⨿:amalg ⋉:ltimes ⋊:rtimes ⊠:boxtimes ⊞:boxplus"
)
_RELATIONS = (
    "= < > ≠:neq ≤:leq ≥:geq ⩽:leqslant ⩾:geqslant ≪:ll ≫:gg ≡:equiv ≢:not\\equiv ≈:approx "
    "≉:not\\approx ∼:sim ≁:nsim ≃:simeq ≅:cong ∝:propto ≺:prec ≻:succ ⪯:preceq ⪰:succeq ≼:preceq "
    "≽:succeq ∈:in ∉:notin ∋:ni ⊂:subset ⊃:supset ⊆:subseteq ⊇:supseteq ⊊:subsetneq "
    "⊄:not\\subset ⊈:nsubseteq ⊏:sqsubset ⊑:sqsubseteq ⊢:vdash ⊣:dashv ⊨:models ⊩:Vdash ⊥:perp "
    "⟂:perp ∥:parallel ∦:nparallel ∣:mid ∤:nmid ≐:doteq ≜:triangleq ≍:asymp ⋈:bowtie ≲:lesssim "
    "≳:gtrsim →:to ←:leftarrow ↔:leftrightarrow ⇒:Rightarrow ⇐:Leftarrow ⇔:Leftrightarrow "
    "⟶:longrightarrow ⟵:longleftarrow ⟷:longleftrightarrow ⟹:Longrightarrow ⟸:Longleftarrow "
    "⟺:iff ↦:mapsto ⟼:longmapsto ↑:uparrow ↓:downarrow ↕:updownarrow ⇑:Uparrow ⇓:Downarrow "
    "↗:nearrow ↘:searrow ↙:swarrow ↖:nwarrow ↪:hookrightarrow ↩:hookleftarrow ⇀:rightharpoonup "
    "⇁:rightharpoondown ↼:leftharpoonup ↽:leftharpoondown ⇌:rightleftharpoons ⇋:leftrightharpoons "
    "⇄:rightleftarrows ↠:twoheadrightarrow ⇝:leadsto ↛:nrightarrow ≔:coloneqq ≕:eqqcolon "
    "∴:therefore ∵:because"
)
_PREFIXES = (
    "∑:sum ∏:prod ∐:coprod ∫:int ∬:iint ∭:iiint ∮:oint ∯:oiint ⋃:bigcup ⋂:bigcap ⨁:bigoplus "
    "⨂:bigotimes ⨀:bigodot ⋁:bigvee ⋀:bigwedge ⨄:biguplus …:dots ⋯:cdots ⋮:vdots ⋱:ddots"
)
_OPEN = "( [ {:{ ⟨:langle 〈:langle ⟨:langle ⌊:lfloor ⌈:lceil ⟦:llbracket ⟮:lgroup"
_CLOSE = ") ] }:} ⟩:rangle 〉:rangle ⟩:rangle ⌋:rfloor ⌉:rceil ⟧:rrbracket ⟯:rgroup !"
_FENCES = "| ‖:| ∥:parallel"
_ATOMS = (
    "∞:infty ∂:partial ∇:nabla ∀:forall ∃:exists ∄:nexists ¬:neg ∅:emptyset ∆:Delta ∠:angle "
    "∡:measuredangle △:triangle □:square ◻:square ◊:lozenge ■:blacksquare ∎:blacksquare ⊤:top "
    "ℓ:ell ℏ:hbar ħ:hbar ℜ:Re ℑ:Im ℘:wp ℵ:aleph ℶ:beth ð:eth ♭:flat ♯:sharp ♮:natural ★:bigstar "
    "µ:mu ϵ:epsilon ϕ:phi ϑ:vartheta ϱ:varrho ϖ:varpi ϰ:varkappa ς:varsigma §:S ¶:P £:pounds "
    "α:alpha β:beta γ:gamma δ:delta ε:varepsilon ζ:zeta η:eta θ:theta ι:iota κ:kappa λ:lambda μ:mu "
    "ν:nu ξ:xi π:pi ρ:rho σ:sigma τ:tau υ:upsilon φ:varphi χ:chi ψ:psi ω:omega Γ:Gamma Δ:Delta "
    "Θ:Theta Λ:Lambda Ξ:Xi Π:Pi Σ:Sigma Υ:Upsilon Φ:Phi Ψ:Psi Ω:Omega "
    "#:# $:$ %:% &:& _:_"
)
_LITERAL: dict[str, tuple[str, Kind]] = {
    "−": ("-", "binary"), "–": ("-", "binary"), "-": ("-", "binary"), "‐": ("-", "binary"),
    ",": (",", "punct"), ";": (";", "punct"), ":": (":", "relation"), "∶": (":", "relation"),
    "/": ("/", "atom"), "∕": ("/", "atom"), "\\": (r"\backslash", "atom"),
    "~": (r"\sim", "relation"), "^": (r"\wedge", "binary"),
    "‖": (r"\|", "fence"), "∥": (r"\|", "fence"), "|": ("|", "fence"), "❘": ("|", "fence"),
    "′": ("'", "close"), "″": ("''", "close"), "‴": ("'''", "close"), "⁗": ("''''", "close"),
    "'": ("'", "close"), "’": ("'", "close"), "ʹ": ("'", "close"),
    "°": (r"^{\circ}", "close"), "√": (r"\surd", "atom"), "‰": ("‰", "close"),
    "\u00a0": ("~", "space"), "\u2003": (r"\quad", "space"), "\u2002": (r"\;", "space"),
    "\u2004": (r"\;", "space"), "\u2005": (r"\:", "space"), "\u2009": (r"\,", "space"),
    "\u2006": (r"\,", "space"), "\u200a": (r"\,", "space"), "\u205f": (r"\:", "space"),
    "ⅆ": ("d", "atom"), "ⅅ": ("D", "atom"), "ⅇ": ("e", "atom"), "ⅈ": ("i", "atom"),
    "ⅉ": ("j", "atom"), "½": (r"\tfrac{1}{2}", "atom"), "¼": (r"\tfrac{1}{4}", "atom"),
    "¾": (r"\tfrac{3}{4}", "atom"), "²": ("^{2}", "close"), "³": ("^{3}", "close"),
    "¹": ("^{1}", "close"),
}  # fmt: skip
_INVISIBLE = "\u2061\u2062\u2063\u2064\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe00\u20e2"
"""Function application, invisible times and the like: nothing in LaTeX."""

_STYLES = (
    ("BOLD ITALIC", r"\boldsymbol"), ("BOLD SCRIPT", r"\mathcal"), ("BOLD FRAKTUR", r"\mathfrak"),
    ("SANS-SERIF", r"\mathsf"), ("DOUBLE-STRUCK", r"\mathbb"), ("BLACK-LETTER", r"\mathfrak"),
    ("FRAKTUR", r"\mathfrak"), ("SCRIPT", r"\mathcal"), ("MONOSPACE", r"\mathtt"),
    ("BOLD", r"\mathbf"),
)  # fmt: skip
"""Words of Unicode's names for mathematical letters, with LaTeX's alphabets; first hit counts."""


def _table() -> dict[str, tuple[str, Kind]]:
    """Every character of the lists above: LaTeX and kind."""
    table: dict[str, tuple[str, Kind]] = {}
    lists: tuple[tuple[str, Kind], ...] = (
        (_ATOMS, "atom"), (_BINARY, "binary"), (_RELATIONS, "relation"), (_PREFIXES, "prefix"),
        (_OPEN, "open"), (_CLOSE, "close"), (_FENCES, "fence"),
    )  # fmt: skip
    for entries, kind in lists:
        for entry in entries.split():
            table[entry[0]] = ("\\" + entry[2:] if entry[1:2] == ":" else entry[0], kind)
    for char in _INVISIBLE:
        table[char] = ("", "space")
    return table | _LITERAL


SYMBOLS = _table()


@lru_cache(maxsize=4096)
def symbol(char: str) -> tuple[str, Kind]:
    r"""LaTeX and kind of one character: `\alpha` for α, `\mathbb{R}` for ℝ, itself for a letter."""
    if char.isascii() and char.isalnum():
        return char, "atom"
    if char in SYMBOLS:
        return SYMBOLS[char]
    if char.isspace():
        return " ", "space"
    return _styled(char), "atom"


def _styled(char: str) -> str:
    """A letter of Unicode's mathematical alphabets in LaTeX's; any other character as it is."""
    plain = unicodedata.normalize("NFKC", char)
    if plain == char or len(plain) != 1 or not plain.isalnum():
        return char
    base, _ = symbol(plain)
    name = unicodedata.name(char, "")
    for words, command in _STYLES:
        if words in name:
            return f"{command}{{{base}}}"
    return base


def escaped(text: str) -> str:
    r"""`text` for use inside `\text{...}`: LaTeX's special characters escaped."""
    return "".join(_ESCAPES.get(char, char) for char in text) if _SPECIAL & set(text) else text


_ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "%": r"\%", "#": r"\#",
    "&": r"\&", "_": r"\_", "^": r"\^{}", "~": r"\~{}", "\u00a0": " ",
}  # fmt: skip
_SPECIAL = frozenset(_ESCAPES)
