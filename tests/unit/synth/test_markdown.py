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
        "private use \ue0001\ue001 stays",
    ],
)
def test_what_only_looks_like_marks_stays(text):
    assert plain_text(text) == text
