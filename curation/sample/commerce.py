"""Product pages, keyword spam, link lists and pages that show a consent notice only."""

from random import Random

from curation.sample.catalogue import Chapter, Stock
from curation.sample.page import Block, Draft, h2, p
from curation.sample.prose import about, paragraphs, pick_lines
from curation.sample.spin import Slots, capitalise, expand


def product(rng: Random, stock: Stock, turn: int) -> Draft:
    """A shop's page: description, data, reviews."""
    frame = stock.chapters["shop"]["product"]
    item, material, *features = (
        part.strip() for part in frame["item"][turn * 7 % len(frame["item"])].split("|")
    )
    names = {"item": item, "material": material, "brand": rng.choice(frame["brand"])}
    names |= {"model": f"{rng.choice('ABCEGKLMRSTX')}{rng.randint(10, 990)}"}
    names |= {name: rng.choice(stock.slots[name]) for name in ("colour", "price", "person")}
    slots: Slots = {**stock.slots, **{key: (value,) for key, value in names.items()}}
    rng.shuffle(features)
    blocks = [p(*pick_lines(rng, frame["intro"], 1, slots))]
    blocks += [Block("ul", tuple(map(capitalise, features)))]
    blocks += paragraphs(rng, pick_lines(rng, frame["selling"], rng.randint(6, 9), slots), 4)
    blocks += [h2("Technical data"), _data(rng, names)]
    blocks += [h2("Customer reviews"), *_reviews(rng, frame, slots)]
    title = f"{names['brand']} {item} {names['model']}, {names['colour']}"
    price = f"£{names['price']}.{rng.choice(('00', '50', '90', '95', '99'))}"
    return Draft("product", "shop", title, tuple(blocks), "fair", price=price)


def spam(rng: Random, stock: Stock, turn: int) -> Draft:
    """Keyword stuffing for three kinds of goods."""
    frame = stock.chapters["shop"]["spam"]
    goods = rng.sample(frame["goods"], 3)
    lines = []
    for template in rng.sample(frame["line"], rng.randint(11, 16)):
        words = {
            name: (_keyword(rng, stock, frame, rng.choice(goods)),) for name in ("kw", "kw2", "kw3")
        }
        lines.append(expand(template, rng, {**stock.slots, **words}))
    title = " | ".join(capitalise(_keyword(rng, stock, frame, good)) for good in goods)
    blocks = paragraphs(rng, lines, 5)
    if rng.random() < 0.6:
        keywords = [_keyword(rng, stock, frame, good) for good in goods]
        blocks.append(Block("ul", tuple(rng.choices(keywords, k=rng.randint(12, 40)))))
    return Draft("spam", "spam", title, tuple(blocks), "poor")


def listing(rng: Random, stock: Stock, turn: int) -> Draft:
    """A directory of companies, or the titles of an archive."""
    frame = stock.chapters["shop"]["listing"]
    slots = about(stock, stock.subject(turn))
    intro = expand(rng.choice(frame["intro"]), rng, slots)
    n = rng.randint(25, 60)
    if turn % 2:
        rows = [expand(rng.choice(frame["company"]), rng, slots) for _ in range(n)]
    else:
        rows = [_headline(rng, stock) for _ in range(n)]
    blocks = (p(intro), Block("ul", tuple(dict.fromkeys(rows))))
    return Draft("listing", "directory", intro.rstrip("."), blocks, "poor")


def consent(rng: Random, stock: Stock, turn: int) -> Draft:
    """A page whose content is hidden behind a cookie notice; it has no main text."""
    notices = stock.chapters["shop"]["listing"]["cookie"]
    slots = {**stock.slots, "site": (f"{rng.choice(stock.slots['town'])} Online",)}
    notice = expand(notices[turn % len(notices)], rng, slots)
    return Draft("boilerplate", "news", "Before you continue", (), "poor", notice=notice)


def _data(rng: Random, names: dict[str, str]) -> Block:
    rows = {
        "Article number": f"{rng.randint(100000, 999999)}",
        "Colour": names["colour"],
        "Material": names["material"],
        "Guarantee": f"{rng.randint(2, 10)} years",
        "Delivery time": f"{rng.randint(1, 9)} working days",
    }
    return Block("table", tuple(f"{key}\t{value}" for key, value in rows.items()))


def _reviews(rng: Random, frame: Chapter, slots: Slots) -> list[Block]:
    lines = pick_lines(rng, frame["review"], rng.randint(3, 6), slots)
    return [Block("post", (line,), by=rng.choice(slots["first"])) for line in lines]


def _keyword(rng: Random, stock: Stock, frame: Chapter, goods: str) -> str:
    place = expand(rng.choice(frame["place"]), rng, stock.slots)
    words = [rng.choice(frame["brand_word"]), goods, place[:1].lower() + place[1:]]
    return " ".join(words[: rng.randint(2, 3)]) if rng.random() < 0.7 else goods


def _headline(rng: Random, stock: Stock) -> str:
    """A title like those of the blogs and papers, with a date in front."""
    subject = rng.choice(stock.subjects)
    files = (stock.chapters["blog"]["blog"], stock.chapters["lessons"]["lesson"])
    title = expand(rng.choice(rng.choice(files)["title"]), rng, about(stock, subject))
    return f"{rng.randint(1, 28)}/{rng.randint(1, 12)}/{rng.randint(2009, 2023)} {title}"
