"""Sentences with alternatives: `{a|b}` picks one, `{3-9}` a number, `{town}` a word from a list."""

import itertools
import re
from collections.abc import Mapping, Sequence
from random import Random

Slots = Mapping[str, Sequence[str]]
"""What may stand for a name in braces; one entry is drawn at each place."""

_GROUP = re.compile(r"\{([^{}]*)\}")
_NUMBERS = re.compile(r"(\d+)-(\d+)")
_FORMULA = re.compile(r"\${1,2}[^$]+\${1,2}")
_PLACEHOLDER = re.compile("\x00(\\d+)\x00")


def expand(template: str, rng: Random, slots: Slots) -> str:
    """`template` with every group in braces replaced, innermost first; it starts with a capital.

    Formulas between dollar signs are left alone, because LaTeX has braces of its own.

    Raises:
        KeyError: a name in braces is not in `slots`.
    """
    formulas = _FORMULA.findall(template)
    numbers = itertools.count()
    text = _FORMULA.sub(lambda _: f"\x00{next(numbers)}\x00", template)
    while found := _GROUP.search(text):
        text = text[: found.start()] + _choose(found[1], rng, slots) + text[found.end() :]
    return capitalise(_PLACEHOLDER.sub(lambda hit: formulas[int(hit[1])], text))


def capitalise(text: str) -> str:
    """`text` with its first character in upper case and the rest as it was."""
    return text[:1].upper() + text[1:]


def _choose(group: str, rng: Random, slots: Slots) -> str:
    if "|" in group:
        return rng.choice(group.split("|"))
    if numbers := _NUMBERS.fullmatch(group):
        return str(rng.randint(int(numbers[1]), int(numbers[2])))
    if group.endswith("_cap"):
        return capitalise(rng.choice(slots[group.removesuffix("_cap")]))
    return rng.choice(slots[group])
