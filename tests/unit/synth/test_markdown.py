import pytest

from curation.synth.markdown import plain_text


@pytest.mark.parametrize(
    ("marked", "plain"),
    [
        ("a **bold** word", "a bold word"),
        ("an *italic* word", "an italic word"),
        ("***both*** here", "both here"),
        ("**bold with *italic* inside**", "bold with italic inside"),
        ("an _italic_ word and __two words__", "an italic word and two words"),
        ("**Student A:** Hello", "Student A: Hello"),
        ("see [the page](https://example.org/a_b_c) now", "see the page now"),
        ("[Ada](https://example.org/Ada_(name)) wrote", "Ada wrote"),
        ("![a cat](cat.png) sleeps", "a cat sleeps"),
        ("## Heading\ntext\n### **Other** ###", "Heading\ntext\nOther"),
        ("**The area $a_1 * b_1$ is**", "The area $a_1 * b_1$ is"),
        ("## About C#\n### Closed ##\n## ##", "About C#\nClosed\n"),
    ],
)
def test_marks_come_off(marked, plain):
    assert plain_text(marked) == plain


@pytest.mark.parametrize(
    "text",
    [
        "my_var_name and other_name",
        "_private and my _var here",
        "__init__ and __name__",
        "2 * 3 * 4",
        "2**3**4 and 2*3*4",
        "f(*args, **kwargs) and *more",
        "(*p)++ and (*q)--",
        "an unclosed * and **bold",
        "* one item\n* another item",
        "# a comment in a script",
        "`a *b* c` and ```\nx = _y_ * **z**\n```",
        "$a_1 * b_1$ and $$x_{i} *y* z$$",
        r"\(a_i *b* c\) and \[ _x_ \]",
        r"\begin{align}_x_ *y*\end{align}",
        "https://example.org/_a_/b_c_d",
        r"\*not emphasis\*",
        r"\begin{align}a &= *b*\\[2pt] c &= _d_\end{align}",
        r"\[ a \\[2pt] *b* _c_ \]",
        "a \\\\[2pt] b",
        "$5 for *p and $6 for q*s",
        "private use \ue0001\ue001 stays",
    ],
)
def test_what_only_looks_like_marks_stays(text):
    assert plain_text(text) == text


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    [
        "*a ", "**a ", "***a ", "__a ", "_a ", "a__ b", "\\[", "\\(x", "$$", "$ a", "`", "``` ",
        "[", "[a](", "[a](((", "## ", " \t#", "\\begin{a}", "http://", "\\\\[", " ", "\ue000",
    ],
)  # fmt: skip
def test_marks_without_an_end_take_no_time_to_speak_of(piece):
    # Quadratic patterns would take from minutes to days for half a million characters.
    text = "## __x " + piece * (500_000 // len(piece)) + "b"
    assert "b" in plain_text(text)
