"""The whole flow on the small sample crawl: what every run must fulfil."""

import json

import duckdb
import pytest
from deltalake import DeltaTable
from runs import CONF, run, versions

from curation.errors import InputError
from curation.pipeline import STAGES
from curation.publish.command import publish
from curation.publish.files import read_part
from curation.report.run import open_run
from curation.report.where import where
from curation.schemas import TABLES
from curation.tokens.manifest import read_manifest, verify
from curation.tokens.megatron import read_indexed

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]


@pytest.fixture(scope="session")
def tables(golden_run):
    with open_run(golden_run) as run_tables:
        yield run_tables


def number(tables, sql):
    return tables.table(sql, limit=1).column(0)[0].as_py()


def test_every_table_is_there_and_has_rows(golden_run, tables):
    made = [t.name for t in TABLES if t.name != "tombstones"]  # those only a takedown writes
    counts = {name: number(tables, f"SELECT count(*) FROM {name}") for name in made}
    # Of one crawl labelled once there are no earlier cuts; the others are asked for by settings.
    empty = {"label_drift", "judgements", "published", "selection", "selection_mix"}
    assert {name for name, n_rows in counts.items() if not n_rows} == empty


def test_every_account_closes(tables):
    open_accounts = tables.table("""
        SELECT stage, unit FROM funnel
        WHERE rows_in != rows_out + coalesce(list_sum(map_values(reasons)), 0)
    """, limit=10)  # fmt: skip
    assert open_accounts.num_rows == 0
    assert number(tables, "SELECT count(DISTINCT stage) FROM funnel") == len(STAGES)


def test_every_record_of_every_file_is_a_page_or_a_reject(tables):
    files = tables.rows(lambda *row: row, """
        SELECT records, pages + rejects FROM ledger WHERE state != 'expected'
    """)  # fmt: skip
    assert len(files) == 4
    assert all(records == told and records > 10 for records, told in files)
    told = number(tables, "SELECT (SELECT count(*) FROM pages) + (SELECT count(*) FROM rejects)")
    assert told == sum(records for records, _ in files)


def test_the_truncated_file_is_known_as_such(tables):
    assert number(tables, "SELECT count(*) FROM rejects WHERE reason IN ('truncated', 'damaged')")


def test_keys_are_unique(tables):
    for table in TABLES:
        if table.name in ("attempts", "funnel", "ledger", "tombstones"):
            continue
        key = ", ".join(f'"{name}"' for name in table.key)
        twice = f"SELECT {key} FROM {table.name} GROUP BY ALL HAVING count(*) > 1"
        assert number(tables, f"SELECT count(*) FROM ({twice})") == 0, table.name


def test_planted_duplicates_are_found_and_distinct_pages_are_not_merged(golden_run, tables):
    truth = f"read_json('{golden_run}/sample/truth.jsonl', format='newline_delimited')"
    exact = f"""
        SELECT count(*) FROM {truth} AS t JOIN pages AS p USING (url)
        LEFT JOIN clusters AS c USING (doc_id) WHERE t.kind = 'exact_duplicate' AND c.doc_id IS NULL
    """
    missed = number(tables, exact)
    planted = number(tables, f"SELECT count(*) FROM {truth} WHERE kind = 'exact_duplicate'")
    assert planted >= 3
    assert missed <= planted // 4  # a copy on another site may keep a line of its furniture
    wrong = number(tables, f"""
        SELECT count(*) FROM clusters AS c
        JOIN pages AS p USING (doc_id) JOIN {truth} AS t USING (url)
        WHERE c.fate != 'survivor' AND t.duplicate_of IS NULL AND t.kind IN ('article', 'math')
          AND NOT EXISTS (SELECT 1 FROM {truth} AS d WHERE d.duplicate_of = t.url)
    """)  # fmt: skip
    assert wrong == 0


def test_each_cluster_has_one_survivor(tables):
    assert number(tables, """
        SELECT count(*) FROM (SELECT cluster_id FROM clusters GROUP BY cluster_id
        HAVING count(*) FILTER (fate = 'survivor') != 1 OR count(DISTINCT survivor_id) != 1)
    """) == 0  # fmt: skip


def test_labels_follow_from_buckets_and_buckets_from_members(tables):
    assert number(tables, """
        SELECT count(*) FROM labels
        WHERE bucket != greatest(buckets['fasttext'], buckets['edu'], buckets['quality'])
           OR (label = 'high') != (bucket = 19) OR (label = 'low') != (bucket < 7)
    """) == 0  # fmt: skip


def test_every_document_that_is_labelled_has_all_scores_and_classes(tables):
    assert number(tables, "SELECT count(*) FROM scores WHERE cardinality(reasons) > 0") == 0
    assert number(tables, """
        SELECT count(*) FROM scores WHERE cardinality(scores) != 6 OR cardinality(classes) != 2
    """) == 0  # fmt: skip
    bare = "domain IS NULL OR speech IS NULL OR toxicity IS NULL"
    assert number(tables, f"SELECT count(*) FROM labels WHERE {bare}") == 0
    assert number(tables, "SELECT count(DISTINCT domain) FROM labels") > 3


def test_all_twelve_prompts_are_answered_and_lead_back_to_a_page(tables):
    assert number(tables, "SELECT count(DISTINCT task) FROM generations") == 12
    assert number(tables, "SELECT count(DISTINCT kind2) FROM synthetic") >= 10
    orphans = """
        SELECT count(*) FROM synthetic AS s
        LEFT JOIN pages AS p USING (doc_id) WHERE p.doc_id IS NULL
    """
    assert number(tables, orphans) == 0


def test_high_quality_is_in_the_blend_one_and_a_half_times_and_low_is_not(tables):
    high = "quality = 'high' AND kind = 'actual'"
    rows = number(tables, f"SELECT count(*) FROM blend WHERE {high}")
    distinct = number(tables, f"SELECT count(DISTINCT id) FROM blend WHERE {high}")
    assert distinct < rows < 2 * distinct or distinct < 3
    assert (
        number(tables, "SELECT count(*) FROM blend WHERE quality = 'low' AND kind = 'actual'") == 0
    )


def test_shards_are_what_the_manifest_says_and_hold_the_whole_blend(golden_run, tables):
    manifest = read_manifest(golden_run / "tokens" / "manifest.json")
    verify(manifest, golden_run / "tokens")
    assert manifest.n_documents == number(tables, "SELECT count(*) FROM blend")
    assert manifest.n_tokens == number(tables, "SELECT sum(n_tokens) FROM shards")
    assert len(manifest.shards) > 1


def test_the_model_was_trained_to_the_end(golden_run):
    steps = [json.loads(line) for line in (golden_run / "model" / "log.jsonl").open()]
    assert [step["step"] for step in steps][-1] == 4


def test_the_report_is_one_page_without_anything_from_outside(golden_run):
    page = (golden_run / "report.html").read_text(encoding="utf-8")
    assert "s01_extract" in page
    assert 'src="http' not in page
    assert "<script src" not in page


def test_a_finished_run_again_changes_no_table(golden_run):
    (checkpoint,) = (golden_run / "model" / "checkpoint").iterdir()
    before, model = versions(golden_run), checkpoint.stat().st_mtime_ns
    done = run("run", str(CONF), "--out", str(golden_run))
    assert versions(golden_run) == before
    assert checkpoint.stat().st_mtime_ns == model
    assert "s09_tokenize" in done.stdout


def test_a_changed_threshold_redoes_what_depends_on_it_and_nothing_else(golden_run, tmp_path):
    import shutil

    out = tmp_path / "run"
    shutil.copytree(golden_run, out)
    before = versions(out)
    settings = ("--set", "label.exempt=[]", "--input", f"{golden_run}/sample/*.warc.gz")
    run("run", str(CONF), "--out", str(out), "--only", "s01,s02,s03,s04,s05", *settings)
    after = versions(out)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"attempts", "funnel", "labels", "bucket_edges", "label_drift"}


def test_analysts_read_the_same_rows_with_deltalake_and_duckdb(golden_run, tables):
    path = str(golden_run / "tables" / "labels")
    by_deltalake = DeltaTable(path).to_pyarrow_table(columns=["label"]).num_rows
    connection = duckdb.connect()
    from duckdb_extensions import import_extension

    import_extension("delta")
    connection.sql("LOAD delta")
    by_duckdb = connection.sql(f"SELECT count(*) FROM delta_scan('{path}')").fetchone()[0]
    assert by_deltalake == by_duckdb == number(tables, "SELECT count(*) FROM labels")


def test_columns_carry_their_meaning_into_the_tables(golden_run):
    fields = DeltaTable(str(golden_run / "tables" / "labels")).schema().fields
    assert {f.name: f.metadata.get("comment") for f in fields}["bucket"].startswith("0..19")


def test_query_shows_rows_and_names_what_it_does_not_know(golden_run):
    shown = run("query", str(golden_run), "SELECT label, count(*) AS n FROM labels GROUP BY label")
    assert "medium" in shown.stdout
    wrong = run("query", str(golden_run), "SELECT * FROM lables", check=False)
    assert wrong.returncode == 2
    assert "labels" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_status_shows_files_and_stages(golden_run):
    shown = run("status", str(golden_run)).stdout
    assert "committed" in shown
    assert "s05_label" in shown


def test_any_token_leads_back_to_its_document_and_to_how_it_was_made(golden_run, tables):
    manifest = read_manifest(golden_run / "tokens" / "manifest.json")
    ordered = tables.rows(lambda *row: row, """
        SELECT id, copy, kind, text FROM blend ORDER BY "order", id, copy
    """)  # fmt: skip
    stored = [(entry.name, read_indexed(golden_run / "tokens" / entry.name))
              for entry in manifest.shards]  # fmt: skip
    places = [(name, start) for name, shard in stored for start in shard.starts.tolist()]
    assert len(places) == len(ordered)
    first_made = next(n for n, row in enumerate(ordered) if row[2] == "synthetic")
    for rank in {0, 1, len(ordered) // 2, len(ordered) - 1, first_made}:
        (name, start), (id_, copy, kind, text) = places[rank], ordered[rank]
        origin = where(golden_run, f"{name}:{start}")
        assert (origin.facts["id"], origin.facts["copy"]) == (id_, str(copy))
        assert text.startswith(origin.around.removesuffix("<|endoftext|>"))
        assert origin.facts["warc_file"].endswith(".warc.gz")
        assert ("prompt_version" in origin.facts) == (kind == "synthetic")
    with pytest.raises(InputError, match="there are"):
        where(golden_run, "shard-99999:0")
    with pytest.raises(InputError, match=f"has {len(stored[0][1].tokens)} tokens"):
        where(golden_run, f"{stored[0][0]}:{len(stored[0][1].tokens)}")


def test_the_blend_is_published_as_nemotron_cc_lies(golden_run, tables, tmp_path):
    target = tmp_path / "published"
    publish(golden_run, target, lambda text: None)
    files = sorted(target.glob("quality=*/kind=*/kind2=*/golden-part-*.jsonl.zstd"))
    found = sorted(
        (row["id"], row["copy"], row["text"]) for file in files for row in read_part(file)
    )
    assert found == sorted(tables.rows(lambda *row: row, "SELECT id, copy, text FROM blend"))
    by_folder = {str(file.parent.relative_to(target)) for file in files}
    assert by_folder == {
        str(path.relative_to(golden_run / "blend"))
        for path in (golden_run / "blend").glob("quality=*/kind=*/kind2=*")
    }
    with pytest.raises(InputError, match="not empty"):
        publish(golden_run, target, lambda text: None)
