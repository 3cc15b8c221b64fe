"""Writes captures as WARC 1.0 files whose bytes depend on nothing but their input."""

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from warcio.recordloader import ArcWarcRecord  # type: ignore[import-untyped]
from warcio.statusandheaders import StatusAndHeaders  # type: ignore[import-untyped]
from warcio.warcwriter import WARCWriter  # type: ignore[import-untyped]

_PROFILE = "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest"
_FIELDS = "application/warc-fields"


@dataclass(frozen=True)
class Capture:
    """One fetched URL. `fetched` is its WARC date; a revisit repeats the URL `revisit_of`."""

    url: str
    status: str
    content_type: str
    body: bytes
    fetched: str
    location: str = ""
    revisit_of: str = ""


class _Writer:
    """Numbers the records of one file and writes each as a gzip member of its own."""

    def __init__(self, out: BytesIO, name: str, seed: int) -> None:
        self.out, self.name, self.seed, self.n_records = out, name, seed, 0
        self.warc = WARCWriter(out, gzip=True, warc_version="1.0")

    def record_id(self, n: int) -> str:
        unique = uuid.uuid5(uuid.NAMESPACE_URL, f"sample-crawl/{self.seed}/{self.name}/{n}")
        return f"<urn:uuid:{unique}>"

    def write(
        self,
        kind: str,
        capture: Capture,
        payload: bytes,
        http: StatusAndHeaders | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.n_records += 1
        fixed = {
            "WARC-Record-ID": self.record_id(self.n_records),
            "WARC-Date": capture.fetched,
            **(headers or {}),
        }
        record: ArcWarcRecord = self.warc.create_warc_record(
            capture.url,
            kind,
            payload=BytesIO(payload),
            length=len(payload),
            warc_headers_dict=fixed,
            http_headers=http,
        )
        self.warc.write_record(record)


def warc_bytes(name: str, captures: Sequence[Capture], seed: int) -> bytes:
    """One WARC file: warcinfo, then request, response (or revisit) and metadata of each capture."""
    out = BytesIO()
    writer = _Writer(out, name, seed)
    _write_info(writer, captures[0].fetched)
    for capture in captures:
        _write_capture(writer, capture)
    return out.getvalue()


def cut_response(name: str, capture: Capture, seed: int) -> bytes:
    """The first half of the gzip member of one more response."""
    out = BytesIO()
    writer = _Writer(out, f"{name}/cut", seed)
    writer.write("response", capture, capture.body, _http(capture))
    return out.getvalue()[: len(out.getvalue()) // 2]


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` under another name and rename, so that `path` is never half a file."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    partial.write_bytes(data)
    partial.replace(path)


def _write_info(writer: _Writer, fetched: str) -> None:
    fields = {
        "software": "curation sample crawl",
        "format": "WARC File Format 1.0",
        "description": "Invented pages, written for this project",
        "isPartOf": "CC-SAMPLE",
    }
    nothing = Capture("", "", "", b"", fetched)
    name = {"WARC-Filename": writer.name}
    writer.write("warcinfo", nothing, _fields(fields), headers=name)


def _write_capture(writer: _Writer, capture: Capture) -> None:
    response_id = writer.record_id(writer.n_records + 2)
    concurrent = {"WARC-Concurrent-To": response_id}
    writer.write("request", capture, b"", _request(capture.url), concurrent)
    if capture.revisit_of:
        refers = {"WARC-Profile": _PROFILE, "WARC-Refers-To-Target-URI": capture.revisit_of}
        writer.write("revisit", capture, b"", _http(capture), refers)
    else:
        kind = {"WARC-Identified-Payload-Type": capture.content_type.split(";")[0]}
        writer.write("response", capture, capture.body, _http(capture), kind)
    fields = {"fetchTimeMs": str(40 + len(capture.body) % 900), "ip-version": "4"}
    writer.write("metadata", capture, _fields(fields), headers=concurrent)


def _http(capture: Capture) -> StatusAndHeaders:
    headers = [("Server", "sample"), ("Content-Type", capture.content_type)]
    if capture.location:
        headers.append(("Location", capture.location))
    headers.append(("Content-Length", str(len(capture.body))))
    return StatusAndHeaders(capture.status, headers, protocol="HTTP/1.1")


def _request(url: str) -> StatusAndHeaders:
    host, _, path = url.split("://", 1)[1].partition("/")
    headers = [("User-Agent", "SampleBot/1.0"), ("Accept", "text/html"), ("Host", host)]
    return StatusAndHeaders(f"GET /{path} HTTP/1.1", headers, is_http_request=True)


def _fields(fields: Mapping[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n"
