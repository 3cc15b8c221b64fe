"""Takedowns of documents of a finished run: nothing of them is left, or comes back."""

import shutil

import pytest
from runs import CONF, contents, number, run, versions

from curation.model_store import tokenizer_file
from curation.report.run import open_run
from curation.schemas import TABLES
from curation.spark.tables import Store
from curation.takedown.removal import steps
from curation.takedown.selectors import selectors
from curation.takedown.tombstones import add_tombstones, unfinished, wanted_tombstones
from curation.tokens.encode import load_encoder
from curation.tokens.manifest import read_manifest, verify
from curation.tokens.megatron import read_indexed

pytestmark = [pytest.mark.spark, pytest.mark.timeout(1800)]

ID_COLUMNS = ("doc_id", "other_id", "synthetic_id", "id")
STAGES = "s01,s02,s03,s04,s05,s06,s07,s07a,s07b,s08,s09"


def rows(out, sql):
    with open_run(out) as tables:
        return tables.rows(lambda *row: row, sql)


class Victims:
    """A page with generated children, a domain, and a document, of three domains."""

    def __init__(self, out):
        found = rows(out, """
            SELECT p.doc_id, p.url, p.domain, count(s.synthetic_id) AS made FROM pages AS p
            JOIN blend AS b ON b.id = p.doc_id LEFT JOIN synthetic AS s USING (doc_id)
            WHERE p.domain != '' GROUP BY ALL ORDER BY made DESC, doc_id
        """)  # fmt: skip
        one_a_domain = list({row[2]: row for row in reversed(found)}.values())
        one_a_domain.sort(key=lambda row: (-row[3], row[0]))
        (_, self.url, *_), (*_, self.domain, _), (self.doc_id, *_) = one_a_domain[:3]
        named = f"""SELECT doc_id FROM pages WHERE doc_id = '{self.doc_id}'
            OR domain = '{self.domain}' OR url_normalized =
            (SELECT min(url_normalized) FROM pages WHERE url = '{self.url}')"""
        self.documents = {row[0] for row in rows(out, named)}
        made = rows(out, "SELECT synthetic_id, doc_id FROM synthetic")
        self.ids = self.documents | {made_id for made_id, of in made if of in self.documents}
        texts = rows(out, "SELECT DISTINCT id, text FROM blend")
        self.texts = {text for id_, text in texts if id_ in self.ids}
        self.texts -= {text for id_, text in texts if id_ not in self.ids}
        self.arguments = ("--url", self.url, "--domain", self.domain, "--doc-id", self.doc_id)


@pytest.fixture(scope="module")
def victims(golden_run):
    found = Victims(golden_run)
    assert len(found.documents) >= 3
    assert len(found.ids) > len(found.documents)
    assert len(found.texts) > 3
    return found


@pytest.fixture(scope="module")
def removed(golden_run, victims, tmp_path_factory):
    """The run after a takedown, and what the command said, with and without --yes."""
    out = tmp_path_factory.mktemp("takedown") / "run"
    shutil.copytree(golden_run, out)
    before = versions(out)
    shown = run("takedown", str(out), *victims.arguments).stdout
    assert versions(out) == before
    assert not (out / "tables" / "tombstones").exists()
    done = run("takedown", str(out), *victims.arguments, "--reason", "asked", "--yes").stdout
    return out, shown, done


def named_anywhere(out, ids):
    """Rows by table and column that bear one of `ids`."""
    listed = ", ".join(f"'{id_}'" for id_ in ids)
    with open_run(out) as tables:
        found = {
            (t.name, column): tables.rows(
                int, f"SELECT count(*) FROM {t.name} WHERE {column} IN ({listed})"
            )[0]
            for t in TABLES if tables.has(t.name)
            for column in ID_COLUMNS if column in t.columns.names
        }  # fmt: skip
    return {where: n for where, n in found.items() if n}


def stored_texts(out):
    """Every document of the shards, decoded; the manifest must fit."""
    folder = out / "tokens"
    manifest = read_manifest(folder / "manifest.json")
    verify(manifest, folder)
    tokenizer = load_encoder(str(tokenizer_file(manifest.tokenizer))).tokenizer
    return [
        tokenizer.decode(document[:-1].tolist(), skip_special_tokens=False)
        for shard in manifest.shards
        for document in read_indexed(folder / shard.name)
    ]


def decoded(texts):
    tokenizer = load_encoder(str(tokenizer_file("smollm2-135m"))).tokenizer
    ids = [tokenizer.encode(text, add_special_tokens=False).ids for text in texts]
    return {tokenizer.decode(one, skip_special_tokens=False) for one in ids}


def check_accounts(out):
    assert number(out, """SELECT count(*) FROM funnel WHERE rows_in !=
        rows_out + coalesce(list_sum(map_values(reasons)), 0)""") == 0  # fmt: skip
    assert number(out, "SELECT count(*) FROM ledger WHERE records != pages + rejects") == 0


def check_gone(out, victims):
    found = named_anywhere(out, victims.ids)
    assert found == {("rejects", "doc_id"): len(victims.documents)}
    reasons = rows(out, "SELECT DISTINCT reason FROM rejects WHERE doc_id IN "
                   f"({', '.join(repr(id_) for id_ in victims.documents)})")  # fmt: skip
    assert reasons == [("taken_down",)]
    stored = stored_texts(out)
    assert len(stored) == number(out, "SELECT count(*) FROM blend")
    assert not decoded(victims.texts) & set(stored)
    check_accounts(out)


@pytest.mark.slow
def test_what_would_go_is_shown_first_and_is_what_goes(removed, golden_run, victims):
    out, shown, done = removed
    assert "Nothing is changed" in shown
    assert "--vacuum" in done
    n_pages = len(victims.documents)
    assert f"pages: {n_pages}\n" in shown
    assert f"pages: {n_pages} rows removed" in done
    n_before, n_after = (number(o, "SELECT count(*) FROM blend") for o in (golden_run, out))
    assert f"blend: {n_before - n_after} copies removed" in done
    tokens = [read_manifest(o / "tokens" / "manifest.json").n_tokens for o in (golden_run, out)]
    assert f"shards: {tokens[0] - tokens[1]} tokens of" in shown


@pytest.mark.slow
def test_nothing_of_the_documents_is_left_and_the_rest_is(removed, golden_run, victims):
    out, _, _ = removed
    before = set(stored_texts(golden_run))
    assert decoded(victims.texts) <= before
    check_gone(out, victims)
    assert set(stored_texts(out)) == before - decoded(victims.texts)


@pytest.mark.slow
def test_every_stage_has_rows_out_as_its_table_holds(removed):
    out, _, _ = removed
    told = dict(rows(out, "SELECT stage, sum(rows_out) FROM funnel GROUP BY stage"))
    held = {
        "s01_extract": "FROM pages", "s02_measure": "FROM measures", "s03_dedup": "FROM documents",
        "s05_label": "FROM labels WHERE keep", "s08_blend": "FROM blend",
    }  # fmt: skip
    for stage, where in held.items():
        assert told[stage] == number(out, f"SELECT count(*) {where}"), stage
    assert "s09_tokenize" in run("status", str(out)).stdout
    assert "taken_down" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_run_after_it_redoes_nothing_that_is_not_asked_for(removed, golden_run, victims):
    out, _, _ = removed
    before, files = versions(out), ("--input", f"{golden_run}/sample/*.warc.gz")
    run("run", str(CONF), "--out", str(out), "--only", STAGES, *files)
    assert versions(out) == before
    other = ("--set", "tokens.sequence_length=64")
    run("run", str(CONF), "--out", str(out), "--only", STAGES, *files, *other)
    after = versions(out)
    assert {name for name in after if after[name] != before[name]} == {
        "attempts", "funnel", "shards",
    }  # fmt: skip
    check_gone(out, victims)


@pytest.mark.slow
def test_old_versions_are_read_no_longer_after_a_vacuum(removed, victims):
    out, _, _ = removed
    files = list((out / "tables" / "pages").rglob("*.parquet"))
    said = run("takedown", str(out), *victims.arguments, "--yes", "--vacuum").stdout
    assert "nothing of it is in this run" in said
    assert "can no longer be read" in said
    assert len(list((out / "tables" / "pages").rglob("*.parquet"))) < len(files)
    check_gone(out, victims)


@pytest.mark.slow
def test_the_same_files_read_anew_give_rejects(removed, golden_run, victims, tmp_path):
    out = tmp_path / "fresh"
    shutil.copytree(removed[0] / "tables" / "tombstones", out / "tables" / "tombstones")
    files = ("--input", f"{golden_run}/sample/*.warc.gz")
    run("run", str(CONF), "--out", str(out), "--only", "s01", *files)
    found = named_anywhere(out, victims.documents)
    assert found == {("rejects", "doc_id"): len(victims.documents)}
    where = "reason = 'taken_down' AND detail != ''"
    assert number(out, f"SELECT count(*) FROM rejects WHERE {where}") == len(victims.documents)
    check_accounts(out)


@pytest.mark.slow
def test_a_takedown_that_is_broken_off_is_finished_by_the_next_run(
    spark, removed, golden_run, victims, tmp_path
):
    out = tmp_path / "run"
    shutil.copytree(golden_run, out)
    store = Store(spark, f"{out}/tables")
    wanted = selectors([victims.url], [victims.domain], [victims.doc_id])
    add_tombstones(store, wanted_tombstones(store, wanted, "asked"))
    for name, step in steps(store, str(out), lambda line: None):
        step()
        if name == "blend":
            break
    assert unfinished(store) == 3
    files = ("--input", f"{golden_run}/sample/*.warc.gz")
    run("run", str(CONF), "--out", str(out), "--only", STAGES, *files)
    assert unfinished(store) == 0
    check_gone(out, victims)
    whole, broken = contents(removed[0]), contents(out)
    del whole["tombstones"], broken["tombstones"]
    differing = {name for name in whole if whole[name] != broken[name]}
    assert differing <= {
        "dedup_batches",
        "shards",
        "attempts",
        "funnel",
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--url", "example.org"), "not an address"),
        (("--domain", "co.uk"), "not a domain"),
        (("--doc-id", "12"), "32 hex digits"),
        ((), "name what to take down"),
    ],
)
def test_a_wrong_argument_is_one_line(golden_run, arguments, told):
    failed = run("takedown", str(golden_run), *arguments, check=False)
    assert failed.returncode == 2
    assert told in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_what_is_not_there_has_a_tombstone_all_the_same(golden_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(golden_run, out)
    before = versions(out)
    said = run("takedown", str(out), "--url", "https://nowhere.example.org", "--yes").stdout
    assert "nothing of it is in this run; the tombstone is kept" in said
    assert {k: v for k, v in versions(out).items() if k != "tombstones"} == before
    stones = rows(out, "SELECT kind, value, done_at IS NOT NULL FROM tombstones")
    assert stones == [("url", "https://nowhere.example.org/", True)]
