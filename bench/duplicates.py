"""Known duplicates of given texts: families of documents whose exact similarity is recorded.

Of every base text `variants` makes copies of seven families, each as one meets it on the web:

- `edited`: words replaced, inserted, deleted and sentences moved, as many as bring the exact
  Jaccard similarity nearest to each of `TARGETS`;
- `chain`: every copy edited from the one before it, so that the last is far from the first;
- `template`: the base as a frame, in which words at fixed places differ from copy to copy;
- `boilerplate`: the first and last sentences of the base round another text;
- `quotation`: a long run of sentences of the base inside another text;
- `case_and_space`: other case, white space and, in every second copy, punctuation;
- `truncated`: the base's beginning.

Everything is drawn by hashes of (seed, base, family, number): equal arguments give equal documents
on every machine. Texts are not kept: what is made exists in memory alone.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

import numpy as np

from curation.errors import InputError
from curation.measure.hashing import normalise, random_bits
from curation.measure.minhash import Hashes, shingle_hashes

Family = Literal[
    "base", "edited", "chain", "template", "boilerplate", "quotation", "case_and_space", "truncated"
]
FAMILIES: tuple[Family, ...] = get_args(Family)

Shingler = Callable[[str], Hashes]
"""Hashes of a text's distinct shingles, sorted."""

TARGETS = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.99)
"""Jaccard similarities with the base that `edited` copies come near to."""
CHAIN_LINKS, CHAIN_JACCARD = 6, 0.88
"""Copies in a chain, and the similarity that each comes near to with the one before it."""
N_COPIES: dict[Family, int] = {
    "template": 3, "boilerplate": 2, "quotation": 2, "case_and_space": 2, "truncated": 2,
}  # fmt: skip
N_PER_BASE = 1 + len(TARGETS) + CHAIN_LINKS + sum(N_COPIES.values())
"""Documents of one base, itself included."""

_WORD = re.compile(r"\S+\s*")
_SENTENCE_END = re.compile(r"[.!?]\W*\Z|\n")
_PUNCTUATION = re.compile(r"[.,;:!?'\"()-]")


@dataclass(frozen=True)
class Variant:
    """A document, and how similar it is to the base that it was made from."""

    doc_id: str
    family: Family
    base_id: str
    """`doc_id` of the base; a base is its own."""
    text: str
    jaccard: float
    """Exact Jaccard similarity with the base over the shingles that were asked for, 0..1."""


def char_shingles(text: str) -> Hashes:
    """Distinct shingles of 24 characters of the normalised text, as s02 hashes them; sorted."""
    return np.unique(shingle_hashes(normalise(text), 24))


def word_shingles(text: str) -> Hashes:
    """Distinct shingles of 5 words of the normalised text, as s02 hashes them; sorted."""
    return np.unique(shingle_hashes(normalise(text), 0, 5))


def jaccard(a: Hashes, b: Hashes) -> float:
    """Shared / all of two sorted sets of distinct hashes; 0.0 where both are empty."""
    n_shared = np.intersect1d(a, b, assume_unique=True).size
    return n_shared / ((a.size + b.size - n_shared) or 1)


def corpus(
    bases: Iterable[str], spare: Iterable[str], *, seed: int, shingles: Shingler = char_shingles
) -> Iterator[Variant]:
    """All documents of every base, `N_PER_BASE` a base, the base first.

    Args:
        bases: Texts to make copies of.
        spare: Words for what is not the base's. Each is taken once, so that documents of different
            bases share nothing but what their sources share; about 2,700 a base of 600 words.
        seed: Another one gives other edits.
        shingles: What the similarity is counted over.

    Raises:
        InputError: `spare` ran out.
    """
    words = iter(spare)
    for number, text in enumerate(bases):
        yield from variants(text, f"{number:05d}", words, seed=seed, shingles=shingles)


def variants(
    text: str, base_id: str, spare: Iterator[str], *, seed: int, shingles: Shingler
) -> Iterator[Variant]:
    """`text` itself and its copies, family by family. Cost: about 0.3 s for 5,000 characters."""
    own = shingles(text)

    def variant(family: Family, number: int, copy: str) -> Variant:
        doc_id = f"{base_id}-{family}-{number}"
        return Variant(doc_id, family, base_id, copy, jaccard(own, shingles(copy)))

    yield Variant(base_id, "base", base_id, text, 1.0)
    key = f"{seed}:{base_id}"
    for number, target in enumerate(TARGETS):
        copy = nearest(text, target, key=f"{key}:edited:{number}", shingles=shingles)
        yield variant("edited", number, copy)
    link = text
    for number in range(CHAIN_LINKS):
        link = nearest(link, CHAIN_JACCARD, key=f"{key}:chain:{number}", shingles=shingles)
        yield variant("chain", number, link)
    for family, n in N_COPIES.items():
        for number in range(n):
            yield variant(family, number, _MAKERS[family](text, f"{key}:{family}", number, spare))


def nearest(text: str, target: float, *, key: str, shingles: Shingler) -> str:
    """`text` with as many edits as bring its similarity to what it was nearest to `target`.

    Similarity falls by nearly every edit of the sequence that `key` stands for, so that the number
    is found by halving.
    """
    editor, own = Editor(text, key), shingles(text)
    low, high = 0, editor.n_most
    while high - low > 1:
        middle = (low + high) // 2
        is_above = jaccard(own, shingles(editor.text(middle))) >= target
        low, high = (middle, high) if is_above else (low, middle)
    texts = [editor.text(low), editor.text(high)]
    return min(texts, key=lambda copy: abs(jaccard(own, shingles(copy)) - target))


class Editor:
    """A text with more and more edits: the first n of a fixed random sequence.

    An edit belongs to one word, and each word has one: of ten, five replace it by another word of
    the text, two delete it, two put another behind it, and one moves its sentence elsewhere.
    """

    def __init__(self, text: str, key: str) -> None:
        self._sentences = sentences_of(text)
        self._words = [word for sentence in self._sentences for word in sentence]
        self._sentence_of = [i for i, one in enumerate(self._sentences) for _ in one]
        self._draws = [int(bits) for bits in _bits(key, len(self._words))]
        self._order = sorted(range(len(self._words)), key=self._draws.__getitem__)

    @property
    def n_most(self) -> int:
        """Number of edits that there are."""
        return len(self._order)

    def text(self, n_edits: int) -> str:
        """The text after the first `n_edits` edits."""
        cells, order = list(self._words), list(range(len(self._sentences)))
        for place in self._order[:n_edits]:
            # The order of edits goes by the high bits; what they do by the low ones.
            kind, draw = self._draws[place] % 10, self._draws[place] // 10
            word = self._words[place]
            other = _like(self._words[draw % len(cells)], word)
            if kind == 9:
                order.remove(self._sentence_of[place])
                order.insert(draw % (len(order) + 1), self._sentence_of[place])
            else:
                cells[place] = other if kind < 5 else "" if kind < 7 else _apart(word) + other
        taken = iter(cells)
        edited = ["".join(islice(taken, len(sentence))) for sentence in self._sentences]
        return "".join(_apart(edited[i]) for i in order)


def sentences_of(text: str) -> list[list[str]]:
    """Words of each sentence, each word with the white space behind it; a line ends a sentence."""
    sentences: list[list[str]] = []
    is_open = False
    for word in _WORD.findall(text):
        if not is_open:
            sentences.append([])
        sentences[-1].append(word)
        is_open = not _SENTENCE_END.search(word)
    return sentences


def _bits(key: str, n: int) -> Sequence[int]:
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return [int(value) for value in random_bits(n, int.from_bytes(digest, "big"))]


def _like(word: str, pattern: str) -> str:
    """`word` with the white space that stands behind `pattern`."""
    return word.rstrip() + pattern[len(pattern.rstrip()) :]


def _apart(text: str) -> str:
    """`text` with white space at its end, so that what follows is another word."""
    return text if not text or text[-1].isspace() else text + " "


def _borrow(spare: Iterator[str], n: int) -> list[str]:
    words = list(islice(spare, n))
    if len(words) < n:
        raise InputError("duplicates: the spare words ran out; give more texts or fewer bases")
    return [_apart(word) for word in words]


def _template(text: str, key: str, number: int, spare: Iterator[str]) -> str:
    """One word of every 12 to 60 is a slot, in all copies the same ones."""
    words = _WORD.findall(text)
    gap = 12 + _bits(key, 1)[0] % 49
    slots = range(gap // 2, len(words), gap)
    for slot, filling in zip(slots, _borrow(spare, len(slots)), strict=True):
        words[slot] = _like(filling, words[slot])
    return "".join(words)


def _boilerplate(text: str, key: str, number: int, spare: Iterator[str]) -> str:
    """A fifth to four fifths of the text, at both ends, are the base's."""
    sentences = sentences_of(text)
    n_kept = len(sentences) * (20 + _bits(key, number + 1)[number] % 61) // 200
    head, foot = sentences[:n_kept], sentences[len(sentences) - n_kept :]
    body = sentences[n_kept : len(sentences) - n_kept]
    borrowed = _borrow(spare, sum(map(len, body)))
    return "".join([*_flat(head), *borrowed, *_flat(foot)])


def _quotation(text: str, key: str, number: int, spare: Iterator[str]) -> str:
    """A third to four fifths of the text, in its middle, are from the base."""
    sentences = sentences_of(text)
    share, start = _bits(f"{key}:{number}", 2)
    n_quoted = len(sentences) * (33 + share % 48) // 100
    first = start % (len(sentences) - n_quoted + 1)
    quoted = _flat(sentences[first : first + n_quoted])
    borrowed = _borrow(spare, sum(map(len, sentences)) - len(quoted))
    half = len(borrowed) // 2
    return "".join([*borrowed[:half], *map(_apart, quoted), *borrowed[half:]])


def _case_and_space(text: str, key: str, number: int, spare: Iterator[str]) -> str:
    """Half the words in capitals or small letters, other white space; a third of the signs gone."""
    words = _WORD.findall(text)
    spaces = (" ", "  ", "\n", "\t", " \n\n")
    changed = []
    for word, draw in zip(words, _bits(f"{key}:{number}", len(words)), strict=True):
        core = word.strip()
        if number % 2 and draw % 3 == 0:
            # A sign that stands alone stays: the words must remain the same.
            core = _PUNCTUATION.sub("", core) or core
        cased = (core, core, core.upper(), core.lower())[draw // 3 % 4]
        changed.append(cased + spaces[draw // 12 % len(spaces)])
    return "".join(changed)


def _truncated(text: str, key: str, number: int, spare: Iterator[str]) -> str:
    """The first half of the words, or up to 95 % of them."""
    words = _WORD.findall(text)
    kept_percent = 50 + _bits(f"{key}:{number}", 1)[0] % 46
    return "".join(words[: len(words) * kept_percent // 100])


def _flat(sentences: Sequence[Sequence[str]]) -> list[str]:
    return [word for sentence in sentences for word in sentence]


_MAKERS: dict[Family, Callable[[str, str, int, Iterator[str]], str]] = {
    "template": _template,
    "boilerplate": _boilerplate,
    "quotation": _quotation,
    "case_and_space": _case_and_space,
    "truncated": _truncated,
}
"""Text of a base, key of its family, number of the copy, spare words -> text of the copy."""
