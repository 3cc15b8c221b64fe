"""Files of the published form as texts of the blend: found, read line by line. Pure.

A file lies in `quality=Q/kind=K/kind2=K2/` and is called `CRAWL-part-NNNNN.jsonl.zstd`, or has a
name of its own; a line is an object with a `text`. `curation/publish` writes the same form.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.config import fingerprint
from curation.crawl.doc_ids import doc_id_of, hex_hash
from curation.crawl.urls import host_of, normalized_url
from curation.errors import InputError
from curation.publish.files import language_of, read_part
from curation.schemas import PUBLISHED

NO_TEXT = "no_text"
"""Why a line does not go on."""

_PLACE = re.compile(r"(?:^|/)quality=([^/]+)/kind=([^/]+)/kind2=([^/]+)/[^/]+$")
_CRAWL = re.compile(r"(.+)-part-[0-9]+\.")
_OURS = "copy"
"""Field of the lines that `curation publish` writes; their ids are those of a run."""
_BATCH_ROWS, _BATCH_CHARS = 512, 8_000_000


@dataclass(frozen=True)
class PublishedFile:
    """A file, and what its place says of its texts."""

    path: str
    n_bytes: int
    mtime_ns: int
    corpus: str
    crawl: str
    quality: str
    kind: str
    kind2: str


def list_published(patterns: Mapping[str, Sequence[str]], crawl: str) -> list[PublishedFile]:
    """The files of every corpus of `patterns`, sorted by path.

    Args:
        patterns: Paths or patterns, `**` included, by the name of the corpus.
        crawl: Crawl of a file whose name does not say one.

    Raises:
        InputError: a pattern matches nothing, a file is of two corpora, or does not lie in
            `quality=Q/kind=K/kind2=K2/`.
    """
    found: dict[str, PublishedFile] = {}
    for corpus, listed in patterns.items():
        for path in (path for pattern in listed for path in files_of(pattern, "blend.published")):
            file = _file(path, corpus, crawl)
            if found.setdefault(path, file).corpus != corpus:
                raise InputError(f"blend.published: {path} is of {found[path].corpus} and {corpus}")
    return [found[path] for path in sorted(found)]


def files_of(pattern: str, setting: str) -> list[str]:
    """Absolute paths of the files that `pattern` matches.

    Raises:
        InputError: there is none.
    """
    paths = sorted(path for path in glob.glob(pattern, recursive=True) if Path(path).is_file())  # noqa: PTH207
    if not paths:
        raise InputError(f"{setting}: no file matches {pattern}; check the path")
    return [str(Path(path).absolute()) for path in paths]


def _file(path: str, corpus: str, crawl: str) -> PublishedFile:
    place, named, about = _PLACE.search(path), _CRAWL.match(Path(path).name), Path(path).stat()
    if place is None:
        raise InputError(
            f"blend.published: {path} must lie in quality=Q/kind=K/kind2=K2/, which say what its "
            "texts are"
        )
    size = (about.st_size, about.st_mtime_ns)
    return PublishedFile(path, *size, corpus, named[1] if named else crawl, *place.groups())


def print_of(files: Sequence[PublishedFile]) -> str:
    """A fingerprint of `files`; of other files, or of changed ones, it is another."""
    return fingerprint([astuple(file) for file in files])


def read_rows(file: PublishedFile, files: str) -> Iterator[pa.RecordBatch]:
    """Rows of PUBLISHED of the lines of `file`, in their order; `files` is `print_of` all.

    Raises:
        InputError: the file is cut short, or a line is no object with a text.
    """
    rows: list[dict[str, Any]] = []
    n_chars = 0
    for number, line in enumerate(read_part(Path(file.path)), start=1):
        rows.append(_row(line, number, file) | {"files": files})
        n_chars += len(rows[-1]["text"])
        if len(rows) == _BATCH_ROWS or n_chars > _BATCH_CHARS:
            yield pa.RecordBatch.from_pylist(rows, schema=PUBLISHED.columns)
            rows, n_chars = [], 0
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=PUBLISHED.columns)


def texts_of(path: str) -> list[str]:
    """The field `text` of every line of a file.

    Raises:
        InputError: as for `read_rows`.
    """
    lines = enumerate(read_part(Path(path)), start=1)
    return [_text(line, number, path) for number, line in lines]


def _text(line: dict[str, Any], number: int, path: str) -> str:
    text = line.get("text")
    if not isinstance(text, str):
        raise InputError(f"{path}: line {number} has no `text`")
    return _paired(text)


def _row(line: dict[str, Any], number: int, file: PublishedFile) -> dict[str, Any]:
    text = _text(line, number, file.path)
    record, url = _told(line, "warc_record_id"), _told(line, "url")
    id_ = _told(line, "id")
    if not id_ or _OURS not in line:  # numbers of a file's own say nothing in another one
        id_ = hex_hash("\0".join((*((file.corpus, id_) if id_ else ()), record, url, text)))
    spelled = normalized_url(url) if url else ""
    return {
        "id": id_, "doc_id": doc_id_of(record) if record else id_, "crawl": file.crawl,
        "corpus": file.corpus, "file": file.path, "line": number, "warc_record_id": record,
        "url": url, "url_normalized": spelled, "host": host_of(spelled),
        "language": language_of(_told(line, "language")), "quality": file.quality,
        "kind": file.kind, "kind2": file.kind2, "n_words": len(text.split()),
        "drop_reason": None if text.strip() else NO_TEXT, "text": text,
    }  # fmt: skip


def _told(line: dict[str, Any], name: str) -> str:
    value = line.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _paired(value) if isinstance(value, str) else ""


def _paired(text: str) -> str:
    """`text` with U+FFFD for half of a surrogate pair, which JSON may spell but no file holds."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
