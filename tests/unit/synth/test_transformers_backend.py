"""The transformers backend with a tiny model of random weights, made here."""

import json
import warnings

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from curation.config import EngineConfig, SynthConfig
from curation.synth.backends.loading import load_backend, release
from curation.synth.backends.protocol import ChatRequest
from curation.synth.backends.transformers import _Asked, _Penalties, next_batch, upto_end
from curation.synth.tokenizer import load_chat_tokenizer

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

N_BYTES = 256
END = N_BYTES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model of bytes with one control token, <end>."""
    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = {letter: i for i, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<end>")])
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>")
    fast.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ message.content }}\n{% endfor %}"
    )
    conf = transformers.LlamaConfig(
        vocab_size=N_BYTES + 1, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=512,
        bos_token_id=None, eos_token_id=END, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(3)
        transformers.LlamaForCausalLM(conf).save_pretrained(folder)
    return folder


def loaded(folder, seed=5, **engine):
    release()
    conf = SynthConfig(
        backend="transformers",
        model=str(folder),
        max_model_tokens=256,
        engine=EngineConfig(**engine),
    )
    return load_backend(conf, seed=seed)


def ask(request_id, text, temperature=0.0, max_tokens=12, prefill=""):
    return ChatRequest(request_id, "", text, prefill, max_tokens, temperature, 0.9)


def answers(backend, requests):
    return {done.request_id: done for done in backend.generate(requests)}


TEXTS = ["a heron", "stands", "still at the edge of the water", "and", "waits for fish today"]


def test_a_batch_says_what_each_says_alone(folder):
    """Padding, which is on the left, changes nothing."""
    requests = [ask(f"r{n}", text) for n, text in enumerate(TEXTS)]
    backend = loaded(folder)
    together = answers(backend, requests)
    alone = {
        name: done for request in requests for name, done in answers(backend, [request]).items()
    }
    assert {n: d.text for n, d in together.items()} == {n: d.text for n, d in alone.items()}
    assert len({done.text for done in together.values()}) > 1


def test_answers_are_counted_and_capped_and_hold_their_prefill(folder):
    (done,) = loaded(folder).generate([ask("r0", "a heron", max_tokens=5, prefill="Well,")])
    assert done.text.startswith("Well,")
    assert done.n_input_tokens == len("a heron\nWell,")
    assert (done.n_output_tokens, done.finish_reason, done.error) == (5, "length", None)
    assert done.seconds > 0.0


def test_an_answer_stops_at_the_token_that_ends_it(folder, tmp_path):
    """The model is told that its third token of this answer ends answers."""
    (whole,) = loaded(folder).generate([ask("r0", "a heron")])
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor([load_chat_tokenizer(folder).encode_chat("", "a heron", "")])
    tokens = model.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :].tolist()
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    ending = json.loads((tmp_path / "generation_config.json").read_text())
    (tmp_path / "generation_config.json").write_text(
        json.dumps(ending | {"eos_token_id": [END, tokens[2]]})
    )
    (done,) = loaded(tmp_path).generate([ask("r0", "a heron")])
    assert (done.finish_reason, done.n_output_tokens) == ("stop", tokens.index(tokens[2]) + 1)
    assert len(done.text) <= len(whole.text)


def test_drawn_answers_come_of_the_seed_and_the_requests(folder):
    requests = [ask(f"r{n}", text, temperature=1.0) for n, text in enumerate(TEXTS)]
    first = answers(loaded(folder), requests)
    texts = {name: done.text for name, done in first.items()}
    state = torch.random.get_rng_state()
    backend = loaded(folder)
    assert {name: done.text for name, done in answers(backend, requests).items()} == texts
    assert torch.equal(state, torch.random.get_rng_state())
    other = answers(loaded(folder, seed=6), requests)
    assert {name: done.text for name, done in other.items()} != texts


def test_nothing_is_warned_of(folder):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answers(loaded(folder), [ask("a", "x"), ask("b", "y", temperature=0.7)])
    assert [str(w.message) for w in caught if "generation" in str(w.message)] == []


def test_a_batch_is_of_one_sampling_the_oldest_s_and_the_longest_come_first():
    held = [
        _Asked(ask("r0", "", temperature=0.5), [0] * 3),
        _Asked(ask("r1", "", temperature=1.0), [0] * 9),
        _Asked(ask("r2", "", temperature=0.5), [0] * 7),
        _Asked(ask("r3", "", temperature=0.5), [0] * 5),
    ]
    assert [asked.request.request_id for asked in next_batch(held, 2)] == ["r2", "r3"]
    assert [asked.request.request_id for asked in next_batch(held, 9)] == ["r2", "r3", "r0"]


def test_padding_behind_the_end_is_cut():
    assert upto_end([5, 6, 2, 2, 2], [2, 3]) == [5, 6, 2]
    assert upto_end([5, 3, 2], [2, 3]) == [5, 3]
    assert upto_end([5, 6], [2]) == [5, 6]


def test_penalties_fall_on_what_the_answer_has_already_and_not_on_the_prompt():
    penalties = _Penalties(2, frequency_penalty=0.5, presence_penalty=0.25)
    ids = torch.tensor([[3, 3, 1, 1, 0], [0, 0, 2, 3, 3]])
    scores = penalties(ids, torch.zeros(2, 4))
    assert scores.tolist() == [[-0.75, -1.25, 0.0, 0.0], [0.0, 0.0, -0.75, -1.25]]
