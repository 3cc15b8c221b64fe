r"""Mathematics in any text, against its definition in plain Python; and in texts made of parts."""

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.measure.formulas import looks_like_math, math_frac
from curation.measure.signals import signals
from curation.measure.words import Words

LETTERS = string.ascii_letters
ENVIRONMENTS = {"equation", "align", "aligned", "gather", "multline", "eqnarray", "cases", "matrix",
                "bmatrix", "pmatrix", "vmatrix"}  # fmt: skip
COMMANDS = {
    "frac", "dfrac", "tfrac", "sqrt", "int", "oint", "lim", "infty", "partial", "nabla", "cdot",
    "cdots", "ldots", "pm", "mp", "leq", "geq", "neq", "equiv", "propto", "subseteq", "forall",
    "notin", "mapsto", "rightarrow", "leftarrow", "Rightarrow", "Leftrightarrow", "iff", "mathbb",
    "mathbf", "mathrm", "mathcal", "mathit", "operatorname", "overline", "underline", "tilde",
    "vec", "binom", "ln", "cos", "exp", "det", "alpha", "beta", "gamma", "delta", "epsilon",
    "varepsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu", "nu", "xi", "pi", "rho",
    "sigma", "tau", "phi", "varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda",
    "Xi", "Pi", "Sigma", "Phi", "Psi", "Omega",
}  # fmt: skip
ENGLISH_COMMANDS = {
    "in", "to", "times", "div", "sum", "prod", "cup", "cap", "subset", "approx", "sim", "exists",
    "implies", "hat", "bar", "left", "right", "log", "sin", "tan", "min", "max",
}  # fmt: skip
SIGNS = "±×÷¬ℂℍℕℙℚℝℤℵℏℜℑ℘"
BLOCKS = ((0x2200, 0x2218), (0x221A, 0x22FF), (0x27C0, 0x27EF), (0x2980, 0x29BD), (0x29C0, 0x29FF),
          (0x2A00, 0x2AFF))  # fmt: skip

PIECES = st.sampled_from([
    *"$$$$\\\\(){}[]^_+-=<>|x1 \n.,;%é²", "$$", r"\(", r"\)", r"\[", r"\]", r"\\", r"\$", "$x$",
    "$5", "$x + 1$", "$$y = 2$$", r"\(a_1\)", r"\[f(x)\]", r"\(see below\)", "$1,200$", "$(1, -2)$",
    r"\begin{align}", r"\end{align}", r"\end{equation*}", r"\begin{itemize}", r"\end{bmatrix}",
    r"\begin{xmatrix}", r"\frac", r"\frac{1}{2}", r"\alpha", r"\alphabet", r"\in", r"\times",
    "d", "is", r"\cdots", "{a b}", "{a\n}", ":", "×", "ℝ", "∑", "∙", "⦿", "→", "\U0001d465",
    "\U0001d4d7", "word", "x^2", "a = b", "5kn", "漢字語", "\u2003", "\0", "\U0001f600",
])  # fmt: skip
ODD_TEXT = st.lists(PIECES, max_size=30).map("".join)
NARROW_TEXT = st.text("$\\()[]{} x1+_^\n", max_size=40)
ANY_TEXT = st.text(max_size=200)  # any Unicode but lone surrogates
COPIED_TEXT = st.builds(lambda text, n: text * n, ODD_TEXT, st.integers(0, 15))


def n_math_chars(text):
    n, between, at = 0, [""], 0
    while at < len(text):
        end, content, behind = formula_at(text, at)
        if end and (content is None or is_math(content)):
            n, at = n + end - at, end
            between.append("")
        else:
            between[-1] += text[at : at + (behind or 1)]
            at += behind or 1
    return n + sum(map(n_command_and_symbol_chars, between))


def formula_at(text, at):
    """End of a formula at `at`, what it holds (None: an environment), how far to go if it is none.

    All are 0 or empty where no formula begins. What closes in dollars may open another formula;
    what stands in brackets is not looked into again.
    """
    if text.startswith("$$", at):
        end = text.find("$", at + 2)
        if end > at + 2 and text.startswith("$$", end):
            return end + 2, text[at + 2 : end], end - at
    elif text.startswith("$", at):
        end = at + 1
        while end < len(text) and text[end] not in "$\n":
            end += 1
        content, before, behind = text[at + 1 : end], text[at - 1 : at], text[end + 1 : end + 2]
        opens = not (before == "\\" or is_of_word(before) or before == "$")
        is_whole = content and not content[0].isspace() and not content[-1].isspace()
        closes = text[end : end + 1] == "$" and not (behind == "$" or behind.isdecimal())
        if opens and is_whole and content[-1] != "\\" and closes:
            return end + 1, content, end - at
    elif text[at : at + 2] in (r"\(", r"\["):
        end = delimiter_from(text, at + 2)
        if text[end : end + 2] == {r"\(": r"\)", r"\[": r"\]"}[text[at : at + 2]]:
            return end + 2, text[at + 2 : end], end + 2 - at
    elif length := environment_at(text, at, r"\begin{"):
        end = at + length
        while end < len(text) and not text.startswith((r"\begin{", r"\end{"), end):
            end += 1
        if closing := environment_at(text, end, r"\end{"):
            return end + closing, None, 0
    return 0, "", 0


def delimiter_from(text, at):
    r"""Place of the next of `\(`, `\)`, `\[`, `\]`; `\\` is a line break and part of none."""
    while at < len(text):
        if text[at : at + 2] == r"\\":
            at += 2
        elif text[at] == "\\" and text[at + 1 : at + 2] in tuple("()[]"):
            return at
        else:
            at += 1
    return at


def environment_at(text, at, opening):
    """Length of `opening` with the name of an environment and a bracket; 0: there is none."""
    close = text.find("}", at)
    name = text[at + len(opening) : close].removesuffix("*")
    is_one = text.startswith(opening, at) and close >= 0 and name in ENVIRONMENTS
    return close + 1 - at if is_one else 0


def n_command_and_symbol_chars(text):
    n, rest, at = 0, [""], 0
    while at < len(text):
        if length := command_at(text, at):
            n, at = n + length, at + length
            rest.append("")
        else:
            rest[-1] += text[at]
            at += 1
    return n + sum(map(n_symbols, rest))


def command_at(text, at):
    r"""Length of a command with its arguments at `at`; 0: there is none."""
    before = text[at - 1] if at else ""
    if text[at] != "\\" or before in ("\\", ":"):
        return 0
    for opening in (r"\begin{", r"\end{"):
        if length := environment_at(text, at, opening):
            return length
    end = at + 1
    while end < len(text) and text[end] in LETTERS:
        end += 1
    name = text[at + 1 : end]
    is_word = name in ENGLISH_COMMANDS and not (before and before in LETTERS)
    if name not in COMMANDS and not is_word:
        return 0
    while text[end : end + 1] == "{":
        close = end + 1
        while close < len(text) and text[close] not in "{}\n":
            close += 1
        if text[close : close + 1] != "}":
            break
        end = close + 1
    return end - at


def n_symbols(text):
    """Symbols, and letters of the mathematical alphabets where no more than two stand together."""
    n, run = 0, 0
    for c in [*text, ""]:
        if is_of_alphabets(c):
            run += 1
            continue
        n += run * (run <= 2)
        run = 0
        n += c != "" and (c in SIGNS or any(first <= ord(c) <= last for first, last in BLOCKS))
    return n


def is_of_alphabets(c):
    return "\U0001d400" <= c <= "\U0001d7ff"


def is_of_word(c):
    return c.isalnum() or c == "_"


def is_math(content):
    if len(content) > 5_000:
        return False
    if any(content[i] == "\\" and all(c in LETTERS for c in content[i + 1 : i + 3])
           for i in range(len(content) - 2)):  # fmt: skip
        return True
    if any(c in '£€¥%;"#@' for c in content) or content.rstrip().endswith(tuple("=<>+*/-")):
        return False
    if longest_word(without_subscripts(content)) >= 3:
        return False
    return has_script(content) or has_operation(content) or is_variable(content.strip())


def without_subscripts(content):
    """`content` without what stands in braces (one deep) or behind `_` and `^`."""
    rest, at = "", 0
    while at < len(content):
        end = at + 1
        if content[at] == "{":
            while end < len(content) and content[end] not in "{}":
                end += 1
            if content[end : end + 1] == "}":
                at = end + 1
                continue
        elif content[at] in "_^":
            while end < len(content) and is_of_word(content[end]):
                end += 1
            if end > at + 1:
                at = end
                continue
        rest, at = rest + content[at], at + 1
    return rest


def longest_word(text):
    longest, run = 0, 0
    for c in text:
        run = run + 1 if c.isalnum() and not c.isdecimal() else 0
        longest = max(longest, run)
    return longest


def has_script(content):
    begins = LETTERS + string.digits + "{(*+-"
    return any(content[i] in "_^" and content[i + 1] in begins for i in range(len(content) - 1))


def has_operation(content):
    for i, c in enumerate(content):
        left, right = content[:i], content[i + 1 :]
        # One space may stand on each side of it.
        ends = [left[-1:], left[-2:-1] if left[-1:].isspace() else ""]
        begins = [right[:1], right[1:2] if right[:1].isspace() else ""]
        is_between = any(e and (is_of_word(e) or e in ")}]") for e in ends) and any(
            b and (is_of_word(b) or b in "({[-") for b in begins
        )
        if c in "=<>+*/|-" and is_between:
            return True
    return False


def is_variable(name):
    """A short name such as `f(x)`, which is no amount such as `5k`; or a tuple of numbers."""
    if 1 <= len(name) <= 12 and all(c in LETTERS + string.digits + "()[],.'!|+-" for c in name):
        return any(c in LETTERS for c in name) and not is_amount(name)
    inner = name[:-1] if name.endswith((".", ",")) else name
    parts = inner[1:-1].split(",")
    is_tuple = inner.startswith("(") and inner.endswith(")") and 2 <= len(parts) <= 6
    return is_tuple and all(
        1 <= len(part) <= 20 and all(c.isdecimal() or c.isspace() or c in ".-" for c in part)
        for part in parts
    )


def is_amount(name):
    number = name.removesuffix("n")
    number = number[:-1] if number.endswith(tuple("kKmMbB")) else number
    is_number = all(c in string.digits + ".," for c in number)
    return number[:1] in tuple(string.digits) and is_number


@settings(max_examples=1_000, deadline=None)
@given(ODD_TEXT | NARROW_TEXT | ANY_TEXT | COPIED_TEXT)
@example("")
@example("one line and no more")
@example("\n" * 100)
@example("$$ to $$x+1$$")
@example(r"\[ a \\[2pt] b + c \]")
def test_the_share_of_mathematics_is_that_of_its_definition(text):
    expected = n_math_chars(text) / len(text) if text else 0.0
    assert math_frac(text) == expected
    assert signals(Words(text))["math_frac"] == expected


@settings(max_examples=1_000, deadline=None)
@given(ODD_TEXT | NARROW_TEXT | ANY_TEXT | st.text("(1, -.)x5kKn+=_^{}a\n", max_size=14))
@example("x" + " " * 5_000)
@example("+1" * 2_500)
@example("+1" * 2_501)
def test_what_looks_like_mathematics_is_what_is_defined_to(content):
    assert looks_like_math(content) == is_math(content)


FORMULAS = ["$x$", "$n+1$", "$$E = mc^2$$", r"\(f(x)\)", r"\[ a \\ b + c \]", r"\frac{1}{2}", "∑",
            r"\begin{align} rate \end{align}", "$(2, -3)$", r"\alpha", "×",
            "\U0001d465"]  # fmt: skip
OTHERS = ["word", "漢字", "$5", "US$7m", "1,000", "a + b", "→", r"\[edit\]", r"C:\Users", "\0", "-",
          "\U0001d4d7\U0001d4ee\U0001d4f5", r"\begin{itemize}", "(see", "below)",
          "e\u0301"]  # fmt: skip
GAPS = st.sampled_from(["; ", ";\n", "; \n\n"])  # with `;` nothing in dollars is a formula


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(FORMULAS + OTHERS), GAPS), min_size=1, max_size=30))
def test_a_text_made_of_parts_has_the_formulas_that_were_put_into_it(parts):
    text = "".join(piece + gap for piece, gap in parts)
    n_chars = sum(len(piece) for piece, _ in parts if piece in FORMULAS)
    assert math_frac(text) == n_chars / len(text)


def test_letters_with_a_command_between_them_stand_alone():
    text = "\U0001d465\\alpha\U0001d466\U0001d467"
    assert n_math_chars(text) == len(text)
    assert math_frac(text) == 1.0


HUGE = {
    "one word": "x" * 50_000,
    "line feeds": "\n" * 50_000,
    "formulas": "$x+1$ " * 3_000,
    "prices": "$5 and $10; " * 3_000,
    "commands": r"\frac{1}{2} " * 3_000,
    "symbols": "∑×" * 10_000,
    "an alphabet": "\U0001d465" * 10_000,
    "displays": "$$a = b$$\n" * 3_000,
    "brackets": r"\(a\) \[b + c\] " * 2_000,
    "open brackets": r"\( " * 300,
    "open environments": r"\begin{align} " * 300,
    "dollars": "$" * 20_000,
    "backslashes": "\\" * 2_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_huge_repeats_are_those_of_the_definition(text):
    assert math_frac(text) == n_math_chars(text) / len(text)
