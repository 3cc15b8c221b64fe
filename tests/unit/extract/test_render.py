from curation.extract.blocks import read_page
from curation.extract.classes import NamesReader
from curation.extract.render import render


def rendered(html: str, leave_out: tuple[str, ...] = ()) -> str:
    page = read_page(html, names_of=NamesReader({}))
    kept = [number for number, text in enumerate(page.blocks.text) if text not in leave_out]
    return render(page, kept)


def test_paragraphs_and_headings_are_separated_by_a_blank_line() -> None:
    assert rendered("<h1>T</h1><p>a</p><div>b</div>") == "T\n\na\n\nb"


def test_a_list_has_an_item_a_line() -> None:
    assert (
        rendered("<p>x</p><ul><li>a<li>b<ul><li>c</ul></ul><p>y</p>") == "x\n\n- a\n- b\n- c\n\ny"
    )


def test_a_second_paragraph_of_an_item_has_no_sign() -> None:
    assert rendered("<ul><li><p>a</p><p>b</p></li><li>c</li></ul>") == "- a\nb\n- c"


def test_cells_of_a_row_are_joined_and_rows_are_lines() -> None:
    html = "<table><tr><th>a<th>b<tr><td>c<td>d</table><p>e</p>"
    assert rendered(html) == "a | b\nc | d\n\ne"


def test_two_texts_in_a_cell_stay_together() -> None:
    assert rendered("<table><tr><td><p>a</p><p>b</p><td>c</table>") == "a b | c"


def test_a_long_text_in_a_table_for_the_layout_is_a_paragraph() -> None:
    long = "word " * 70
    html = f"<table><tr><td>{long}<td>menu</table>"
    assert rendered(html) == f"{long.strip()}\n\nmenu"


def test_terms_and_their_descriptions_are_lines() -> None:
    assert rendered("<dl><dt>a<dd>b<dt>c<dd>d</dl>") == "a\nb\nc\nd"


def test_code_keeps_its_lines_even_in_a_list() -> None:
    assert rendered("<ul><li><pre>if x:\n  y</pre></ul>") == "if x:\n  y"


def test_line_breaks_within_an_item_stay_and_within_a_cell_are_blanks() -> None:
    assert rendered("<ul><li>a<br>b<li>c</ul>") == "- a\nb\n- c"
    assert rendered("<table><tr><td>a<br>b<td>c</table>") == "a b | c"


def test_an_empty_cell_keeps_its_column() -> None:
    rows = "<tr><th>y<th>a<th>b<tr><td>1<td><td>5<tr><td>2<td>3<td><tr><td><td><td>9"
    assert rendered(f"<table>{rows}</table>") == "y | a | b\n1 | | 5\n2 | 3\n| | 9"


def test_head_and_body_of_a_table_are_one_table() -> None:
    html = "<table><thead><tr><th>a<th>b</thead><tbody><tr><td>c<td>d</tbody></table>"
    assert rendered(html) == "a | b\nc | d"
    assert rendered(html + html) == "a | b\nc | d\n\na | b\nc | d"


def test_lines_of_a_listing_that_are_elements_are_lines() -> None:
    html = "<pre><div>if x:</div><div>  y</div></pre><pre>z</pre>"
    assert rendered(html) == "if x:\n  y\n\nz"
    assert rendered("<xmp>a\n  b</xmp>") == "a\n  b"


def test_the_reading_beside_a_character_is_no_text() -> None:
    assert rendered("<p><ruby>東京<rp>(</rp><rt>とうきょう</rt><rp>)</rp></ruby>へ</p>") == "東京へ"


def test_what_is_left_out_leaves_no_trace() -> None:
    assert rendered("<ul><li>a<li>b<li>c</ul>", leave_out=("b",)) == "- a\n- c"
    assert rendered("<p>a</p>", leave_out=("a",)) == ""
