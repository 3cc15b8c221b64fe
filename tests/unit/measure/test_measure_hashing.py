import hashlib
import sys

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.hashing import content_hash, mix64, normalise, random_bits


def test_normalising_lowers_letters_and_squeezes_white_space():
    assert normalise("\n Hello\t\u00a0 WORLD \n") == "hello world"
    assert normalise(normalise("\n Hello\t WORLD \n")) == "hello world"


def by_python(text):
    return " ".join(text.split()).lower()


def test_normalising_is_what_python_says_of_every_character_and_of_letters_that_depend_on_others():
    for first in range(0, sys.maxunicode + 1, 4096):
        text = " ".join(map(chr, range(first, first + 4096)))
        assert normalise(text) == by_python(text), hex(first)
    for text in ("ΟΔΟΣ ΣΑΣ", "İstanbul", "\ud800 A", "\ud83d\ude00 A", "A\0B", "", " ", "\0"):
        assert normalise(text) == by_python(text), text


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters() | st.sampled_from(" \n\t\x85\u3000ΣİAé漢\0"), max_size=60))
def test_normalising_is_what_python_says(text):
    assert normalise(text) == by_python(text)


def test_the_content_hash_is_128_bits_of_the_normalised_text():
    assert content_hash("Hello  World") == "e9a804b2e527fd3601d2ffc0bb023cd6"
    assert content_hash("") == hashlib.blake2b(b"", digest_size=16).hexdigest()


def test_case_and_white_space_do_not_change_the_content_hash_and_letters_do():
    assert content_hash("Hello\n\nWORLD ") == content_hash("hello world")
    assert content_hash("hello world") != content_hash("hello w0rld")
    assert content_hash("helloworld") != content_hash("hello world")


def test_lone_surrogates_have_a_content_hash():
    assert content_hash("abc \ud800") == content_hash("ABC\n\ud800") != content_hash("abc ?")


def test_random_bits_are_splitmix64():
    # First outputs of SplitMix64 seeded with 0, as published with its reference implementation.
    assert random_bits(2, 0).tolist() == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]


def test_a_longer_draw_extends_a_shorter_one_and_seeds_differ():
    assert random_bits(5, 7)[:3].tolist() == random_bits(3, 7).tolist()
    assert not set(random_bits(100, 7).tolist()) & set(random_bits(100, 8).tolist())


def test_mixing_flips_half_of_the_bits_when_one_bit_changes():
    values = random_bits(64, 1)
    flipped = values ^ (np.uint64(1) << np.arange(64, dtype=np.uint64))
    n_changed = np.bitwise_count(mix64(values) ^ mix64(flipped))
    assert 28 < n_changed.mean() < 36
