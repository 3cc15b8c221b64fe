"""Pages with their marked main text, and the split of their domains."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from publicsuffixlist import PublicSuffixList

from curation.crawl.warc import WarcRecord, read_records
from curation.extract.decode import decode
from models.extractor.align import WORD

HELD_OUT_PERCENT = 22
_SPLIT_SEED = "fast-v1:"
_FOLD_SEED = "fold:"


@dataclass(frozen=True)
class GoldPage:
    """A page and what people marked in it; `must` must and `must_not` must not be in its text."""

    sha1: str
    url: str
    domain: str
    page_type: str
    """Empty where nobody told."""
    html: str
    main_text: str
    """Empty where only snippets were marked."""
    must: tuple[str, ...]
    must_not: tuple[str, ...]

    @property
    def is_held_out(self) -> bool:
        """Whether the page's domain is among those that nothing is tuned or trained on."""
        return _hash(_SPLIT_SEED + self.domain) % 100 < HELD_OUT_PERCENT

    def fold(self, n_folds: int) -> int:
        """Fold of the page's domain."""
        return _hash(_FOLD_SEED + self.domain) % n_folds


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big")


def load_pages(warc_glob: str, gold_path: Path) -> list[GoldPage]:
    """The pages of the WARC files that the gold file has a row for, in the order of the files.

    Rows are found by the SHA-1 of the payload; of several rows for one payload the last counts.
    """
    with gzip.open(gold_path, "rt", encoding="utf-8") as lines:
        rows = {row["sha1"]: row for row in map(json.loads, lines)}
    pages = []
    for path in warc_files(warc_glob):
        for record in read_records(str(path)):
            if isinstance(record, WarcRecord) and record.record_type == "response":
                digest = hashlib.sha1(record.payload, usedforsecurity=False).hexdigest()
                if digest in rows:
                    pages.append(_page(record, rows[digest]))
    return pages


def warc_files(pattern: str) -> list[Path]:
    """Files that `pattern` means, by name; wildcards in the last part only."""
    return sorted(Path(pattern).parent.glob(Path(pattern).name))


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def domain_of(url: str) -> str:
    """Domain that the split goes by: registered, private suffixes such as `github.io` included."""
    host = urlsplit(url).hostname or ""
    return _suffixes().privatesuffix(host) or host


def _page(record: WarcRecord, row: dict[str, Any]) -> GoldPage:
    return GoldPage(
        sha1=row["sha1"],
        url=record.url,
        domain=domain_of(record.url),
        page_type=row.get("page_type") or "",
        html=decode(record.payload, record.http_charset).text,
        main_text=row.get("main_text") or "",
        must=tuple(row.get("must") or ()),
        must_not=tuple(row.get("must_not") or ()),
    )


def word_f1(text: str, gold: str) -> float:
    """F1 of the words of `text` as a multiset against those of `gold`, 0..1."""
    return count_f1(Counter(words_in(text)), Counter(words_in(gold)))


def words_in(text: str) -> list[str]:
    """Words as the F1 counts them."""
    return WORD.findall(text.lower())


def count_f1(counts: Counter[str], gold: Counter[str]) -> float:
    """F1 of two multisets of words; 0 where both are empty."""
    n_both = (counts & gold).total()
    return 2 * n_both / max(1, counts.total() + gold.total())


def digest_of(paths: Sequence[Path]) -> str:
    """First 16 hex digits of the SHA-256 over the files' contents, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
