"""An HTTP response as bytes -> status, media type, charset, and the payload without its codings."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

from fastwarc.stream_io import BrotliReader, WarcReader, ZstdReader

MAX_PAYLOAD_BYTES = 1 << 26
"""Most bytes that a payload may become when it is decompressed; the rest is cut off."""

HEAD_END = re.compile(rb"\n\r*\n")
"""Where the head of a response or the header of a record ends."""

_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})\b")
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]+)""", re.IGNORECASE)
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_FOLD = re.compile(r"\r?\n[ \t]+")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")
_CUT_SIZE = re.compile(rb"\r?|[0-9A-Fa-f]{1,8}[ \t]*(?:;[^\n]*)?\r?")
"""What may be left where data end between two chunks, or within the size of one."""
_LINE_END = re.compile(rb"\r?\n")


class HttpResponse(NamedTuple):
    """An HTTP response."""

    status: int | None
    content_type: str
    charset: str | None
    payload: bytes
    undecodable: str | None
    """Why `payload` is still encoded; None where it is not."""
    cut: str | None = None
    """Why `payload` is only the first part of the body, by its chunks; None where it is all."""


class _Undecodable(Exception):
    """A payload is not what the response's headers say."""


def parse_response(block: bytes) -> HttpResponse | None:
    """The response that `block` holds; None where it does not begin with an HTTP status line."""
    head, body = split_head(block)
    return response_of(head, body) if head else None


def response_of(head: bytes, body: bytes) -> HttpResponse:
    """The response with a `head` and a `body` as they came over the wire.

    Transfer and content codings are undone where the payload really has them: crawlers often undo
    them and leave the headers as they were.
    """
    status_line, _, rest = head.decode("latin-1").partition("\n")
    fields = _fields_of_payload(rest)
    cut = undecodable = None
    if "transfer-encoding" in fields:
        body, undecodable, cut = _dechunked(body, fields["transfer-encoding"])
    payload = body
    if "content-encoding" in fields and undecodable is None:
        payload, undecodable = _decode(body, fields["content-encoding"])
    kind, charset = _content_type(fields.get("content-type", ""))
    return HttpResponse(_status(status_line), kind, charset, payload, undecodable, cut)


@lru_cache(maxsize=1024)
def _status(line: str) -> int | None:
    status = _STATUS.match(line)
    return int(status[1]) if status else None


@lru_cache(maxsize=1024)
def _content_type(value: str) -> tuple[str, str | None]:
    return media_type(value), charset_parameter(value)


def _fields_of_payload(block: str) -> dict[str, str]:
    """Content-Type, Content-Encoding and Transfer-Encoding, and perhaps others.

    Most heads have the first of them alone, which is found without looking at every line.
    """
    lower = "\n" + block.lower()
    start = lower.find("\ncontent-type:")
    if start < 0 or "\ncontent-encoding" in lower or "\ntransfer-encoding" in lower:
        return parse_fields(block)
    start += len("content-type:")
    end = block.find("\n", start)
    if end < 0:
        return {"content-type": block[start:].strip()}
    is_folded = block.startswith((" ", "\t"), end + 1)
    return parse_fields(block) if is_folded else {"content-type": block[start:end].strip()}


def split_head(block: bytes) -> tuple[bytes, bytes]:
    """Head and body of the HTTP response in `block`, without the blank line between them.

    An empty head where `block` does not begin with a status line; an empty body where the head has
    no end.
    """
    if not block.startswith(b"HTTP/"):
        return b"", block
    end = HEAD_END.search(block)
    return (block[: end.start()], block[end.end() :]) if end else (block, b"")


def parse_fields(block: str) -> dict[str, str]:
    """Header fields by lower-cased name; folded lines are joined, the first of two wins."""
    fields: dict[str, str] = {}
    for line in _unfolded(block).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def joined_fields(block: str) -> dict[str, str]:
    """Header fields by lower-cased name; the values of repeated ones are joined by `, `."""
    values: dict[str, list[str]] = {}
    for line in _unfolded(block).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            values.setdefault(name.strip().lower(), []).append(value.strip())
    return {name: ", ".join(found) for name, found in values.items()}


def _unfolded(block: str) -> str:
    return _FOLD.sub(" ", block) if "\n " in block or "\n\t" in block else block


def media_type(value: str) -> str:
    """`text/html` of a Content-Type such as `Text/HTML; charset=utf-8`; empty where it has none."""
    words = value.partition(";")[0].partition(",")[0].split()
    return words[0].lower() if words else ""


def charset_parameter(value: str) -> str | None:
    """`utf-8` of a Content-Type such as `text/html; charset="utf-8"`; None where there is none."""
    match = _CHARSET.search(value)
    return match[1] if match else None


def _dechunked(body: bytes, transfer: str) -> tuple[bytes, str | None, str | None]:
    """`body` without its chunks, why that cannot be had, and why it is only the first part."""
    if "chunked" not in transfer.lower():
        return body, None, None
    try:
        payload, cut = _dechunk(body)
    except _Undecodable as error:
        return body, str(error), None
    return payload, None, cut


def _decode(body: bytes, codings: str) -> tuple[bytes, str | None]:
    """`body` without `codings`, and why they cannot all be undone."""
    payload = body
    try:
        for coding in reversed(codings.lower().split(",")):
            # A name that is not listed is no coding at all (`utf-8`, `none`) or a dead one.
            payload = _decoder(coding.strip(), payload)(payload)
    except _Undecodable as error:
        return payload, str(error)
    return payload, None


def _decoder(coding: str, data: bytes) -> Callable[[bytes], bytes]:
    """What undoes `coding`; gzip and zstd tell themselves, whatever coding the header names."""
    if coding in _DECODERS and data.startswith(_GZIP_MAGIC):
        return _gunzip
    if coding in _DECODERS and data.startswith(_ZSTD_MAGIC):
        return _unzstd
    return _DECODERS.get(coding, bytes)


def _dechunk(data: bytes) -> tuple[bytes, str | None]:
    """The chunks of `data` put together, and why they end before the last one; None: they do not.

    The last chunk is the one of no bytes (RFC 9112, 7.1): only behind it is the body whole. Data
    that do not begin with a chunk are given as they are: crawlers undo chunks and keep the header.
    """
    size = _CHUNK_SIZE.match(data)
    if size is None:
        return data, None
    chunks, position = [], 0
    while size is not None and (n_bytes := int(size[1], 16)):
        chunk = data[size.end() : size.end() + n_bytes]
        chunks.append(chunk)
        if len(chunk) < n_bytes:
            return b"".join(chunks), f"a chunk of {n_bytes} bytes ends after {len(chunk)}"
        position = size.end() + n_bytes
        line_end = _LINE_END.match(data, position)
        position = line_end.end() if line_end else position
        size = _CHUNK_SIZE.match(data, position)
    if size is None and not _CUT_SIZE.fullmatch(data, position):
        raise _Undecodable(f"no size of a chunk at byte {position}")
    whole = b"".join(chunks)
    return whole, None if size else f"no last chunk after {len(chunks)} of {len(whole)} bytes"


def _gunzip(data: bytes) -> bytes:
    """Every member of `data`; what is no member behind the last one is dropped."""
    if not data.startswith(_GZIP_MAGIC):
        return data
    parts: list[bytes] = []
    n_left = MAX_PAYLOAD_BYTES
    while data.startswith(_GZIP_MAGIC) and n_left > 0:
        part, data = _inflate(data, 16 + zlib.MAX_WBITS, n_left)
        parts.append(part)
        n_left -= len(part)
    return b"".join(parts)


def _undeflate(data: bytes) -> bytes:
    """RFC 9110 means zlib by `deflate`; some servers send it without the zlib header."""
    if _is_plain(data):
        return data
    try:
        return _inflate(data, zlib.MAX_WBITS, MAX_PAYLOAD_BYTES)[0]
    except _Undecodable:
        return _inflate(data, -zlib.MAX_WBITS, MAX_PAYLOAD_BYTES)[0]


def _inflate(data: bytes, window: int, max_bytes: int) -> tuple[bytes, bytes]:
    """`data` inflated, at most `max_bytes` of it, and what follows its end."""
    inflater = zlib.decompressobj(window)
    try:
        inflated = inflater.decompress(data, max_bytes)
    except zlib.error as error:
        raise _Undecodable(f"not what Content-Encoding says: {error}") from error
    if not inflater.eof and len(inflated) < max_bytes:
        raise _Undecodable(f"compressed data end early, after {len(inflated)} bytes")
    return inflated, inflater.unused_data


def _unbrotli(data: bytes) -> bytes:
    return data if _is_plain(data) else _read_all(BrotliReader(BytesIO(data)))


def _unzstd(data: bytes) -> bytes:
    return data if _is_plain(data) else _read_all(ZstdReader(BytesIO(data)))


def _read_all(reader: WarcReader) -> bytes:
    try:
        return reader.read(MAX_PAYLOAD_BYTES)
    except OSError as error:  # FastWARC's name for damaged data; there is no file behind it
        raise _Undecodable(f"not what Content-Encoding says: {error}") from error


def _is_plain(data: bytes) -> bool:
    """Whether `data` is empty or begins like a page, so that no compression is left to undo."""
    return data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"", b"<")


_DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "br": _unbrotli,
    "zstd": _unzstd,
}
