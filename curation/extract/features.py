"""Blocks of a page -> numbers that tell main text from the rest: a row a feature, a column a block.

Nothing here knows a language: lengths, links, punctuation by Unicode class, tags, class words,
position, what stands around, and how often a structure repeats.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.extract import page_signs
from curation.extract.blocks import BLOCK_TAGS, TAG_CODES, Blocks, Elements, Page
from curation.extract.characters import count_characters
from curation.extract.classes import FORMULA, GROUPS

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

_N_LEVELS = 5
_N_MASK_BITS = len(GROUPS) + 1
_N_NAME_BITS = FORMULA.bit_length()
"""Bits of `classes.Names.mask`."""
_OWN_TAGS = (
    "p", "div", "li", "td", "th", "h1", "h2", "h3", "h4", "pre", "dt", "dd", "button", "label",
    "figcaption", "section", "option", "other",
)  # fmt: skip
_OWN_TAG_CODES = np.array([TAG_CODES[tag] for tag in _OWN_TAGS])
ANCESTORS = (
    "article", "main", "header", "footer", "nav", "aside", "form", "ul", "ol", "table", "section",
    "figure", "blockquote", "pre", "dl", "li", "button", "label", "details", "p", "h1", "h2", "h3",
)  # fmt: skip
"""Tags of which a block knows whether one is around it."""
_ANCESTOR_BITS = np.zeros(len(BLOCK_TAGS), np.int64)
_ANCESTOR_BITS[[TAG_CODES[tag] for tag in ANCESTORS]] = 1 << np.arange(len(ANCESTORS))
_HEADING_LEVELS = np.zeros(len(BLOCK_TAGS), np.int64)
_HEADING_LEVELS[[TAG_CODES[f"h{level}"] for level in range(1, 7)]] = range(1, 7)

_WORD = re.compile(r"\w+")

_PER_LEVEL = ("chars", "share", "links", "blocks", "chars_block", "good", "place", "stops_block")
_TEXT = (
    "chars", "words", "links", "n_links", "bold", "images", "breaks", "digits", "upper_word",
    "upper_letter", "commas_word", "stops", "stops_word", "signs_word", "money", "letters",
    "chars_word", "ends_stop", "ends_comma", "begins_digit", "begins_upper", "begins_sign",
)  # fmt: skip
_MASKS = ("near", "around", "inline")
_CORE_SHARES = (0.5, 0.95)
_PER_CORE = ("in", "distance", "depth", "after", "place", "size", "links")
_PER_GROUP = ("n", "share", "links", "chars", "good")

BLOCK_FEATURES = (
    *_TEXT,
    *(f"tag_{tag}" for tag in _OWN_TAGS),
    "heading",
    *(f"inside_{tag}" for tag in ANCESTORS),
    *(f"{where}_{group}" for where in _MASKS for group in (*GROUPS, "HIDDEN")),
    "score_0", "score_1", "score_2", "score_3", "score_sum", "score_min", "score_max",
    "place", "words_place", "index", "index_back", "good_place", "good", "depth",
    *(f"level{level}_{name}" for name in _PER_LEVEL for level in range(_N_LEVELS)),
    "from_good", "to_good",
    *(f"core{share}_{name}" for share in _CORE_SHARES for name in _PER_CORE),
    *(f"{group}_{name}" for group in ("same", "same3") for name in _PER_GROUP),
    "item_level", "item_n", "item_share", "item_links", "item_chars", "item_good", "item_good_item",
    "item_place",
    "heading_distance", "heading_level", "heading_links", "from_h1", "title", "from_title",
    "copies_before", "copies",
)  # fmt: skip
PAGE_FEATURES = (
    "blocks", "chars", "links", "good", "good_blocks", "good_longest",
    "li", "p", "td", "pre", "headings", "h2", "h1", "money", "item_share", "item_n",
    *(f"under_{group}" for group in GROUPS),
    *page_signs.NAMES,
)  # fmt: skip


@dataclass(frozen=True)
class Features:
    """Features of a page with n blocks, and which blocks belong together.

    `matrix` has a column a block: the rows of BLOCK_FEATURES, and below them those of
    PAGE_FEATURES, the same in every column. `page` has shape (len(PAGE_FEATURES),).
    """

    matrix: Floats
    page: Floats
    words: Doubles
    """Length of each block in words; of text without spaces, a word for each 12 characters."""
    around: tuple[tuple[Ints, Ints], ...]
    """First block and block behind the last, of the parent and the third and fifth above it."""
    kind: Ints
    """Equal for blocks whose three innermost elements have the same tags and names; shape (n,)."""


@dataclass(frozen=True)
class _Sums:
    """Per block, and summed up: a running sum has n + 1 entries and begins with 0."""

    chars: Doubles
    words: Doubles
    links: Doubles
    stops: Doubles
    good: Doubles
    """Characters outside links of blocks that read like prose: long, or of two sentences."""
    running: Doubles
    """Rows: characters, characters in links, stops, good characters; shape (4, n + 1)."""


@dataclass(frozen=True)
class _Tree:
    """Element columns as arrays, and the chain of elements around each block."""

    parent: Ints
    tag: Ints
    mask: Ints
    key: Ints
    start: Ints
    end: Ints
    levels: Ints
    """Element `level` steps above each block; shape (_N_LEVELS, n)."""
    inherited: Ints
    """Masks of class words and of tags, each over the element and all around it."""
    score: Doubles
    totals: Doubles
    """Rows: depth; sum, lowest and highest score over the element and all around it."""

    @property
    def depth(self) -> Doubles:
        """Elements around each element."""
        depth: Doubles = self.totals[0]
        return depth


def features_of(page: Page, url: str) -> Features:
    """Features of `page`, which has at least one block. Time: linear in blocks and elements."""
    blocks = page.blocks
    tree = _tree(page.elements, np.frombuffer(blocks.element, np.int64))
    n = len(blocks.text)
    out = np.empty((len(BLOCK_FEATURES) + len(PAGE_FEATURES), n), np.float32)
    rows = _Rows(out)
    sums, counts = _put_text(rows, blocks)
    headings = _put_tags(rows, tree, np.frombuffer(blocks.mask, np.int64))
    _put_place(rows, tree, sums)
    _put_levels(rows, tree, sums)
    rows.put(_distance(sums.good > 0), _distance(sums.good[::-1] > 0)[::-1])
    _put_core(rows, tree, sums)
    kind = _put_kinds(rows, tree, sums)
    item_share, item_n = _put_items(rows, tree, sums)
    _put_headings(rows, page, sums, headings)
    _put_copies(rows, blocks.text)
    outer = (tree.levels[1], tree.levels[3], tree.parent[tree.levels[4]])
    around = tuple((tree.start[element], tree.end[element]) for element in outer)
    vector = _page_vector(page, url, tree, sums, headings, counts, (item_share, item_n))
    out[len(BLOCK_FEATURES) :] = vector[:, None]
    return Features(out, vector, sums.words, around, kind)


class _Rows:
    """Fills a matrix from the top, in the order of `BLOCK_FEATURES`."""

    def __init__(self, out: Floats) -> None:
        self._out = out
        self._next = 0

    def put(self, *rows: NDArray[np.generic] | float) -> None:
        """A row each."""
        for row in rows:
            self._out[self._next] = row
            self._next += 1

    def put_all(self, rows: NDArray[np.generic]) -> None:
        """Rows as they stand in a matrix."""
        self._out[self._next : self._next + len(rows)] = rows
        self._next += len(rows)


def _tree(elements: Elements, element: Ints) -> _Tree:
    parent = np.frombuffer(elements.parent, np.int64)
    tag = np.frombuffer(elements.tag, np.int64)
    start = np.frombuffer(elements.start, np.int64)
    levels = np.empty((_N_LEVELS, len(element)), np.int64)
    levels[0] = element
    for level in range(1, _N_LEVELS):
        levels[level] = parent[levels[level - 1]]
    own = np.stack([np.frombuffer(elements.mask, np.int64), _ANCESTOR_BITS[tag]])
    score = np.frombuffer(elements.score, np.float64)
    inherited, totals = _inherited(parent, own, score)
    key = np.frombuffer(elements.key, np.int64) * 64 + tag
    end = np.frombuffer(elements.end, np.int64)
    return _Tree(parent, tag, own[0], key, start, end, levels, inherited, score, totals)


def _inherited(parent: Ints, masks: Ints, score: Doubles) -> tuple[Ints, Doubles]:
    """Unions of `masks` over each element and all around it; depth, sum, min and max of scores.

    By pointer doubling: after k rounds a row holds what 2^k steps up have to say. The row behind
    the last stands for what is around the body. Both masks go in one number.
    """
    n = len(parent)
    up = np.append(parent, n)
    up[0] = n
    union = np.append(masks[0] | masks[1] << _N_NAME_BITS, 0)
    sums, least = np.zeros((2, n + 1)), np.zeros((2, n + 1))
    sums[0, 1:n], sums[1, :n] = 1, score
    least[0, :n], least[1, :n] = score, -score
    while up[:n].min(initial=n) < n:
        union |= union.take(up)
        sums += sums.take(up, axis=1)
        np.minimum(least, least.take(up, axis=1), out=least)
        up = up.take(up)
    unions = np.stack([union & (1 << _N_NAME_BITS) - 1, union >> _N_NAME_BITS])
    return unions[:, :n], np.stack([*sums, least[0], -least[1]])[:, :n]


def _put_text(rows: _Rows, blocks: Blocks) -> tuple[_Sums, Doubles]:
    text = count_characters(blocks.text)
    chars, stops, words = text.total, text.stops, text.spaces + 1.0
    columns = (
        blocks.n_link_chars, blocks.n_links, blocks.n_bold_chars, blocks.n_images, blocks.n_breaks,
    )  # fmt: skip
    in_links, n_links, in_bold, images, breaks = (
        np.frombuffer(column, np.int64).astype(np.float64) for column in columns
    )
    links = np.minimum(in_links / chars, 1.0)
    rows.put(
        np.log1p(chars), np.log1p(np.maximum(words, chars / 12)), links, np.log1p(n_links),
        np.minimum(in_bold / chars, 1.0), np.minimum(images, 5), np.log1p(breaks),
        text.digits / chars, text.upper / words, text.upper / np.maximum(text.letters, 1),
        text.commas / words, np.log1p(stops), stops / words, text.signs / words, text.money > 0,
        text.letters / chars, chars / words, *text.ends, *text.begins,
    )  # fmt: skip
    prose = (links < 0.3) & ((stops >= 2) | (chars > 90))
    good = np.where(prose, chars * (1 - links), 0.0)
    running = np.zeros((4, len(chars) + 1))
    np.cumsum(np.stack([chars, links * chars, stops, good]), axis=1, out=running[:, 1:])
    return _Sums(chars, np.maximum(words, chars / 12), links, stops, good, running), text.money


def _put_tags(rows: _Rows, tree: _Tree, inline_mask: Ints) -> Ints:
    """Returns the heading level of each block, 0 where it is none."""
    own = tree.levels[0]
    tags = tree.tag[own]
    rows.put_all(tags == _OWN_TAG_CODES[:, None])
    headings: Ints = _HEADING_LEVELS[tags]
    rows.put(headings)
    around = tree.inherited[:, own]
    rows.put_all(around[1] >> np.arange(len(ANCESTORS))[:, None] & 1)
    near = tree.mask[own] | tree.mask[tree.levels[1]] | tree.mask[tree.levels[2]]
    bits = np.arange(_N_MASK_BITS)[:, None]
    for mask in (near, around[0], inline_mask):
        rows.put_all(mask >> bits & 1)
    rows.put_all(tree.score[tree.levels[:4]])
    rows.put_all(tree.totals[1:, own])
    return headings


def _put_place(rows: _Rows, tree: _Tree, sums: _Sums) -> None:
    n = len(sums.chars)
    at = np.arange(n)
    words = np.cumsum(sums.words)
    rows.put(
        at / n, (words - sums.words) / words[-1], np.log1p(at), np.log1p(n - 1 - at),
        sums.running[3, :-1] / max(sums.running[3, -1], 1.0), sums.good > 0,
        tree.depth[tree.levels[0]],
    )  # fmt: skip


def _put_levels(rows: _Rows, tree: _Tree, sums: _Sums) -> None:
    start, end = tree.start[tree.levels], tree.end[tree.levels]
    chars, links, stops, good = sums.running[:, end] - sums.running[:, start]
    n_blocks = np.maximum(end - start, 1)
    rows.put_all(np.log1p(chars))
    rows.put_all(chars / sums.running[0, -1])
    rows.put_all(links / np.maximum(chars, 1))
    rows.put_all(np.log1p(n_blocks))
    rows.put_all(np.log1p(chars / n_blocks))
    rows.put_all(good / max(sums.running[3, -1], 1.0))
    rows.put_all((np.arange(len(sums.chars)) - start) / n_blocks)
    rows.put_all(stops / n_blocks)


def _distance(marked: NDArray[np.bool_]) -> Doubles:
    """ln(1 + blocks since the last marked one); 7 where there was none."""
    at = np.arange(len(marked))
    last = np.maximum.accumulate(np.where(marked, at, -1))
    return np.where(last < 0, 7.0, np.log1p(at - last))


def _put_core(rows: _Rows, tree: _Tree, sums: _Sums) -> None:
    """Where a block stands to the smallest element with a given share of the prose."""
    n, at = len(sums.chars), np.arange(len(sums.chars))
    inside = sums.running[:, tree.end] - sums.running[:, tree.start]
    depth = tree.depth[tree.levels[0]]
    for share in _CORE_SHARES:
        core = _core(tree, inside[3], share)
        start, end = int(tree.start[core]), int(tree.end[core])
        before, after = np.maximum(start - at, 0), np.maximum(at - end + 1, 0)
        rows.put(
            (at >= start) & (at < end), (before + after) / n, depth - tree.depth[core], at >= end,
            (at - start) / max(end - start, 1), inside[0, core] / sums.running[0, -1],
            inside[1, core] / max(inside[0, core], 1),
        )  # fmt: skip


def _core(tree: _Tree, good: Doubles, share: float) -> int:
    if good[0] <= 0:
        return 0
    large = np.flatnonzero(good >= share * good[0])
    sizes = (tree.end[large] - tree.start[large]) * 1000 - np.minimum(tree.depth[large], 999)
    return int(large[np.argmin(sizes)])


def _put_kinds(rows: _Rows, tree: _Tree, sums: _Sums) -> Ints:
    """What the blocks have in common that stand in the same tags and names."""
    own, parent = tree.levels[0], tree.parent
    above = tree.key[parent]
    # Wraps around on overflow, as a hash may.
    deep = (tree.key * 1_000_003 + above) * 1_000_003 + above[parent]
    for key in (tree.key[own], deep[own]):
        kind: Ints = np.unique(key, return_inverse=True)[1].astype(np.int64)
        n = np.bincount(kind)
        chars, links, good = (
            np.bincount(kind, value) for value in (sums.chars, sums.links * sums.chars, sums.good)
        )
        shares = (
            np.log1p(n), chars / sums.running[0, -1], links / chars, np.log1p(chars / n),
            good / max(sums.running[3, -1], 1.0),
        )  # fmt: skip
        rows.put_all(np.stack(shares)[:, kind])
    return kind


def _put_items(rows: _Rows, tree: _Tree, sums: _Sums) -> tuple[float, float]:
    """The largest row of three or more like siblings that each block is in; its share and count."""
    _, group, counts = np.unique(
        tree.parent * 1_000_003 + tree.key, return_inverse=True, return_counts=True
    )
    inside = sums.running[:, tree.end] - sums.running[:, tree.start]
    chars, links, good = (np.bincount(group, inside[row]) for row in (0, 1, 3))
    groups = group[tree.levels]
    sizes = np.where(counts[groups] >= 3, chars[groups], 0.0)
    best = np.argmax(sizes, axis=0)
    at = np.arange(len(best))
    total, chosen, element = sizes[best, at], groups[best, at], tree.levels[best, at]
    found = total > 0
    total = np.maximum(total, 1)
    start, end = tree.start[element], tree.end[element]
    table = np.stack(
        [
            best + 1, np.log1p(counts[chosen]), total / sums.running[0, -1], links[chosen] / total,
            np.log1p(total / counts[chosen]), good[chosen] / max(sums.running[3, -1], 1.0),
            good[chosen] / total, (at - start) / np.maximum(end - start, 1),
        ]
    ) * found  # fmt: skip
    rows.put_all(table)
    largest = int(np.argmax(table[2]))
    return float(table[2, largest]), float(table[1, largest])


def _put_headings(rows: _Rows, page: Page, sums: _Sums, headings: Ints) -> None:
    at = np.arange(len(headings))
    last = np.maximum.accumulate(np.where(headings > 0, at, -1))
    there, last = last >= 0, np.maximum(last, 0)
    tops = np.flatnonzero(headings == 1)
    likeness = _likeness_to_title(page, sums, headings)
    named = np.flatnonzero(likeness > 0.3)
    rows.put(
        np.where(there, np.log1p(at - last), 7.0), headings[last] * there, sums.links[last] * there,
        _offset(at, tops), likeness, _offset(at, named),
    )  # fmt: skip


def _offset(at: Ints, marked: Ints) -> Doubles | float:
    """Signed logarithm of the distance to the first marked block; -8 where there is none."""
    if not len(marked):
        return -8.0
    offset: Doubles = np.sign(at - marked[0]) * np.log1p(np.abs(at - marked[0]))
    return offset


def _likeness_to_title(page: Page, sums: _Sums, headings: Ints) -> Doubles:
    """Jaccard likeness of each block's words to those of the title; headings and the like only."""
    likeness = np.zeros(len(headings))
    title = page.head.og_title or page.head.title
    words = set(_WORD.findall(title.lower()))
    if not words:
        return likeness
    near = (sums.chars > 0.4 * len(title)) & (sums.chars < 1.5 * len(title) + 10)
    for index in np.flatnonzero(near | ((headings > 0) & (sums.chars < 300)))[:40].tolist():
        own = _WORD.findall(page.blocks.text[index].lower())
        if shared := words.intersection(own):
            likeness[index] = len(shared) / len(words.union(own))
    return likeness


def _put_copies(rows: _Rows, texts: list[str]) -> None:
    seen: dict[str, int] = {}
    before = []
    for text in texts:
        count = seen.get(text, 0)
        before.append(count)
        seen[text] = count + 1
    rows.put(np.minimum(before, 5), np.minimum([seen[text] for text in texts], 10))


def _page_vector(
    page: Page,
    url: str,
    tree: _Tree,
    sums: _Sums,
    headings: Ints,
    money: Doubles,
    items: tuple[float, float],
) -> Floats:
    own = tree.levels[0]
    total, links, _, good = sums.running[:, -1]
    tags = tree.tag[own]
    under = (tree.inherited[0, own] >> np.arange(len(GROUPS))[:, None] & 1) @ sums.chars / total
    shares = [sums.chars[tags == TAG_CODES[tag]].sum() / total for tag in ("li", "p", "td", "pre")]
    n_headings = [np.count_nonzero(headings > 0), *(np.sum(headings == level) for level in (2, 1))]
    vector = [
        np.log1p(len(own)), np.log1p(total), links / total, good / total,
        np.log1p(np.count_nonzero(sums.good)), np.log1p(sums.good.max()), *shares,
        *np.log1p(n_headings), np.log1p(np.count_nonzero(money)), *items, *under,
        *page_signs.signs_of(page.head, url),
    ]  # fmt: skip
    return np.array(vector, np.float32)
