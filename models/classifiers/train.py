"""`python -m models.classifiers.train --data DIR --out DIR`: the shipped weights.

DIR of --data is the folder with `crawl/` and `text/`. An error is one line and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from curation.errors import CurationError, InputError
from curation.model_store import model_folder, model_print
from curation.score.encoder import load_encoder
from curation.tokens.files import sha256_of
from models.classifiers.data import LABELS, LabelledPage, load_pages, text_hash
from models.classifiers.encoder import save_head
from models.classifiers.ensemble import fit_combination, save_combination
from models.classifiers.fasttext import train_quality, training_lines
from models.classifiers.recipes import (
    RECIPES,
    Embeddings,
    Recipe,
    class_heads,
    regression_heads,
    toxicity_head,
    toxicity_set,
)
from models.classifiers.unseen import members_unseen

MIN_PAGES = 50
"""Pages judged by a rubric, below which a head of it would be noise."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser("python -m models.classifiers.train", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with crawl/ and text/")
    parser.add_argument("--out", required=True, type=Path, help="folder for the weights")
    parser.add_argument("--max-tokens", type=int, default=256, help="tokens the encoder reads")
    parser.add_argument(
        "--recipe", choices=RECIPES, default="ridge",
        help="of edu and quality: ridge for hundreds of labels, published for many thousands",
    )  # fmt: skip
    parser.add_argument(
        "--annotations", type=Path, help="annotations.csv of models.classifiers.annotate --data"
    )
    options = parser.parse_args(arguments)
    try:
        train_all(
            options.data, options.out, max_tokens=options.max_tokens, recipe=options.recipe,
            annotations=options.annotations,
        )  # fmt: skip
    except (CurationError, FloatingPointError, ValueError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    return 0


def train_all(
    data: Path, out: Path, *, max_tokens: int, recipe: Recipe, annotations: Path | None = None
) -> None:
    """Write the weights into `out`: those of the rubrics by which the pages were judged.

    Raises:
        InputError: `data` lacks a file or a labelled page, or too few pages are judged by a rubric.
        EnvironmentFault: torch, transformers or the encoder is not on this machine.
        ValueError: too few domains for the published recipe.
    """
    pages = load_pages(data, annotations, ()) if annotations else load_pages(data)
    _check_enough(pages, annotations or LABELS)
    folder = model_folder("minilm")
    encoder = load_encoder(str(folder), max_tokens=max_tokens)
    embeddings = encoder.embed_texts([page.text for page in pages])
    readable = np.flatnonzero(~np.isnan(embeddings).any(axis=1))
    pages, embeddings = [pages[row] for row in readable], embeddings[readable]
    card = {"labels_sha256": sha256_of(annotations or LABELS), "texts_sha256": text_hash(pages)}
    heads = regression_heads(pages, embeddings, recipe) | class_heads(pages, embeddings)
    heads["toxicity"] = toxicity_head(toxicity_set(encoder, pages, embeddings))
    out.mkdir(parents=True, exist_ok=True)
    for name, head in heads.items():
        save_head(
            out / f"{name}.npz", head, encoder=model_print(folder), max_tokens=max_tokens,
            n_pages=len(pages), **card,
        )  # fmt: skip
    _train_text_members(out, pages, embeddings, recipe, card)


def _check_enough(pages: list[LabelledPage], labels: Path) -> None:
    """Refuse labels from which nothing could be learnt: none at all, or a rubric with a handful.

    Raises:
        InputError: there are fewer than `MIN_PAGES` of a rubric that any page is judged by.
    """
    judged = {
        "edu": sum(not np.isnan(page.edu) for page in pages),
        "quality": sum(not np.isnan(page.quality) for page in pages),
        "domain": sum(page.domain != "" for page in pages),
        "speech": sum(page.speech != "" for page in pages),
    }
    few = [f"{name}: {n}" for name, n in judged.items() if 0 < n < MIN_PAGES]
    if few or not any(judged.values()):
        raise InputError(
            f"{labels}: {', '.join(few) or 'no page'} judged; each rubric needs {MIN_PAGES} pages, "
            "and hundreds to be of use"
        )


def _train_text_members(
    out: Path, pages: list[LabelledPage], embeddings: Embeddings, recipe: Recipe,
    card: dict[str, str],
) -> None:  # fmt: skip
    """Write `fasttext.ftz` and `ensemble.json`, where the pages were judged as they need it."""
    if all(np.isnan(page.edu) for page in pages):
        return
    train_quality(training_lines(pages)).save_model(str(out / "fasttext.ftz"))
    scores_NM, is_high = members_unseen(pages, embeddings, recipe)
    if len(is_high):
        combination = fit_combination(scores_NM, is_high)
        save_combination(out / "ensemble.json", combination, n_pages=len(is_high), **card)


if __name__ == "__main__":
    raise SystemExit(main())
