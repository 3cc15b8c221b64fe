"""Near duplicates (a few words edited) and partial duplicates (a long passage shared)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from curation.sample.page import Block, Draft, p

_SWAPS: Mapping[str, str] = {
    "about": "around", "almost": "nearly", "because": "since", "began": "started",
    "begins": "starts", "but": "yet", "can": "may", "each": "every", "every": "each",
    "found": "discovered", "gives": "yields", "just": "only", "large": "big", "made": "produced",
    "makes": "produces", "many": "numerous", "nearly": "almost", "needs": "requires",
    "often": "frequently", "only": "just", "part": "portion", "people": "persons",
    "quickly": "rapidly", "shows": "demonstrates", "since": "because", "small": "little",
    "still": "even now", "until": "till", "usually": "normally", "very": "extremely",
    "when": "whenever", "where": "wherever", "with": "along with",
}  # fmt: skip
_SWAPPABLE = re.compile(rf"\b(?:{'|'.join(_SWAPS)})\b")
_WORDS_PER_EDIT = 110


def near_duplicate(rng: Random, draft: Draft, note: str) -> Draft | None:
    """`draft` with one word in about a hundred replaced and `note` at its end.

    None where the text offers too few words that can be replaced without harm.
    """
    text = "\x1e".join(_joined(block) for block in draft.blocks)
    places = list(_SWAPPABLE.finditer(text))
    n_edits = max(2, len(text.split()) // _WORDS_PER_EDIT)
    if len(places) < n_edits:
        return None
    for hit in sorted(rng.sample(places, n_edits), key=lambda hit: -hit.start()):
        text = text[: hit.start()] + _SWAPS[hit[0]] + text[hit.end() :]
    blocks = tuple(
        replace(block, lines=tuple(part.split("\x1f")))
        for block, part in zip(draft.blocks, text.split("\x1e"), strict=True)
    )
    return replace(draft, kind="near_duplicate", blocks=(*blocks, p(note)))


def partial_duplicate(rng: Random, source: Draft, own: Draft) -> Draft:
    """`own` with blocks from `source` in its middle, in all about half as long as `own`."""
    wanted = len(own.text) // 2
    start = rng.randrange(max(1, len(source.blocks) // 2))
    passage: list[Block] = []
    for block in source.blocks[start:]:
        if sum(len(_joined(taken)) for taken in passage) >= wanted:
            break
        passage.append(block)
    middle = len(own.blocks) // 2
    blocks = (*own.blocks[:middle], *passage, *own.blocks[middle:])
    return replace(own, kind="partial_duplicate", blocks=blocks)


def _joined(block: Block) -> str:
    return "\x1f".join(block.lines)
