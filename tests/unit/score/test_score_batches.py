import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.score.batches import (
    INVALID_UNICODE,
    MAX_CHARS_PER_TOKEN,
    NO_TOKEN,
    NOT_FINITE,
    TOO_LARGE,
    BatchRunner,
    ahead,
    is_valid_unicode,
    plan_batches,
)

torch = pytest.importorskip("torch")


class FakeTokenizer:
    """A token a character between two marks; keeps what it was asked."""

    pad_token_id = 0

    def __init__(self):
        self.asked = []

    def num_special_tokens_to_add(self, pair):
        return 2

    def __call__(self, texts, max_length, **settings):
        self.asked.append(list(texts))
        heads = [text.strip()[: max_length - 2] for text in texts]
        return {"input_ids": [[1, *(ord(letter) for letter in head), 2] for head in heads]}


class FakeNetwork:
    """The sum of a text's ids and their number; keeps the shapes that it saw."""

    def __init__(self, memory=10**9):
        self.memory = memory
        self.shapes = []

    def __call__(self, ids, mask):
        self.shapes.append(ids.shape)
        if ids.size > self.memory:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return np.stack([(ids * mask).sum(axis=1), mask.sum(axis=1)], axis=1).astype(np.float32)


def runner(network, tokenizer=None, *, max_tokens=8, tokens_per_batch=32):
    tokenizer = tokenizer or FakeTokenizer()
    made = BatchRunner(
        tokenizer,
        network,
        width=2,
        max_tokens=max_tokens,
        tokens_per_batch=tokens_per_batch,
    )
    tokenizer.asked.clear()  # a runner asks first which white space makes no token
    return made


def value_of(text):
    head = text.strip()[:6]
    return [3 + sum(ord(letter) for letter in head), len(head) + 2]


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)),
    st.integers(1, 80),
    st.integers(3, 80),
)
@settings(max_examples=150, deadline=None)
def test_every_text_gets_its_own_values_or_a_reason_whatever_fits(texts, budget, memory):
    network = FakeNetwork(memory)
    answers = runner(network, tokens_per_batch=budget).run(texts)
    for text, values, reason in zip(texts, answers.values, answers.reasons, strict=True):
        if reason is None:
            assert values.tolist() == value_of(text)
        else:
            assert np.isnan(values).all()
            expected = TOO_LARGE if text.strip() else NO_TOKEN
            assert reason == expected
            assert len(text.strip()) == 0 or value_of(text)[1] > memory
    assert all(rows == 1 or rows * tokens <= budget for rows, tokens in network.shapes)


def test_a_batch_that_does_not_fit_is_halved_until_it_does_and_that_is_told():
    network = FakeNetwork(memory=16)
    eight = runner(network, tokens_per_batch=64)
    answers = eight.run(["abcdef"] * 8)
    # 8 texts of 8 tokens fail, 4 fail, and from then on 2 at a time fit.
    assert network.shapes == [(8, 8), (4, 8), (2, 8), (2, 8), (2, 8), (2, 8)]
    assert answers.n_halvings == 2
    assert answers.reasons == [None] * 8


def test_what_does_not_fit_is_remembered():
    network = FakeNetwork(memory=16)
    eight = runner(network, tokens_per_batch=64)
    eight.run(["abcdef"] * 8)
    network.shapes.clear()
    assert eight.run(["abcdef"] * 4).n_halvings == 0
    assert network.shapes == [(2, 8), (2, 8)]


def test_a_text_that_does_not_fit_alone_is_too_large_and_its_neighbours_are_not():
    answers = runner(FakeNetwork(memory=7)).run(["ab", "abcdef", "abc"])
    assert answers.reasons == [None, TOO_LARGE, None]
    assert np.isnan(answers.values[1]).all()
    assert answers.values[[0, 2]].tolist() == [value_of("ab"), value_of("abc")]
    assert answers.n_halvings == 1


def test_a_batch_that_does_not_fit_in_the_memory_of_the_machine_is_halved_too():
    shapes = []

    def network(ids, mask):
        shapes.append(ids.shape)
        if ids.size > 16:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate "
                "memory: you tried to allocate 8589934592 bytes."
            )
        return np.ones((len(ids), 2), np.float32)

    answers = runner(network, tokens_per_batch=32).run(["abcdef"] * 4)
    assert shapes == [(4, 8), (2, 8), (2, 8)]
    assert (answers.n_halvings, answers.reasons) == (1, [None] * 4)


def test_torch_says_so_in_those_words():
    with pytest.raises(RuntimeError, match="DefaultCPUAllocator") as fault:
        torch.empty(1 << 50)
    assert not isinstance(fault.value, torch.OutOfMemoryError)


def test_an_error_that_is_not_about_memory_is_raised():
    def network(ids, mask):
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        runner(network).run(["ab"])


def test_a_value_that_is_not_finite_costs_its_text():
    def network(ids, mask):
        values = np.ones((len(ids), 2), np.float32)
        values[mask.sum(axis=1) == 5, 1] = np.inf
        return values

    answers = runner(network).run(["ab", "abc", "abcd"])
    assert answers.reasons == [None, NOT_FINITE, None]
    assert np.isnan(answers.values).all(axis=1).tolist() == [False, True, False]


def test_invalid_unicode_costs_its_text_and_is_not_tokenised():
    tokenizer = FakeTokenizer()
    answers = runner(FakeNetwork(), tokenizer).run(["ab", "a\ud800b", "", "cd"])
    assert answers.reasons == [None, INVALID_UNICODE, NO_TOKEN, None]
    assert all(is_valid_unicode(text) for texts in tokenizer.asked for text in texts)


def test_nothing_but_invalid_unicode_is_not_tokenised_at_all():
    tokenizer = FakeTokenizer()
    assert runner(FakeNetwork(), tokenizer).run(["\udfff"]).reasons == [INVALID_UNICODE]
    assert tokenizer.asked == []


def test_half_a_surrogate_pair_behind_what_is_read_does_no_harm():
    text = "a" * (8 * MAX_CHARS_PER_TOKEN) + "\ud800"
    assert runner(FakeNetwork()).run([text]).reasons == [None]


def test_the_tokenizer_is_handed_the_head_of_a_text():
    tokenizer = FakeTokenizer()
    runner(FakeNetwork(), tokenizer).run(["a" * 1_000_000])
    assert [len(text) for text in tokenizer.asked[0]] == [8 * MAX_CHARS_PER_TOKEN]


def test_white_space_at_the_start_costs_nothing_of_what_is_read():
    tokenizer = FakeTokenizer()
    n_read = 8 * MAX_CHARS_PER_TOKEN
    spaced = " \n\u3000" * n_read + "abcdef" + "g" * n_read
    answers = runner(FakeNetwork(), tokenizer).run([spaced, " " * 3 * n_read])
    assert answers.reasons == [None, NO_TOKEN]
    assert answers.values[0].tolist() == value_of("abcdef")
    assert [len(text) for texts in tokenizer.asked for text in texts] == [n_read, 0]


def test_white_space_that_is_a_token_is_not_passed_over():
    class Exact(FakeTokenizer):
        def __call__(self, texts, max_length, **settings):
            self.asked.append(list(texts))
            heads = [text[: max_length - 2] for text in texts]
            return {"input_ids": [[1, *(ord(letter) for letter in head), 2] for head in heads]}

    tokenizer = Exact()
    runner(FakeNetwork(), tokenizer).run(["  ab"])
    assert tokenizer.asked == [["  ab"]]


def test_the_longest_texts_come_first():
    network = FakeNetwork()
    runner(network, tokens_per_batch=8).run(["a", "abcdef", "abc"])
    assert network.shapes == [(1, 8), (1, 5), (1, 3)]


def test_few_texts_are_tokenised_at_a_time():
    tokenizer = FakeTokenizer()
    runner(FakeNetwork(), tokenizer, tokens_per_batch=16).run(["abcdef"] * 1_000)
    # A window is two batches of 16 tokens, of four characters each, in texts of six.
    assert max(len(texts) for texts in tokenizer.asked) <= 16 * 4 * 2 // 6


def test_no_texts_give_no_answers():
    answers = runner(FakeNetwork()).run([])
    assert answers.values.shape == (0, 2)
    assert answers.reasons == []


@given(st.lists(st.integers(1, 50)), st.integers(1, 200))
def test_batches_hold_every_text_once_longest_first_within_the_budget(lengths, budget):
    batches = plan_batches(lengths, budget)
    order = [index for batch in batches for index in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[index] for index in order] == sorted(lengths, reverse=True)
    assert all(len(b) == 1 or len(b) * lengths[b[0]] <= budget for b in batches)


def test_results_come_in_order_and_from_another_thread():
    threads = set()

    def double(number):
        threads.add(threading.get_ident())
        return 2 * number

    assert list(ahead(double, range(5))) == [0, 2, 4, 6, 8]
    assert threading.get_ident() not in threads


def test_one_result_is_computed_ahead_and_no_more():
    started = []
    results = ahead(lambda number: started.append(number) or number, range(10))
    next(results)
    results.close()
    assert started == [0, 1]


def test_an_error_ahead_is_raised_where_its_result_is_wanted():
    results = ahead(lambda number: 1 // number, [1, 0])
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


@pytest.mark.parametrize("run", [" " * 50_000, "\n" * 9_000, " \t\n" * 5_000])
def test_runs_of_white_space_use_up_no_room_of_words(run):
    """As WordPiece does, the tokenizer makes nothing of white space: then words behind it count."""

    class Words(FakeTokenizer):
        def __call__(self, texts, max_length, **settings):
            self.asked.append(list(texts))
            heads = [text.split()[: max_length - 2] for text in texts]
            return {"input_ids": [[1, *(len(word) for word in head), 2] for head in heads]}

    network = FakeNetwork()
    answers = runner(network, Words()).run([f"aaa{run}bbbbb", "aaa bbbbb"])
    assert answers.values[0].tolist() == answers.values[1].tolist() == [1 + 3 + 5 + 2, 4]


def test_a_tokenizer_that_reads_white_space_is_given_it_as_it_is():
    tokenizer = FakeTokenizer()
    text = "a" + "  " * 8 * MAX_CHARS_PER_TOKEN + "b"
    runner(FakeNetwork(), tokenizer).run([text])
    assert tokenizer.asked[-1] == [text[: 8 * MAX_CHARS_PER_TOKEN]]
