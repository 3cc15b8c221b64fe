"""`python -m models.classifiers.evaluate --data DIR`: what the shipped recipes are worth.

Cross-validation in five folds that never share a domain; the toxicity head on HateCheck too. The
numbers are of models trained by the recipes of `train.py`, not of the shipped files, which have
seen every labelled page. Shapes: N pages, M members of the ensemble.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curation.errors import CurationError
from curation.model_store import model_folder
from curation.score.encoder import Encoder, load_encoder
from curation.score.heads import Head
from curation.tokens.files import sha256_of
from models.classifiers import evaluate_tables as tables
from models.classifiers.annotation.rubrics import load_rubrics
from models.classifiers.classes import learnable
from models.classifiers.data import (
    EDU_BEFORE,
    HQ_EDU,
    LABELS,
    SECOND_READING,
    LabelledPage,
    load_cases,
    load_pages,
    load_reading,
    text_hash,
)
from models.classifiers.ensemble import MEMBERS, maximum, mean_rank
from models.classifiers.measures import roc_auc, spearman
from models.classifiers.page import Section, Table, as_html, as_json, as_text
from models.classifiers.recipes import (
    CLASSES,
    RECIPES,
    REGRESSIONS,
    WEB_PAGE,
    Embeddings,
    classes_of,
    page_folds,
    scores_of,
    toxicity_head,
    toxicity_set,
)
from models.classifiers.unseen import (
    unseen_classes,
    unseen_combination,
    unseen_fasttext,
    unseen_regression,
    unseen_toxicity,
)

TITLE = "The shipped classifiers on pages they had not seen"
READINGS = {"first": LABELS, "second": SECOND_READING, "before": EDU_BEFORE}
TOXIC_CUT = 0.5
IDENTITY_CASES = ("ident_neutral_nh", "ident_pos_nh")
"""HateCheck's harmless cases that name a group, neutrally or warmly."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; the exit code."""
    parser = argparse.ArgumentParser("python -m models.classifiers.evaluate", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with crawl/ and text/")
    parser.add_argument("--max-tokens", type=int, default=256, help="tokens the encoder reads")
    parser.add_argument("--html", type=Path, help="write the report as one HTML page too")
    parser.add_argument("--json", type=Path, help="write the report as JSON too")
    options = parser.parse_args(arguments)
    try:
        sections = report(options.data, max_tokens=options.max_tokens)
    except (CurationError, FloatingPointError, ValueError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    sys.stdout.writelines(line + "\n" for line in as_text(sections))
    if options.html:
        options.html.write_text(as_html(TITLE, sections), encoding="utf-8")
    if options.json:
        content = json.dumps(as_json(sections), indent=1, ensure_ascii=False)
        options.json.write_text(content + "\n", encoding="utf-8")
    return 0


def report(data: Path, *, max_tokens: int) -> list[Section]:
    """The sections of the report.

    Raises:
        InputError: `data` lacks a file or a labelled page.
        EnvironmentFault: torch, transformers or the encoder is not on this machine.
    """
    pages = load_pages(data)
    encoder = load_encoder(str(model_folder("minilm")), max_tokens=max_tokens)
    study = Study(pages, encoder.embed_texts([page.text for page in pages]))
    sections = [labels_section(pages)]
    sections += [regression_section(study, name) for name in REGRESSIONS]
    sections += [fasttext_section(study), ensemble_section(study)]
    sections += [class_section(study, name) for name in CLASSES]
    return [*sections, toxicity_section(study, encoder, data)]


@dataclass(frozen=True)
class Study:
    """Labelled pages and their embeddings, with scores by models that saw no page of the domain."""

    pages: list[LabelledPage]
    embeddings: Embeddings

    @cached_property
    def edu(self) -> NDArray[np.float64]:
        """The labels of `edu`, shape (N,)."""
        return scores_of(self.pages, "edu")

    @cached_property
    def parts(self) -> dict[str, NDArray[np.bool_]]:
        """The pages by language and by length."""
        lengths = [len(page.text) for page in self.pages]
        return tables.slices([page.language for page in self.pages], lengths)

    @cached_property
    def regressions(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Scores by the name of the head and the recipe."""
        return {
            name: {
                recipe: unseen_regression(self.pages, self.embeddings, name, recipe)
                for recipe in RECIPES
            }
            for name in REGRESSIONS
        }

    @cached_property
    def fasttext(self) -> NDArray[np.float64]:
        """P(hq), shape (N,)."""
        return unseen_fasttext(self.pages)

    @cached_property
    def members(self) -> NDArray[np.float64]:
        """Scores of the members of the ensemble, shape (N, M)."""
        found = {name: self.regressions[name]["ridge"] for name in REGRESSIONS}
        found["fasttext"] = self.fasttext
        return np.stack([found[name] for name in MEMBERS], axis=1)


def labels_section(pages: list[LabelledPage]) -> Section:
    """What the labels are, and how far their readers agree."""
    readings = {name: load_reading(path) for name, path in READINGS.items()}
    scores = {name: scores_of(pages, name) for name in ("edu", "quality", "toxicity")}
    note = (
        f"{len(pages)} pages of {len({page.group for page in pages})} domains. SHA-256 of the "
        f"labels {sha256_of(LABELS)}, of the texts {text_hash(pages)}."
    )
    found = [tables.label_table(scores), tables.agreement_table(readings)]
    return Section("Labels", note, found)


def regression_section(study: Study, name: str) -> Section:
    """The head of `edu` or `quality`, by the shipped recipe; the published one beside it."""
    truth, found = scores_of(study.pages, name), study.regressions[name]
    ridge = found["ridge"]
    note = (
        "Ridge regression, stretched, on the embedding; shipped. Beside it the published recipe, "
        "which is made for an annotated set of thousands."
    )
    return Section(f"Head: {name}", note, [
        tables.summary_table(truth, {key: (found[key], float(HQ_EDU)) for key in RECIPES}),
        tables.recipe_table(truth, found),
        tables.score_confusion(truth, ridge),
        tables.reliability_table(truth, ridge, tables.SCORE_EDGES, "mean label"),
        tables.score_slices(truth, ridge, float(HQ_EDU), study.parts),
    ])  # fmt: skip


def fasttext_section(study: Study) -> Section:
    """The fastText member against the label of `edu`."""
    truth, scores = study.edu, study.fasttext
    high = (truth >= HQ_EDU).astype(np.float64)
    return Section("fastText", "P(hq), with pages of 3 or more as hq and of 0 or 1 as cc.", [
        tables.summary_table(truth, {"fasttext": (scores, 0.5)}),
        tables.cut_confusion(truth, scores, 0.5),
        tables.reliability_table(high, scores, tables.CHANCE_EDGES, "share with edu >= 3"),
        tables.score_slices(truth, scores, 0.5, study.parts),
    ])  # fmt: skip


def ensemble_section(study: Study) -> Section:
    """Ways to combine the members, each cut at the share of pages with 3 or more."""
    truth, members = study.edu, study.members
    is_high = truth >= HQ_EDU
    logistic = unseen_combination(members, is_high, page_folds(study.pages))
    singles = {name: members[:, place] for place, name in enumerate(MEMBERS)}
    ways = {"maximum": maximum(members), "mean rank": mean_rank(members), "logistic": logistic}
    share = float(np.mean(~is_high))
    cut_at_share = {
        name: (scores, float(np.quantile(scores, share)))
        for name, scores in (singles | ways).items()
    }
    note = "Cut so that as many pages lie above as have 3 or more; members by themselves above."
    return Section("Ensemble", note, [
        tables.summary_table(truth, cut_at_share),
        _correlations(singles),
        tables.cut_confusion(truth, logistic, 0.5),
        tables.reliability_table(
            is_high.astype(np.float64), logistic, tables.CHANCE_EDGES, "share with edu >= 3"
        ),
        tables.score_slices(truth, logistic, 0.5, study.parts),
    ])  # fmt: skip


def _correlations(members: dict[str, NDArray[np.float64]]) -> Table:
    rows = [[one, *(spearman(members[one], members[two]) for two in members)] for one in members]
    return Table("Rank correlation of the members", ("", *members), rows)  # type: ignore[arg-type]


def class_section(study: Study, name: str) -> Section:
    """The head of `domain` or `speech`."""
    names = classes_of(study.pages, name)
    truth = np.array(names, object)
    found, chances = unseen_classes(names, study.embeddings, page_folds(study.pages))
    left_out = [one for one in load_rubrics([name])[0].options if one not in learnable(names)]
    right = (truth == found).astype(np.float64)
    note = "Multinomial logistic regression on the embedding; its penalty from the folds it sees."
    return Section(f"Head: {name}", note, [
        tables.class_summary(truth, found, study.parts),
        tables.reliability_table(right, chances, tables.CHANCE_EDGES, "share right"),
        tables.class_table(truth, found, left_out),
        tables.class_confusion(truth, found),
    ])  # fmt: skip


def toxicity_section(study: Study, encoder: Encoder, data: Path) -> Section:
    """The toxicity head: its own sentences, the labelled pages, HateCheck by functional class."""
    examples = toxicity_set(encoder, study.pages, study.embeddings)
    head = toxicity_head(examples)
    unseen = unseen_toxicity(examples)
    labels = scores_of(study.pages, "toxicity")
    pages = head.columns("p", study.embeddings)["p"].astype(np.float64)
    pages[labels <= 1] = unseen[examples.cells == WEB_PAGE]
    flagged = {f"flagged at {TOXIC_CUT:g}": lambda part: float((pages[part] >= TOXIC_CUT).mean())}
    note = (
        "Logistic regression on the embedding. Sentences and pages by heads that saw no variant "
        "of the sentence and no page of the domain; HateCheck was never trained on."
    )
    order = list(tables.VALUES)
    return Section("Head: toxicity", note, [
        _own_sentences(examples.toxic, examples.cells, unseen),
        tables.flagged_table("Pages by their label", labels, pages, TOXIC_CUT, order),
        tables.part_table("Pages by language and length", study.parts, flagged),
        *_hatecheck(encoder, head, data),
    ])  # fmt: skip


def _own_sentences(
    toxic: NDArray[np.float64], cells: NDArray[np.int64], unseen: NDArray[np.float64]
) -> Table:
    """AUC of the written sentences, and of those that name a group."""
    parts = {"all": cells != WEB_PAGE, "that name a group": np.isin(cells, (1, 3))}
    auc = {"AUC": lambda part: roc_auc(toxic[part] == 1.0, unseen[part])}
    return tables.part_table("Own sentences", parts, auc)


def _hatecheck(encoder: Encoder, head: Head, data: Path) -> Iterator[Table]:
    """HateCheck as a whole, its calibration, and every functional class."""
    cases = load_cases(data)
    embeddings = encoder.embed_texts([case.text for case in cases])
    chances = head.columns("p", embeddings)["p"].astype(np.float64)
    toxic = np.array([case.toxic for case in cases])
    kinds = np.array([case.functionality for case in cases], object)
    identity = np.isin(kinds, IDENTITY_CASES)
    groups = {"hateful": toxic, "harmless": ~toxic, "harmless, names a group": identity}
    flagged = {f"flagged at {TOXIC_CUT:g}": lambda part: float((chances[part] >= TOXIC_CUT).mean())}
    yield tables.part_table(
        f"HateCheck, {len(cases)} cases: AUC {roc_auc(toxic, chances):.3f}", groups, flagged
    )
    said = toxic.astype(np.float64)
    yield tables.reliability_table(said, chances, tables.CHANCE_EDGES, "share hateful")
    yield tables.flagged_table("HateCheck by functional class", kinds, chances, TOXIC_CUT)


if __name__ == "__main__":
    raise SystemExit(main())
