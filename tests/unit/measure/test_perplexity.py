import gzip
import re
import shutil
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError
from curation.measure.perplexity import (
    COLUMNS,
    MAX_LINE_CHARS,
    MAX_PERPLEXITY,
    Card,
    PerplexityModel,
    PerplexityModels,
    find_model,
    load_perplexity_model,
    model_files,
    normalise_for_perplexity,
    split_words,
)

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)

# Worked out by hand in tests/unit/perplexity/test_train_perplexity.py.
ARPA = """
\\data\\
ngram 1=6
ngram 2=5

\\1-grams:
-1\t<unk>
-99\t<s>\t-0.30103
-0.5228787\t</s>
-0.69897\ta\t-0.30103
-0.69897\tb\t-0.30103
-0.69897\tc\t-0.30103

\\2-grams:
-0.2218487\t<s> a
-0.3631779\ta b
-0.5740313\ta c
-0.1870866\tb </s>
-0.1870866\tc </s>

\\end\\
"""


class FakeScorer:
    """Letters are known, at 0.1; anything else is unknown, at 0.001; a line ends at 10 ** -0.5."""

    def __init__(self):
        self.sentences = []

    def full_scores(self, sentence):
        self.sentences.append(sentence)
        for token in sentence.split():
            known = len(token) == 1
            yield (-1.0 if known else -3.0), 1, not known
        yield -0.5, 1, False

    def __contains__(self, token):
        return len(token) == 1


def fake(**options):
    return PerplexityModel(FakeScorer(), split_words, **options)


@pytest.fixture
def toy(tmp_path):
    (tmp_path / "toy.arpa").write_text(ARPA)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "normal"),
    [
        ("  It was 1987, ٣ times… ", "It was 0000, 0 times..."),
        ("“Hello” – it’s—well—‘odd’", "\"Hello\" - it's - well - 'odd'"),
        ("「你好」。对！", '"你好".对!'),
        ("１２Ａ．＃", "00Ａ. #"),
        ("a\tb\x0bc\u00a0d\u3000e\u200bf\ng", "a b c d e f g"),
        ("no\x00thing \x07here\x9f co\u00adop \ufeffend", "nothing here coop end"),
        ("lone \ud800 surrogate", "lone \ufffd surrogate"),
        ("Café ÉTÉ", "Café ÉTÉ"),
        (" \t\n ", ""),
    ],
)  # fmt: skip
def test_digits_punctuation_white_space_and_control_characters_are_normalised(line, normal):
    assert normalise_for_perplexity(line) == normal


def test_case_and_accents_go_where_the_model_wants_it():
    line = "Café E\u0301TÉ Ẹ\u0301"
    assert normalise_for_perplexity(line, lower_case=True) == "café e\u0301té ẹ\u0301"
    assert normalise_for_perplexity(line, strip_accents=True) == "Cafe ETE E"


@given(ANY_TEXT, st.booleans())
def test_a_normalised_line_stays_as_it_is(line, strip_accents):
    once = normalise_for_perplexity(line, strip_accents=strip_accents)
    assert normalise_for_perplexity(once, strip_accents=strip_accents) == once


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Don't go (now)!", ["Don't", "go", "(", "now", ")", "!"]),
        ("rock 'n' roll", ["rock", "'", "n", "'", "roll"]),
        ("我爱 NLP。", ["我", "爱", "NLP", "。"]),
        ("हिन्दी है।", ["हिन्दी", "है", "।"]),
        ("می\u200cرود؟", ["می\u200cرود", "؟"]),
        ("naïve→x€5", ["naïve", "→", "x", "€", "5"]),
    ],
)  # fmt: skip
def test_words_and_marks_are_split_by_script(line, words):
    assert split_words(line) == words


def test_perplexity_is_over_the_tokens_and_ends_of_all_lines_and_not_rounded():
    # Lines `a b` (2.5 in 3) and `dog` (3.5 in 2): 10 ** (6 / 5).
    assert fake().perplexity("a b\n\n  \ndog\n") == pytest.approx(15.848931924611135, rel=1e-12)
    assert fake().line_perplexities("a b\n\n  \ndog\n") == pytest.approx(
        [6.812920690579611, 56.23413251903491], rel=1e-12
    )


def test_lines_count_by_their_tokens_in_the_percentiles():
    # 8 tokens at 10 ** (8.5 / 9), then 1 unknown at 10 ** (3.5 / 2): 90 % need the second.
    measures = fake().measures("dog\na b c d e f g h")
    assert measures["perplexity_line_median"] == pytest.approx(8.799225435691072)
    assert measures["perplexity_line_p90"] == pytest.approx(56.23413251903491)
    assert measures["oov_frac"] == pytest.approx(1 / 9)
    # 9 of 10: the first line is enough.
    measures = fake().measures("dog\na b c d e f g h i")
    assert measures["perplexity_line_p90"] == pytest.approx(10 ** (9.5 / 10))


@pytest.mark.parametrize("text", ["", "\n\n\n", " \t\x00\n\u00ad\r", "\x07"])
def test_a_text_without_tokens_has_no_perplexity(text):
    assert fake().measures(text) == dict.fromkeys(COLUMNS)
    assert fake().perplexity(text) is None
    assert fake().line_perplexities(text) == []


def test_a_word_of_ten_megabytes_is_cut():
    model = fake()
    assert model.perplexity("x" * 10_000_000) == pytest.approx(10 ** (3.5 / 2))
    assert [len(sentence) for sentence in model.scorer.sentences] == [MAX_LINE_CHARS]


def test_a_text_is_cut_after_a_million_characters():
    model = fake()
    model.perplexity("a\n" * 600_000)
    assert len(model.scorer.sentences) == 500_000


def test_marks_of_the_start_of_a_sentence_in_a_text_are_unknown_words(toy):
    model = load_perplexity_model(toy)
    assert model.perplexity("a <s>") == model.perplexity("a zzz")
    assert model.perplexity("a </s> b") == model.perplexity("a zzz b")


def test_the_largest_perplexity_fits_a_float32():
    class Hopeless(FakeScorer):
        def full_scores(self, sentence):
            return iter([(-100.0, 1, True), (-100.0, 1, False)])

    found = PerplexityModel(Hopeless(), split_words).perplexity("a")
    assert found == MAX_PERPLEXITY
    assert np.isfinite(np.float32(found))


@pytest.mark.parametrize("options", [{}, {"lower_case": True, "strip_accents": True}])
@given(text=ANY_TEXT)
@settings(deadline=None)
def test_any_text_has_values_or_none(options, text):
    measures = fake(**options).measures(text)
    assert tuple(measures) == COLUMNS
    if measures["perplexity"] is None:
        assert set(measures.values()) == {None}
    else:
        assert 1 <= measures["perplexity_line_median"] <= measures["perplexity_line_p90"]
        assert 1 <= measures["perplexity"] <= MAX_PERPLEXITY
        assert 0 <= measures["oov_frac"] <= 1


@given(text=ANY_TEXT)
@settings(deadline=None)
def test_the_shipped_model_takes_any_text(text):
    measures = PerplexityModels({"en": "shipped"}).perplexities(text, "en")
    assert all(value is None or np.isfinite(value) for value in measures.values())


def test_an_arpa_is_asked_as_it_stands(toy):
    # 0.6 * 13 / 30 * 0.65 = 0.169, of three tokens.
    assert load_perplexity_model(toy).perplexity("a b") == pytest.approx(
        0.169 ** (-1 / 3), rel=1e-6
    )
    assert load_perplexity_model(toy / "toy.arpa").measures("a q")["oov_frac"] == 0.5


def test_a_compressed_arpa_is_the_same_model(toy):
    plain = load_perplexity_model(toy).perplexity("a b\nc c a")
    (toy / "toy.arpa.gz").write_bytes(gzip.compress((toy / "toy.arpa").read_bytes()))
    (toy / "toy.arpa").unlink()
    assert load_perplexity_model(toy).perplexity("a b\nc c a") == plain


def test_the_card_says_what_was_done_to_the_training_text(toy):
    text = "\u00c0. B"
    assert load_perplexity_model(toy).measures(text)["oov_frac"] == 1.0
    card = Card(tokens="words", lower_case=True, strip_accents=True)
    (toy / "toy.card.json").write_text(card.model_dump_json())
    # a . b: the mark alone is unknown.
    assert load_perplexity_model(toy).measures(text)["oov_frac"] == pytest.approx(1 / 3)


def test_pieces_are_sentencepieces_where_its_model_lies_beside(tmp_path):
    sentencepiece = pytest.importorskip("sentencepiece")
    (tmp_path / "text").write_text("a b a b\nb a a\n" * 20)
    sentencepiece.SentencePieceTrainer.train(
        input=str(tmp_path / "text"), model_prefix=str(tmp_path / "en.sp"), vocab_size=6,
        minloglevel=2,
    )  # fmt: skip
    # The mark of a blank, U+2581, in place of `c`.
    (tmp_path / "en.arpa").write_text(re.sub(r"\bc\b", "\u2581", ARPA), encoding="utf-8")
    model = load_perplexity_model(tmp_path)
    assert model.tokenise("a b") == ["\u2581", "a", "\u2581", "b"]
    # 0.5 * 0.2 three times by back-off, the mark after `a` 4 / 15, the end after `b` 0.65.
    assert model.perplexity("a b") == pytest.approx((0.001 * 4 / 15 * 0.65) ** (-1 / 5), rel=1e-6)
    (tmp_path / "en.sp.model").unlink()
    with pytest.raises(ConfigError, match=r"no en\.sp\.model beside it"):
        load_perplexity_model(tmp_path)


def test_a_binary_goes_before_an_arpa(toy):
    (toy / "toy.arpa.bin").touch()
    assert model_files(toy).model.name == "toy.arpa.bin"
    assert model_files(toy / "toy.arpa").model.name == "toy.arpa"


def test_a_missing_model_is_told_with_what_was_looked_for(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere: no such file.*en.arpa.bin, en.sp.model"):
        model_files(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no model in this folder"):
        model_files(tmp_path)
    with pytest.raises(ConfigError, match=r"xx\.arpa\.gz: no such file"):
        find_model("xx", "shipped")


def test_two_models_in_a_folder_are_told_by_name(toy):
    shutil.copy(toy / "toy.arpa", toy / "other.arpa")
    with pytest.raises(ConfigError, match=r"several models \(other\.arpa, toy\.arpa\)"):
        model_files(toy)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("toy.card.json", '{"lowercase": true}', "no card of a model"),
        ("toy.card.json", '{"tokens": "sentencepiece"}', "wants toy.sp.model"),
        ("toy.sp.model", "nonsense", "SentencePiece cannot read"),
        ("toy.arpa", "nonsense", "KenLM cannot read it"),
        ("toy.arpa.bin", "nonsense", "KenLM cannot read it"),
    ],
)
def test_parts_that_cannot_be_used_are_told(toy, name, content, message):
    (toy / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        load_perplexity_model(toy)


@pytest.mark.parametrize("cut", [5, 30])
def test_a_broken_gzip_is_told(toy, cut):
    (toy / "toy.arpa").unlink()
    (toy / "toy.arpa.gz").write_bytes(gzip.compress(ARPA.encode())[:cut])
    with pytest.raises(ConfigError, match="not a whole gzip"):
        load_perplexity_model(toy)


def test_each_language_has_its_own_model_or_none(toy):
    models = PerplexityModels({"xx": str(toy)})
    assert models.perplexities("a b", "xx")["perplexity"] == pytest.approx(1.80869, abs=1e-4)
    for language in ("en", None):
        assert models.perplexities("a b", language) == dict.fromkeys(COLUMNS)


def test_a_model_is_looked_for_at_once_and_read_when_it_is_needed(toy):
    (toy / "toy.arpa").write_text("nonsense")
    models = PerplexityModels({"xx": str(toy)})
    with pytest.raises(ConfigError, match="KenLM cannot read it"):
        models.perplexities("a b", "xx")
    with pytest.raises(ConfigError, match="no such file"):
        PerplexityModels({"xx": str(toy / "gone")})


def test_another_model_or_card_under_the_same_name_shows(toy):
    def identity():
        return PerplexityModels({"xx": str(toy)}).identity()["xx"]

    seen = [identity()]
    (toy / "toy.card.json").write_text('{"lower_case": true}')
    seen.append(identity())
    (toy / "toy.arpa").write_text(ARPA.replace("-0.3631779", "-0.3631778"))
    seen.append(identity())
    assert len(set(seen)) == 3
    assert seen[-1] == identity()


def test_clean_ranks_before_shuffled_before_noise():
    clean = "The moon pulls at the sea, and the water rises on the side that faces it."
    words, rng = clean.split(), Random(3)
    rng.shuffle(words)
    noise = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") if c.isalpha() else c for c in clean)
    models = PerplexityModels({"en": "shipped"})
    found = [
        models.perplexities(text, "en")["perplexity"] for text in (clean, " ".join(words), noise)
    ]
    assert found == sorted(found)
    assert found[1] > 1.5 * found[0]
    assert found[2] > 1.5 * found[1]


@pytest.mark.shared
def test_kenlms_own_toy_models_are_read(shared_data):
    toy = shared_data / "kenlm_toy" / "test.arpa"
    model = load_perplexity_model(toy)
    # Four n-grams of the file, then four back-offs before the end of the sentence.
    found = 0.4846522 + 0.3488368 + 0.01552657 + 0.003061223
    end = 2 * 0.4771212 + 2 * 0.69897 + 1.029493
    assert model.line_perplexities("looking on a little") == pytest.approx(
        [10 ** ((found + end) / 5)], rel=1e-5
    )
    nounk = load_perplexity_model(toy.with_name("test_nounk.arpa"))
    assert nounk.measures("zzz")["oov_frac"] == 1.0
    assert nounk.perplexity("zzz") == MAX_PERPLEXITY
