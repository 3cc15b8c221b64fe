"""Ids of documents: hashes of the WARC record id, the same for whoever reads the record."""

from __future__ import annotations

import hashlib
import re

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def hex_hash(value: str) -> str:
    """32 hex digits of BLAKE2b; half of a surrogate pair, which JSON may spell, is hashed too."""
    return hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def doc_id_of(record_id: str) -> str:
    """`doc_id` of the first document of a file that has this WARC record id.

    WARC files spell it `<urn:uuid:...>`; published files may give the bare UUID.
    """
    is_bare = _UUID.fullmatch(record_id)
    return hex_hash(f"<urn:uuid:{record_id}>" if is_bare else record_id)
