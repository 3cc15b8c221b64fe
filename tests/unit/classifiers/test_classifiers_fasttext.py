from curation.score.fasttext import CC_LABEL, HQ_LABEL, FastTextQuality
from models.classifiers import fasttext as recipe
from models.classifiers.data import LabelledPage
from models.classifiers.fasttext import pieces, train_quality, training_lines


def page(edu, text):
    return LabelledPage(sha1="0", edu=edu, group="example.org", text=text)


def test_a_page_gives_pieces_of_a_hundred_words_on_one_line():
    words = [f"w{i}" for i in range(250)]
    found = pieces("\n".join(words))
    assert [len(piece.split()) for piece in found] == [100, 100, 50]
    assert found[2].startswith("w200 w201")


def test_a_very_long_page_gives_ten_pieces_and_no_more():
    assert len(pieces("word " * 5_000)) == 10


def test_only_pages_of_a_clear_class_train():
    lines = training_lines([page(0, "a"), page(1, "b"), page(2, "c"), page(3, "d"), page(5, "e")])
    assert set(lines) == {
        f"{CC_LABEL} a",
        f"{CC_LABEL} b",
        f"{HQ_LABEL} d",
        f"{HQ_LABEL} e",
    }


def test_the_smaller_class_is_repeated_to_the_size_of_the_larger():
    lines = training_lines([page(5, "x"), page(4, "y"), *[page(0, f"shop{i}") for i in range(5)]])
    assert sum(line.startswith(CC_LABEL) for line in lines) == 5
    # Two pieces, taken in turn until there are five.
    assert lines.count(f"{HQ_LABEL} x") == 3
    assert lines.count(f"{HQ_LABEL} y") == 2


def test_the_order_of_the_lines_does_not_depend_on_that_of_the_pages():
    pages = [page(4 * (number % 2), f"text {number}") for number in range(20)]
    assert training_lines(pages) == training_lines(pages[::-1])


def test_training_twice_gives_the_same_bytes_and_tells_the_classes_apart(tmp_path, monkeypatch):
    monkeypatch.setattr(recipe, "N_BUCKETS", 2_000)
    monkeypatch.setattr(recipe, "N_KEPT_FEATURES", 1_000)
    pages = [page(4, "leaf cell energy " * 20), page(0, "buy cart sale " * 20)] * 30
    models = [train_quality(training_lines(pages)) for _ in range(2)]
    for number, model in enumerate(models):
        model.save_model(str(tmp_path / f"{number}.ftz"))
    assert (tmp_path / "0.ftz").read_bytes() == (tmp_path / "1.ftz").read_bytes()
    texts = ["cell energy of the leaf", "sale: buy now, cart"]
    lesson, shop = FastTextQuality(models[0]).score_texts(texts)
    assert lesson > 0.5 > shop


def test_training_reads_the_end_of_line_mark_as_scoring_does():
    assert pieces("one </s> two") == ["one < /s> two"]
