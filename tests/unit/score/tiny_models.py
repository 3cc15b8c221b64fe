"""Small random classifiers, saved in the file layouts of the published ones."""

import json
import string

import torch
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    AutoConfig,
    AutoModel,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    DebertaV2Tokenizer,
    RobertaConfig,
    RobertaForSequenceClassification,
)

SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
LETTERS = string.ascii_lowercase + string.digits + ".,!"
TOXICITY_LABELS = [
    *("toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat"),
    *("sexual_explicit", "male", "female"),
]


def save_edu(folder, *, bias=None):
    """A BERT with one output, as NVIDIA's two educational classifiers."""
    torch.manual_seed(1)
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *("##" + c for c in LETTERS)]
    BertTokenizer(vocab={word: number for number, word in enumerate(vocab)}).save_pretrained(folder)
    config = BertConfig(vocab_size=len(vocab), num_labels=1, initializer_range=0.4, **SIZES)
    model = BertForSequenceClassification(config)
    if bias is not None:
        torch.nn.init.constant_(model.classifier.bias, bias)
    model.save_pretrained(folder)


def save_toxicity(folder):
    """A RoBERTa with a logistic output a label, and a tokenizer of two files."""
    torch.manual_seed(2)
    marks = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    vocab = {word: number for number, word in enumerate([*marks, *sorted(ByteLevel.alphabet())])}
    config = RobertaConfig(
        vocab_size=len(vocab),
        max_position_embeddings=514,
        type_vocab_size=1,
        initializer_range=0.4,
        id2label=dict(enumerate(TOXICITY_LABELS)),
        label2id={label: number for number, label in enumerate(TOXICITY_LABELS)},
        **SIZES,
    )
    RobertaForSequenceClassification(config).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 512}))


class CardClassifier(torch.nn.Module):
    """What the model cards of NVIDIA's domain and content type classifiers show."""

    def __init__(self, backbone, n_classes):
        super().__init__()
        self.model = backbone
        self.dropout = torch.nn.Dropout(0.2)
        self.fc = torch.nn.Linear(backbone.config.hidden_size, n_classes)

    def forward(self, input_ids, attention_mask):
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        outputs = self.fc(self.dropout(hidden))
        return torch.softmax(outputs[:, 0, :], dim=1)


def save_domain(folder, labels):
    """A DeBERTa v3 under NVIDIA's head, as PyTorchModelHubMixin writes it; the network itself."""
    torch.manual_seed(3)
    marks = ["[PAD]", "[CLS]", "[SEP]", "[UNK]"]
    pieces = [*marks, "\u2581", *LETTERS, "[MASK]"]
    vocab = [(piece, 0.0 if piece in marks else -2.0) for piece in pieces]
    DebertaV2Tokenizer(vocab=vocab, unk_id=3).save_pretrained(folder)
    sizes = SIZES | {"vocab_size": len(pieces)}
    backbone = AutoConfig.for_model(
        "deberta-v2",
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type="p2c|c2p",
        max_relative_positions=-1,
        position_biased_input=False,
        initializer_range=0.4,
        **sizes,
    )
    model = CardClassifier(AutoModel.from_config(backbone), len(labels))
    torch.nn.init.normal_(model.fc.weight)
    write_domain(folder, model.state_dict(), labels, sizes)
    return model.eval()


def write_domain(folder, weights, labels, sizes):
    folder.mkdir(exist_ok=True, parents=True)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()},
              folder / "model.safetensors")  # fmt: skip
    config = {
        "base_model": "microsoft/deberta-v3-base",
        "model_type": "deberta-v2",
        "config_path": None,
        "fc_dropout": 0.2,
        # In the order of the published file, that of the digits: 0, 1, 10, 11, ..., 2.
        "id2label": dict(sorted((str(n), label) for n, label in enumerate(labels))),
        "label2id": {label: number for number, label in enumerate(labels)},
        "pretrained": True,
    }
    (folder / "config.json").write_text(json.dumps(config | sizes))
