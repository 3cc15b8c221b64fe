"""Every table of a run: columns, types, meaning, key, partitioning.

One declaration serves three: Spark takes its types from here, every Arrow batch that Python
returns is checked against it, and `docs/tables.md` is generated from it. Analysts' columns come
first and text last, because Delta keeps statistics of the first 32 columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from curation.errors import SchemaMismatch


def column(name: str, type_: pa.DataType, doc: str, *, nullable: bool = False) -> pa.Field[Any]:
    """A column with its own documentation, which ends up in `docs/tables.md`."""
    return pa.field(name, type_, nullable=nullable, metadata={"comment": doc})


def optional(name: str, type_: pa.DataType, doc: str) -> pa.Field[Any]:
    """A column in which null means something; `doc` says what."""
    return column(name, type_, doc, nullable=True)


@dataclass(frozen=True)
class Table:
    """A table: its columns, and what a reader needs to know to use them."""

    name: str
    doc: str
    columns: pa.Schema
    key: tuple[str, ...]
    partition_by: tuple[str, ...] = ()

    def select(self, *names: str) -> Table:
        """The same table with only `names`, in the order given."""
        return Table(self.name, self.doc, pa.schema([self.columns.field(n) for n in names]), ())

    def conform(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """`batch` in this table's column order, matched by name.

        Raises:
            SchemaMismatch: a column is missing, unexpected, of another type, or null where it
                must not be.
        """
        if batch.schema.names == self.columns.names:  # by place: a name is looked up in all of them
            arrays = batch.columns
        else:
            self._check_names(batch.schema.names)
            arrays = [batch.column(name) for name in self.columns.names]
        for field, array in zip(self.columns, arrays, strict=True):
            self._check(field, array)
        return pa.RecordBatch.from_arrays(arrays, schema=self.columns)

    def _check_names(self, names: Sequence[str]) -> None:
        missing = [n for n in self.columns.names if n not in names]
        unexpected = [n for n in names if n not in self.columns.names]
        if missing or unexpected or len(set(names)) != len(names):
            raise SchemaMismatch(
                f"table {self.name}: missing columns {missing}, unexpected columns {unexpected}; "
                f"found {list(names)}"
            )

    def _check(self, field: pa.Field[Any], array: pa.Array[Any]) -> None:
        where = f"{self.name}.{field.name}"
        if array.type != field.type:
            raise SchemaMismatch(f"{where}: found type {array.type}, expected {field.type}")
        if array.null_count and not field.nullable:
            raise SchemaMismatch(f"{where}: {array.null_count} nulls in a column without nulls")


_STRING, _INT, _LONG, _FLOAT = pa.string(), pa.int32(), pa.int64(), pa.float32()
_DOUBLE = pa.float64()
_TIME = pa.timestamp("us", tz="UTC")
_DOC_ID = column("doc_id", _STRING, "Hash of the WARC record id: 32 hex digits")
_CRAWL = column("crawl", _STRING, "Crawl id; a partition")
_CHUNK = column("chunk", _STRING, "Chunk of WARC files that the row came with")
_KEY = (_DOC_ID, _CRAWL, _CHUNK)

ATTEMPTS = Table(
    name="attempts",
    doc="One row each time that work on a unit of a stage begins. The unit is finished when "
    "`funnel` has a row with the same stage, unit and attempt.",
    columns=pa.schema([
        column("stage", _STRING, "Stage name, as in pipeline.py"),
        column("unit", _STRING, "Chunk id, or `corpus`"),
        column("attempt", _LONG, "1, 2, ... for this stage and unit; the Delta txnVersion"),
        column("fingerprint", _STRING, "Hash of the settings and inputs that decide the result"),
        column("run", _STRING, "Run that began it"),
        column("begun_at", _TIME, "When"),
    ]),
    key=("stage", "unit", "attempt"),
)  # fmt: skip

FUNNEL = Table(
    name="funnel",
    doc="What became of every row: rows_in = rows_out + the sum of reasons, for each stage and "
    "unit. The latest attempt of a stage and unit counts.",
    columns=pa.schema([
        column("run", _STRING, "Run that did the work"),
        column("stage", _STRING, "Stage name"),
        column("unit", _STRING, "Chunk id, or `corpus`"),
        column("attempt", _LONG, "As in `attempts`"),
        column("fingerprint", _STRING, "As in `attempts`"),
        column("rows_in", _LONG, "Rows read; s01: WARC records; s06, s07: requests; s08: copies"),
        column("rows_out", _LONG, "Rows that went on"),
        column("reasons", pa.map_(_STRING, _LONG), "Rows that did not go on, by reason"),
        optional("notes", pa.map_(_STRING, _LONG),
                 "What else happened, by kind, such as batches halved for memory; null: nothing"),
        optional("tokens", _LONG, "Tokens out: words up to s05 and in s08, the generator's in s06 "
                 "and s07, the tokenizer's in s09; null where the stage has no text"),
        column("seconds", _DOUBLE, "Wall-clock time of the unit"),
        column("finished_at", _TIME, "When the account was closed"),
    ]),
    key=("stage", "unit", "attempt"),
)  # fmt: skip

LEDGER = Table(
    name="ledger",
    doc="The state of every WARC file, one row a change of state; the latest row counts. A file "
    "is `expected` once more each time it is retried: the number of those rows is its tries.",
    columns=pa.schema([
        column("crawl", _STRING, "Crawl id"),
        column("warc_file", _STRING, "Path or URL of the file"),
        column("chunk", _STRING, "Chunk that the file belongs to, for good"),
        column("state", _STRING, "expected | fetching (an address) | committed | failed (tried "
               "again with --retry-failed) | dead (failed fetch.dead_after times)"),
        column("bytes", _LONG, "Size of the file; of an address, as first seen"),
        optional("records", _LONG, "Records read; null until committed"),
        optional("pages", _LONG, "Records that became a page"),
        optional("rejects", _LONG, "Records that became a reject"),
        optional("error", _STRING, "Why the reading of the file ended early; null: it did not"),
        column("at", _TIME, "When"),
    ]),
    key=("warc_file", "state", "at"),
)  # fmt: skip

_RECORD = (
    column("warc_file", _STRING, "Path or URL of the WARC file"),
    column("warc_offset", _LONG, "Byte offset of the record's (compressed) start in the file"),
    column("warc_length", _LONG, "Bytes from there to the next record, or to the end of the file"),
    column("record_id", _STRING, "WARC-Record-ID without its brackets; empty where it has none"),
)

PAGES = Table(
    name="pages",
    doc="One row a WARC record with main text.",
    columns=pa.schema([
        *_KEY,
        column("url", _STRING, "WARC-Target-URI"),
        column("url_normalized", _STRING, "The URL without fragment and trackers, parameters "
               "sorted, in one spelling; crawl/urls.py says how"),
        column("host", _STRING, "Host of the URL, lower-cased; empty where it has none"),
        column("domain", _STRING, "Registered domain of the host, by the public suffix list; empty "
               "where it has none"),
        optional("warc_date", _TIME, "WARC-Date; null where it cannot be read"),
        optional("http_status", _INT, "HTTP status; null for a record without HTTP headers"),
        column("content_type", _STRING, "Media type of the payload, lower-cased"),
        column("payload_digest", _STRING, "SHA-1 of the payload, hex"),
        column("charset", _STRING, "Encoding that the payload was decoded with"),
        column("charset_source", _STRING, "bom | header | meta | xml | detected | fallback"),
        column("engine", _STRING, "Extractor that gave the text"),
        column("page_type", _STRING, "Kind of page by the extractor; empty where it is unknown"),
        optional("confidence", _FLOAT, "Extractor's estimate of the text's F1, 0..1; null: none"),
        optional("engine_faults", _STRING, "Why the extractors before it failed; null: none did"),
        optional("truncated", _STRING, "WARC-Truncated: length | disconnect | time ...; null: the "
                 "crawler kept the whole payload"),
        column("optout", pa.list_(pa.field("element", _STRING, nullable=False)),
               "Signals against use in the response: noai, noimageai, noindex, noarchive, nocache, "
               "tdm-reservation"),
        column("html_bytes", _LONG, "Bytes of the payload"),
        column("n_chars", _INT, "Characters of the text"),
        *_RECORD,
        column("title", _STRING, "Title of the page; empty where it has none"),
        column("text", _STRING, "Main text, paragraphs separated by newlines"),
    ]),
    key=("doc_id",),
    partition_by=("crawl", "chunk"),
)  # fmt: skip

REJECTS = Table(
    name="rejects",
    doc="One row a WARC record without main text, with the reason.",
    columns=pa.schema([
        *_KEY,
        column("reason", _STRING, "From the closed list of extract/records.py"),
        column("record_type", _STRING, "WARC-Type, lower-cased; empty where it has none, and for a "
               "page that a list of hosts or a sample leaves out: a response or a resource"),
        column("url", _STRING, "WARC-Target-URI; empty where it has none"),
        *_RECORD,
        column("detail", _STRING, "What was found, in words"),
    ]),
    key=("doc_id",),
    partition_by=("crawl", "chunk"),
)  # fmt: skip

FILES_READ = Table(
    name="files_read",
    doc="What s01 saw of one WARC file. Not a table of the run: it goes into the ledger.",
    columns=pa.schema([
        column("warc_file", _STRING, "Path or URL of the file"),
        column("records", _LONG, "Records that the reader came by"),
        optional("error", _STRING, "Why the reading ended early"),
    ]),
    key=("warc_file",),
)  # fmt: skip


def _outcome_columns() -> list[pa.Field[Any]]:
    """Columns of pages and rejects together, all nullable but the key: s01's one pass."""
    fields = {f.name: f for f in (*PAGES.columns, *REJECTS.columns, *FILES_READ.columns)}
    return [f.with_nullable(f.name not in ("crawl", "chunk", "warc_file")) for f in fields.values()]


OUTCOMES = Table(
    name="outcomes",
    doc="Pages, rejects and file summaries as s01 reads them, told apart by `outcome`. Not a table "
    "of the run: it is split into `pages`, `rejects` and `ledger`.",
    columns=pa.schema([column("outcome", _STRING, "page | reject | file"), *_outcome_columns()]),
    key=("doc_id",),
)


def _share(name: str, doc: str) -> pa.Field[Any]:
    return column(name, _FLOAT, doc)


SIGNALS: tuple[pa.Field[Any], ...] = (
    _share("non_alnum_frac", "Characters outside [A-Za-z0-9 newline ? ! , .]; a space counts"),
    _share("symbol_word_frac", "Words that are an ellipsis or over half '#'"),
    _share("digit_frac", "Digits / characters"),
    _share("url_frac", "Characters inside URLs / characters"),
    _share("whitespace_frac", "Tab, LF, CR, backspace, space / characters"),
    _share("parenthesis_frac", "Brackets of any kind / characters"),
    _share("boilerplate_frac", "Paragraphs with a policy or cookie phrase; lorem ipsum gives 1"),
    _share("unique_line_frac", "Distinct / all non-blank lines"),
    _share("unique_paragraph_frac", "Distinct / all paragraphs"),
    _share("unique_line_char_frac", "Characters of distinct lines / of all lines"),
    _share("unique_paragraph_char_frac", "Characters of distinct paragraphs / of all"),
    _share("unpunctuated_line_frac", "Lines that do not end in . ? ! or a quote"),
    _share("alpha_word_frac", "Words with at least one letter"),
    column("n_common_words", _INT, "Occurrences of the, be, to, of, and, that, have, with"),
    _share("mean_word_chars", "Mean characters of a word"),
    column("max_word_chars", _INT, "Characters of the longest word"),
    _share("ellipsis_line_frac", "Lines that end in an ellipsis"),
    _share("bullet_line_frac", "Lines that begin with a bullet"),
    *(_share(f"top_{n}gram_frac", f"Characters of the most frequent word {n}-gram")
      for n in (2, 3, 4)),
    *(_share(f"dup_{n}gram_frac", f"Characters in repeated occurrences of word {n}-grams")
      for n in range(5, 11)),
    column("n_sentences", _INT, "Ends of sentences"),
    column("n_c4_sentences", _INT, "Those in lines that C4 keeps"),
    column("n_curly_brackets", _INT, "Curly brackets"),
    column("has_lorem_ipsum", _INT, "1 where it has placeholder text, else 0"),
    column("n_distinct_common_words", _INT, "How many of the eight common words it has"),
    _share("upper_letter_frac", "Upper-case letters / letters"),
    _share("newline_word_ratio", "Line feeds / words; may be above 1"),
    _share("hash_word_ratio", "`#` / words; may be above 1"),
    _share("ellipsis_word_ratio", "Ellipses / words; may be above 1"),
    _share("unique_word_frac", "Distinct / all words"),
    _share("word_entropy", "Entropy of the words' shares, nats; above 1 for all but short texts"),
    _share("caps_word_frac", "Words in capitals"),
    _share("terminal_line_frac", "Lines that end in a mark that ends a sentence, of any script"),
    _share("short_line_frac", "Lines of at most 30 characters"),
    _share("dash_line_frac", "Lines that begin with a bullet or a hyphen"),
    _share("math_frac", "Characters in LaTeX formulas or mathematical symbols / characters"),
)  # fmt: skip

SCRIPTS: tuple[pa.Field[Any], ...] = (
    *(_share(f"{name}_frac", f"{name.capitalize()} letters / letters; all 0 without letters")
      for name in ("latin", "cyrillic", "greek", "arabic", "hebrew", "devanagari", "han", "kana",
                   "hangul", "thai")),
    _share("other_script_frac", "Letters of other scripts or of none / letters"),
)  # fmt: skip

CODE_AND_LICENCES: tuple[pa.Field[Any], ...] = (
    _share("code_line_frac", "Non-blank lines that look like code, markup or shell"),
    _share("code_char_frac", "Characters of those lines / of all lines"),
    column("n_code_blocks", _INT, "Runs of three or more such lines"),
    optional("licence", _STRING, "Open licence that the text declares: cc0, public-domain, ogl, "
             "cc-by, cc-by-sa, gfdl, cc-by-nd, cc-by-nc, cc-by-nc-sa, cc-by-nc-nd, mit, bsd, "
             "apache, mpl, lgpl, gpl, agpl; null: none"),
    column("n_copyright_marks", _INT, "Copyright notices and forms of all rights reserved"),
)  # fmt: skip

PII: tuple[pa.Field[Any], ...] = (
    column("n_pii_secret", _INT, "Private keys, access tokens, passwords behind a name"),
    column("n_pii_email", _INT, "E-mail addresses that could reach somebody"),
    column("n_pii_iban", _INT, "IBANs with a right check"),
    column("n_pii_card", _INT, "Payment cards with a right check digit"),
    column("n_pii_national_id", _INT, "Identity numbers of ten countries, by check or word"),
    column("n_pii_ip", _INT, "Public IP addresses"),
    column("n_pii_phone", _INT, "Telephone numbers"),
)

URL_SIGNALS: tuple[pa.Field[Any], ...] = (
    column("n_url_chars", _INT, "Characters of the normalised URL"),
    _share("url_digit_frac", "Digits / characters of the URL"),
    column("n_url_path_segments", _INT, "Non-empty segments of the path"),
    column("n_url_parameters", _INT, "Parameters of the query"),
    column("is_home_page", _INT, "1: no path but an index file, no query; else 0"),
    column("url_tld", _STRING, "Last label of the host; empty for an IP address or none"),
    column("has_ip_host", _INT, "1 where the host is an IP address, else 0"),
    column("n_subdomains", _INT, "Labels before the registered domain, a leading www left out"),
    column("is_adult_url", _INT, "1 where the host is adult by whole words or its TLD, else 0"),
    column("is_shop_url", _INT, "1 where a path segment or host label is a shop's, else 0"),
    column("is_forum_url", _INT, "1 where a path segment or host label is a forum's, else 0"),
)

PERPLEXITY: tuple[pa.Field[Any], ...] = (
    optional("perplexity", _FLOAT, "10^-(mean log10 probability of tokens and line ends) by the "
             "KenLM model of the language; lower is closer to the model's text; null: no model"),
    optional("perplexity_line_median", _FLOAT, "Perplexity at or below which half of the tokens' "
             "lines lie"),
    optional("perplexity_line_p90", _FLOAT, "The same of nine tenths; finds pages of which a part "
             "is bad"),
    optional("oov_frac", _FLOAT, "Tokens unknown to that model / tokens"),
)  # fmt: skip

MEASURES = Table(
    name="measures",
    doc="One row a page: measurements only, no text. A threshold can change without text.",
    columns=pa.schema([
        *_KEY,
        column("language", _STRING, "ISO 639 code by fastText lid.176; `und` where none is found"),
        column("language_score", _FLOAT, "Its probability, 0..1"),
        optional("language_2", _STRING, "Second likeliest language"),
        optional("language_2_score", _FLOAT, "Its probability"),
        optional("language_3", _STRING, "Third likeliest language"),
        optional("language_3_score", _FLOAT, "Its probability"),
        optional("line_language_frac", _FLOAT, "Share of the long lines' characters in the "
                 "document's language, by sample; null: none is known"),
        optional("n_line_languages", _INT, "Languages with at least 5 % of them"),
        optional("second_line_language", _STRING, "Most frequent of those but the document's; "
                 "null: none"),
        column("n_words", _INT, "Whitespace-separated words"),
        column("n_lines", _INT, "Non-blank lines"),
        column("n_bytes", _LONG, "UTF-8 bytes of the text"),
        optional("n_stop_words", _INT, "Occurrences of stop words of `language`; null: no list"),
        optional("n_distinct_stop_words", _INT, "How many different ones it has; null: no list"),
        *SIGNALS,
        *SCRIPTS,
        *CODE_AND_LICENCES,
        *PII,
        *URL_SIGNALS,
        *PERPLEXITY,
        optional("benchmark_frac", _FLOAT, "Share of words in n-grams of the items of "
                 "`measure.benchmarks`; null: none are named"),
        column("guests", pa.map_(_STRING, _STRING), "Verdict of each guest filter by its name: "
               "empty where it keeps the page, else its reason; `error: CLASS` where it raised"),
        column("content_hash", _STRING, "128-bit hash of the text with white space squeezed and "
               "letters lower-cased, hex"),
        column("text_hash", _STRING, "128-bit hash of the text as it stands, hex"),
        column("bands", pa.list_(pa.field("element", _LONG, nullable=False)),
               "One 64-bit hash an LSH band; empty where the text is shorter than a shingle"),
    ]),
    key=("doc_id",),
    partition_by=("crawl", "chunk"),
)  # fmt: skip

_BATCH = column("batch", _LONG, "Attempt of s03 that wrote the row; `dedup_batches` says which "
                "batches count")  # fmt: skip

DEDUP_BATCHES = Table(
    name="dedup_batches",
    doc="One row a chunk that a finished batch of s03 compared with all before it. What a batch "
    "wrote counts from here on; a batch with another `base` began from nothing.",
    columns=pa.schema([
        _BATCH,
        column("base", _LONG, "First batch whose rows count together with this one's"),
        column("settings", _STRING, "Fingerprint of the settings that decide what is alike"),
        optional("chunk", _STRING, "Chunk that was new in this batch; null: it had none"),
        optional("measured", _STRING, "Fingerprint of s02 for the chunk; `taken_down` where a "
                 "document that others match was removed: the next batch begins from nothing"),
        column("documents_version", _LONG, "Delta version of `documents` that the batch, or a "
               "takedown after it, left"),
    ]),
    key=("batch", "chunk"),
)  # fmt: skip

DEDUP_KEYS = Table(
    name="dedup_keys",
    doc="The band table: one row a distinct key, with the first document that had it. Later crawls "
    "are compared with it, without reading text.",
    columns=pa.schema([
        _BATCH,
        column("kind", _STRING, "exact | url | band"),
        column("key", _LONG, "Hash of a band, or upper half of the hash of text or URL"),
        column("key_low", _LONG, "Lower half; 0 for a band"),
        column("doc_id", _STRING, "The document"),
    ]),
    key=("kind", "key", "key_low"),
    partition_by=("batch",),
)  # fmt: skip

PAIRS = Table(
    name="pairs",
    doc="Which document was found to match which, and why. Without verification a document is "
    "paired with the first that had the key, not with all others.",
    columns=pa.schema([
        _BATCH,
        column("doc_id", _STRING, "A document"),
        column("other_id", _STRING, "The one that it matches"),
        column("kind", _STRING, "exact | url | band"),
        column("n_keys", _INT, "Keys that they share: bands, or 1"),
        optional("jaccard", _FLOAT, "Exact similarity of their shingles; null: not verified. Below "
                 "dedup.min_jaccard the pair was a false candidate"),
    ]),
    key=("doc_id", "other_id", "kind"),
    partition_by=("batch",),
)  # fmt: skip

DEDUP_COMPONENTS = Table(
    name="dedup_components",
    doc="Component of every document that matches another. The latest row of a document counts, "
    "among the batches that do.",
    columns=pa.schema([
        _BATCH,
        column("doc_id", _STRING, "A document"),
        column("cluster_id", _STRING, "Least doc_id of its component"),
    ]),
    key=("batch", "doc_id"),
    partition_by=("batch",),
)  # fmt: skip

CLUSTERS = Table(
    name="clusters",
    doc="One row a document that has duplicates: its cluster, and who survives.",
    columns=pa.schema([
        *_KEY,
        column("cluster_id", _STRING, "Least doc_id of the cluster"),
        column("survivor_id", _STRING, "doc_id of the copy that is kept"),
        column("fate", _STRING, "survivor | exact_duplicate | near_duplicate | url_duplicate"),
        column("n_members", _INT, "Documents of the cluster"),
    ]),
    key=("doc_id",),
    partition_by=("crawl",),
)  # fmt: skip

SPANS = Table(
    name="spans",
    doc="One row a span that was cut: a longest run of tokens in windows that occur earlier in the "
    "corpus. Empty where dedup.substring_tokens is 0.",
    columns=pa.schema([
        *_KEY,
        column("start_token", _INT, "Its first token, from 0, in the text as extracted"),
        column("end_token", _INT, "The token behind its last"),
        column("start_char", _INT, "Its first character, in code points"),
        column("end_char", _INT, "The character behind its last"),
        column("n_tokens", _INT, "Tokens"),
        column("source_doc_id", _STRING, "Document of the first copy of its first window; may be "
               "the same"),
    ]),
    key=("doc_id", "start_token"),
    partition_by=("crawl",),
)  # fmt: skip

SURVIVOR_CHANGES = Table(
    name="survivor_changes",
    doc="What each batch of s03 changed in `documents`, against the last finished one.",
    columns=pa.schema([
        _BATCH,
        *_KEY,
        column("change", _STRING, "added | displaced (a duplicate now) | cut (its text is repeated "
               "elsewhere) | gone (no longer measured) | moved (in another chunk now) | recut "
               "(other spans are cut from it, or none)"),
        optional("survivor_id", _STRING, "Of a displaced document: the one that is kept"),
    ]),
    key=("batch", "doc_id"),
    partition_by=("batch",),
)  # fmt: skip

DOMAIN_REPETITION = Table(
    name="domain_repetition",
    doc="One row a surviving document: how much of it its domain repeats. Filled where "
    "dedup.domain_documents is set.",
    columns=pa.schema([
        *_KEY,
        column("domain_line_frac", _FLOAT, "Characters in lines that at least so many documents of "
               "the domain have / in all lines"),
        column("domain_paragraph_frac", _FLOAT, "The same of paragraphs"),
        column("n_domain_lines", _LONG, "Distinct lines of the document that its domain repeats"),
    ]),
    key=("doc_id",),
    partition_by=("crawl",),
)  # fmt: skip

DOCUMENTS = Table(
    name="documents",
    doc="One row a page that survives deduplication.",
    columns=pa.schema([
        *_KEY,
        column("url", _STRING, "WARC-Target-URI"),
        column("host", _STRING, "Host of the URL"),
        optional("warc_date", _TIME, "WARC-Date"),
        column("language", _STRING, "As in `measures`"),
        column("language_score", _FLOAT, "As in `measures`"),
        column("n_words", _INT, "As in `measures`"),
        column("n_bytes", _LONG, "As in `measures`"),
        column("math_frac", _FLOAT, "As in `measures`"),
        column("record_id", _STRING, "WARC-Record-ID"),
        column("title", _STRING, "Title of the page"),
        column("text", _STRING, "Main text"),
    ]),
    key=("doc_id",),
    partition_by=("crawl", "chunk"),
)  # fmt: skip

SCORES = Table(
    name="scores",
    doc="One row a document that was looked at by the models of `score.members`.",
    columns=pa.schema([
        *_KEY,
        column("models", _STRING, "Fingerprint of the models and settings that gave the scores"),
        column("text_hash", _LONG, "xxHash64 of the text that was read: another is scored again"),
        column("scores", pa.map_(_STRING, _FLOAT),
               "Numbers by column of `score.members`, e.g. `scores['edu']`; absent: no score"),
        column("classes", pa.map_(_STRING, _STRING),
               "Likeliest class by column, e.g. `classes['domain']`"),
        column("reasons", pa.map_(_STRING, _STRING),
               "Why a member has no score, by member; empty: all have"),
        optional("error", _STRING, "Why no member at all has a score; null: one has"),
        column("n_halvings", _INT, "Batches cut in two because they did not fit in memory, counted "
               "at the first document of the rows that were scored together"),
    ]),
    key=("doc_id",),
    partition_by=("crawl", "chunk"),
)  # fmt: skip

BUCKET_EDGES = Table(
    name="bucket_edges",
    doc="The 19 cuts of each member of the ensemble, by crawl and language: weighted 5th, 10th, "
    "... 95th percentiles. Those of earlier batches stay, and can be applied again.",
    columns=pa.schema([
        column("batch", _LONG, "Attempt of s05 that made the cuts"),
        column("crawl", _STRING, "Crawl whose scores were cut"),
        column("language", _STRING, "Language of the documents"),
        column("member", _STRING, "Column of `scores.scores`; mean_rank or logistic: of all"),
        optional("combines", _STRING, "What a score of all is made of: its members, or the hash of "
                 "the logistic combination; null: a member's own"),
        column("models", _STRING, "As in `scores`: cuts are good for scores of these models alone"),
        column("weight", _STRING, "bytes | documents | tokens"),
        column("edges", pa.list_(pa.field("element", _FLOAT, nullable=False)),
               "Ascending; a score equal to an edge lies above it"),
        column("n_documents", _LONG, "Documents that have the score"),
        column("n_drawn", _LONG, "Of these, documents that the cuts come from"),
        column("max_error", _DOUBLE, "By how much the share of weight at a cut may be off, but for "
               "a probability of 1e-6: Bernstein's inequality; 0: all were taken"),
    ]),
    key=("batch", "crawl", "language", "models", "member"),
)  # fmt: skip

TOO_TOXIC, BENCHMARK_TEXT = "toxic", "benchmark_text"
"""The reasons in `labels` of a text that is over `label.max_toxicity`, or that shares more than
`label.max_benchmark_frac` with benchmark items: no label is exempt of these."""

LABELS = Table(
    name="labels",
    doc="One row a scored document: buckets, label, and whether the heuristics keep it.",
    columns=pa.schema([
        *_KEY,
        column("label", _STRING, "high | medium-high | medium | medium-low | low"),
        column("bucket", _INT, "0..19, by the ensemble"),
        column("buckets", pa.map_(_STRING, _INT), "0..19 by member that tells documents apart: "
               "`buckets['edu']`"),
        column("cuts", _LONG, "Batch of `bucket_edges` whose cuts were applied"),
        column("cuts_crawl", _STRING, "Crawl of these cuts"),
        optional("toxicity", _FLOAT, "The score of that name; null: none"),
        optional("domain", _STRING, "The class of that name; null: none"),
        optional("speech", _STRING, "The class of that name; null: none"),
        column("keep", pa.bool_(), "Goes on to synthesis and the blend"),
        optional("drop_reason", _STRING, "First rule that drops it; null: kept"),
        column("drop_reasons", pa.list_(pa.field("element", _STRING, nullable=False)),
               "Every rule that fails, in order, also where its label is exempt"),
    ]),
    key=("doc_id",),
    partition_by=("crawl",),
)  # fmt: skip

LABEL_DRIFT = Table(
    name="label_drift",
    doc="Documents by the label that earlier cuts give them, and the one that theirs give.",
    columns=pa.schema([
        column("crawl", _STRING, "Crawl of the documents"),
        column("language", _STRING, "Their language"),
        column("against", _STRING,
               "crawl: the cuts of the crawl before it | batch: its own cuts of the batch before"),
        column("cuts", _LONG, "Batch of the earlier cuts"),
        column("cuts_crawl", _STRING, "Crawl of the earlier cuts"),
        column("label_before", _STRING, "Label by the earlier cuts"),
        column("label", _STRING, "Label, as in `labels`"),
        column("n_documents", _LONG, "Documents"),
        column("n_words", _LONG, "Their words"),
    ]),
    key=("crawl", "language", "against", "cuts", "cuts_crawl", "label_before", "label"),
)  # fmt: skip

_PROMPTED = (
    column("stage", _STRING, "s06_rephrase | s07_dialogue | s07a_judge"),
    column("task", _STRING, "Prompt name: a kind or a dialogue style"),
    column("doc_id", _STRING, "Document that the segment is from"),
    column("crawl", _STRING, "Crawl of the document"),
    column("segment", _INT, "Number of the segment in the document, from 0; a gap: text between"),
    column("prompt_version", _STRING, "Hash of the prompt's file"),
    column("model", _STRING, "Generator"),
    column("revision", _STRING, "Hash of the generator's files"),
    column(
        "sampling",
        _STRING,
        "JSON of what else decides an answer: temperature, top_p, seed, engine and its settings",
    ),
)

REQUESTS = Table(
    name="requests",
    doc="One row a question for the generator, planned before any is asked.",
    columns=pa.schema([
        column("request_id", _STRING, "Hash of all that determines the answer"),
        *_PROMPTED,
        column("n_text_tokens", _INT, "Tokens of the segment, by the generator's tokenizer"),
        column("max_output_tokens", _INT, "Cap on the answer"),
        column("text", _STRING, "The segment"),
    ]),
    key=("request_id",),
    partition_by=("stage",),
)  # fmt: skip

GENERATIONS = Table(
    name="generations",
    doc="One row an answer of the generator, as it came; `synthetic` is made from it by parsing.",
    columns=pa.schema([
        column("request_id", _STRING, "As in `requests`"),
        *_PROMPTED,
        column("finish_reason", _STRING, "stop | length | error"),
        optional("error", _STRING, "What went wrong; null: nothing"),
        column("n_input_tokens", _INT, "Tokens of the prompt"),
        column("n_output_tokens", _INT, "Tokens of the answer"),
        column("seconds", _FLOAT, "Share of the engine's time"),
        column("raw", _STRING, "The answer, unparsed"),
    ]),
    key=("request_id",),
    partition_by=("stage",),
)  # fmt: skip

VERDICTS = Table(
    name="verdicts",
    doc="One row a request that has an answer: what parsing made of it. Made anew from the raw "
    "answers by each run of the stage.",
    columns=pa.schema([
        column("request_id", _STRING, "As in `requests`"),
        *(one for one in _PROMPTED if one.name not in ("revision", "sampling")),
        column("n_output_tokens", _INT, "Tokens of the answer"),
        column("verdict", _STRING, "accepted | rejected"),
        optional("reason", _STRING, "Its fault, or the engine's; null: accepted"),
        column("n_numbers", _INT, "Numbers of what was generated"),
        column("n_source_numbers", _INT, "Those of them that the segment has"),
    ]),
    key=("request_id",),
    partition_by=("stage",),
)  # fmt: skip

SYNTHETIC = Table(
    name="synthetic",
    doc="One row a text made from accepted answers.",
    columns=pa.schema([
        column("synthetic_id", _STRING, "Hash of the request ids it is made from"),
        column("doc_id", _STRING, "Document that it is made from"),
        column("crawl", _STRING, "Crawl of the document"),
        column("stage", _STRING, "s06_rephrase | s07_dialogue"),
        column("task", _STRING, "Prompt name"),
        column("kind2", _STRING, "Name of the kind in the published layout"),
        column("label", _STRING, "Quality label of the document"),
        column("prompt_version", _STRING, "Hash of the prompt's file"),
        column("model", _STRING, "Generator"),
        column("n_tokens", _LONG, "Generator's tokens of the answers"),
        column("request_ids", pa.list_(pa.field("element", _STRING, nullable=False)),
               "The requests, in order of segments"),
        optional("segment", _INT, "Number of the segment; null: joined from all of a document"),
        optional("number_faithfulness", _FLOAT, "Share of the generated numbers that the source "
                 "has; null: none were generated"),
        column("text", _STRING, "The text"),
    ]),
    key=("synthetic_id",),
    partition_by=("stage",),
)  # fmt: skip

JUDGEMENTS = Table(
    name="judgements",
    doc="One row a text of `synthetic` that a judge model was asked about, see `judge.enabled`. "
    "Made anew from the raw answers by each run of the stage.",
    columns=pa.schema([
        column("synthetic_id", _STRING, "As in `synthetic`"),
        column("request_id", _STRING, "The question, as in `requests`"),
        column("doc_id", _STRING, "As in `synthetic`"),
        column("crawl", _STRING, "As in `synthetic`"),
        column("task", _STRING, "Prompt of the text, not the judge's"),
        column("model", _STRING, "The judge"),
        column("prompt_version", _STRING, "Hash of the judge's prompt"),
        optional("judge_score", _INT, "Its grade, 1 (useless) to 5 (faithful and clear); null: it "
                 "gave none"),
        optional("fault", _STRING, "engine_error | unreadable; null: none"),
    ]),
    key=("synthetic_id",),
)  # fmt: skip

SYNTHETIC_MEASURES = Table(
    name="synthetic_measures",
    doc="One row a text of `synthetic`: what it is like, beside its source, and whether the gates "
    "keep it. Where a text begins with its source, its own part is measured against that.",
    columns=pa.schema([
        column("synthetic_id", _STRING, "As in `synthetic`"),
        column("doc_id", _STRING, "As in `synthetic`"),
        column("crawl", _STRING, "As in `synthetic`"),
        column("stage", _STRING, "As in `synthetic`"),
        column("task", _STRING, "As in `synthetic`"),
        column("n_words", _INT, "Words of its own: runs of letters and digits"),
        column("length_ratio", _FLOAT, "These over the words of the source"),
        column("language", _STRING, "Language of its own part"),
        column("language_score", _FLOAT, "How sure, 0..1"),
        column("language_kept", _INT, "1: the language of the document; 0: another"),
        column("copied_frac", _FLOAT, "Share of its own words in runs of 8 that the source has"),
        column("unique_line_frac", _FLOAT, "As in `measures`"),
        column("top_3gram_frac", _FLOAT, "As in `measures`"),
        column("dup_8gram_frac", _FLOAT, "As in `measures`"),
        column("n_stock_phrases", _INT, "Refusals and talk about the task that the source lacks"),
        optional("name_frac", _FLOAT, "Share of its names that the source has; null: it has none"),
        column("n_new_pii", _INT, "Personal data beyond what the source has, by kind and number"),
        column("benchmark_frac", _FLOAT, "Share of words in n-grams of benchmark items, see "
               "`measure.benchmarks`"),
        optional("judge_score", _INT, "As in `judgements`; null: none"),
        column("content_hash", _STRING, "As in `measures`"),
        column("bands", pa.list_(pa.field("element", _LONG, nullable=False)), "As in `measures`"),
        optional("duplicate_of", _STRING, "A document, or a text with a lower id, that is alike; "
                 "null: none is"),
        optional("duplicate_kind", _STRING, "real | synthetic; null: no duplicate"),
        column("keep", pa.bool_(), "Whether it goes into the blend"),
        column("drop_reasons", pa.list_(pa.field("element", _STRING, nullable=False)),
               "All gates that it fails, in order"),
    ]),
    key=("synthetic_id",),
    partition_by=("stage",),
)  # fmt: skip

PUBLISHED = Table(
    name="published",
    doc="One row a line of the files of `blend.published`. One that does not go on has no text.",
    columns=pa.schema([
        column("id", _STRING, "`id` of the line, else a hash of its record id, URL and text"),
        column("doc_id", _STRING, "Hash of the WARC record id, as in `pages`; `id` where the line "
               "names no record"),
        column("crawl", _STRING, "Crawl id of the file's name; a partition"),
        column("corpus", _STRING, "Name that `blend.published` gives the files"),
        column("file", _STRING, "The file"),
        column("line", _LONG, "Number of the line in it, from 1"),
        column("files", _STRING, "Fingerprint of all the files, by name, size and time: others are "
               "read anew"),
        column("warc_record_id", _STRING, "As published; empty: not told"),
        column("url", _STRING, "As published; empty: not told"),
        column("url_normalized", _STRING, "As in `pages`"),
        column("host", _STRING, "Host of the URL"),
        column("language", _STRING, "Its language, `eng` as `en`"),
        column("quality", _STRING, "Of the file's path"),
        column("kind", _STRING, "Of the file's path"),
        column("kind2", _STRING, "Of the file's path"),
        column("n_words", _LONG, "Whitespace-separated words"),
        optional("drop_reason", _STRING, "no_text | taken_down; null: goes on, unless an earlier "
                 "line, or a text of the run's own, has its id"),
        column("text", _STRING, "The text"),
    ]),
    key=("file", "line"),
    partition_by=("crawl",),
)  # fmt: skip

SELECTION = Table(
    name="selection",
    doc="One row a text that `blend.select` judged: its weight, its key, and whether it was "
    "chosen. Empty where nothing is selected.",
    columns=pa.schema([
        column("id", _STRING, "As in `blend`"),
        column("doc_id", _STRING, "Document that the text is, or is made from"),
        column("source", _STRING, "Source before small ones are merged"),
        column("stratum", _INT, "s: 2^(s-1) to 2^s - 1 tokens, 0: none; without "
               "`blend.select.strata`: 0"),
        column("n_tokens", _LONG, "Words and runs of other marks"),
        column("log_weight", _DOUBLE, "DSIR: sum over n-grams of ln(p target / p raw); nats"),
        column("key", _DOUBLE, "Score, by `blend.select.score`, plus Gumbel noise of the id: the "
               "largest of a source and stratum are chosen"),
        column("chosen", pa.bool_(), "Whether it may go into the blend"),
    ]),
    key=("id",),
)  # fmt: skip

SELECTION_MIX = Table(
    name="selection_mix",
    doc="One row a source that `blend.select` chose from, before small ones are merged.",
    columns=pa.schema([
        column("source", _STRING, "The source"),
        column("n_documents", _LONG, "Texts that there are"),
        column("n_chosen", _LONG, "Texts chosen"),
        column("n_target", _LONG, "Texts of the target: of all sources, the same in each row"),
        optional("kl_random", _DOUBLE, "KL of the target's hashed n-grams to those of all texts, "
               "which a draw by chance has; nats; null: none has one"),
        optional("kl_chosen", _DOUBLE, "The same to those of the chosen texts; null: none has an "
                 "n-gram"),
        column("n_counted", _LONG, "Chosen texts whose n-grams were counted for it: all, or of "
               "over a million some, by the hash of their ids"),
    ]),
    key=("source",),
)  # fmt: skip

BLEND = Table(
    name="blend",
    doc="One row a copy of a text in the blend. Plain Parquet under `blend/`, laid out as the "
    "published Nemotron-CC: quality=/kind=/kind2=.",
    columns=pa.schema([
        column("id", _STRING, "doc_id of a real text, synthetic_id of a made one; of published "
               "ones as in `published`"),
        column("copy", _INT, "0, 1, ...: which repeat"),
        column("order", _LONG, "Place in the blend's global order: least first, uniform over all "
               "64-bit numbers; copies of a text are far apart"),
        column("source", _STRING, "Source that it was taken as, a row of `blend_mix`"),
        column("warc_record_id", _STRING, "Record that the text comes from in the end"),
        column("url", _STRING, "Its URL"),
        column("crawl", _STRING, "Crawl that it is of"),
        column("language", _STRING, "Its language"),
        column("n_words", _LONG, "Whitespace-separated words"),
        column("quality", _STRING, "Quality label; partition"),
        column("kind", _STRING, "actual | synthetic; partition"),
        column("kind2", _STRING, "actual, or the kind of generation; partition"),
        column("text", _STRING, "The text"),
    ]),
    key=("id", "copy"),
    partition_by=("quality", "kind", "kind2"),
)  # fmt: skip

BLEND_MIX = Table(
    name="blend_mix",
    doc="One row a source of the last blend: what there was, what was planned, what was written. A "
    "takedown leaves it as it was.",
    columns=pa.schema([
        column("source", _STRING, "quality/kind/kind2, or the attributes of `blend.sources`, as "
               "`quality=high,domain=Science`; `other`: small ones merged"),
        column("merged_from", pa.list_(pa.field("element", _STRING, nullable=False)),
               "Sources below `blend.min_source_frac` that were merged into it"),
        column("n_documents", _LONG, "Texts that there are, each once"),
        column("n_words", _LONG, "Their words"),
        column("natural_share", _DOUBLE, "Their part of all words that there are, 0..1"),
        column("share", _DOUBLE, "Planned part of the words of the blend, 0..1"),
        column("words", _DOUBLE, "Planned words, repeats included"),
        column("epochs", _DOUBLE, "Planned repeats: words / n_words"),
        column("n_copies", _LONG, "Rows written to `blend`"),
        column("n_words_written", _LONG, "Words written; off the plan as texts are drawn whole"),
        column("n_effective", _DOUBLE, "Of the whole blend: exp(entropy of share); so many equal "
               "sources would be as even"),
        column("total_variation", _DOUBLE, "Of the whole blend: half the sum of |share - "
               "natural_share|, the part that was moved, 0..1"),
        column("kl_nats", _DOUBLE, "Of the whole blend: sum of share * ln(share / natural_share)"),
    ]),
    key=("source",),
)  # fmt: skip

SHARDS = Table(
    name="shards",
    doc="One row a token shard. The files lie under `tokens/`, described by one manifest.json.",
    columns=pa.schema([
        column("shard", _INT, "Number of the shard, from 0"),
        column("name", _STRING, "File name without suffix"),
        column("n_documents", _LONG, "Documents"),
        column("n_tokens", _LONG, "Tokens, end-of-document tokens included"),
        column("n_sequences", _LONG, "Packed sequences"),
        column("n_cuts", _LONG, "Places where a document is cut between two packed sequences"),
        column("sha256_bin", _STRING, "Hash of NAME.bin"),
        column("sha256_idx", _STRING, "Hash of NAME.idx"),
        column("sha256_parquet", _STRING, "Hash of NAME.parquet"),
    ]),
    key=("shard",),
)  # fmt: skip

TOMBSTONES = Table(
    name="tombstones",
    doc="What `curation takedown` has removed, for good: s01 turns a record that one of these rows "
    "names into a reject `taken_down`. Copied into another run's folder, they hold there too.",
    columns=pa.schema([
        column("kind", _STRING, "url | domain | doc_id"),
        column("value", _STRING, "The URL, spelt as `pages.url_normalized`; the domain, which "
               "stands for itself and all names below it; or the doc_id"),
        optional("duplicate_of", _STRING, "The doc_id whose duplicate at this URL it was taken "
                 "with; null: it was asked for by name"),
        column("reason", _STRING, "Why, as given with --reason; empty where nothing was given"),
        column("asked_at", _TIME, "When it was asked for"),
        optional("done_at", _TIME, "When every row was removed; null: not yet, and the next run or "
                 "takedown does it first"),
    ]),
    key=("kind", "value"),
)  # fmt: skip

TABLES: tuple[Table, ...] = (
    ATTEMPTS, FUNNEL, LEDGER, PAGES, REJECTS, MEASURES, DEDUP_KEYS, PAIRS, DEDUP_COMPONENTS,
    CLUSTERS, SPANS, SURVIVOR_CHANGES, DOCUMENTS, DOMAIN_REPETITION, DEDUP_BATCHES, SCORES,
    BUCKET_EDGES, LABELS, LABEL_DRIFT, REQUESTS, GENERATIONS, VERDICTS, SYNTHETIC,
    JUDGEMENTS, SYNTHETIC_MEASURES, PUBLISHED, SELECTION, SELECTION_MIX, BLEND, BLEND_MIX, SHARDS,
    TOMBSTONES,
)  # fmt: skip
"""Every table of a run, in the order in which the flow fills them."""
