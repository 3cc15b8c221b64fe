"""The answers of a folder: `answers.jsonl`, one line a request, only ever added to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from curation.errors import InputError

ANSWERS = "answers.jsonl"


@dataclass(frozen=True)
class Answer:
    """One line: what was asked, what was said, what it was read as, what it cost."""

    request_id: str
    """Hash of everything that determines the answer; see `run.request_id`."""
    rubric: str
    rubric_version: str
    model: str
    sampling: str
    pass_number: int
    """From 1."""
    try_number: int
    """From 1."""
    text_hash: str
    """First 16 hex digits of the SHA-256 of the text as it was shown."""
    raw: str
    """The answer, prefill included."""
    value: str | None
    reason: str | None
    """Why there is no value: `no_answer`, `out_of_range`, `ambiguous`, or `error`."""
    error: str | None
    """What kept the generator from answering."""
    tokens_in: int
    tokens_out: int
    seconds: float
    """Share of the time in which requests were being answered."""


class AnswerFile:
    """The answers that a folder holds, by request, without what was said; and room for more."""

    def __init__(self, folder: Path) -> None:
        """Read what there is. A last line that a crash tore is cut off the file.

        Raises:
            InputError: a line before the last is not an answer.
        """
        self._path = folder / ANSWERS
        self.by_request: dict[str, Answer] = {}
        if self._path.is_file():
            self._read()

    def append(self, answers: Iterable[Answer]) -> None:
        """Write `answers` behind the others, and wait until the disk has them."""
        with self._path.open("ab") as file:
            for answer in answers:
                file.write((json.dumps(asdict(answer), ensure_ascii=False) + "\n").encode())
                self._keep(answer)
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> None:
        whole = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                answer = _answer(line)
                if answer is None:
                    self._check_last(number, file.read(1))
                    break
                self._keep(answer)
                whole += len(line)
        if whole < self._path.stat().st_size:
            os.truncate(self._path, whole)

    def _check_last(self, number: int, after: bytes) -> None:
        if after:
            raise InputError(f"{self._path}: line {number} is not an answer; was the file edited?")

    def _keep(self, answer: Answer) -> None:
        self.by_request[answer.request_id] = replace(answer, raw="")


def _answer(line: bytes) -> Answer | None:
    """The answer on a whole line; None where it is torn or something else."""
    try:
        row: Any = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    if not isinstance(row, dict) or row.keys() != {field.name for field in fields(Answer)}:
        return None
    return Answer(**row)
