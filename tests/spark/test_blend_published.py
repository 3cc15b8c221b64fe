"""Published files in the blend: what was published comes back, once, and tombstones hold."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from blend_tables import Tables, row

from curation.blend.stage import blend_path
from curation.config import load_config
from curation.errors import ConfigError, InputError
from curation.publish.files import write_parts
from curation.schemas import BLEND, PUBLISHED, TOMBSTONES
from curation.spark.batches import spark_schema
from curation.takedown.copies import copies_of
from curation.takedown.lineage import count_rows, documents_named

pytestmark = pytest.mark.spark

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def published(blend, target):
    """Patterns of the files of a blend in the published form."""
    for number, source in enumerate(sorted(Path(blend).rglob("*.parquet"))):
        place = target / source.parent.relative_to(blend)
        name = f"CC-MAIN-2024-51-part-{number:05d}.jsonl.zstd"
        [crawl] = {*pq.read_table(source, columns=["crawl"])["crawl"].to_pylist()}
        write_parts(source, {crawl: place / name})
    return [f"{target}/**/*.jsonl.zstd"]


def texts(tables):
    rows = tables.store.read_parquet(blend_path(str(tables.root)), BLEND)
    told = ("id", "copy", "quality", "kind", "kind2", "url", "warc_record_id", "text", "n_words")
    return sorted(tuple(one[name] for name in told) for one in rows.collect())


def put(root, name, *lines, quality="high", kind="actual", kind2="actual"):
    folder = root / f"quality={quality}" / f"kind={kind}" / f"kind2={kind2}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def alone(spark, tmp_path_factory):
    """A run without a crawl."""
    return Tables(spark, tmp_path_factory.mktemp("alone"), is_empty=True)


def test_what_was_published_is_what_is_blended_each_text_once(spark, tmp_path, alone):
    first = Tables(spark, tmp_path / "first")
    first.blend(epochs={"high": 2})
    patterns = published(blend_path(str(first.root)), tmp_path / "files")
    alone.blend(published=patterns)
    assert texts(alone) == [one for one in texts(first) if one[1] == 0]
    # Three texts of high quality were there twice.
    assert alone.done.reasons == {"published_duplicate": 3}
    mix = alone.mix()
    assert mix["high/actual/actual"]["n_documents"] == 2
    version = alone.store.version(PUBLISHED)
    alone.blend(published=patterns, epochs={"high": 3})
    assert alone.store.version(PUBLISHED) == version  # the files were not read again
    first.blend(published=patterns)
    # The run's own texts come before published ones of their ids; all eight lines are such.
    assert [one[1] for one in texts(first)] == [0] * 5
    assert first.done.reasons == {"not_sampled": 1, "published_duplicate": 8}


def test_tombstones_hold_for_published_texts_of_any_kind(spark, tmp_path):
    tables = Tables(spark, tmp_path / "run", is_empty=True)
    line = {"text": "some words", "language": "eng"}
    urls = ["https://a.org/x", "https://www.b.org/y", "https://c.org/z", "https://d.org/"]
    lines = [line | {"url": url, "warc_record_id": f"<urn:{n}>"} for n, url in enumerate(urls)]
    put(tmp_path, "a.jsonl", *lines)
    made = [one | {"text": "other words"} for one in lines]
    put(tmp_path, "b.jsonl", *made, quality="low", kind="synthetic", kind2="distill")
    patterns = [f"{tmp_path}/quality=*/**/*.jsonl"]
    tables.blend(published=patterns)
    assert len(texts(tables)) == 8
    [doc] = tables.store.read(PUBLISHED).where(f"url = '{urls[2]}' AND kind = 'actual'").collect()
    asked = [("url", urls[0]), ("domain", "b.org"), ("doc_id", doc["doc_id"])]
    rows = [row(TOMBSTONES, kind=k, value=v, asked_at=DAY) for k, v in asked]
    stones = spark.createDataFrame(rows, spark_schema(TOMBSTONES, nullable=True))
    # What a takedown finds in the run as it is.
    ids = documents_named(tables.store, stones)
    assert count_rows(tables.store, ids) == {"published": 6}
    assert copies_of(tables.store, str(tables.root), ids, stones).count() == 6
    # The blend still has what was published, and the table has other files by now.
    published = tables.store.read(PUBLISHED).localCheckpoint()
    held = published.where("false")
    held.write.format("delta").mode("overwrite").save(tables.store.path(PUBLISHED))
    left = documents_named(tables.store, stones)
    assert copies_of(tables.store, str(tables.root), left, stones).count() == 6
    published.write.format("delta").mode("overwrite").save(tables.store.path(PUBLISHED))
    # What s08 makes of the files from then on.
    stones.write.format("delta").save(tables.store.path(TOMBSTONES))
    put(tmp_path, "c.jsonl", line | {"url": "https://e.org/"})
    tables.blend(published=patterns)
    assert {one[5] for one in texts(tables)} == {urls[3], "https://e.org/"}
    assert tables.done.reasons == {"taken_down": 6}
    held = tables.store.read(PUBLISHED).where("drop_reason = 'taken_down'").collect()
    assert [one["text"] for one in held] == [""] * 6


def test_a_blend_of_the_paper_over_files_of_other_corpora(spark, tmp_path, alone):
    corpora = ("common-crawl", "books-and-patents", "papers", "code", "conversational", "wikipedia")
    for corpus in corpora:
        put(tmp_path / corpus, "a.jsonl",
            *({"text": f"{corpus} {n} " + "word " * 18} for n in range(300)))  # fmt: skip
    files = {corpus: [f"{tmp_path}/{corpus}/**/*.jsonl"] for corpus in corpora}
    conf = load_config("conf/demo.yaml", {
        "blend": "conf/blends/nemotron-cc-1t.yaml", "blend.total_words": 5_000,
        "blend.published": files,
    })  # fmt: skip
    alone.blend(**conf.blend.model_dump(exclude_unset=True))
    written = {s.split(",")[0]: one["n_words_written"] for s, one in alone.mix().items()}
    total = sum(written.values())
    assert total == pytest.approx(5_000, rel=0.1)
    shares = {name: n / total for name, n in written.items()}
    assert shares["corpus=common-crawl"] == pytest.approx(0.73, abs=0.03)
    assert shares["corpus=papers"] == pytest.approx(0.09, abs=0.02)
    before = texts(alone)
    del files["wikipedia"]
    with pytest.raises(ConfigError, match=r"no text for \['corpus=wikipedia'\]"):
        alone.blend(**conf.blend.model_dump(exclude_unset=True) | {"published": files})
    assert texts(alone) == before


def test_without_any_text_nothing_is_written(tmp_path, alone):
    before = texts(alone)
    put(tmp_path, "a.jsonl", {"text": " "})
    with pytest.raises(InputError, match="nothing published"):
        alone.blend(published=[f"{tmp_path}/**/*.jsonl"])
    assert texts(alone) == before
