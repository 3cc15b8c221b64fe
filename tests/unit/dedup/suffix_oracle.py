"""What substring deduplication has to give, by a suffix array over the whole corpus in memory.

The texts are laid one behind the other in the order in which copies survive, each closed by a
separator that occurs once, so that no repeat can cross it. The array comes from prefix doubling
(Manber, Myers 1993) and the longest common prefixes from Kasai et al. 2001. Suffixes that share
their first `min_tokens` tokens stand side by side; all but the one that begins first are removed.
"""

import numpy as np


def suffix_array(ids):
    """Starts of the suffixes of `ids` in lexical order. O(n log^2 n)."""
    rank = np.unique(ids, return_inverse=True)[1]
    step = 1
    while True:
        behind = np.full(rank.size, -1)
        behind[: max(rank.size - step, 0)] = rank[step:]
        order = np.lexsort((behind, rank))
        changes = (np.diff(rank[order]) != 0) | (np.diff(behind[order]) != 0)
        rank = np.empty_like(rank)
        rank[order] = np.concatenate(([0], np.cumsum(changes)))
        step *= 2
        if changes.all():
            return order


def common_prefixes(ids, array):
    """Tokens that each suffix shares with the one before it in the array; 0 for the first."""
    place = np.empty_like(array)
    place[array] = np.arange(array.size)
    ids, array, place = ids.tolist(), array.tolist(), place.tolist()
    shared, n = [0] * len(ids), 0
    for start, at in enumerate(place):
        if at == 0:
            n = 0
            continue
        other = array[at - 1]
        end = len(ids) - max(start, other)
        while n < end and ids[start + n] == ids[other + n]:
            n += 1
        shared[at] = n
        n = max(n - 1, 0)
    return shared


def later_windows(texts, min_tokens):
    """`{(text, window): (text, window) of the first equal one}` for all that are not the first.

    Args:
        texts: Lists of tokens, in the order in which copies survive.
        min_tokens: Tokens of a window.
    """
    number = {}
    ids, where = [], []
    for t, tokens in enumerate(texts):
        ids += [number.setdefault(token, len(number)) for token in tokens] + [-1 - t]
        where += [(t, i) for i in range(len(tokens) + 1)]
    if not ids:
        return {}
    array = suffix_array(np.array(ids))
    shared = common_prefixes(np.array(ids), array)
    found, group = {}, []
    for start, n in zip([*array.tolist(), None], [*shared, 0], strict=True):
        if n < min_tokens:
            first = min(group, default=None)
            found |= {where[one]: where[first] for one in group if one != first}
            group = []
        group.append(start)
    return found


def spans(texts, min_tokens):
    """`(text, start token, end token, text of the first copy)` of all that is removed, in order."""
    rows = []
    for (text, start), (source, _) in sorted(later_windows(texts, min_tokens).items()):
        end = start + min_tokens
        if rows and rows[-1][0] == text and start <= rows[-1][2]:
            rows[-1] = (text, rows[-1][1], end, rows[-1][3])
        else:
            rows.append((text, start, end, source))
    return rows
