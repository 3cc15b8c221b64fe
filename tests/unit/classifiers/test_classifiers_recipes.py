import numpy as np
import pytest

from models.classifiers import recipes, unseen
from models.classifiers.data import LabelledPage, fold_of
from models.classifiers.recipes import (
    WEB_PAGE,
    class_heads,
    page_folds,
    regression_heads,
    toxicity_set,
)

NAN = float("nan")
RNG = np.random.default_rng(4)


def page(number, **labels):
    edu = labels.pop("edu", number % 5)
    return LabelledPage(str(number), edu, f"site{number}.example", f"text {number}", **labels)


class Flat:
    """An encoder with the same embedding for every sentence."""

    def embed_texts(self, texts):
        return np.ones((len(texts), 4), np.float32)


def test_only_pages_of_little_toxicity_are_harmless_examples():
    pages = [page(number, toxicity=value) for number, value in enumerate((0, 1, 2, 5, NAN, 0))]
    rows = np.arange(24, dtype=np.float32).reshape(6, 4)
    examples = toxicity_set(Flat(), pages, rows)
    web = examples.cells == WEB_PAGE
    assert examples.embeddings[web].tolist() == rows[[0, 1, 5]].tolist()
    assert examples.toxic[web].tolist() == [0.0] * 3
    assert examples.folds[web].tolist() == page_folds(pages)[[0, 1, 5]].tolist()
    assert set(examples.cells[~web].tolist()) == {0, 1, 2, 3}


def test_variants_of_a_sentence_lie_in_one_fold():
    examples = toxicity_set(Flat(), [], np.empty((0, 4), np.float32))
    sentences = recipes.toxicity_examples(recipes.N_PER_SENTENCE, recipes.SEED)
    folds = {}
    for sentence, fold in zip(sentences, examples.folds.tolist(), strict=True):
        folds.setdefault(sentence.template, set()).add(fold)
    assert {len(found) for found in folds.values()} == {1}


def test_a_rubric_by_which_no_page_was_judged_trains_no_head():
    pages = [page(number, domain="ab"[number % 2]) for number in range(40)]
    rows = RNG.normal(size=(40, 4)).astype(np.float32)
    assert list(regression_heads(pages, rows, "ridge")) == ["edu"]
    assert list(class_heads(pages, rows)) == ["domain"]


def test_a_page_that_was_not_judged_takes_no_part():
    rows = RNG.normal(size=(60, 4)).astype(np.float32)
    judged = [page(number) for number in range(50)]
    more = [page(number, edu=NAN) for number in range(50, 60)]
    whole = regression_heads([*judged, *more], rows, "ridge")["edu"]
    alone = regression_heads(judged, rows[:50], "ridge")["edu"]
    assert whole.weight.tolist() == alone.weight.tolist()


def test_no_fasttext_is_scored_on_a_fold_it_was_trained_on(monkeypatch):
    pages = [page(i, edu=4 * (i % 2)) for i in range(30)]
    trained, scored = [], []

    class Spy:
        def __init__(self, lines):
            trained.append({int(line.rsplit(" ", 1)[1]) for line in lines})

        def score_texts(self, texts):
            scored.append({int(text.split()[1]) for text in texts})
            return np.zeros(len(texts), np.float32)

    monkeypatch.setattr(unseen, "train_quality", lambda lines: lines)
    monkeypatch.setattr(unseen, "FastTextQuality", Spy)
    unseen.unseen_fasttext(pages)
    assert len(scored) == 5
    for seen, tested in zip(trained, scored, strict=True):
        assert seen.isdisjoint(tested)
        assert {fold_of(pages[i].group) for i in seen}.isdisjoint(
            fold_of(pages[i].group) for i in tested
        )
    assert set().union(*scored) == set(range(30))


@pytest.mark.parametrize("recipe", recipes.RECIPES)
def test_no_page_has_a_part_in_its_own_score(recipe):
    """Every label of one fold turned round leaves the scores of that fold as they were."""
    pages = [page(number, quality=float(number % 6)) for number in range(120)]
    rows = RNG.normal(size=(120, 4)).astype(np.float32)
    fold = page_folds(pages) == 2
    turned = [
        page(number, quality=5.0 - number % 6 if fold[number] else float(number % 6))
        for number in range(120)
    ]
    before = unseen.unseen_regression(pages, rows, "quality", recipe)
    after = unseen.unseen_regression(turned, rows, "quality", recipe)
    assert before[fold].tolist() == after[fold].tolist()
    if recipe == "ridge":
        assert before[~fold].tolist() != after[~fold].tolist()


def test_no_page_has_a_part_in_its_own_class():
    names = ["ab"[number % 2] for number in range(100)]
    rows = RNG.normal(size=(100, 4)).astype(np.float32)
    folds = np.arange(100) % 5
    turned = [name if folds[row] else "ba"["ab".index(name)] for row, name in enumerate(names)]
    for before, after in zip(
        unseen.unseen_classes(names, rows, folds),
        unseen.unseen_classes(turned, rows, folds),
        strict=True,
    ):
        assert before[folds == 0].tolist() == after[folds == 0].tolist()


def test_the_combination_of_a_fold_is_fitted_on_the_others():
    scores, folds = RNG.normal(size=(100, 3)), np.arange(100) % 5
    is_high = scores[:, 0] + RNG.normal(size=100) > 0
    turned = np.where(folds == 3, ~is_high, is_high)
    before = unseen.unseen_combination(scores, is_high, folds)
    after = unseen.unseen_combination(scores, turned, folds)
    assert before[folds == 3].tolist() == after[folds == 3].tolist()
    assert before[folds != 3].tolist() != after[folds != 3].tolist()
