"""Poor English prose that is still prose: rambling, clickbait, careless writing, rants, notices."""

import re
from collections.abc import Callable, Sequence
from random import Random

from curation.sample.catalogue import Stock, Subject
from curation.sample.page import Block, Draft, Quality, h2, p
from curation.sample.prose import about, facts, paragraphs, pick_lines
from curation.sample.spin import Slots, expand

_MISSPELT = {
    "really": "realy", "definitely": "definately", "because": "becuase", "their": "there",
    "there": "their", "you're": "your", "it's": "its", "a lot": "alot", "believe": "beleive",
    "people": "ppl", "though": "tho", "you": "u", "are": "r", "would have": "would of",
    "weird": "wierd", "tomorrow": "tommorow", "until": "untill", "than": "then", "too": "to",
    "receive": "recieve", "probably": "prolly", "interesting": "intresting", "before": "b4",
    "with": "wit", "that": "taht", "thought": "thougt", "and": "an", "know": "kno",
}  # fmt: skip


def ramble(rng: Random, stock: Stock, turn: int) -> Draft:
    """A chatty post that says next to nothing in whole sentences."""
    subject, frame = stock.subject(turn), stock.chapters["chatter"]["chatter"]
    slots = about(stock, subject)
    lines = _lines(rng, stock, subject, slots, rng.randint(11, 20))
    blocks = [*paragraphs(rng, lines, 6), p(*pick_lines(rng, frame["closing"], 1, slots))]
    title = expand(rng.choice(frame["title"]), rng, slots)
    return Draft("article", "blog", title, tuple(blocks), "poor", author=rng.choice(slots["user"]))


def clickbait(rng: Random, stock: Stock, turn: int) -> Draft:
    """A numbered list of sensations without content."""
    subject, frame = stock.subject(turn), stock.chapters["chatter"]["clickbait"]
    count = rng.randint(7, 12)
    slots = about(stock, subject) | {"count": (str(count),), "first": stock.slots["first_female"]}
    fillers = iter(pick_lines(rng, frame["filler"], 3, slots))
    blocks = [p(*pick_lines(rng, frame["opening"], 1, slots))]
    for n, item in enumerate(pick_lines(rng, frame["item"], count, slots), 1):
        blocks += [h2(f"Number {n}"), p(item)]
        blocks += [p(filler) for filler in ([next(fillers)] if n in (2, 4, 6) else [])]
    blocks[-1:-1] = [p(facts(rng, stock, subject, 1)[0])]
    blocks.append(p(*pick_lines(rng, frame["closing"], 1, slots)))
    title = expand(rng.choice(frame["title"]), rng, slots)
    return Draft("article", "buzz", title, tuple(blocks), "poor")


def careless(rng: Random, stock: Stock, turn: int) -> Draft:
    """Run-on sentences in lower case with misspellings, half heard facts among them."""
    subject = stock.subject(turn)
    lines = _lines(rng, stock, subject, about(stock, subject), rng.randint(9, 15))
    lines += facts(rng, stock, subject, rng.randint(2, 5))
    rng.shuffle(lines)
    blocks = [Block("p", (roughen(rng, block.lines[0]),)) for block in paragraphs(rng, lines, 9)]
    title = roughen(rng, f"my opinion on {subject.topic} {rng.choice(('!!!', '??', 'lol', '...'))}")
    author = rng.choice(stock.slots["user"])
    return Draft("article", "blog", title, tuple(blocks), "poor", author=author)


def rant(rng: Random, stock: Stock, turn: int) -> Draft:
    """Bad temper with mild insults."""
    subject = stock.subject(turn)
    slots = about(stock, subject) | {"relative_noun": stock.slots["relative_noun"]}
    return _from_lines(rng, stock, "rant", slots, rng.randint(12, 17))


def notice(rng: Random, stock: Stock, turn: int) -> Draft:
    """A notice board with names, telephone numbers and addresses, all of them invented."""
    subject = stock.subject(turn)
    return _from_lines(rng, stock, "personal", about(stock, subject), rng.randint(9, 12))


def roughen(rng: Random, text: str) -> str:
    """`text` as a careless hand would type it."""
    text = re.sub(r"[“”]", "", text).lower()
    for right, wrong in _MISSPELT.items():
        text = re.sub(rf"\b{right}\b", _sometimes(rng, right, wrong), text)
    ends: Sequence[str] = (", ", " ", " and ", "... ", "!! ", ". ", " so ", " lol ")
    return re.sub(r"\. ", lambda _: rng.choice(ends), text)


def _sometimes(rng: Random, right: str, wrong: str) -> Callable[[re.Match[str]], str]:
    return lambda _: wrong if rng.random() < 0.5 else right


def _lines(rng: Random, stock: Stock, subject: Subject, slots: Slots, n: int) -> list[str]:
    """`n` sentences of small talk, now and then with something that was read somewhere."""
    lines = pick_lines(rng, stock.chapters["chatter"]["chatter"]["line"], n, slots)
    if rng.random() < 0.5:
        heard = facts(rng, stock, subject, 1)[0]
        lines[n // 2] += f" I did read this somewhere: {heard} No idea if that's true though."
    return lines


def _from_lines(rng: Random, stock: Stock, kind: str, slots: Slots, n: int) -> Draft:
    frame = stock.chapters["chatter"][kind]
    blocks = paragraphs(rng, pick_lines(rng, frame["line"], n, slots), 3)
    title = expand(rng.choice(frame["title"]), rng, slots)
    quality: Quality = "poor" if kind == "rant" else "fair"
    author = rng.choice(slots["user"])
    return Draft(kind, "blog", title, tuple(blocks), quality, author=author)
