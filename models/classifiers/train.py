"""`python -m models.classifiers.train --data DIR --out DIR`: the three shipped weights.

DIR of --data is the folder with `crawl/` and `text/`. An error is one line and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curation.errors import CurationError
from curation.model_store import model_folder
from curation.score.encoder import Encoder, Head, load_encoder
from models.classifiers.data import LabelledPage, fold_of, load_pages
from models.classifiers.encoder import cell_weights, fit_edu_head, fit_logistic, save_head
from models.classifiers.fasttext import train_quality, training_lines
from models.classifiers.sentences import toxicity_examples

N_PER_SENTENCE = 8
SEED = 17


@dataclass(frozen=True)
class ToxicitySet:
    """Embeddings and labels of the toxicity head's examples, one row each."""

    embeddings: NDArray[np.float32]
    toxic: NDArray[np.float64]
    cells: NDArray[np.int64]
    """Kind of example: harmless or toxic, with or without a group; 4: a web page."""
    folds: NDArray[np.int64]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser("python -m models.classifiers.train", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with crawl/ and text/")
    parser.add_argument("--out", required=True, type=Path, help="folder for the weights")
    parser.add_argument("--max-tokens", type=int, default=256, help="tokens the encoder reads")
    options = parser.parse_args(arguments)
    try:
        train_all(options.data, options.out, max_tokens=options.max_tokens)
    except (CurationError, FloatingPointError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    return 0


def train_all(data: Path, out: Path, *, max_tokens: int) -> None:
    """Write `quality.ftz`, `edu_head.npz` and `toxicity_head.npz` into `out`.

    Raises:
        InputError: `data` lacks a file or a labelled page.
        EnvironmentFault: torch, transformers or the encoder is not on this machine.
    """
    pages = load_pages(data)
    encoder = load_encoder(str(model_folder("minilm")), max_tokens=max_tokens)
    embeddings = encoder.embed_texts([page.text for page in pages])
    out.mkdir(parents=True, exist_ok=True)
    train_quality(training_lines(pages)).save_model(str(out / "quality.ftz"))
    heads = {
        "edu_head.npz": edu_head(pages, embeddings),
        "toxicity_head.npz": toxicity_head(toxicity_set(encoder, embeddings)),
    }
    for name, head in heads.items():
        save_head(out / name, head, max_tokens=max_tokens, n_pages=len(pages))


def edu_head(pages: list[LabelledPage], embeddings: NDArray[np.float32]) -> Head:
    """The head on `embeddings` of `pages`; its stretch comes from folds by domain."""
    targets = np.array([page.edu for page in pages], np.float64)
    return fit_edu_head(embeddings, targets, page_folds(pages))


def page_folds(pages: list[LabelledPage]) -> NDArray[np.int64]:
    """Fold of each page, by its domain."""
    return np.array([fold_of(page.group) for page in pages], np.int64)


WEB_PAGE = 4


def toxicity_set(encoder: Encoder, pages: NDArray[np.float32]) -> ToxicitySet:
    """The written sentences, and the labelled pages as harmless examples.

    The reader saw no insult, threat or harassment in those pages. They teach the head what long
    web text looks like; without them one page in fifty came out toxic.
    """
    sentences = toxicity_examples(N_PER_SENTENCE, SEED)
    kinds = [2 * sentence.toxic + sentence.names_group for sentence in sentences]
    folds = [fold_of(f"sentence {sentence.template}") for sentence in sentences]
    page_rows = [fold_of(f"page {row}") for row in range(len(pages))]
    written = encoder.embed_texts([sentence.text for sentence in sentences])
    toxic = [float(sentence.toxic) for sentence in sentences]
    return ToxicitySet(
        np.concatenate([written, pages]),
        np.array(toxic + [0.0] * len(pages)),
        np.array(kinds + [WEB_PAGE] * len(pages), np.int64),
        np.array(folds + page_rows, np.int64),
    )


def toxicity_head(examples: ToxicitySet) -> Head:
    """A logistic head in which each kind of example weighs the same."""
    return fit_logistic(examples.embeddings, examples.toxic, cell_weights(examples.cells))


if __name__ == "__main__":
    raise SystemExit(main())
