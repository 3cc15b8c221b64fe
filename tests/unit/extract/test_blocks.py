from curation.extract import blocks
from curation.extract.blocks import TAG_CODES, Page, read_page
from curation.extract.classes import GROUPS, HIDDEN, NamesReader


def read(html: str, weights: dict[str, float] | None = None) -> Page:
    return read_page(html, names_of=NamesReader(weights or {}))


def texts(html: str) -> list[str]:
    return read(html).blocks.text


def test_a_block_ends_where_a_tag_breaks_the_line() -> None:
    html = "<p>one <em>two</em> three</p><ul><li>four<li><a href=x>five</a></ul>six"
    assert texts(html) == ["one two three", "four", "five", "six"]


def test_two_line_breaks_end_a_block_and_one_stays_a_line_end() -> None:
    assert texts("a<br>b<br> <br>c") == ["a\nb", "c"]
    assert texts("a<br>b<br>c") == ["a\nb\nc"]


def test_preformatted_text_keeps_its_lines_and_indentation() -> None:
    assert texts("<pre>\ndef f():\n    return  1\n</pre>") == ["def f():\n    return  1"]


def test_scripts_styles_templates_and_comments_are_no_text() -> None:
    html = "<p>a<script>b</script><style>c</style><template>d</template><!-- e --><svg>f</svg></p>"
    assert texts(html) == ["a"]


def test_navigation_and_footer_are_left_out_where_there_is_other_text() -> None:
    furniture = "<nav>Home</nav>", "<footer>Imprint</footer>"
    assert texts(f"{furniture[0]}<p>{'word ' * 60}</p>{furniture[1]}") == [("word " * 60).strip()]


def test_navigation_and_footer_are_read_where_there_is_little_else() -> None:
    assert texts("<nav>Home</nav><p>short</p>") == ["Home", "short"]


def test_characters_in_links_and_in_bold_are_counted() -> None:
    page = read("<p>ab <a>cde</a> <b>fg</b> <strong>h</strong> <img></p>")
    assert list(page.blocks.n_link_chars) == [3]
    assert list(page.blocks.n_links) == [1]
    assert list(page.blocks.n_bold_chars) == [3]
    assert list(page.blocks.n_images) == [1]


def test_a_link_around_paragraphs_counts_in_each() -> None:
    assert list(read("<a><p>ab</p><p>cde</p></a>").blocks.n_link_chars) == [2, 3]


def test_an_element_knows_its_parent_and_the_range_of_its_blocks() -> None:
    page = read("<div>a<section>b<p>c</p></section></div>d")
    section = page.elements.tag.index(TAG_CODES["section"])
    div = page.elements.tag.index(TAG_CODES["div"])
    assert page.elements.parent[section] == div
    assert (page.elements.start[section], page.elements.end[section]) == (1, 3)
    assert (page.elements.start[div], page.elements.end[div]) == (0, 3)
    assert (page.elements.start[0], page.elements.end[0]) == (0, 4)


def test_class_and_id_words_give_groups_and_score() -> None:
    page = read('<div class="postBody main-nav" id=x9>a</div>', {"body": 0.5, "main": 0.25})
    navigation, content = (1 << GROUPS.index(group) for group in ("navigation", "content"))
    assert page.elements.mask[1] & navigation
    assert page.elements.mask[1] & content
    assert page.elements.score[1] == 0.75


def test_elements_of_one_class_have_one_key_whatever_their_id() -> None:
    page = read('<div class="post" id="p1">a</div><div class="post" id="p2">b</div><div>c</div>')
    assert page.elements.key[1] == page.elements.key[2] != page.elements.key[3]


def test_hidden_elements_are_marked_and_read() -> None:
    hidden = ["hidden", 'aria-hidden="true"', 'style="color:red; DISPLAY : none"']
    for attribute in hidden:
        page = read(f"<div {attribute}>a</div>")
        assert page.blocks.text == ["a"]
        assert page.elements.mask[1] & HIDDEN
    assert not read('<div style="display:block" aria-hidden="false">a</div>').elements.mask[1]


def test_the_head_tells_titles_and_kinds() -> None:
    page = read(
        "<head><title> A \n b </title><meta property=og:title content='A  c'>"
        "<meta property='og:type' content='Article'>"
        '<script type="application/ld+json">{"@type": "NewsArticle"}</script></head>'
        '<div itemtype="https://schema.org/Product">x</div>'
    )
    assert page.head.title == "A b"
    assert page.head.og_title == "A c"
    assert page.head.og_type == "article"
    assert page.head.schema_types == "product newsarticle"


def test_a_formula_stands_in_the_text_once() -> None:
    html = (
        '<p>so <span class="katex"><span class="katex-mathml"><math><semantics><mi>x</mi>'
        '<annotation encoding="application/x-tex">x^2</annotation></semantics></math></span>'
        '<span class="katex-html">x2</span></span> holds</p>'
    )
    assert texts(html) == ["so $x^2$ holds"]


def test_a_script_with_a_formula_is_read() -> None:
    assert texts('<p>so <script type="math/tex">a+b</script> holds</p>') == ["so $a+b$ holds"]


def test_a_page_without_body_or_text_has_no_blocks() -> None:
    for html in ("", " ", "\x00", "<frameset></frameset>", "<!-- -->", "<p> <br> &nbsp; </p>"):
        assert texts(html) == []


def test_thousands_of_open_elements_are_no_problem() -> None:
    assert texts("<div>" * 5_000 + "deep")[-1] == "deep"


def test_what_lies_beyond_the_limit_of_nodes_is_not_read(monkeypatch) -> None:
    monkeypatch.setattr(blocks, "MAX_NODES", 5)
    page = read("<p>a</p><p>b</p><p>c</p>")
    assert page.blocks.text == ["a", "b"]
    assert all(end <= 2 for end in page.elements.end)


def test_what_stands_for_browsers_without_scripts_is_read_where_there_is_little_else() -> None:
    noscript = "<noscript><p>for <b>all</b></p></noscript>"
    assert texts(f"<p>loading</p>{noscript}") == ["loading", "for all"]
    assert texts(f"<p>{'word ' * 60}</p>{noscript}") == [("word " * 60).strip()]
