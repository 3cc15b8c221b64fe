"""An HTTP response as bytes -> status, media type, charset, and the payload without its codings."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from fastwarc.stream_io import BrotliReader, WarcReader, ZstdReader

MAX_PAYLOAD_BYTES = 1 << 26
"""Most bytes that a payload may become when it is decompressed; the rest is cut off."""

_HEAD_END = re.compile(rb"\n\r*\n")
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})\b")
_CHARSET = re.compile(r"""charset\s*=\s*["']?\s*([^\s"';,]+)""", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\n]*)?\r?\n")
_LINE_END = re.compile(rb"\r?\n")


@dataclass(frozen=True)
class HttpResponse:
    """An HTTP response; `undecodable` says why `payload` is still encoded, null where it is not."""

    status: int | None
    content_type: str
    charset: str | None
    payload: bytes
    undecodable: str | None


class _Undecodable(Exception):
    """A payload is not what the response's headers say."""


def parse_response(block: bytes) -> HttpResponse | None:
    """The response that `block` holds; None where it does not begin with an HTTP status line.

    Transfer and content codings are undone where the payload really has them: crawlers often undo
    them and leave the headers as they were.
    """
    if not block.startswith(b"HTTP/"):
        return None
    head, body = _split_head(block)
    status_line, _, rest = head.partition(b"\n")
    fields = parse_fields(rest.decode("latin-1"))
    status = _STATUS.match(status_line.decode("latin-1"))
    payload, undecodable = _decode(body, fields)
    return HttpResponse(
        status=int(status[1]) if status else None,
        content_type=media_type(fields.get("content-type", "")),
        charset=charset_parameter(fields.get("content-type", "")),
        payload=payload,
        undecodable=undecodable,
    )


def parse_fields(block: str) -> dict[str, str]:
    """Header fields by lower-cased name; folded lines are joined, the first of two wins."""
    fields: dict[str, str] = {}
    for line in re.sub(r"\r?\n[ \t]+", " ", block).split("\n"):
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def media_type(value: str) -> str:
    """`text/html` of a Content-Type such as `Text/HTML; charset=utf-8`; empty where it has none."""
    return re.split(r"[;,]", value, maxsplit=1)[0].strip().lower()


def charset_parameter(value: str) -> str | None:
    """`utf-8` of a Content-Type such as `text/html; charset="utf-8"`; None where there is none."""
    match = _CHARSET.search(value)
    return match[1] if match else None


def _split_head(block: bytes) -> tuple[bytes, bytes]:
    end = _HEAD_END.search(block)
    return (block[: end.start()], block[end.end() :]) if end else (block, b"")


def _decode(body: bytes, fields: dict[str, str]) -> tuple[bytes, str | None]:
    codings = fields.get("content-encoding", "").lower().split(",")
    payload = body
    try:
        if "chunked" in fields.get("transfer-encoding", "").lower():
            payload = _dechunk(payload)
        for coding in reversed(codings):
            # A name that is not listed is no coding at all (`utf-8`, `none`) or a dead one.
            payload = _DECODERS.get(coding.strip(), bytes)(payload)
    except _Undecodable as error:
        return payload, str(error)
    return payload, None


def _dechunk(data: bytes) -> bytes:
    size = _CHUNK_SIZE.match(data)
    if size is None:
        return data
    chunks, position = [], 0
    while size is not None and (n_bytes := int(size[1], 16)):
        chunk = data[size.end() : size.end() + n_bytes]
        if len(chunk) < n_bytes:
            raise _Undecodable(f"a chunk of {n_bytes} bytes ends after {len(chunk)}")
        chunks.append(chunk)
        position = size.end() + n_bytes
        line_end = _LINE_END.match(data, position)
        position = line_end.end() if line_end else position
        size = _CHUNK_SIZE.match(data, position)
    if size is None and position < len(data):
        raise _Undecodable(f"no size of a chunk at byte {position}")
    return b"".join(chunks)


def _gunzip(data: bytes) -> bytes:
    return _inflate(data, 16 + zlib.MAX_WBITS) if data.startswith(b"\x1f\x8b") else data


def _undeflate(data: bytes) -> bytes:
    """RFC 9110 means zlib by `deflate`; some servers send it without the zlib header."""
    if _is_plain(data):
        return data
    try:
        return _inflate(data, zlib.MAX_WBITS)
    except _Undecodable:
        return _inflate(data, -zlib.MAX_WBITS)


def _inflate(data: bytes, window: int) -> bytes:
    inflater = zlib.decompressobj(window)
    try:
        inflated = inflater.decompress(data, MAX_PAYLOAD_BYTES)
    except zlib.error as error:
        raise _Undecodable(f"not what Content-Encoding says: {error}") from error
    if not inflater.eof and len(inflated) < MAX_PAYLOAD_BYTES:
        raise _Undecodable(f"compressed data end early, after {len(inflated)} bytes")
    return inflated


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
