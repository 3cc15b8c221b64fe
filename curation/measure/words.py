"""The one tokenisation of a text, made once and shared by every signal.

A *word* is what white space separates. A *line* is what line feeds separate, blank ones left out.
A *paragraph* is what blank lines separate; a blank line may hold white space.
Source: 2412.02595, section 3.3, by the filters of NeMo Curator. Deviations from them:

- A paragraph is never blank and never begins with a line feed. `a` and `a` with three blank lines
  between them are two equal paragraphs; the reference sees `a`, nothing, `a`, and with two blank
  lines between them it sees `a` and `LF a`, which differ.
- A blank line may hold spaces or a carriage return: `a CR LF CR LF b` is two paragraphs; the
  reference sees one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from curation.measure.hashing import Normalised, normalise_words

_BLANK_LINES = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Words:
    """A text and its words, lines and paragraphs, each computed at most once."""

    text: str

    @cached_property
    def words(self) -> list[str]:
        """The words, in order."""
        return self.text.split()

    @cached_property
    def lines(self) -> list[str]:
        """The non-blank lines as they stand, without their line feeds."""
        return [line for line in self.text.split("\n") if line and not line.isspace()]

    @cached_property
    def stripped_lines(self) -> list[str]:
        """The non-blank lines without white space at either end."""
        return [line.strip() for line in self.lines]

    @cached_property
    def paragraphs(self) -> list[str]:
        """The paragraphs, without the blank lines between them."""
        text = self.text.strip()
        return _BLANK_LINES.split(text) if text else []

    @cached_property
    def lower(self) -> str:
        """The text, lower-cased."""
        return self.text.lower()

    @cached_property
    def normalised(self) -> Normalised:
        """The text as content hash and MinHash see it."""
        return normalise_words(self.words)

    @cached_property
    def vocabulary(self) -> dict[str, int]:
        """Number of every distinct word, from 0 in order of first occurrence."""
        return {word: number for number, word in enumerate(dict.fromkeys(self.words))}

    @cached_property
    def word_ids(self) -> NDArray[np.int64]:
        """Number of each word in `vocabulary`, shape (len(words),)."""
        numbers = map(self.vocabulary.__getitem__, self.words)
        return np.fromiter(numbers, np.int64, len(self.words))

    @cached_property
    def word_counts(self) -> NDArray[np.int64]:
        """Occurrences of each distinct word, shape (len(vocabulary),)."""
        counts = np.bincount(self.word_ids, minlength=len(self.vocabulary))
        return counts.astype(np.int64, copy=False)

    @cached_property
    def word_chars(self) -> NDArray[np.int64]:
        """Characters of each word, shape (len(words),)."""
        return np.fromiter(map(len, self.words), np.int64, len(self.words))

    def count_words(self, words: frozenset[str]) -> int:
        """Occurrences of any of `words`."""
        return int(sum(self.word_counts[self.vocabulary[w]] for w in words if w in self.vocabulary))
