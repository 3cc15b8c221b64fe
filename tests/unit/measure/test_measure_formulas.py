import pytest

from curation.measure.formulas import looks_like_math, math_frac


@pytest.mark.parametrize(
    "formula",
    [
        "$x$", "$n+1$", "$x_{max}$", "$f(x)$", "$(2, -3)$", r"$\mathrm{speed}$", "$a = b$",
        "$$E = mc^2$$", "$$\nE = mc^2\n$$", r"\(x\)", r"\(\text{speed} > 5\)", r"\[ a + b \]",
        r"\[ a \\[2pt] b + c \]", r"\begin{align} a &= b \\ c &= d \end{align}",
        r"\begin{equation*} rate = distance \end{equation*}",
    ],
)  # fmt: skip
def test_a_formula_counts_with_its_delimiters_and_the_words_around_it_do_not(formula):
    text = f"Let {formula} hold."
    assert math_frac(text) == pytest.approx(len(formula) / len(text))


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $10!", "It costs $5, or $10.", "between $5-$10 a month", "US$5m or A$7m",
        "so it is $6*30=$180", "paid $5$ twice", "cheap $$ to dear $$$$", "$$ - $$$ bar",
        "$HOME/$USER and $PATH", "for ($i=0;$i<9;$i++)", "a $file_name and $x", "$1,200.50$",
        r"\[edit\] \[1\] \(see below\)", r"C:\Users\max\Documents", r"read\in full, read\to all",
        "a + b = c < d -> e • f ∙ g", "\U0001d4d7\U0001d4ee\U0001d4f5\U0001d4f5\U0001d4f8", "",
        r"\begin{itemize} two \end{itemize}", r"escaped \$x\$",
    ],
)  # fmt: skip
def test_prices_paths_code_and_decoration_are_no_mathematics(text):
    assert math_frac(text) == 0.0


@pytest.mark.parametrize(
    "text",
    [
        "US$5+3$ after a letter", r"\$5+3$ after a backslash", "$ 5+3$ before a space",
        "$5+3 $ after a space", r"$5+3\$ after a backslash", "$a+b$3 before a digit",
        "$6*30=$ after an operator", "$5+3\n+1$ in two lines",
    ],
)  # fmt: skip
def test_a_dollar_sign_opens_or_closes_only_in_its_place(text):
    assert math_frac(text) == 0.0


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        ("for $5, take $x$", "$x$"),
        ("for ($5) take ($x$)", "$x$"),
        ("rated $$, dearly; $$x+1$$", "$$x+1$$"),
        (r"\(where $x+1$ holds\)", "$x+1$"),
        (r"\[see the $x+1$ above\]", "$x+1$"),
    ],
)
def test_what_seemed_to_close_a_price_may_open_a_formula(text, formula):
    assert math_frac(text) == pytest.approx(len(formula) / len(text))


@pytest.mark.parametrize(
    ("text", "n_math"),
    [
        (r"so \frac{1}{2} of it", len(r"\frac{1}{2}")),
        (r"where \alpha is 3\times 4", len(r"\alpha\times")),
        ("x ∈ ℝ, 3 × 4 ≥ 5", 4),
        ("for \U0001d465 and \U0001d465\U0001d466", 3),
        ("\U0001d465\\(a+b\\)\U0001d466\U0001d465", 10),
        ("$a ∈ b+c$ ∪", len("$a ∈ b+c$ ∪") - 1),
    ],
)
def test_commands_and_symbols_outside_formulas_count_once(text, n_math):
    assert math_frac(text) == pytest.approx(n_math / len(text))


def test_a_display_of_half_a_page_is_no_formula():
    assert looks_like_math("x^2 + " * 800 + "1")
    assert not looks_like_math("x^2 + " * 900 + "1")


@pytest.mark.parametrize(
    "piece", ["$", "\\", r"\(", r"\[ a", r"\begin{align} x", r"\frac{", "$a_", "$$" + "{" * 50,
              "$(1,1,1,1 ", r"\left"],
)  # fmt: skip
def test_open_formulas_by_the_ten_thousand_end(piece):
    assert 0.0 <= math_frac(piece * 20_000) <= 1.0
