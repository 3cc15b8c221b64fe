"""Writes small WARC files with warcio."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter


def write_record(
    writer: Any,
    payload: bytes,
    *,
    number: int = 1,
    record_type: str = "response",
    status: str = "200 OK",
    content_type: str = "text/html; charset=utf-8",
    headers: tuple[tuple[str, str], ...] = (),
    url: str = "https://Example.org/page",
) -> None:
    """Writes a record; a response has an HTTP head with `status` and `headers`."""
    fields = [("Content-Type", content_type), *headers]
    http = StatusAndHeaders(status, fields, "HTTP/1.1") if record_type == "response" else None
    record = writer.create_warc_record(
        url,
        record_type,
        payload=io.BytesIO(payload),
        http_headers=http,
        warc_content_type=content_type if http is None else "",
        warc_headers_dict={
            "WARC-Record-ID": f"<urn:uuid:{number}>",
            "WARC-Date": "2024-12-03T10:20:30Z",
        },
    )
    writer.write_record(record)


@pytest.fixture
def warc_of(tmp_path: Path) -> Callable[..., str]:
    """Path of a new WARC file with one record for each dictionary of `write_record` arguments."""

    def write(*records: dict[str, Any], name: str = "a.warc.gz") -> str:
        path = tmp_path / name
        with path.open("wb") as file:
            writer = WARCWriter(file, gzip=True)
            for number, record in enumerate(records):
                write_record(writer, **({"number": number} | record))
        return str(path)

    return write
