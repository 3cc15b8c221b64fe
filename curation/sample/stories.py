"""News reports and personal blogs: invented people and places around a few true sentences."""

from random import Random

from curation.sample.catalogue import Stock
from curation.sample.page import Block, Draft, h2, p
from curation.sample.prose import about, facts, paragraphs, pick_lines
from curation.sample.spin import expand

_EVENTS = ("exhibition", "course", "prize", "council", "volunteers", "radio")


def news(rng: Random, stock: Stock, turn: int) -> Draft:
    """A local paper's report: an event, quotations, some background."""
    subject, event = (
        stock.subject(turn),
        stock.chapters["news"][_EVENTS[stock.lap(turn) % len(_EVENTS)]],
    )
    shared, slots = stock.chapters["news"]["shared"], about(stock, subject) | _cast(rng, stock)
    known = facts(rng, stock, subject, 6)
    quotes = [
        expand(quote, rng, slots | _quoted(fact))
        for quote, fact in zip(rng.sample(shared["quote_intro"], 3), known[:3], strict=True)
    ]
    body = pick_lines(rng, event["body"], rng.randint(5, 7), slots)
    blocks = [p(*pick_lines(rng, event["lead"], 1, slots)), *paragraphs(rng, body[:3], 3)]
    blocks += [p(quotes[0]), *paragraphs(rng, body[3:], 2)]
    blocks.append(p(*pick_lines(rng, shared["background_intro"], 1, slots), *known[3:]))
    blocks += [p(*quotes[1:]), p(*pick_lines(rng, shared["closing"], 2, slots))]
    title = expand(rng.choice(event["title"]), rng, slots)
    return Draft(
        "article", "news", title, tuple(blocks), "fair", author=rng.choice(slots["person"])
    )


def blog(rng: Random, stock: Stock, turn: int) -> Draft:
    """A personal post: how somebody came across a subject, and what was learned."""
    subject, frame = stock.subject(turn), stock.chapters["blog"]["blog"]
    slots = about(stock, subject)
    stories = pick_lines(rng, frame["story"], rng.randint(7, 10), slots)
    known = facts(rng, stock, subject, rng.randint(5, 8))
    half = len(known) // 2
    blocks = [p(*pick_lines(rng, frame["opening"], 1, slots), *stories[:2])]
    blocks += paragraphs(rng, stories[2:5], 3)
    bridges = pick_lines(rng, frame["bridge"], 2, slots)
    for bridge, part in zip(bridges, (known[:half], known[half:]), strict=True):
        blocks += _learned(rng, bridge, part)
        blocks += paragraphs(rng, stories[5:7], 2) if part is known[:half] else []
    blocks.append(p(*stories[7:], *pick_lines(rng, frame["closing"], rng.randint(1, 2), slots)))
    title = expand(rng.choice(frame["title"]), rng, slots)
    return Draft("article", "blog", title, tuple(blocks), "fair", author=rng.choice(slots["first"]))


def _learned(rng: Random, bridge: str, known: list[str]) -> list[Block]:
    if rng.random() < 0.3:
        return [h2(bridge.rstrip(".")), p(*known)]
    return [p(bridge, *known)]


def _cast(rng: Random, stock: Stock) -> dict[str, tuple[str, ...]]:
    """The people and places of one report, each the same from its first line to its last."""
    lists = stock.slots
    last, other = rng.sample(lists["last"], 2)
    town, town2 = rng.sample(lists["town"], 2)
    fixed: dict[str, tuple[str, ...]] = {
        name: (rng.choice(lists[name]),) for name in ("venue", "group", "street", "sum")
    }
    return fixed | {
        "lead": (f"{rng.choice(lists['first_female'])} {last}",),
        "lead_last": (f"Ms {last}",),
        "second": (f"{rng.choice(lists['first_male'])} {other}",),
        "town": (town,),
        "town2": (town2,),
    }


def _quoted(fact: str) -> dict[str, tuple[str, ...]]:
    return {"fact": (fact,), "fact_comma": (fact.rstrip(".") + ",",)}
