import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.hashing import normalise, random_bits
from curation.measure.minhash import MinHasher, shingle_hashes

PANGRAM = "The quick brown fox jumps over the lazy dog."
MASK = (1 << 64) - 1


def slow_mix(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def slow_shingle_hash(parts):
    polynomial = 0
    for part in parts:
        polynomial = (polynomial * 0xD6E8FEB86659FD93 + part) & MASK
    return slow_mix(polynomial)


def slow_shingles(text, n, *, by_words=False):
    parts = [slow_mix(ord(character) + 1) for character in text]
    if by_words:
        words = text.split(" ")
        parts = [slow_shingle_hash([slow_mix(ord(c) + 1) for c in word]) for word in words]
    return [slow_shingle_hash(parts[i : i + n]) for i in range(len(parts) - n + 1)]


def slow_signature(shingles, k, seed):
    """Algorithm 1 of Fast Similarity Sketching, as it stands in the paper."""
    start = int(random_bits(1, seed)[0])
    least = [None] * k
    for number in range(2 * k):
        for shingle in shingles:
            drawn = slow_mix(shingle ^ ((start + number * 0x9E3779B97F4A7C15) & MASK))
            place = ((drawn >> 32) * k) >> 32 if number < k else number - k
            value = (number << 32) | (drawn & 0xFFFFFFFF)
            least[place] = value if least[place] is None else min(least[place], value)
        if None not in least:
            break
    return least


def jaccard(a, b, ngram_chars):
    shingles = [
        {text[i : i + ngram_chars] for i in range(len(text) - ngram_chars + 1)}
        for text in (normalise(a), normalise(b))
    ]
    return len(shingles[0] & shingles[1]) / len(shingles[0] | shingles[1])


def test_the_signature_of_a_text_is_fixed_for_good():
    hasher = MinHasher(ngram_chars=3, n_bands=2, rows_per_band=2, seed=1)
    assert hasher.signature("Hello world").tolist() == [
        2331376928,
        1815930297,
        879282454,
        412667807,
    ]
    assert hasher.bands("Hello world").tolist() == [-7135221479527814180, 7499448942425592025]


def test_the_bands_of_the_default_settings_are_fixed_for_good():
    bands = MinHasher(24, 20, 13, 42).bands(PANGRAM)
    assert bands.dtype == np.int64
    assert bands.shape == (20,)
    assert bands[:2].tolist() == [7816171074321301321, 3861678668233862080]


@pytest.mark.parametrize("ngram_chars", [1, 2, 3, 7, 24])
@pytest.mark.parametrize("rows", [3, 40])
def test_the_compiled_signature_is_that_of_the_definition(ngram_chars, rows):
    text = "straße \U0001f600 " + PANGRAM.lower()
    signature = MinHasher(ngram_chars, 2, rows, 5).signature(text)
    assert signature.dtype == np.uint64
    assert signature.tolist() == slow_signature(slow_shingles(text, ngram_chars), 2 * rows, 5)


def test_shingles_of_words_are_those_of_the_definition_too():
    text = PANGRAM.lower() + " " + PANGRAM.lower()
    hasher = MinHasher(24, 14, 8, 5, ngram_words=5)
    shingles = slow_shingles(text, 5, by_words=True)
    assert len(shingles) == 14
    assert hasher.signature(text).tolist() == slow_signature(shingles, 112, 5)
    assert hasher.bands("only four words here").shape == (0,)
    assert hasher.bands("five words are just enough").shape == (14,)


def test_few_shingles_fill_every_value():
    signature = MinHasher(24, 20, 13, 42).signature("x" * 24)
    assert signature.shape == (260,)
    assert (signature >> np.uint64(32) <= 519).all()


def test_case_and_white_space_do_not_change_the_bands():
    hasher = MinHasher(24, 20, 13, 42)
    variant = PANGRAM.upper().replace(" ", " \n\t")
    assert hasher.bands(variant).tolist() == hasher.bands(PANGRAM).tolist()
    assert hasher.bands(PANGRAM.replace("fox", "ox")).tolist() != hasher.bands(PANGRAM).tolist()


def test_a_text_shorter_than_a_shingle_has_no_bands_and_one_as_long_has():
    hasher = MinHasher(24, 20, 13, 42)
    assert hasher.bands("x" * 23 + " \n").shape == (0,)
    assert hasher.signature("x" * 23).shape == (0,)
    assert hasher.bands("x" * 24).shape == (20,)
    assert shingle_hashes(normalise(""), 1).shape == (0,)


def test_repeating_a_text_with_its_seam_does_not_change_the_signature():
    hasher = MinHasher(4, 5, 2, 3)
    assert hasher.signature("abc " * 5).tolist() == hasher.signature("abc " * 500).tolist()


def test_bands_of_different_number_never_match_even_where_their_rows_are_equal(monkeypatch):
    monkeypatch.setattr(MinHasher, "_signature", lambda self, text: np.zeros(200, np.uint64))
    assert len(set(MinHasher(3, 200, 1, 0).bands("abc").tolist())) == 200


def test_another_seed_gives_other_values():
    ours, theirs = (MinHasher(5, 20, 13, seed).signature(PANGRAM) for seed in (42, 43))
    assert np.mean(ours == theirs) < 0.02


STRINGS = (
    "A test string",
    "A different test string",
    "A different object",
    "The quick brown fox jumps over the lazy dog",
    "The quick black cat jumps over the lazy dog",
)


@pytest.mark.parametrize("first", range(5))
@pytest.mark.parametrize("second", range(5))
def test_the_share_of_equal_values_estimates_the_jaccard_similarity(first, second):
    hasher = MinHasher(5, 20, 13, 42)
    a, b = STRINGS[first], STRINGS[second]
    estimate = np.mean(hasher.signature(a) == hasher.signature(b))
    assert estimate == pytest.approx(jaccard(a, b, 5), abs=0.15)


@pytest.mark.parametrize("n_bands", [5, 10])
def test_shared_bands_connect_the_reference_strings_into_their_two_groups(n_bands):
    # Spec 10.6: one hash a band, seed 42: strings 0, 1, 2 and strings 3, 4.
    hasher = MinHasher(5, n_bands, 1, 42)
    bands = [set(hasher.bands(text).tolist()) for text in STRINGS]
    edges = {(i, j) for i in range(5) for j in range(i + 1, 5) if bands[i] & bands[j]}
    assert edges & {(0, 1), (1, 2), (3, 4)} == {(0, 1), (1, 2), (3, 4)}
    assert edges <= {(0, 1), (1, 2), (0, 2), (3, 4)}


def edited_pair(rng, n_chars, n_edited):
    """Two random texts that differ in their last `n_edited` characters."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    text = "".join(rng.choices(letters, k=n_chars))
    return text, text[:-n_edited] + "".join(rng.choices(letters, k=n_edited))


@pytest.mark.parametrize(
    ("similarity", "theory"),
    [
        (0.5, 0.0024),
        (0.6, 0.026),
        (0.65, 0.071),
        (0.7, 0.177),
        (0.75, 0.382),
        (0.8, 0.677),
        (0.85, 0.924),
        (0.9, 0.997),
        (0.95, 1.0),
    ],
)
def test_pairs_share_a_band_as_often_as_theory_says(similarity, theory):
    # 400 shingles of 24 characters, of which n_edited differ in each text.
    n_edited = round(400 * (1 - similarity) / (1 + similarity))
    hasher = MinHasher(24, 20, 13, 42)
    rng = random.Random(n_edited)
    pairs = [edited_pair(rng, 423, n_edited) for _ in range(150)]
    assert jaccard(*pairs[0], 24) == pytest.approx(similarity, abs=0.005)
    shared = [bool(np.any(hasher.bands(a) == hasher.bands(b))) for a, b in pairs]
    tolerance = 3 * (theory * (1 - theory) / 150) ** 0.5 + 0.01
    assert np.mean(shared) == pytest.approx(theory, abs=tolerance)


PIECES = ["the ", "x", "\n", "\0", "\ud800", "\u0301", "שלום ", "漢字", "İ", "Σ", " ", "a" * 40]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=30).map("".join))
def test_any_text_has_bands_or_is_too_short_and_repeating_shingles_change_nothing(text):
    hasher = MinHasher(24, 4, 3, 7)
    n_shingles = max(len(normalise(text)) - 23, 0)
    assert hasher.bands(text).shape == ((4,) if n_shingles else (0,))
    # All shingles of a run of one word are among those of a shorter run of it.
    word = text.strip() or "w"
    runs = [" ".join([word] * n) for n in (60, 61, 200)]
    assert len({hasher.bands(run).tobytes() for run in runs}) == 1
