import gzip
import json
import math
from collections import Counter, defaultdict
from random import Random

import kenlm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError, InputError
from curation.measure.perplexity import find_model, load_perplexity_model
from models.perplexity.counts import count_grams, number_words
from models.perplexity.evaluate import auc, partly_shuffled, split_by_host
from models.perplexity.kneser_ney import discounts
from models.perplexity.text import sample_lines
from models.perplexity.train import Recipe, main, train, train_sample

TOY = ["a b", "a b", "a c"]
HALVES = (0.5, 1.0, 1.5)
"""Discounts of counts 1, 2, 3 in the examples worked out by hand."""


@pytest.fixture(scope="module")
def sample():
    return list(sample_lines())


def probabilities(path):
    """n-gram -> (probability, back-off weight) of an ARPA file."""
    found = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if "\t" in line:
            prob, gram, *backoff = line.split("\t")
            found[gram] = (10 ** float(prob), 10 ** float(backoff[0]) if backoff else 1.0)
    return found


def trained(folder, lines, **recipe):
    path = folder / "en.arpa"
    train(lines, Recipe(**recipe), path)
    return path


def test_bigrams_are_as_worked_out_by_hand(tmp_path):
    # Words before each: a 1 (<s>), b 1, c 1, </s> 2 (b, c): 5. Given up: 3 * 0.5 + 1 = 2.5, half of
    # it, over a, b, c, </s>, <unk>: 0.1 each. p(a) = 0.5 / 5 + 0.1, p(</s>) = (2 - 1) / 5 + 0.1.
    # After a: b 2, c 1 of 3; given up 1 + 0.5, half: p(b) = 1 / 3 + 0.5 * 0.2.
    found = probabilities(trained(tmp_path, TOY, order=2, fallback=HALVES))
    expected = {
        "<unk>": (0.1, 1), "<s>": (1e-99, 0.5), "</s>": (0.3, 1), "a": (0.2, 0.5),
        "b": (0.2, 0.5), "c": (0.2, 0.5), "<s> a": (0.6, 1), "a b": (13 / 30, 1),
        "a c": (4 / 15, 1), "b </s>": (0.65, 1), "c </s>": (0.65, 1),
    }  # fmt: skip
    assert found.keys() == expected.keys()
    for gram, pair in expected.items():
        assert found[gram] == pytest.approx(pair, rel=1e-5), gram


def test_trigrams_rest_on_the_words_before_and_on_occurrences_at_the_start(tmp_path):
    # `<s> a` occurs 3 times; before `a b` there is only <s>: 1, as before `a c`: 2 after a.
    # p(b | a) = 0.5 / 2 + 0.5 * 0.2 = 0.35. p(b | <s> a) = (2 - 1) / 3 + 0.5 * 0.35.
    found = probabilities(trained(tmp_path, TOY, order=3, fallback=HALVES))
    assert found["<s> a"] == pytest.approx((0.5 + 0.5 * 0.2, 0.5), rel=1e-5)
    assert found["a b"] == pytest.approx((0.35, 0.5), rel=1e-5)
    assert found["a c"] == pytest.approx((0.35, 0.5), rel=1e-5)
    assert found["<s> a b"][0] == pytest.approx(1 / 3 + 0.175, rel=1e-5)
    assert found["<s> a c"][0] == pytest.approx(0.5 / 3 + 0.175, rel=1e-5)
    assert found["a b </s>"][0] == pytest.approx((2 - 1) / 2 + 0.5 * 0.65, rel=1e-5)
    assert found["a c </s>"][0] == pytest.approx(0.5 + 0.5 * 0.65, rel=1e-5)


def test_what_is_pruned_goes_to_the_back_off_of_its_context(tmp_path):
    # `<s> a c` and `a c </s>` occur once. After `<s> a`: 1 of the discount, 1 of the pruned, of 3.
    found = probabilities(trained(tmp_path, TOY, order=3, prune=(0, 1), fallback=HALVES))
    assert "<s> a c" not in found
    assert "a c </s>" not in found
    assert found["<s> a"][1] == pytest.approx(2 / 3, rel=1e-5)
    assert found["<s> a b"][0] == pytest.approx(1 / 3 + 2 / 3 * 0.35, rel=1e-5)
    assert found["a c"] == pytest.approx((0.35, 1), rel=1e-5)


def test_rare_words_are_unknown_and_leave_their_part_to_all_words(tmp_path):
    # c occurs once: unknown. Given up of 5: a 0.5, b 0.5, </s> 1, and c's 1: 3; over four words.
    found = probabilities(trained(tmp_path, TOY, order=2, min_count=2, fallback=HALVES))
    expected = {"<unk>": 0.15, "a": 0.25, "b": 0.25, "</s>": 0.35, "a b": 0.5, "<s> a": 0.625}
    assert found.keys() == {*expected, "<s>", "b </s>"}
    for gram, prob in expected.items():
        assert found[gram][0] == pytest.approx(prob, rel=1e-5), gram
    assert found["a"][1] == pytest.approx(2 / 3, rel=1e-5)


def test_kenlm_gives_the_same_probabilities(tmp_path):
    model = kenlm.Model(str(trained(tmp_path, TOY, order=3, fallback=HALVES)))
    # a b </s>, and c after `a b`, which backs off twice: 0.5 * 0.5 * 0.2.
    assert 10 ** model.score("a b") == pytest.approx(0.6 * (1 / 3 + 0.175) * 0.825, rel=1e-4)
    last = [10**prob for prob, _, _ in model.full_scores("a b c")][2]
    assert last == pytest.approx(0.05, rel=1e-4)


def test_discounts_follow_from_the_numbers_of_rare_counts():
    # Four 1, two 2, one 3, one 4: Y = 4 / 8.
    assert discounts(np.array([1, 1, 1, 1, 2, 2, 3, 4, 9, 0])).tolist() == [0, 0.5, 1.25, 1.0]
    assert discounts(np.array([1, 1, 2, 3])) is None
    # One 1, one 2, one 3, nine 4: Y = 1 / 3, and 3 - 4 / 3 * 9 is below 0.
    assert discounts(np.array([1, 2, 3] + [4] * 9)) is None


@pytest.mark.parametrize(
    "recipe",
    [
        {"order": 2},
        {"order": 4},
        {"order": 3, "prune": (0, 1), "lower_case": True},
        {"order": 4, "prune": (1, 1, 2), "min_count": 2},
    ],
)
def test_probabilities_sum_to_one_after_any_context(tmp_path, sample, recipe):
    lines = sample[:300]
    path = trained(tmp_path, lines, fallback=HALVES, **recipe)
    model, words = kenlm.Model(str(path)), [w for w in probabilities(path) if " " not in w]
    rng = Random(7)
    contexts = [[], *(rng.choice(lines).split()[:n] for n in (1, 2, 3, 5, 8) for _ in range(3))]
    for context in [*contexts, ["zzz"], ["the", "zzz"], ["the", "the", "the"]]:
        for state in after(model, context):
            total = sum(10 ** model.BaseScore(state, w, kenlm.State()) for w in words if w != "<s>")
            assert total == pytest.approx(1, abs=2e-6), context


def after(model, context):
    """States of `model` after the words, with and without a start of sentence before them."""
    for begin in (model.BeginSentenceWrite, model.NullContextWrite):
        state = kenlm.State()
        begin(state)
        for word in context:
            behind = kenlm.State()
            model.BaseScore(state, word, behind)
            state = behind
        yield state


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=6), max_size=8), st.integers(2, 5))
@settings(deadline=None)
def test_counts_are_those_of_a_naive_count(sentences, order):
    corpus = number_words(sentences)
    if not corpus.stream.size:
        return
    grams = count_grams(corpus, order)
    counts, before = Counter(), defaultdict(set)
    for sentence in filter(None, sentences):
        padded = ("<s>", *sentence, "</s>")
        for n in range(1, order + 1):
            for i in range(len(padded) - n + 1):
                counts[padded[i : i + n]] += 1
                if i and n < order:
                    before[padded[i : i + n]].add(padded[i - 1])
    for n in range(1, order + 1):
        for gram, one in told(corpus, grams, n).items():
            starts = n == order or gram[0] == "<s>"
            adjusted = counts[gram] if starts else len(before[gram])
            assert one == (counts[gram], 0 if gram == ("<s>",) else adjusted), gram
        assert grams[n - 1].count.sum() == sum(c for g, c in counts.items() if len(g) == n)


def told(corpus, grams, n):
    """n-gram -> (count, adjusted count), spelt out by prefixes."""

    def words_of(n, number):
        own = (corpus.words[grams[n - 1].word[number]],)
        return own if n == 1 else words_of(n - 1, grams[n - 1].prefix[number]) + own

    found = grams[n - 1]
    return {
        words_of(n, i): (int(found.count[i]), int(found.adjusted[i]))
        for i in range(found.count.size)
    }


def test_n_grams_know_their_suffix():
    corpus = number_words([["b", "a", "b", "c"]])
    _, pairs, triples = count_grams(corpus, 3)
    spelt = [
        (corpus.words[a], corpus.words[b]) for a, b in zip(pairs.prefix, pairs.word, strict=True)
    ]
    suffixes = {spelt[prefix] + (corpus.words[word],): spelt[suffix] for prefix, word, suffix in
                zip(triples.prefix, triples.word, triples.suffix, strict=True)}  # fmt: skip
    assert suffixes[("b", "a", "b")] == ("a", "b")
    assert all(gram[1:] == suffix for gram, suffix in suffixes.items())


def test_marks_of_the_start_in_the_text_are_unknown_words(tmp_path):
    # White space around them: SentencePiece is not asked, and `words` cuts them up.
    corpus = number_words([["a", "<unk>", "b"]])
    assert corpus.words == ("<unk>", "<s>", "</s>", "a", "b")
    found = probabilities(trained(tmp_path, ["x <s> y </s> x"], order=2, fallback=HALVES))
    assert {"<", "s", ">", "/"} <= found.keys()
    assert sum(gram.split().count("<s>") for gram in found) == 2  # itself, and before x


@pytest.mark.parametrize("name", ["en.arpa", "en.arpa.gz"])
def test_training_twice_gives_the_same_bytes(tmp_path, sample, name):
    files = []
    for folder in (tmp_path / "one", tmp_path / "two"):
        train(sample[:200], Recipe(order=3), folder / name)
        files.append([path.read_bytes() for path in sorted(folder.iterdir())])
    assert files[0] == files[1]
    assert len(files[0]) == 2
    if name.endswith(".gz"):
        assert files[0][0][3:8] == bytes(5), "flags and time in the head of the gzip"


def test_the_card_makes_the_model_ask_as_it_was_trained(tmp_path):
    trained(tmp_path, ["CAFÉ, Bar", "café. bar"] * 4, order=2, lower_case=True, strip_accents=True,
            fallback=HALVES)  # fmt: skip
    model = load_perplexity_model(tmp_path)
    assert model.measures("Café, bar.")["oov_frac"] == 0.0
    assert json.loads((tmp_path / "en.card.json").read_text())["training"]["n_lines"] == 8


def test_sentencepieces_are_trained_on_and_copied(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    (tmp_path / "text").write_text("low lower lowest\nslow slower\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "sp"), vocab_size=12,
        minloglevel=2,
    )  # fmt: skip
    model = tmp_path / "model" / "en.arpa"
    train(["low slower"] * 3, Recipe(order=2, fallback=HALVES, sentencepiece=tmp_path / "sp.model"),
          model)  # fmt: skip
    assert load_perplexity_model(model.parent).measures("slower low")["oov_frac"] == 0.0


@pytest.mark.parametrize(
    ("recipe", "lines", "error", "message"),
    [
        ({"order": 1}, TOY, ConfigError, "order 1: 2 to 6"),
        ({"order": 7}, TOY, ConfigError, "order 7: 2 to 6"),
        ({"prune": (2, 1)}, TOY, ConfigError, "below the one before it"),
        ({"prune": (0, 0, 0, 1)}, TOY, ConfigError, "at most 3 thresholds"),
        ({"fallback": (0.5, 1.0)}, TOY, ConfigError, "fallback discounts"),
        ({"fallback": (0.5, 1.0, 4.0)}, TOY, ConfigError, "fallback discounts"),
        ({}, TOY, InputError, "order 1: .* --fallback-discounts"),
        ({}, ["", " \n", "\x00"], InputError, "has no words"),
    ],
)
def test_what_gives_no_model_is_told(tmp_path, recipe, lines, error, message):
    with pytest.raises(error, match=message):
        train(lines, Recipe(**recipe), tmp_path / "en.arpa")
    assert list(tmp_path.iterdir()) == []


def test_the_command_reads_lines_and_rows_packed_or_not(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("a b\n")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"a b\n"))
    (tmp_path / "c.jsonl").write_text('{"text": "a c"}\n')
    files = [str(tmp_path / name) for name in ("a.txt", "b.txt.gz", "c.jsonl")]
    main(["--input", *files, "--out", str(tmp_path / "m"), "--language", "xx", "--order", "2",
          "--fallback-discounts", "0.5", "1", "1.5"])  # fmt: skip
    assert probabilities(tmp_path / "m" / "xx.arpa")["a b"][0] == pytest.approx(13 / 30, rel=1e-5)
    assert "xx.arpa" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.txt", None, "no such file"),
        ("x.txt", b"\xff\xfe", "not a text file in UTF-8"),
        ("x.txt.gz", b"plain", "not a text file in UTF-8"),
        ("x.jsonl", b'{"body": 1}', "row 1: not JSON with a field `text`"),
        ("x.jsonl", b"[]", "row 1: not JSON with a field `text`"),
        ("x.jsonl", b'{"text": 1}', "row 1: `text` is no string"),
    ],
)
def test_an_input_that_cannot_be_read_is_one_line_and_exit_code_two(
    tmp_path, capsys, name, content, message
):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SystemExit) as exit_:
        main(["--input", str(tmp_path / name), "--out", str(tmp_path / "m")])
    assert exit_.value.code == 2
    assert message in capsys.readouterr().err


def test_the_shipped_model_is_what_the_command_makes(tmp_path):
    shipped = find_model("en", "shipped")
    card = train_sample(tmp_path / "en.arpa")
    assert card == shipped.card, "python -m models.perplexity.train --sample --compress --out ..."
    (tmp_path / "shipped.arpa").write_bytes(gzip.decompress(shipped.model.read_bytes()))
    ours, theirs = probabilities(tmp_path / "en.arpa"), probabilities(tmp_path / "shipped.arpa")
    assert ours.keys() == theirs.keys()
    for gram, (prob, backoff) in ours.items():
        assert math.isclose(prob, theirs[gram][0], rel_tol=1e-5)
        assert math.isclose(backoff, theirs[gram][1], rel_tol=1e-5)


def test_auc_is_the_chance_that_the_worse_has_more():
    assert auc([1.0, 2.0], [3.0, 4.0]) == 1.0
    assert auc([1.0, 2.0], [2.0, 0.0]) == (0.5 + 1 + 0 + 0) / 4
    assert auc([5.0], [5.0]) == 0.5


def test_every_fifth_line_with_words_is_shuffled():
    lines = ["a b c d e f g h", "", "a b", "a b", "a b", "a b c d e f g h i j", "a b"]
    found = partly_shuffled("\n".join(lines), Random(1)).split("\n")
    assert [i for i, line in enumerate(found) if line != lines[i]] == [5]
    assert sorted(found[5].split()) == list("abcdefghij")


def test_hosts_are_not_split(tmp_path):
    rows = [{"url": f"https://h{n % 9}.example/{n}", "text": f"{n % 9}"} for n in range(90)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    halves = split_by_host(tmp_path / "rows.jsonl")
    assert sum(map(len, halves)) == 90
    assert not set(halves[0]) & set(halves[1])
    assert all(halves)
