"""Writes small runs as folders: a part of the flow or the whole of it, with hostile text."""

import datetime
import json

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

from curation import schemas

NOON = datetime.datetime(2024, 12, 1, 12, 0, tzinfo=datetime.UTC)
CRAWL = {"crawl": "demo", "chunk": "c0"}
HOSTILE = (
    "<script>alert(1)</script> [red]stop[/red] \x1b[31mred\x1b[0m \x1b]0;title\x07 & \u202eevil"
)

SIZES = {"d0": ("en", 30), "d1": ("en", 20), "d2": ("en", 20), "d3": ("de", 50)}
"""Language and words of each page."""

_DEFAULTS = (
    (pa.types.is_boolean, False),
    (pa.types.is_integer, 0),
    (pa.types.is_floating, 0.0),
    (pa.types.is_string, ""),
    (pa.types.is_list, []),
    (pa.types.is_map, []),
    (pa.types.is_timestamp, NOON),
)


def default(field):
    if field.nullable:
        return None
    return next(value for is_type, value in _DEFAULTS if is_type(field.type))


def arrow(table, rows):
    """`rows` with every column of `table`; what a row leaves out is empty, zero or null."""
    full = [{field.name: default(field) for field in table.columns} | row for row in rows]
    assert all(len(row) == len(table.columns) for row in full), "a column is misspelt"
    return pa.Table.from_pylist(full, schema=table.columns)


def write(out, table, rows):
    path = out / "tables" / table.name
    write_deltalake(path, arrow(table, rows), partition_by=list(table.partition_by), mode="append")


def write_blend(out, rows):
    pq.write_to_dataset(
        arrow(schemas.BLEND, rows), out / "blend", partition_cols=["quality", "kind", "kind2"]
    )


def write_log(out, lines):
    (out / "model").mkdir(exist_ok=True)
    (out / "model" / "log.jsonl").write_text("".join(lines))


def train_step(step, loss):
    fields = {"step": step, "loss": loss, "learning_rate": 0.001, "grad_norm": 1.0}
    return json.dumps(fields | {"tokens": 2048 * step, "tokens_per_s": 5e4}) + "\n"


def account(stage, unit, attempt, rows_in, rows_out, reasons, tokens=None, seconds=1.0):
    return {
        "stage": stage, "unit": unit, "attempt": attempt, "rows_in": rows_in,
        "rows_out": rows_out, "reasons": list(reasons.items()), "tokens": tokens,
        "seconds": seconds,
    }  # fmt: skip


def begun(*accounts):
    return [{key: row[key] for key in ("stage", "unit", "attempt")} for row in accounts]


def write_half_run(out):
    """After s01 and a part of s02: chunk c0 done twice, c1's second attempt under way."""
    out.mkdir()
    accounts = [
        account("s02_measure", "c0", 1, 3, 3, {}, 90, 2.0),
        account("s01_extract", "c0", 1, 9, 1, {"no_text": 8}, 10, 7.0),
        account("s01_extract", "c0", 2, 5, 3, {"no_text": 1, "not_response": 1}, 90, 1.5),
        account("s01_extract", "c1", 1, 4, 1, {"not_response": 2, "too_large": 1}, 20, 0.5),
        account("s02_measure", "c1", 1, 1, 1, {}, 20, 2.0),
    ]
    write(out, schemas.FUNNEL, accounts)
    write(out, schemas.ATTEMPTS, [
        *begun(*accounts), {"stage": "s02_measure", "unit": "c1", "attempt": 2},
    ])  # fmt: skip
    write(out, schemas.PAGES, pages())
    write(out, schemas.REJECTS, rejects())
    write(out, schemas.MEASURES, [
        {**CRAWL, "doc_id": d, "language": language, "n_words": n, "n_bytes": 6 * n}
        for d, (language, n) in SIZES.items()
    ])  # fmt: skip


def pages():
    texts = {"d0": HOSTILE, "d1": "The moon.\n\n\n\nIt is far.", "d2": "The moon. It is far!",
             "d3": "f" * 700}  # fmt: skip
    return [
        {
            **CRAWL,
            "doc_id": doc,
            "url": f"http://a.example/{doc}?q=<b>",
            "title": f"[bold]{doc}",
            "text": text,
        }
        for doc, text in texts.items()
    ]


def rejects():
    reasons = ["not_response"] * 3 + ["no_text"] * 1 + ["<i>odd</i>"] * 1
    told = {**CRAWL, "url": "http://b.example/", "detail": HOSTILE}
    return [{**told, "doc_id": f"r{i}", "reason": reason} for i, reason in enumerate(reasons)]


def write_whole_run(out):
    """After the whole flow: four pages, of which d1 and d2 are near duplicates."""
    write_half_run(out)
    write(out, schemas.FUNNEL, [
        account("s02_measure", "c1", 2, 1, 1, {}, 20, 2.0),
        account("s03_dedup", "corpus", 1, 4, 3, {"near_duplicate": 1}, 80),
        account("s04_score", "c1", 1, 3, 3, {}, 80) | {"notes": [("batches_halved", 2)]},
        account("s06_rephrase", "corpus", 1, 4, 2, {"no_marker": 1, "<u>": 1}, 55),
    ])  # fmt: skip
    write(out, schemas.CLUSTERS, [
        {**CRAWL, "doc_id": "d1", "cluster_id": "d1", "survivor_id": "d1", "fate": "survivor",
         "n_members": 2},
        {**CRAWL, "doc_id": "d2", "cluster_id": "d1", "survivor_id": "d1",
         "fate": "near_duplicate", "n_members": 2},
    ])  # fmt: skip
    write(
        out,
        schemas.PAIRS,
        [
            {
                "batch": 1,
                "doc_id": "d2",
                "other_id": "d1",
                "kind": "band",
                "n_keys": 7,
                "jaccard": 0.83,
            }
        ],
    )
    write(out, schemas.DOCUMENTS, [
        {**page, "n_words": SIZES[page["doc_id"]][1]} for page in pages() if page["doc_id"] != "d2"
    ])  # fmt: skip
    write_scores(out)
    write_generations(out)
    write_blend(out, blend())
    write(out, schemas.BLEND_MIX, blend_mix())
    write(out, schemas.SHARDS, [
        {"shard": i, "name": f"s{i}", "n_documents": 2, "n_tokens": 600, "n_sequences": 3}
        for i in range(2)
    ])  # fmt: skip
    (out / "tokens").mkdir()
    manifest = {"tokenizer": "<b>gpt</b>", "sequence_length": 512, "shards": [{"n": 1}]}
    (out / "tokens" / "manifest.json").write_text(json.dumps(manifest))
    write_log(out, [train_step(1, 9.0), train_step(2, 8.5), train_step(1, 8.0)])
    (out / "run.yaml").write_text("crawl: demo  # <script>\n")


def write_scores(out):
    def scored(doc_id, **scores):
        return {**CRAWL, "doc_id": doc_id, "scores": list(scores.items()),
                "classes": [("domain", "Games")], "reasons": [], "n_halvings": 0}  # fmt: skip

    write(out, schemas.SCORES, [
        scored("d0", fasttext=1.0, edu=2.5, domain_p=0.5),
        scored("d1", fasttext=0.02, edu=0.0, domain_p=0.25),
        {**scored("d3"), "reasons": [("minilm", "no_token")], "error": "no_token"},
    ])  # fmt: skip
    write(out, schemas.BUCKET_EDGES, [
        {"batch": batch, "crawl": "demo", "member": "fasttext", "language": language,
         "edges": [edge] * 19, "n_documents": n}
        for batch, language, edge, n in
        ((1, "en", 0.9, 5), (2, "en", 0.5, 2), (2, "de", 0.25, 1))
    ] + [
        {"batch": 2, "crawl": "served", "member": "fasttext", "language": "en",
         "edges": [0.75] * 19, "n_documents": 9}
    ])  # fmt: skip

    def labelled(doc_id, label, fasttext, edu, **more):
        return {**CRAWL, "doc_id": doc_id, "label": label, "bucket": max(fasttext, edu),
                "buckets": [("fasttext", fasttext), ("edu", edu)], "cuts": 2,
                "cuts_crawl": "demo", "domain": "Games", "toxicity": 0.5, **more}  # fmt: skip

    write(out, schemas.LABELS, [
        labelled("d0", "high", 19, 18, keep=True, drop_reasons=["too_few_words"],
                 speech="News"),
        labelled("d1", "low", 2, 2, keep=True, drop_reasons=[]),
        labelled("d3", "low", 0, 5, keep=False, drop_reason="too_few_words",
                 drop_reasons=["too_few_words", "toxic"]),
    ])  # fmt: skip
    write(out, schemas.LABEL_DRIFT, [
        {"crawl": "demo", "language": "en", "against": "batch", "cuts": 1, "cuts_crawl": "demo",
         "label_before": before, "label": "low", "n_documents": n, "n_words": 10}
        for before, n in (("high", 1), ("low", 3))
    ])  # fmt: skip


def prompted(request, stage, task, doc, **more):
    asked = {"request_id": request, "stage": stage, "task": task, "doc_id": doc, "crawl": "demo"}
    return asked | more


def write_generations(out):
    """Two rewrites, one of them refused; one pair of questions; one dialogue never answered."""
    asked = [
        prompted("q0", "s06_rephrase", "wikipedia", "d1", n_text_tokens=40, text="Moon source."),
        prompted("q1", "s06_rephrase", "wikipedia", "d3", n_text_tokens=60, text="ffff"),
        prompted("q2", "s06_rephrase", "diverse_qa", "d0", n_text_tokens=50, text=HOSTILE),
        prompted("q3", "s07_dialogue", "debate", "d0", n_text_tokens=30, text=HOSTILE),
    ]
    write(out, schemas.REQUESTS, asked)
    answers = [
        {key: row[key] for key in ("request_id", "stage", "task", "doc_id", "crawl")}
        | {"n_input_tokens": 100, "n_output_tokens": 35}
        for row in (*asked[:3], {**asked[0], "request_id": "of an older prompt"})
    ]
    write(out, schemas.GENERATIONS, answers)
    made = {"crawl": "demo", "label": "high", "stage": "s06_rephrase"}
    write(out, schemas.SYNTHETIC, [
        made | {"synthetic_id": "y0", "doc_id": "d1", "task": "wikipedia", "label": "low",
                "n_tokens": 30, "request_ids": ["q0"], "text": "The Moon <img src=x> orbits."},
        made | {"synthetic_id": "y1", "doc_id": "d0", "task": "diverse_qa", "n_tokens": 25,
                "request_ids": ["q2"], "text": HOSTILE + "\n\nQuestion: [link]Who?\nAnswer: I."},
    ])  # fmt: skip


def blend():
    real = {"quality": "low", "kind": "actual", "kind2": "actual", "n_words": 20, "text": HOSTILE}
    made = {"quality": "medium-high", "kind": "synthetic", "kind2": "diverse_qa_pairs"}
    return [
        real | {"id": "d1", "copy": 0}, real | {"id": "d1", "copy": 1}, real | {"id": "d4"},
        made | {"id": "y1", "n_words": 40, "text": HOSTILE},
    ]  # fmt: skip


def blend_mix():
    """Two sources, one of them made of six; of 130 words that there are, 100 are taken."""
    whole = {"n_effective": 1.96, "total_variation": 0.1, "kl_nats": 0.0204}
    small = [f"quality={n},domain=<b>" for n in range(6)]
    return [
        whole | {"source": "quality=low,domain=<i>Law", "n_documents": 3, "n_words": 65,
                 "natural_share": 0.5, "share": 0.6, "words": 60.4, "epochs": 0.93,
                 "n_copies": 3, "n_words_written": 60},
        whole | {"source": "other", "merged_from": small, "n_documents": 9, "n_words": 65,
                 "natural_share": 0.5, "share": 0.4, "words": 40.0, "epochs": 0.62,
                 "n_copies": 1, "n_words_written": 40},
    ]  # fmt: skip
