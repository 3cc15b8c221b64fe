import io
import shutil

from rich.console import Console
from small_runs import write

from curation import schemas
from curation.report.html import write_report
from curation.report.read import FunnelRow
from curation.report.summary import _reasons, print_summary


def printed(out, *, width=130):
    file = io.StringIO()
    print_summary(out, Console(file=file, width=width, force_terminal=True, color_system=None))
    return file.getvalue()


def line_with(text, output):
    return next(" ".join(line.split()) for line in output.splitlines() if text in line)


def test_the_funnel_has_a_row_for_each_stage(whole_run):
    output = printed(whole_run)
    extract = "│ s01_extract │ 2 │ 9 │ 4 │ 44.4 % │ not_response 3, no_text 1, too_large 1 │"
    assert line_with("s01_extract", output).startswith(extract)
    assert "s06_rephrase" in output


def test_an_unfinished_stage_says_so(half_run):
    assert "│ 1 of 2 │" in line_with("s02_measure", printed(half_run))


def test_reasons_beyond_three_are_counted():
    row = FunnelRow("s01", 1, 0, 10, 0, {"a": 4, "b": 3, "c": 2, "d": 1}, None, 1.0)
    assert _reasons(row) == "a 4, b 3, c 2, 1 more"


def test_markup_in_web_text_is_printed_and_not_obeyed(whole_run):
    output = printed(whole_run)
    assert "[bold]d" in output
    assert "Question: [link]Who?" in printed_questions(whole_run)


def printed_questions(out):
    """The summary of a run whose only synthetic text is the questions."""
    shutil.rmtree(out / "tables" / "synthetic")
    write(out, schemas.SYNTHETIC, [
        {"synthetic_id": "y1", "doc_id": "d0", "crawl": "demo", "stage": "s06_rephrase",
         "task": "diverse_qa", "request_ids": ["q2"], "text": "Question: [link]Who?"},
    ])  # fmt: skip
    return printed(out)


def test_no_escape_sequence_of_web_text_reaches_the_terminal(whole_run):
    output = printed(whole_run) + printed_questions(whole_run)
    assert "<script>alert(1)</script> [red]stop[/red] red" in " ".join(output.split())
    assert not {"\x1b", "\x07", "\u202e"} & set(output)


def test_a_duplicate_is_shown_beside_the_copy_that_is_kept(whole_run):
    output = printed(whole_run)
    assert "A duplicate removed (near duplicate, 7 bands" in output
    kept = line_with("Kept: http", output)
    assert kept == "│ Kept: http://a.example/d1?q=<b> Removed: http://a.example/d2?q=<b> │"


def test_a_rewrite_is_shown_beside_its_source(whole_run):
    line = line_with("Question: [link]Who?", printed_questions(whole_run))
    assert "stop[/red]" in line


def test_the_report_is_named_once_it_is_written(half_run):
    assert "Report: not written yet" in printed(half_run)
    write_report(half_run)
    assert printed(half_run).endswith(f"Report: {half_run / 'report.html'}\n")


def test_nothing_of_an_empty_folder_is_shown(tmp_path):
    assert printed(tmp_path).startswith("No stage has run.\nReport:")


def test_the_summary_fits_a_narrow_terminal(whole_run):
    lines = [line for line in printed(whole_run, width=80).splitlines() if "Report:" not in line]
    assert max(len(line) for line in lines) <= 80
