"""Pages in nine languages beside English."""

from random import Random

from curation.sample.catalogue import LANGUAGES, Stock
from curation.sample.page import Block, Draft, Quality, h2, p
from curation.sample.prose import pick
from curation.sample.spin import expand

_UNSPACED = ("zh", "ja")


def foreign(rng: Random, stock: Stock, turn: int) -> Draft:
    """An article of about 130 to 250 words; the language changes from turn to turn."""
    language = LANGUAGES[turn % len(LANGUAGES)]
    chapters = dict(stock.chapters[f"language_{language}"])
    slots = {**stock.slots, **chapters.pop("lists")}
    titles = list(chapters)
    title = titles[turn // len(LANGUAGES) % len(titles)]
    aside = rng.choice([other for other in titles if other != title])
    joint = "" if language in _UNSPACED else " "
    blocks: list[Block] = []
    for name, n in ((title, rng.randint(8, 10)), (aside, rng.randint(3, 4))):
        # Only the first sentence can open a section: others lean on what it says.
        first, *rest = chapters[name]["text"]
        lines = [expand(s, rng, slots) for s in (first, *pick(rng, rest, n - 1))]
        blocks += [h2(name)] if name == aside else []
        blocks += [p(joint.join(lines[i : i + 4])) for i in range(0, len(lines), 4)]
    quality: Quality = "good" if turn % 3 == 0 else "fair"
    return Draft("article", language, title, tuple(blocks), quality, language=language)
