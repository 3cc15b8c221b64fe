"""Turns a draft into HTML: sites with a design each, and the furniture around the text."""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from random import Random

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from curation.sample.catalogue import Stock
from curation.sample.latex import FORMS, FORMULA, Form, render
from curation.sample.page import Block, Draft
from curation.sample.prose import about
from curation.sample.spin import capitalise, expand

_RIGHT_TO_LEFT = ("ar",)
_FOLDERS = ("pages", "texts", "home", "private", "archive")
_PARAGRAPH: Mapping[str, str] = {
    "soup": '<div class="css-p mb-4 leading-7">{}</div>',
    "retro": '<FONT FACE="Times">{}</FONT><BR><BR>',
    "directory": "<div>{}</div>",
}
"""Designs that do not use the paragraph tag."""


@dataclass(frozen=True)
class Site:
    """A host, what it calls itself, and the design all of its pages share."""

    host: str
    name: str
    design: str


@dataclass(frozen=True)
class Address:
    """Where and when a page was published; `number` is the page's own."""

    site: Site
    url: str
    number: int
    published: datetime


def sites(stock: Stock, family: str) -> list[Site]:
    """All sites that carry drafts of `family`."""
    rows = [line.split(" | ") for line in stock.chapters["sites"]["sites"][family]]
    return [Site(host, _site_name(host), design) for host, design in rows]


def address(rng: Random, site: Site, draft: Draft, number: int) -> Address:
    """A URL in the manner of the site's design; the number keeps it unique."""
    published = datetime(2015 + rng.randrange(9), rng.randint(1, 12), rng.randint(1, 28))
    slug = slug_of(draft.title) or "page"
    path = {
        "blog": f"{published:%Y/%m}/{slug}-{number}/",
        "forum": f"questions/{number}/{slug}",
        "forum_table": f"viewtopic.php?f={number % 7 + 1}&t={number}",
        "newspaper": f"{rng.choice(('local', 'culture', 'people', 'news'))}/{slug}-{number}.html",
        "retro": f"~{rng.choice(_FOLDERS)}/{slug[:12].strip('-')}{number}.htm",
        "shop": f"p/{slug}?sku={number}",
        "directory": f"list/{number}/",
        "wiki": f"wiki/{capitalise(slug.replace('-', '_'))}_{number}",
    }.get(site.design, f"{slug}-{number}")
    scheme = "http" if site.design in ("retro", "directory") else "https"
    return Address(site, f"{scheme}://{site.host}/{path}", number, published)


def to_html(rng: Random, stock: Stock, draft: Draft, where: Address, charset: str) -> str:
    """The whole page. `charset` is only declared here; see `defects` for the bytes."""
    design = "consent" if draft.notice else where.site.design
    form = rng.choice(FORMS)
    return (
        _environment()
        .get_template(f"design_{design}.html.j2")
        .render(
            _furniture(rng, stock, draft, where),
            charset=charset,
            body=Markup(blocks_html(rng, draft.blocks, design, form if draft.formulas else None)),
            posts=[
                (block.by or draft.author, Markup(_post(rng, block, form, formulas=draft.formulas)))
                for block in draft.blocks
            ],
        )
    )


def blocks_html(rng: Random, blocks: Sequence[Block], design: str, form: Form | None) -> str:
    """HTML of `blocks`, one element a line; formulas are rendered where `form` is given."""
    paragraph = _PARAGRAPH.get(design, "<p>{}</p>")
    out = []
    for block in blocks:
        lines = [_inline(rng, line, form) for line in block.lines]
        if block.kind == "p":
            out += [paragraph.format(line) for line in lines]
        elif block.kind == "post":
            text = "".join(f"<p>{line}</p>" for line in lines)
            out.append(f'<div class="review"><b>{escape(block.by)}</b>{text}</div>')
        elif block.kind == "table":
            out.append(_table(lines))
        elif block.kind in ("ul", "ol"):
            items = "".join(f"<li>{line}</li>\n" for line in lines)
            out.append(f"<{block.kind}>\n{items}</{block.kind}>")
        else:
            tag = "blockquote" if block.kind == "quote" else "h2"
            out += [f"<{tag}>{line}</{tag}>" for line in lines]
    return "\n".join(out)


def slug_of(title: str) -> str:
    """`title` in lower case ASCII letters, digits and hyphens, at most 60 characters."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower())[:60].strip("-")


def day_of(stock: Stock, moment: datetime) -> str:
    """Date in words, in English whatever the machine's locale."""
    return f"{moment.day} {stock.slots['month'][moment.month - 1]} {moment.year}"


@functools.cache
def _environment() -> Environment:
    loader = PackageLoader("curation.sample", "stock")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def _furniture(rng: Random, stock: Stock, draft: Draft, where: Address) -> dict[str, object]:
    """Everything on a page that is not its text."""
    furniture = stock.chapters["furniture"]["site"]
    slots = {**stock.slots, "site": (where.site.name,)}

    def some(name: str, n: int) -> list[str]:
        return [expand(line, rng, slots) for line in rng.sample(furniture[name], n)]

    published = where.published
    return {
        "lang": draft.language,
        "dir": "rtl" if draft.language in _RIGHT_TO_LEFT else "ltr",
        "title": draft.title,
        "site": where.site.name,
        "url": where.url,
        "slug": slug_of(draft.title),
        "number": where.number,
        "description": draft.text[:150].replace("\n", " "),
        "author": draft.author,
        "price": draft.price,
        "notice": draft.notice,
        "date": day_of(stock, published),
        "iso_date": f"{published:%Y-%m-%d}",
        "tagline": some("tagline", 1)[0],
        "nav": some("nav", rng.randint(5, 9)),
        "sidebar_title": some("sidebar_title", 1)[0],
        "sidebar": [_teaser(rng, stock) for _ in range(rng.randint(5, 9))],
        "widgets": some("widget", 3),
        "share": some("share", 5),
        "comments": [
            (rng.choice(slots["user"]), line) for line in some("comment", rng.choice((0, 2, 4)))
        ],
        "footer": some("footer", 3),
        "cookie": some("cookie", 1)[0],
    }


def _teaser(rng: Random, stock: Stock) -> str:
    """Title of a page that may or may not exist."""
    subject = rng.choice(stock.subjects)
    frames = stock.chapters["blog"]["blog"], stock.chapters["lessons"]["lesson"]
    return expand(rng.choice(rng.choice(frames)["title"]), rng, about(stock, subject))


def _inline(rng: Random, line: str, form: Form | None) -> str:
    """One line of text, escaped, with its formulas or now and then a link or an emphasis."""
    if form is None:
        return _decorated(rng, escape(line, quote=False))
    out, end = [], 0
    for hit in FORMULA.finditer(line):
        out.append(escape(line[end : hit.start()], quote=False))
        out.append(render(hit[1] or hit[2], form, display=hit[1] is not None))
        end = hit.end()
    return "".join(out) + escape(line[end:], quote=False)


def _decorated(rng: Random, text: str) -> str:
    words = text.split(" ")
    if len(words) < 12 or rng.random() < 0.5:
        return text
    i = rng.randrange(1, len(words) - 1)
    if words[i].isalpha():
        kind = rng.choice(('<a href="/topic/{0}">{1}</a>', "<em>{1}</em>", "<strong>{1}</strong>"))
        words[i] = kind.format(i, words[i])
    return " ".join(words)


def _post(rng: Random, block: Block, form: Form, *, formulas: bool) -> str:
    lines = [_inline(rng, line, form if formulas else None) for line in block.lines]
    return "".join(f"<p>{line}</p>" for line in lines)


def _table(lines: Sequence[str]) -> str:
    rows = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in line.split("\t")) + "</tr>\n"
        for line in lines
    )
    return f'<table class="data">\n{rows}</table>'


def _site_name(host: str) -> str:
    """Name of a site from its host: `kelmouth-today.example` becomes "Kelmouth Today"."""
    first = next(part for part in host.split(".") if part != "www")
    return " ".join(capitalise(word) for word in first.split("-"))
