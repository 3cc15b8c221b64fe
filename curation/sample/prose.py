"""Good English prose: encyclopaedic surveys, lessons and digests of several subjects."""

from collections.abc import Sequence
from random import Random
from typing import TypeVar

from curation.sample.catalogue import Section, Stock, Subject
from curation.sample.page import Block, Draft, h2, p
from curation.sample.spin import Slots, expand

T = TypeVar("T")


def survey(rng: Random, stock: Stock, turn: int) -> Draft:
    """An encyclopaedia's entry: a lead, then three or four aspects of one subject in order."""
    subject = stock.subject(turn)
    slots, frame = about(stock, subject), stock.chapters["lessons"]["survey"]
    sections = pick(rng, subject.sections, rng.randint(3, 4))
    blocks = [p(*pick_lines(rng, frame["opening"], 1, slots))]
    headed = rng.random() < 0.7
    for section in sections:
        blocks += [h2(section.heading)] if headed else []
        blocks += paragraphs(rng, told(rng, stock, section, 3, 4), 4)
    if rng.random() < 0.6:
        blocks.append(p(*pick_lines(rng, frame["closing"], 2, slots)))
    return Draft("article", "reference", subject.name, tuple(blocks), "good")


def lesson(rng: Random, stock: Stock, turn: int) -> Draft:
    """A teaching unit: aims, three aspects, a list to remember and questions."""
    subject = stock.subject(turn)
    slots, frame = about(stock, subject), stock.chapters["lessons"]["lesson"]
    *sections, last = pick(rng, subject.sections, 4)
    blocks = [p(*pick_lines(rng, frame["opening"], 1, slots))]
    blocks += _list(rng, "After this unit you can", "ul", frame["goal"], sections, slots)
    for section in sections:
        blocks.append(h2(section.heading))
        blocks += paragraphs(rng, told(rng, stock, section, 2, 4), 3)
    blocks += [h2("Remember"), Block("ul", tuple(told(rng, stock, last, 2, 3)))]
    blocks += _list(rng, "Test yourself", "ol", frame["question"], sections, slots)
    blocks.append(p(*pick_lines(rng, frame["closing"], rng.randint(1, 2), slots)))
    title = expand(rng.choice(frame["title"]), rng, slots)
    return Draft("article", "course", title, tuple(blocks), "good")


def digest(rng: Random, stock: Stock, turn: int) -> Draft:
    """A longer piece on three subjects that have nothing to do with each other."""
    subjects = [stock.subject(turn + step) for step in (0, 7, 31)]
    topics = {"topic2": (subjects[1].topic,), "topic3": (subjects[2].topic,)}
    slots, frame = about(stock, subjects[0]) | topics, stock.chapters["lessons"]["digest"]
    blocks = [p(*pick_lines(rng, frame["opening"], 1, slots))]
    for subject, bridge in zip(subjects, pick(rng, frame["bridge"], 3), strict=True):
        blocks.append(h2(subject.name))
        blocks.append(p(expand(bridge, rng, about(stock, subject))))
        for section in pick(rng, subject.sections, rng.randint(2, 3)):
            blocks += paragraphs(rng, told(rng, stock, section, 3, 4), 4)
    blocks.append(p(*pick_lines(rng, frame["closing"], 1, slots)))
    title = expand(rng.choice(frame["title"]), rng, slots)
    return Draft("article", "reference", title, tuple(blocks), "good")


def about(stock: Stock, subject: Subject) -> dict[str, Sequence[str]]:
    """The stock's word lists, with `subject` as the topic."""
    return {
        **stock.slots,
        "topic": (subject.topic,),
        "name": (subject.name,),
        "field": (subject.field,),
    }


def pick(rng: Random, items: Sequence[T], n: int) -> list[T]:
    """`n` of `items` (all, if there are fewer) in their own order."""
    chosen = sorted(rng.sample(range(len(items)), min(n, len(items))))
    return [items[i] for i in chosen]


def pick_lines(rng: Random, lines: Sequence[str], n: int, slots: Slots) -> list[str]:
    """`n` different sentences of `lines`, in any order."""
    return [expand(line, rng, slots) for line in rng.sample(lines, min(n, len(lines)))]


def told(rng: Random, stock: Stock, section: Section, low: int, high: int) -> list[str]:
    """From `low` to about `high` sentences of `section` in their order, units kept whole."""
    return _whole_units(rng, stock, section.units, rng.randint(low, high))


def facts(rng: Random, stock: Stock, subject: Subject, n: int) -> list[str]:
    """`n` sentences from all over `subject`, in its order, each of which can stand alone."""
    pool = [unit[0] for section in subject.sections for unit in section.units]
    return [expand(sentence, rng, stock.slots) for sentence in pick(rng, pool, n)]


def _whole_units(
    rng: Random, stock: Stock, units: Sequence[Sequence[str]], at_least: int
) -> list[str]:
    order = rng.sample(range(len(units)), len(units))
    chosen: list[int] = []
    while order and sum(len(units[i]) for i in chosen) < at_least:
        chosen.append(order.pop())
    return [expand(line, rng, stock.slots) for i in sorted(chosen) for line in units[i]]


def paragraphs(rng: Random, sentences: Sequence[str], most: int) -> list[Block]:
    """`sentences` in paragraphs of up to `most`, never of one alone if it can be helped."""
    blocks, i = [], 0
    while i < len(sentences):
        size = rng.randint(2, max(2, most))
        if len(sentences) - i - size == 1:
            size += 1
        blocks.append(p(*sentences[i : i + size]))
        i += size
    return blocks


def _list(
    rng: Random,
    heading: str,
    kind: str,
    templates: Sequence[str],
    sections: Sequence[Section],
    slots: Slots,
) -> list[Block]:
    """A heading and a list with one item for each of `sections`."""
    lines = []
    for template, section in zip(rng.sample(templates, len(sections)), sections, strict=True):
        item = expand(template, rng, {**slots, "heading": (section.heading,)})
        lines.append(item if item.endswith((".", "?")) else f"{item}.")
    return [h2(heading), Block("ol" if kind == "ol" else "ul", tuple(lines))]
