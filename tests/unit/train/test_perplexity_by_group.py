import gzip
import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch")
transformers = pytest.importorskip("transformers", reason="no transformers")

from trained_models import save_model, save_tokenizer  # noqa: E402

from curation.errors import InputError  # noqa: E402
from models.train.perplexity import (  # noqa: E402
    TextLoss,
    group_losses,
    main,
    read_texts,
    text_loss,
)
from models.train.trained import load_trained  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.fixture
def folder(tmp_path):
    save_tokenizer(tmp_path / "m")
    save_model(tmp_path / "m", longest=8)
    return tmp_path / "m"


def _nats(model, ids):
    """Loss of all but the first of `ids`, the plain way."""
    logits = model(torch.tensor([ids[:-1]])).logits[0]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="sum").item()


def test_every_token_of_a_text_is_predicted_once_in_pieces_that_share_one(folder):
    trained = load_trained(folder, None, device="cpu")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    text = "What ís it?"  # eleven letters, one of two bytes: twelve tokens, two pieces
    ids = [0, *trained.encoder.encode([text])[0].tolist()]
    found = text_loss(trained, text)
    assert (found.n_tokens, found.n_bytes) == (12, 12)
    expected = _nats(model, ids[:9]) + _nats(model, ids[8:])
    assert found.loss_nats == pytest.approx(expected, rel=1e-5)


def test_figures_of_groups_are_worked_out_by_hand():
    losses = {"b": [TextLoss(6.0, 3, 10), TextLoss(2.0, 1, 10)], "a": [TextLoss(1.0, 2, 4)]}
    a, b, every = group_losses(losses)
    assert (a.group, b.group, every.group) == ("a", "b", "(all)")
    assert (b.n_texts, b.n_tokens, b.n_bytes) == (2, 4, 20)
    assert b.perplexity == pytest.approx(math.exp(2))
    assert b.bits_per_byte == pytest.approx(8 / 20 / math.log(2))
    # Both texts of b have two nats a token: no draw of them is different; bits a byte range from
    # those of one text drawn twice to those of the other.
    assert (b.perplexity_low, b.perplexity_high) == pytest.approx((math.exp(2), math.exp(2)))
    bounds = b.bits_per_byte_low * math.log(2), b.bits_per_byte_high * math.log(2)
    assert bounds == pytest.approx((0.2, 0.6))
    assert a.perplexity_low == a.perplexity_high == pytest.approx(math.exp(0.5))
    assert every.perplexity == pytest.approx(math.exp(9 / 6))


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(100):
        nats = rng.exponential(2.0, 60)  # a token a text, two nats on average
        [found] = group_losses({"a": [TextLoss(float(one), 1, 1) for one in nats]})
        held += found.perplexity_low <= math.exp(2) <= found.perplexity_high
    assert 86 <= held <= 99


def test_the_command_writes_a_line_a_group(tmp_path, folder, capsys):
    rows = [{"text": "one text", "site": "x"}, {"text": "", "site": "x"},
            {"text": "another", "site": "y"}, {"text": "a third", "site": "x"}]  # fmt: skip
    with gzip.open(tmp_path / "t.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    told = tmp_path / "told.json"
    main(["--model", str(folder), "--texts", str(tmp_path / "t.jsonl.gz"), "--by", "site",
          "--json", str(told)])  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [
        ["x", "2", "15"], ["y", "1", "7"], ["(all)", "3", "22"]
    ]  # fmt: skip
    x, y, every = json.loads(told.read_text())
    trained = load_trained(folder, None, device="cpu")
    nats = [text_loss(trained, text).loss_nats for text in ("one text", "a third", "another")]
    assert x["perplexity"] == pytest.approx(math.exp(sum(nats[:2]) / 15))
    assert y["bits_per_byte"] == pytest.approx(nats[2] / 7 / math.log(2))
    assert every["bits_per_byte"] == pytest.approx(sum(nats) / 22 / math.log(2))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"text": "a"}', r"t\.jsonl:2: no field 'site'; it has text"),
        ('{"text": "a", "site', r"t\.jsonl:2: not a JSON object"),
        ("[1]", r"t\.jsonl:2: not a JSON object"),
    ],
)
def test_a_line_that_is_not_as_told_is_named(tmp_path, line, said):
    (tmp_path / "t.jsonl").write_text('{"text": "a", "site": "x"}\n' + line + "\n")
    with pytest.raises(InputError, match=said):
        list(read_texts(tmp_path / "t.jsonl", by="site"))


def test_a_truncated_file_is_refused(tmp_path):
    whole = gzip.compress(b'{"text": "a", "site": "x"}\n' * 50)
    (tmp_path / "t.jsonl.gz").write_bytes(whole[:-9])
    with pytest.raises(InputError, match=r"t\.jsonl\.gz: damaged"):
        list(read_texts(tmp_path / "t.jsonl.gz", by="site"))
    with pytest.raises(InputError, match="no such file"):
        list(read_texts(tmp_path / "none.jsonl", by="site"))


def test_a_model_or_tokenizer_that_does_not_fit_is_one_clear_line(tmp_path, folder):
    with pytest.raises(InputError, match=r"nowhere has no config\.json"):
        load_trained(tmp_path / "nowhere", folder, device="cpu")
    save_model(tmp_path / "small", vocabulary_size=200)
    with pytest.raises(InputError, match=r"no tokenizer here; name its tokenizer\.json"):
        load_trained(tmp_path / "small", None, device="cpu")
    with pytest.raises(InputError, match=r"a vocabulary of 257, .* has one of 200"):
        load_trained(tmp_path / "small", folder, device="cpu")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"^{folder}: "):
        load_trained(folder, None, device="cpu")
    save_model(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    with pytest.raises(InputError, match=r"of another model: they lack model\.layers\.1\."):
        load_trained(folder, None, device="cpu")
    (folder / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))
    with pytest.raises(InputError, match=f"^{folder}: "):
        load_trained(folder, None, device="cpu")
