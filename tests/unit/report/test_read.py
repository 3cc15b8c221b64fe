import pytest
from small_runs import SIZES, train_step, write, write_log

from curation import schemas
from curation.errors import InputError
from curation.report import read
from curation.report.run import open_run


def opened(out, reader):
    with open_run(out) as run:
        return reader(run)


def test_the_funnel_counts_the_latest_attempt_of_each_unit(half_run):
    extract, _ = read.funnel_rows(half_run)
    assert (extract.stage, extract.n_units, extract.n_unfinished) == ("s01_extract", 2, 0)
    assert (extract.rows_in, extract.rows_out, extract.tokens) == (5 + 4, 3 + 1, 90 + 20)
    assert extract.seconds == 1.5 + 0.5
    assert extract.kept_frac == 4 / 9


def test_the_funnel_sums_reasons_over_units_and_names_the_most_frequent_first(half_run):
    extract, _ = read.funnel_rows(half_run)
    assert list(extract.reasons.items()) == [("not_response", 3), ("no_text", 1), ("too_large", 1)]


def test_a_unit_that_has_begun_again_is_unfinished_and_not_summed(half_run):
    _, measure = read.funnel_rows(half_run)
    assert (measure.n_units, measure.n_unfinished, measure.rows_in) == (1, 1, 3)


def test_the_funnel_is_in_the_order_of_the_flow(whole_run):
    names = [row.stage for row in read.funnel_rows(whole_run)]
    assert names == ["s01_extract", "s02_measure", "s03_dedup", "s04_score", "s06_rephrase"]


def test_what_else_happened_is_told_by_stage(whole):
    assert read.funnel_notes(whole) == {"s04_score": {"batches_halved": 2}}


def test_a_run_without_accounts_has_an_empty_funnel(tmp_path):
    assert read.funnel_rows(tmp_path) == []


def test_a_stage_in_which_nothing_came_in_keeps_all():
    assert read.FunnelRow("s04_score", 1, 0, 0, 0, {}, None, 0.0).kept_frac == 1.0


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read.funnel_rows(tmp_path / "nowhere")


def test_a_damaged_table_is_named_by_its_run(half_run):
    for log in (half_run / "tables" / "funnel" / "_delta_log").iterdir():
        log.write_text("{")
    with pytest.raises(InputError, match="table funnel is damaged, or of another version"):
        read.funnel_rows(half_run)


def test_the_totals_count_records_as_pages_and_rejects(whole):
    assert read.totals(whole) == read.Totals(
        n_records=9, n_pages=4, n_documents=3, n_labels=3, n_synthetic=2, blend_words=100,
        n_tokens=1200, last_loss=8.5,
    )  # fmt: skip


def test_the_totals_of_what_has_not_run_are_none(half_run):
    found = opened(half_run, read.totals)
    assert (found.n_records, found.n_documents, found.last_loss) == (9, None, None)


def test_rejects_are_counted_by_reason(half_run):
    found = opened(half_run, read.rejects_by_reason)
    assert list(found.items()) == [("not_response", 3), ("<i>odd</i>", 1), ("no_text", 1)]


def test_languages_are_sized_by_pages(whole):
    assert read.languages(whole) == [
        read.LanguageSize("en", 3, 70, 420),
        read.LanguageSize("de", 1, 50, 300),
    ]


def test_clusters_are_counted_by_size(whole_run):
    member = {"crawl": "demo", "cluster_id": "z", "fate": "exact_duplicate"}
    write(whole_run, schemas.CLUSTERS, [member | {"doc_id": f"z{i}"} for i in range(3)])
    write(whole_run, schemas.CLUSTERS, [member | {"cluster_id": "y"}] * 2)
    assert opened(whole_run, read.cluster_sizes) == {2: 2, 3: 1}
    assert opened(whole_run, read.fates)["exact_duplicate"] == 5


def test_yields_count_only_requests_that_are_still_asked(whole):
    tasks = {task.task: task for task in read.yields(whole)}
    assert sorted(tasks) == ["debate", "diverse_qa", "wikipedia"]
    assert tasks["wikipedia"] == read.TaskYield(
        "s06_rephrase", "wikipedia", n_requests=2, n_answered=2, n_accepted=1, text_tokens=100,
        accepted_text_tokens=40, input_tokens=200, output_tokens=70, kept_tokens=30,
    )  # fmt: skip
    assert (tasks["debate"].n_requests, tasks["debate"].n_answered) == (1, 0)


def test_the_ratio_is_of_kept_tokens_to_the_text_of_all_answered_requests(whole):
    tasks = {task.task: task for task in read.yields(whole)}
    assert tasks["wikipedia"].out_in_ratio == 30 / 100
    assert tasks["debate"].out_in_ratio == 0.0
    assert tasks["debate"].paper_ratio is None


def test_the_ratio_of_questions_counts_their_source_text_as_the_paper_does(whole):
    tasks = {task.task: task for task in read.yields(whole)}
    assert tasks["diverse_qa"].out_in_ratio == (25 + 50) / 50
    assert tasks["diverse_qa"].paper_ratio == 1.107


def test_the_blend_is_counted_by_source_with_its_repeats(whole):
    low, high = read.blend_sources(whole)
    assert low == read.BlendSource("low", "actual", "actual", 2, 3, 60)
    assert (low.n_epochs, high.name) == (1.5, "medium-high/synthetic/diverse_qa_pairs")


def test_shards_are_summed(whole):
    assert read.shard_sizes(whole) == read.ShardSizes(2, 4, 1200, 6)


def test_the_manifest_gives_its_plain_facts_and_not_its_lists(whole_run):
    expected = {"tokenizer": "<b>gpt</b>", "sequence_length": "512"}
    assert read.manifest_facts(whole_run) == expected


def test_a_manifest_that_is_not_an_object_is_refused(whole_run):
    (whole_run / "tokens" / "manifest.json").write_text("[]")
    with pytest.raises(InputError, match=r"manifest\.json: expected a JSON object, found list"):
        read.manifest_facts(whole_run)


def test_a_step_trained_again_after_a_restart_counts_as_last_written(whole_run):
    assert [(s.step, s.loss) for s in read.training(whole_run)] == [(1, 8.0), (2, 8.5)]


def test_a_line_of_the_log_that_is_still_being_written_is_left_out(whole_run):
    write_log(whole_run, [train_step(1, 9.0), '{"step": 2, "lo'])
    assert [step.step for step in read.training(whole_run)] == [1]


def test_a_damaged_line_of_the_log_is_refused_with_its_number(whole_run):
    write_log(whole_run, [train_step(1, 9.0), "{\n", train_step(2, 9.0)])
    with pytest.raises(InputError, match=r"log\.jsonl:2: not JSON"):
        read.training(whole_run)


def test_a_step_without_a_loss_is_refused(whole_run):
    write_log(whole_run, ['{"step": 1}\n'])
    with pytest.raises(InputError, match="lacks 'loss'"):
        read.training(whole_run)


def test_a_path_with_quotes_and_brackets_is_read(whole_run):
    odd = whole_run.rename(whole_run.parent / "it's [one] run")
    assert opened(odd, read.totals).blend_words == 100


def test_rules_cost_what_fails_them_alone_and_last(whole):
    first, second = read.rule_costs(whole)
    words = {doc: SIZES[doc][1] for doc in ("d0", "d1", "d3")}
    of_low = words["d3"] / (words["d1"] + words["d3"])
    assert first == read.RuleCost(
        "too_few_words", 2, words["d0"] + words["d3"], 1, words["d0"],
        {"high": (1, 1.0), "low": (1, pytest.approx(of_low))},
    )  # fmt: skip
    assert second == read.RuleCost(
        "toxic", 1, words["d3"], 0, 0, {"low": (1, pytest.approx(of_low))}
    )


def test_corpora_of_dialogues_are_there_by_name(whole, half_run):
    found = whole.table("SELECT style, text FROM corpus_raw ORDER BY ALL").to_pylist()
    # The one chunk that was asked for: its dialogue was never answered.
    assert [row["style"] for row in found] == ["raw"]
    assert (
        whole.table("FROM corpus_longest").to_pylist() == whole.table("FROM corpus_raw").to_pylist()
    )
    with open_run(half_run) as run, pytest.raises(InputError, match="corpus_raw"):
        run.table("FROM corpus_raw")
