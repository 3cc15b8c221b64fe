import re
from xml.etree import ElementTree

from curation.report import plots, quality, read

NAME = "<b>$x_1$ & 'y'"


def texts(svg):
    """The texts of an SVG; fails where it is not well-formed."""
    root = ElementTree.fromstring(svg.replace("xlink:href", "href"))
    return ["".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("text")]


def test_a_label_is_neither_markup_nor_mathematics():
    assert NAME in texts(plots.bar_plot({NAME: 3}, "p", "title"))


def test_a_title_is_escaped():
    svg = plots.bar_plot({"a": 1}, "p", 'a"b<i>')
    assert 'aria-label="a&#34;b&lt;i&gt;"' in svg


def test_bars_are_ordered_by_size_with_their_share():
    assert texts(plots.bar_plot({"few": 1, "many": 3}, "p", "t")) == [
        "many", "few", "3 (75.0 %)", "1 (25.0 %)",
    ]  # fmt: skip


def test_what_exceeds_the_bars_is_summed():
    found = texts(plots.bar_plot({f"k{i:02d}": 1 for i in range(20)}, "p", "t"))
    assert "6 others" in found
    assert "6 (30.0 %)" in found


def test_colours_are_the_pages_and_ids_are_the_plots_own():
    svg = plots.bar_plot({"a": 1}, "mine", "t")
    assert "var(--main)" in svg
    assert not re.search("#0[1-6]0[1-6]0[1-6]", svg)
    ids = re.findall(r'\bid="([^"]+)"', svg)
    assert ids
    assert all(name.startswith("mine-") for name in ids)


def test_a_plot_is_the_same_each_time():
    assert plots.bar_plot({"a": 1}, "p", "t") == plots.bar_plot({"a": 1}, "p", "t")


def test_nothing_is_loaded_from_elsewhere():
    svg = plots.bar_plot({"a": 1}, "p", "t")
    assert "http" not in svg.replace("http://www.w3.org/", "")


def test_the_funnel_names_the_two_most_frequent_reasons():
    reasons = {"x": 1, "y": 3, "z": 2}
    row = read.FunnelRow("s01_extract", 1, 0, 1009, 1003, reasons, None, 1.0)
    assert texts(plots.funnel_plot([row])) == ["s01_extract", "1,009 in, 1,003 out: 3 y, 2 z …"]


def test_a_funnel_in_which_nothing_came_in_is_drawn():
    row = read.FunnelRow("s04_score", 1, 0, 0, 0, {}, None, 0.0)
    assert texts(plots.funnel_plot([row])) == ["s04_score", "0 in, 0 out"]


def test_clusters_are_binned_up_to_the_largest_and_every_cluster_is_in_one_bin():
    found = texts(plots.cluster_plot({2: 7, 3: 5, 7: 4, 30: 2}))
    bins = ["2", "3", "4", "5", "6–7", "8–10", "11–20", "21–50"]
    assert found[: len(bins)] == bins
    assert found[-8:] == ["7", "5", "0", "0", "4", "0", "0", "2"]


def test_a_ratio_is_written_beside_the_papers():
    task = read.TaskYield("s06_rephrase", "distill", 4, 4, 2, 100, 50, 200, 60, 40)
    assert texts(plots.yield_plot([task])) == [
        "distill", "0.40 (paper 0.35)", "Nemotron-CC, table 3",
    ]  # fmt: skip


def test_prompts_without_answers_are_drawn():
    task = read.TaskYield("s07_dialogue", "debate", 4, 0, 0, 0, 0, 0, 0, 0)
    assert texts(plots.yield_plot([task])) == ["debate", "0.00"]


def test_scores_without_documents_or_cuts_are_drawn():
    empty = quality.ScoreHistogram("encoder", 0.0, 5.0, [0] * 4, [], "")
    assert "score of encoder" in texts(plots.score_plot(empty))


def test_a_loss_that_is_not_a_number_is_drawn():
    steps = [read.TrainStep(i, float("nan"), 0.1, 1.0, 8, 9.0) for i in (1, 2)]
    assert "step" in texts(plots.loss_plot(steps))


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    steps = [read.TrainStep(i, 1.0, 0.1, 1.0, 8, 9.0) for i in range(5_000)]
    thinned = plots._thinned(steps)
    assert (len(thinned), thinned[0].step, thinned[-1].step) == (1_000, 0, 4_999)


def test_the_last_bin_of_clusters_ends_with_the_largest():
    assert "1001–2000" in texts(plots.cluster_plot({2000: 1}))
