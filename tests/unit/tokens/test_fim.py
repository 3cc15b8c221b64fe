"""Fill in the middle: what is cut, where, and what the tokens become."""

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from curation.config import RunConfig, TokensConfig
from curation.errors import ConfigError
from curation.tokens.encode import identity, load_encoder
from curation.tokens.fim import cut_in_three

TEXT = "The heron stands at the edge of the pond and waits.\n"
MARKS = ("<fim_prefix>", "<fim_middle>", "<fim_suffix>")


def cuts(rate, n=4_000, text=TEXT):
    return [cut_in_three(text, f"17:d{i}:0", rate=rate) for i in range(n)]


def test_so_many_are_cut_as_asked_half_of_them_suffix_first_and_pieces_are_the_text():
    found = cuts(0.4)
    done = [cut for cut in found if cut]
    assert len(done) / len(found) == pytest.approx(0.4, abs=0.03)
    assert sum(cut.is_spm for cut in done) / len(done) == pytest.approx(0.5, abs=0.05)
    assert all(cut.prefix + cut.middle + cut.suffix == TEXT for cut in done)


def test_places_are_uniform_over_the_gaps_between_characters():
    """Of two uniform draws the smaller has a mean of one third; every place occurs, ends too."""
    done = cuts(1.0)
    first, second = (
        [len(cut.prefix) for cut in done], [len(cut.prefix + cut.middle) for cut in done]
    )  # fmt: skip
    assert np.mean(first) / len(TEXT) == pytest.approx(1 / 3, abs=0.02)
    assert np.mean(second) / len(TEXT) == pytest.approx(2 / 3, abs=0.02)
    assert {0, len(TEXT)} <= {*first, *second}
    assert {*first, *second} == {*range(len(TEXT) + 1)}


def test_nothing_and_everything_may_be_cut_and_an_empty_text_too():
    assert cuts(0.0, 50) == [None] * 50
    assert None not in cuts(1.0, 50)
    assert cut_in_three("", "k", rate=1.0)[:3] == ("", "", "")


def test_the_same_key_gives_the_same_draw_and_copies_differ():
    one, other = (cut_in_three(TEXT, f"17:d:{copy}", rate=1.0) for copy in (0, 1))
    assert one == cut_in_three(TEXT, "17:d:0", rate=1.0) != other


def bytewise():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE({c: i for i, c in enumerate(alphabet)}, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


@pytest.fixture(scope="module")
def tokenizer_json(tmp_path_factory):
    """One token a byte, an end of documents, and the marks."""
    made = bytewise()
    made.add_special_tokens(["<|endoftext|>", *MARKS])
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return path


def encoded(tokenizer_json, texts, **settings):
    conf = TokensConfig(tokenizer=str(tokenizer_json), **settings)
    encoder = load_encoder(str(tokenizer_json))
    keys = [f"d{i}:0" for i in range(len(texts))]
    return encoder, encoder.encode_documents(texts, keys, conf)


def test_pieces_stand_behind_their_marks_in_both_orders(tokenizer_json):
    texts = [f"{i} {TEXT}" for i in range(40)]
    encoder, found = encoded(tokenizer_json, texts, fim_rate=0.6)
    pre, mid, suf = (chr(0xE000 + i) for i in range(3))
    as_text = {
        encoder.tokenizer.token_to_id(m): c for m, c in zip(MARKS, (pre, mid, suf), strict=True)
    }
    orders = set()
    for text, key, ids in zip(texts, range(40), found, strict=True):
        told = "".join(
            as_text.get(i)
            or encoder.tokenizer.id_to_token(i).replace("\u0120", " ").replace("\u010a", "\n")
            for i in ids.tolist()
        )
        cut = cut_in_three(text, f"17:d{key}:0", rate=0.6)
        if cut is None:
            assert told == text
            orders.add("whole")
        elif cut.is_spm:
            assert told == f"{pre}{suf}{cut.suffix}{mid}{cut.prefix}{cut.middle}"
            orders.add("spm")
        else:
            assert told == f"{pre}{cut.prefix}{suf}{cut.suffix}{mid}{cut.middle}"
            orders.add("psm")
    assert orders == {"whole", "spm", "psm"}


def test_how_texts_are_batched_changes_nothing(tokenizer_json):
    texts = [f"{i} {TEXT}" for i in range(9)]
    encoder, whole = encoded(tokenizer_json, texts, fim_rate=0.7)
    conf = TokensConfig(tokenizer=str(tokenizer_json), fim_rate=0.7)
    for i, text in enumerate(texts):
        (alone,) = encoder.encode_documents([text], [f"d{i}:0"], conf)
        assert alone.tolist() == whole[i].tolist()


def test_marks_that_a_page_spells_out_are_text(tokenizer_json):
    spelt = "<|endoftext|> <fim_middle>"
    encoder, (ids,) = encoded(tokenizer_json, [spelt])
    assert encoder.eod_id not in ids
    assert len(ids) == len(spelt)


def test_marks_that_are_not_special_in_the_tokenizer_are_text_too(tmp_path):
    """As those of Qwen 2.5, which are tokens wherever they stand."""
    made = bytewise()
    made.add_special_tokens(["<|endoftext|>"])
    made.add_tokens([*MARKS])
    made.save(str(tmp_path / "tokenizer.json"))
    _, (whole, cut) = encoded(tmp_path / "tokenizer.json", ["a <fim_middle> b"] * 2, fim_rate=0.99)
    middle = made.token_to_id("<fim_middle>")
    assert [ids.tolist().count(middle) for ids in (whole, cut)] == [1, 1]


def test_a_tokenizer_that_begins_pieces_with_a_space_is_refused(tmp_path):
    made = Tokenizer(
        models.BPE({c: i for i, c in enumerate("\u2581abcdefghijklmnopqrstuvwxyz")}, [])
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    made.decoder = decoders.Metaspace()
    made.add_special_tokens(["</s>", *MARKS])
    made.save(str(tmp_path / "tokenizer.json"))
    told = {"tokenizer": str(tmp_path / "tokenizer.json"), "fim_rate": 0.5}
    with pytest.raises(ConfigError, match="begins every piece with a space"):
        identity(RunConfig(tokens=told))
    assert identity(RunConfig(tokens=told | {"fim_rate": 0.0}))


def test_three_different_marks_are_wanted(tokenizer_json):
    told = {"tokenizer": str(tokenizer_json), "fim_rate": 0.5, "fim_tokens": (MARKS[0],) * 3}
    with pytest.raises(ConfigError, match="three different marks"):
        identity(RunConfig(tokens=told))


def test_a_tokenizer_without_the_marks_is_refused_before_anything_is_written():
    with pytest.raises(ConfigError, match=r"fim_tokens: smollm2-135m has no <fim_prefix>"):
        identity(RunConfig(tokens={"fim_rate": 0.5}))
    assert identity(RunConfig())
