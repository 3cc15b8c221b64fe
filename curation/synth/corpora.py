"""Corpora of dialogues, as SQL over one table of chunks and styles. No text is made.

MIND (2410.12881, section 2) trains on several arrangements of the same answers: one style, the
longest conversation of each chunk, all of them, raw and dialogue side by side or in one document.
Here each is a query over `conversations`, which is one row for each chunk and style that was asked
for, of the tables `requests` and `synthetic`. They are SQL that Spark and DuckDB both take.

Every corpus has the columns of `COLUMNS`. Rows have no order: the blend gives them one.
"""

from __future__ import annotations

from curation.synth.prompts import load_prompts

COLUMNS = ("id", "doc_id", "crawl", "chunk", "style", "n_tokens", "text")
"""`style` is `raw` for a chunk as it is; `n_tokens` are the generator's tokens."""

CONVERSATIONS = """
SELECT r.doc_id, r.crawl, r.segment AS chunk, r.task AS style, r.text AS raw,
    r.n_text_tokens AS n_raw_tokens, s.synthetic_id, s.text, s.n_tokens, s.number_faithfulness
FROM requests r LEFT JOIN synthetic s
    ON s.stage = r.stage AND s.task = r.task AND s.doc_id = r.doc_id AND s.crawl = r.crawl
    AND s.segment = r.segment AND s.prompt_version = r.prompt_version AND s.model = r.model
WHERE r.stage = 's07_dialogue'
"""
"""One row a chunk and style: `raw` is the chunk; `synthetic_id`, `text`, `n_tokens` and
`number_faithfulness` are null where its answer was not accepted."""


SEPARATOR = "\n\n"
"""Between a chunk and its dialogue, where both are one document."""

_ID = "concat(doc_id, '/', CAST(chunk AS STRING), '/', {style})"
_AS_RAW = f"""
SELECT {_ID.format(style="'raw'")} AS id, doc_id, crawl, chunk, 'raw' AS style,
    CAST(n_raw_tokens AS BIGINT) AS n_tokens, raw AS text
"""
_AS_MADE = f"""
SELECT {_ID.format(style="style")} AS id, doc_id, crawl, chunk, style, n_tokens, text
"""
_AS_BOTH = f"""
SELECT {_ID.format(style="'raw+', style")} AS id, doc_id, crawl, chunk,
    concat('raw+', style) AS style, n_raw_tokens + {{n_separator_tokens}} + n_tokens AS n_tokens,
    concat(raw, '{SEPARATOR}', text) AS text
"""


def dialogue_styles() -> tuple[str, ...]:
    """The styles that are conversations: all prompts of s07 but the plain rephrase."""
    prompts = load_prompts().values()
    return tuple(p.name for p in prompts if p.stage == "s07_dialogue" and p.parser == "dialogue")


def corpora(*, n_separator_tokens: int = 1) -> dict[str, str]:
    """SQL of each corpus by name, with the columns of `COLUMNS`; reads `requests`, `synthetic`.

    - `raw`: every chunk;
    - each style, and `rephrase`: its texts;
    - `all`: the dialogues of every style;
    - `longest`: the longest dialogue of each chunk, by tokens, then the first by name; where a
      chunk has none, the chunk itself. Loops are long too: `repetitive` answers are gone before;
    - `one_to_one`: the longest dialogue and its chunk, as two documents;
    - `concatenation`: the same as one document, `SEPARATOR` of `n_separator_tokens` between.
    """
    both = _AS_BOTH.format(n_separator_tokens=n_separator_tokens)
    told = {
        "raw": f"{_AS_RAW} FROM chunks",
        "all": f"{_AS_MADE} FROM dialogues",
        "longest": f"{_AS_MADE} FROM longest UNION ALL {_AS_RAW} FROM bare",
        "one_to_one": f"{_AS_MADE} FROM longest UNION ALL {_AS_RAW} FROM longest",
        "concatenation": f"{both} FROM longest",
    }
    prompts = load_prompts().values()
    told |= {p.name: _of_style(p.name) for p in prompts if p.stage == "s07_dialogue"}
    return {name: f"WITH {_parts()} {sql}" for name, sql in told.items()}


def _of_style(style: str) -> str:
    return f"{_AS_MADE} FROM conversations WHERE style = '{style}' AND text IS NOT NULL"


def _parts() -> str:
    """What corpora are put together from, as named queries."""
    styles = ", ".join(f"'{style}'" for style in dialogue_styles())
    chunk = "doc_id, crawl, chunk"
    return f"""
conversations AS ({CONVERSATIONS}),
chunks AS (
    SELECT {chunk}, min(raw) AS raw, min(n_raw_tokens) AS n_raw_tokens
    FROM conversations GROUP BY {chunk}),
dialogues AS (SELECT * FROM conversations WHERE text IS NOT NULL AND style IN ({styles})),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY {chunk} ORDER BY n_tokens DESC, style) AS place
    FROM dialogues),
longest AS (SELECT * FROM ranked WHERE place = 1),
bare AS (
    SELECT c.* FROM chunks c LEFT JOIN longest l
    ON l.doc_id = c.doc_id AND l.crawl = c.crawl AND l.chunk = c.chunk WHERE l.doc_id IS NULL)
"""
