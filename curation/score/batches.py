"""Texts to a network in batches, and what it gives back in the order of the texts.

Shapes: N texts, B texts of one batch, T tokens of its longest text, W values for a text.
"""

from __future__ import annotations

import re
import unicodedata
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

MAX_CHARS_PER_TOKEN = 32
"""Characters handed to the tokenizer for each token kept. English has about 4.5 a token; without
the cut, a text of 10 MB would be tokenised whole for its first 256 tokens."""

NO_TOKEN = "no_token"
"""Nothing in the text is a token: it is empty, white space, control characters."""
INVALID_UNICODE = "invalid_unicode"
"""What is read of the text holds half of a surrogate pair, which no tokenizer takes."""
TOO_LARGE = "too_large"
"""The text alone does not fit in the memory of the device."""
NOT_FINITE = "not_finite"
"""The network gave a value that is no number."""

_INVISIBLE = "".join(
    letter
    for letter in map(chr, range(0x10000))
    if letter.isspace() or unicodedata.category(letter) in ("Cc", "Cf")
)
"""White space, control and format characters: NUL, soft hyphen, zero-width space, byte order mark.
Those beyond U+FFFF are left out."""

_OUT_OF_CPU_MEMORY = "DefaultCPUAllocator"
"""In the message of torch's error; of a type of its own is that of a GPU alone."""

_CHARS_PER_TOKEN = 4
_BATCHES_PER_WINDOW = 2
"""What is tokenised at a time. Windows of one batch cost 5 % more padded tokens than these; of
four, a thousand documents on a GPU are one or two windows, and little is tokenised ahead."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Network(Protocol):
    """A network without its tokenizer; tests replace it by a few lines."""

    def __call__(
        self, ids_BT: NDArray[np.int64], mask_BT: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Values of shape (B, W); `mask` is 0 where `ids` are padding.

        Raises:
            torch.OutOfMemoryError: the batch does not fit in the memory of a GPU.
            RuntimeError: it does not fit in that of the machine; the message names torch's
                DefaultCPUAllocator.
        """
        ...


@dataclass
class Answers:
    """What a network gave for N texts, in their order."""

    values: NDArray[np.float32]
    """Shape (N, W); a row of NaN for a text without an answer."""
    reasons: list[str | None]
    """Why a text has no answer; None where it has one."""
    n_halvings: int = 0
    """Batches that did not fit in memory and were cut in two."""

    def refuse(self, row: int, reason: str) -> None:
        """Leave text `row` without an answer."""
        self.values[row] = np.nan
        self.reasons[row] = reason

    def keep(self, rows: list[int], values: NDArray[np.float32]) -> None:
        """Take `values`, of shape (len(rows), W), for the texts `rows`."""
        self.values[rows] = values
        for row in np.asarray(rows)[~np.isfinite(values).all(axis=1)]:
            self.refuse(int(row), NOT_FINITE)


@dataclass(frozen=True)
class _Tokens:
    """Token ids of text `row`."""

    row: int
    ids: list[int]


class BatchRunner:
    """A tokenizer and a network, run over texts in batches.

    It keeps one thing between calls: how large a batch may be. A batch that did not fit in memory
    halves that for good, so that a setting that is too large costs a few failures, not one a batch.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        network: Network,
        *,
        width: int,
        max_tokens: int,
        tokens_per_batch: int,
    ) -> None:
        self._tokenizer = tokenizer
        self._network = network
        self._width = width
        self._max_tokens = max_tokens
        self._tokens_per_batch = tokens_per_batch
        self._n_marks = int(tokenizer.num_special_tokens_to_add(pair=False))
        self._pad_id = int(tokenizer.pad_token_id)
        self._passed_over = self._invisible_passed_over()
        self._read = frozenset(_INVISIBLE) - {*self._passed_over}
        self._runs = self._runs_passed_over()

    def run(self, texts: list[str]) -> Answers:
        """Answers for `texts`, of which the first `max_tokens` tokens are read.

        Texts go to the network longest first, in batches of at most `tokens_per_batch` padded
        tokens, and while it works the next ones are tokenised. At most the tokens of two windows
        are held, about four batches. A text that cannot be read or does not fit costs only itself.
        Batching moves a value by rounding only (about 1e-7 on a CPU).
        """
        answers = Answers(
            np.full((len(texts), self._width), np.nan, np.float32), [None] * len(texts)
        )
        windows = self._windows(texts)
        for rows, tokens in ahead(lambda rows: (rows, self._tokenize(texts, rows)), windows):
            readable = self._readable(rows, tokens, answers)
            for batch in plan_batches([len(t.ids) for t in readable], self._tokens_per_batch):
                self._answer([readable[index] for index in batch], answers)
        return answers

    def _windows(self, texts: list[str]) -> list[list[int]]:
        """Rows of `texts` longest first, in windows of about `_BATCHES_PER_WINDOW` batches."""
        limit = self._max_tokens * _CHARS_PER_TOKEN
        budget = self._tokens_per_batch * _CHARS_PER_TOKEN * _BATCHES_PER_WINDOW
        return plan_batches([max(1, min(len(text), limit)) for text in texts], budget)

    def _tokenize(self, texts: list[str], rows: list[int]) -> list[list[int] | None]:
        """Token ids of the texts `rows`; None where a text is not valid Unicode."""
        heads = [self._head(texts[row]) for row in rows]
        valid = [head if is_valid_unicode(head) else None for head in heads]
        known = [head for head in valid if head is not None]
        if not known:
            return [None] * len(rows)
        ids = iter(self._encode(known))
        return [None if head is None else next(ids) for head in valid]

    def _encode(self, texts: list[str]) -> list[list[int]]:
        """Token ids of `texts`, cut to `max_tokens`.

        What a tokenizer raises is not caught: of texts that are valid Unicode, none was found that
        it refuses (NUL, private use, a million combining marks, ten million letters in a row), so
        an error is one of the model's folder and would come with every text.
        """
        encoded = self._tokenizer(
            texts,
            truncation=True,
            max_length=self._max_tokens,
            return_attention_mask=False,
            return_token_type_ids=False,
        )
        found: list[list[int]] = encoded["input_ids"]
        return found

    def _head(self, text: str) -> str:
        """What of `text` the tokenizer is given: enough characters for the tokens that are kept.

        Runs of white space that it passes over would use up those of words behind them.
        """
        n_chars = self._max_tokens * MAX_CHARS_PER_TOKEN
        text = self._from_first_word(text)
        if len(text) > n_chars and self._runs:
            text = self._runs.sub(" ", text)
        return text[:n_chars]

    def _from_first_word(self, text: str) -> str:
        """`text` from its first word on, if its tokens stay the same."""
        rest = text.lstrip(self._passed_over)
        # Another such character may be one token with what is left out before it.
        return text if rest[:1] in self._read else rest

    def _invisible_passed_over(self) -> str:
        """Invisible characters that make no token before a word, alone or in a run.

        All for WordPiece; none for byte-level tokenizers such as RoBERTa's, whose authors' models
        read them too.
        """
        plain, *once = self._encode(["a", *(letter + "a" for letter in _INVISIBLE)])
        twice = self._encode([2 * letter + "a" for letter in _INVISIBLE])
        read = zip(_INVISIBLE, once, twice, strict=True)
        return "".join(letter for letter, *ids in read if ids == [plain, plain])

    def _runs_passed_over(self) -> re.Pattern[str] | None:
        """Runs of white space that are to the tokenizer what one space is; None: there are none."""
        spaces = [letter for letter in _INVISIBLE if letter.isspace()]
        spaced, *found = self._encode(["a a", *(f"a{2 * letter}a" for letter in spaces)])
        same = [letter for letter, ids in zip(spaces, found, strict=True) if ids == spaced]
        return re.compile(f"[{re.escape(''.join(same))}]{{2,}}") if " " in same else None

    def _readable(
        self, rows: list[int], tokens: list[list[int] | None], answers: Answers
    ) -> list[_Tokens]:
        """The texts that hold more than the tokenizer's marks; the others are refused."""
        readable = []
        for row, ids in zip(rows, tokens, strict=True):
            if ids is None:
                answers.refuse(row, INVALID_UNICODE)
            elif len(ids) <= self._n_marks:
                answers.refuse(row, NO_TOKEN)
            else:
                readable.append(_Tokens(row, ids))
        return readable

    def _answer(self, batch: list[_Tokens], answers: Answers) -> None:
        """Run one batch, longest text first; in halves, down to one text, if it does not fit."""
        n_tokens = len(batch) * len(batch[0].ids)
        promising = len(batch) == 1 or n_tokens <= self._tokens_per_batch
        values = self._attempt(batch) if promising else None
        if values is not None:
            answers.keep([tokens.row for tokens in batch], values)
        elif len(batch) == 1:
            answers.refuse(batch[0].row, TOO_LARGE)
        else:
            if promising:
                self._shrink(n_tokens, answers)
            middle = (len(batch) + 1) // 2
            self._answer(batch[:middle], answers)
            self._answer(batch[middle:], answers)

    def _shrink(self, n_tokens: int, answers: Answers) -> None:
        """Take note that a batch of `n_tokens` does not fit."""
        answers.n_halvings += 1
        half = max(self._max_tokens, n_tokens // 2)
        self._tokens_per_batch = min(self._tokens_per_batch, half)

    def _attempt(self, batch: list[_Tokens]) -> NDArray[np.float32] | None:
        """Values of one batch; None if it does not fit in memory."""
        import torch

        ids, mask = _pad([tokens.ids for tokens in batch], self._pad_id)
        try:
            return self._network(ids, mask)
        except RuntimeError as error:
            if not (isinstance(error, torch.OutOfMemoryError) or _OUT_OF_CPU_MEMORY in str(error)):
                raise
        # Only now: as long as the error is handled, its traceback holds the failed pass's tensors.
        torch.cuda.empty_cache()
        return None


def plan_batches(lengths: list[int], tokens_per_batch: int) -> list[list[int]]:
    """Indices of `lengths` in batches: longest first, at most `tokens_per_batch` when padded.

    A batch costs its longest member times its size. One member longer than the budget is a batch
    of its own. Longest first, so that what does not fit in memory fails at once, not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches: list[list[int]] = []
    for index in order:
        batch = batches[-1] if batches else []
        if batch and lengths[batch[0]] * (len(batch) + 1) <= tokens_per_batch:
            batch.append(index)
        else:
            batches.append([index])
    return batches


def ahead(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """`function` of each item, in their order; a thread computes the next while one is in use.

    It helps where both the function and its user release the interpreter lock, as tokenizers and
    torch do: with a network 1.6 times as fast as one thread tokenises, 0.7 of the time is left; on
    a CPU, where tokenising is 2 % of the work, nothing is gained. Two results exist at a time.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        current: Future[Result] | None = None
        for item in items:
            following = thread.submit(function, item)
            if current is not None:
                yield current.result()
            current = following
        if current is not None:
            yield current.result()


def is_valid_unicode(text: str) -> bool:
    """Whether `text` can be written as UTF-8: it holds no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _pad(tokens: list[list[int]], pad_id: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """`tokens` padded on the right, and the mask that is 1 where they are; both (B, T)."""
    shape = len(tokens), max(len(ids) for ids in tokens)
    padded, mask = np.full(shape, pad_id, np.int64), np.zeros(shape, np.int64)
    for row, ids in enumerate(tokens):
        padded[row, : len(ids)] = ids
        mask[row, : len(ids)] = 1
    return padded, mask
