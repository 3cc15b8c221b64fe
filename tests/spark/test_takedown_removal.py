"""A takedown over a small run made by hand: tables, blend and shards as the stages leave them."""

import datetime as dt
import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake
from runs import versions

from curation.config import RunConfig, fingerprint
from curation.model_store import tokenizer_file
from curation.report.run import open_run
from curation.schemas import BLEND, TABLES
from curation.spark.tables import Store, small
from curation.takedown.removal import find, remove_all, steps, vacuum
from curation.takedown.selectors import selectors
from curation.takedown.shards import plan_shards
from curation.takedown.tombstones import add_tombstones, wanted_tombstones, with_known
from curation.tokens.encode import load_encoder
from curation.tokens.files import sha256_of
from curation.tokens.manifest import Manifest, read_manifest, verify, write_manifest
from curation.tokens.megatron import read_indexed
from curation.tokens.pack import append_eod
from curation.tokens.shard import write_shard

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
DOCS = {
    # doc_id: host, text. The texts of `b1` and `b2` are one but for case; `c1` made two texts.
    "a1": ("www.a.org", "alpha one"), "a2": ("blog.a.org", "alpha two"), "b1": ("b.org", "beta"),
    "b2": ("b.net", "BETA"), "c1": ("c.org", "gamma one"), "c2": ("c.org", "gamma two"),
}  # fmt: skip
KEPT = ("a1", "a2", "b1", "c1", "c2")
MADE = {"s-a1": "a1", "s-c1": "c1", "t-c1": "c1"}
BY_STAGE = {
    "s01_extract": 6, "s02_measure": 6, "s03_dedup": 5, "s04_score": 5, "s05_label": 5,
    "s06_rephrase": 3, "s08_blend": 11, "s09_tokenize": 11,
}  # fmt: skip

STRANGERS = {"p1": "https://Shop.a.org/p1#top", "p2": "https://p.net/p2"}
"""Published texts in the blend that no table knows any more, with their URLs."""


def id_of(name):
    return name.encode().hex().ljust(32, "0")


def cell(field, known):
    """What `known` says of a column, else null, or nothing of its type."""
    if field.name in known or field.nullable:
        return known.get(field.name)
    if pa.types.is_timestamp(field.type):
        return NOW
    if pa.types.is_nested(field.type):
        return []
    return "" if pa.types.is_string(field.type) else False if pa.types.is_boolean(field.type) else 0


def put(out, name, rows, mode="error"):
    table = next(table for table in TABLES if table.name == name)
    full = [{field.name: cell(field, row) for field in table.columns} for row in rows]
    made = pa.Table.from_pylist(full, schema=table.columns)
    write_deltalake(out / "tables" / name, made, partition_by=list(table.partition_by), mode=mode)


def document(name, **more):
    host, text = DOCS[name]
    return {
        "doc_id": id_of(name), "crawl": "cr", "chunk": "c0", "url": f"https://{host}/{name}",
        "url_normalized": f"https://{host}/{name}", "host": host, "warc_file": "f.warc",
        "record_id": f"urn:{name}", "text": text, "n_words": len(text.split()),
        "content_hash": text.lower(), "keep": True, "label": "high",
        "stage": "s06_rephrase", **more,
    }  # fmt: skip


def blend_rows():
    texts = {name: (name, DOCS[name][1]) for name in KEPT}
    texts |= {made: (of, f"made {made} of {DOCS[of][1]}") for made, of in MADE.items()}
    texts |= {name: (name, f"published {name}") for name in STRANGERS}
    copies = [(name, 0) for name in texts] + [("a1", 1)]
    orders = np.random.default_rng(0).permutation(len(copies)) * 2**60 - 2**62
    rows = []
    for (name, copy), order in zip(copies, orders.tolist(), strict=True):
        of, text = texts[name]
        url = STRANGERS.get(of) or document(of)["url"]
        known = {"id": id_of(name), "copy": copy, "order": order, "text": text, "url": url,
                 "warc_record_id": f"urn:{of}", "n_words": len(text.split())}  # fmt: skip
        rows.append({field.name: cell(field, known) for field in BLEND.columns})
    return sorted(rows, key=lambda row: row["order"])


def write_blend(out, rows):
    plain = [name for name in BLEND.columns.names if name not in BLEND.partition_by]
    for kind, half in (("actual", rows[::2]), ("synthetic", rows[1::2])):
        folder = out / "blend" / "quality=high" / f"kind={kind}" / "kind2=x"
        folder.mkdir(parents=True)
        made = pa.Table.from_pylist(half, schema=BLEND.columns).select(plain)
        pq.write_table(made, folder / "part 0.parquet")


def write_tokens(out, rows):
    file = tokenizer_file("smollm2-135m")
    encoder, folder = load_encoder(str(file)), out / "tokens"
    parts = [rows[:4], rows[4:]]
    ids = [append_eod(encoder.encode([row["text"] for row in part]), encoder.eod_id)
           for part in parts]  # fmt: skip
    shards = tuple(
        write_shard(
            folder, f"shard-{number:05d}", some, encoder.dtype, sequence_length=8,
            packing="best_fit",
        )
        for number, some in enumerate(ids)
    )  # fmt: skip
    noted = [{"shard": number, **entry.model_dump()} for number, entry in enumerate(shards)]
    put(out, "shards", noted)
    manifest = Manifest(
        tokenizer="smollm2-135m", tokenizer_sha256=sha256_of(file), eod_id=encoder.eod_id,
        vocabulary_size=encoder.vocabulary_size, sequence_length=8, packing="best_fit",
        shards=shards,
        dtype="uint16", blend_fingerprint=fingerprint(RunConfig().blend),
        n_documents=sum(s.n_documents for s in shards), n_tokens=sum(s.n_tokens for s in shards),
    )  # fmt: skip
    write_manifest(manifest, folder / "manifest.json")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run before anything is taken down."""
    out = tmp_path_factory.mktemp("by hand") / "run"
    for name in ("pages", "measures"):
        put(out, name, [document(name_) for name_ in DOCS])
    for name in ("documents", "scores", "labels", "requests", "generations"):
        put(out, name, [document(name_) for name_ in KEPT])
    made = [document(of, synthetic_id=id_of(name), stage="s06_rephrase", n_tokens=3)
            for name, of in MADE.items()]  # fmt: skip
    put(out, "synthetic", made)
    put(out, "rejects", [document("a1") | {"doc_id": "r", "reason": "http_status"}])
    pair = {"cluster_id": id_of("b1"), "survivor_id": id_of("b1"), "n_members": 2}
    put(out, "clusters", [document("b1", fate="survivor", **pair),
                          document("b2", fate="exact_duplicate", **pair)])  # fmt: skip
    put(out, "pairs", [{"doc_id": id_of("b2"), "other_id": id_of("b1"), "kind": "exact"}])
    put(out, "dedup_batches", [{"batch": 1, "base": 1, "chunk": "c0", "measured": "p"}])
    put(out, "ledger", [{"warc_file": "f.warc", "state": "committed", "records": 7, "pages": 6,
                         "rejects": 1, "crawl": "cr", "chunk": "c0"}])  # fmt: skip
    units = {"s01_extract": "c0", "s02_measure": "c0", "s04_score": "c0"}
    closed = [{"stage": stage, "unit": units.get(stage, "corpus"), "attempt": 1, "rows_in": n + 1,
               "rows_out": n, "reasons": [("other", 1)], "tokens": 99}
              for stage, n in BY_STAGE.items()]  # fmt: skip
    put(out, "funnel", closed)
    put(out, "attempts", closed)
    rows = blend_rows()
    write_blend(out, rows)
    write_tokens(out, rows)
    return out


@pytest.fixture
def out(whole, tmp_path):
    import shutil

    return shutil.copytree(whole, tmp_path / "a run")


def ask(spark, out, *, urls=(), domains=(), doc_ids=()):
    store = Store(spark, f"{out}/tables")
    return store, wanted_tombstones(store, selectors(urls, domains, doc_ids), "asked")


def number(out, sql):
    with open_run(out) as tables:
        return tables.table(sql).column(0)[0].as_py()


def texts_in_shards(out):
    manifest = read_manifest(out / "tokens" / "manifest.json")
    verify(manifest, out / "tokens")
    tokenizer = load_encoder(str(tokenizer_file("smollm2-135m"))).tokenizer
    return [tokenizer.decode(document[:-1].tolist()) for shard in manifest.shards
            for document in read_indexed(out / "tokens" / shard.name)]  # fmt: skip


def texts_in_blend(out):
    with open_run(out) as tables:
        return tables.rows(str, 'SELECT text FROM blend ORDER BY "order"')


def check_gone(out, *names):
    made = [made for made, of in MADE.items() if of in names]
    ids = ", ".join(f"'{id_of(name)}'" for name in [*names, *made])
    with open_run(out) as tables:
        for table in TABLES:
            for column in {"doc_id", "other_id", "synthetic_id", "id"} & {*table.columns.names}:
                if tables.has(table.name) and table.name != "rejects":
                    sql = f"SELECT count(*) FROM {table.name} WHERE {column} IN ({ids})"
                    assert tables.rows(int, sql) == [0], (table.name, column)
    rejected = "SELECT count(*) FROM rejects WHERE reason = 'taken_down'"
    assert number(out, rejected) == len(names)
    assert texts_in_shards(out) == texts_in_blend(out)
    assert number(out, "SELECT pages + rejects - records FROM ledger") == 0
    assert number(out, """SELECT count(*) FROM funnel WHERE rows_in !=
        rows_out + list_sum(map_values(reasons))""") == 0  # fmt: skip


def test_documents_go_from_everything_and_the_accounts_close(spark, out):
    of_p2 = hashlib.blake2b(b"urn:p2", digest_size=16).hexdigest()
    urls = ["https://c.org/c1"]
    store, asked = ask(spark, out, domains=["a.org"], urls=urls, doc_ids=[of_p2])
    before, said = versions(out), []
    found = find(store, str(out), with_known(store, asked))
    assert found.rows == {
        "pages": 3, "measures": 3, "documents": 3, "scores": 3, "labels": 3, "requests": 3,
        "generations": 3, "synthetic": 3,
    }  # fmt: skip
    assert (found.n_copies, found.shards.state, found.elsewhere) == (9, "cut", {})
    assert versions(out) == before
    add_tombstones(store, asked)
    remove_all(store, str(out), said.append)
    check_gone(out, "a1", "a2", "c1")
    assert texts_in_blend(out) == texts_in_shards(out)
    assert sorted(texts_in_blend(out)) == ["beta", "gamma two"]
    assert "pages: 3 rows removed" in said
    assert f"shards: {found.shards.n_tokens} tokens of 9 documents in 2 shards removed" in said
    told = {row["stage"]: row for row in small(store.spark.read.format("delta").load(
        f"{out}/tables/funnel"))}  # fmt: skip
    gone = {stage: row["reasons"].get("taken_down", 0) for stage, row in told.items()}
    assert gone == dict.fromkeys(BY_STAGE, 3) | {"s08_blend": 9, "s09_tokenize": 9}
    assert (told["s01_extract"]["rows_out"], told["s01_extract"]["tokens"]) == (3, 4)
    assert number(out, "SELECT measured FROM dedup_batches") == "p"  # nobody's duplicates
    assert number(out, "SELECT documents_version FROM dedup_batches") == 1
    # Again: nothing to do, and no table changes.
    before, again = versions(out), []
    remove_all(store, str(out), again.append)
    assert (versions(out), again) == (before, [])
    folder = out / "tables" / "pages"
    n_files = len(list(folder.rglob("*.parquet")))
    vacuum(store)
    assert len(list(folder.rglob("*.parquet"))) < n_files
    latest = DeltaTable(str(out / "tables" / "documents")).version()
    assert number(out, "SELECT documents_version FROM dedup_batches") == latest


@pytest.mark.slow
def test_a_removal_broken_off_after_any_step_is_finished_by_beginning_again(spark, out):
    store, asked = ask(spark, out, doc_ids=[id_of("c1"), id_of("b1")])
    assert find(store, str(out), asked).elsewhere == {"exact": 1}
    add_tombstones(store, asked)
    names = [name for name, _ in steps(store, str(out), print)]
    assert names[:3] == ["dedup", "shards", "blend"]
    for last in ("shards", "blend", "synthetic", "rejects", "funnel"):
        for name, step in steps(store, str(out), lambda line: None):
            step()
            if name == last:
                break
    remove_all(store, str(out), lambda line: None)
    check_gone(out, "c1", "b1")
    assert number(out, "SELECT measured FROM dedup_batches") == "taken_down"
    assert number(out, "SELECT count(*) FROM tombstones WHERE done_at IS NULL") == 0
    assert number(out, "SELECT count(*) FROM pages WHERE url = 'https://b.net/b2'") == 1


def test_shards_older_than_the_blend_go_whole_for_an_open_tombstone_alone(spark, out):
    store = Store(spark, f"{out}/tables")
    none = store.read_parquet(str(out / "blend"), BLEND).limit(0)
    assert plan_shards(store, str(out), none, is_open=True).state == "none"
    later = {
        "stage": "s08_blend",
        "unit": "corpus",
        "attempt": 2,
        "begun_at": NOW + dt.timedelta(1),
    }
    put(out, "attempts", [later], mode="append")
    assert plan_shards(store, str(out), none, is_open=False).state == "none"
    shards = plan_shards(store, str(out), none, is_open=True)
    assert (shards.state, shards.why) == ("drop", "the blend was made anew after them")


@pytest.mark.slow
def test_shards_of_another_blend_go_whole_and_are_made_anew(spark, out):
    store, asked = ask(spark, out, doc_ids=[id_of("b1")])
    file = next((out / "blend").rglob("*.parquet"))
    pq.write_table(pq.read_table(file, partitioning=None)[1:], file)
    add_tombstones(store, asked)
    said = []
    remove_all(store, str(out), said.append)
    assert any("they hold 11 documents, the blend 10" in line for line in said)
    assert [path.name for path in (out / "tokens").iterdir()] == []
    assert number(out, "SELECT count(*) FROM shards") == 0
    last = "SELECT max_by(fingerprint, attempt) FROM attempts WHERE stage = 's09_tokenize'"
    assert number(out, last) == "abandoned"
