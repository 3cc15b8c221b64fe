"""The fake generator for annotations: answers made of the question alone, in no time; for tests."""

from __future__ import annotations

import hashlib

from curation.synth.backends.fake import FakeBackend, Fault
from curation.synth.backends.protocol import ChatRequest
from models.classifiers.annotation.prompt import PREFILL, SEPARATOR


class FakeAnnotator(FakeBackend):
    """The synthesis stages' fake with its faults, but for what it says when nothing is wrong.

    It has an opinion of each text, and in a quarter of the requests says the next answer instead:
    the answers of two passes agree often, not always.
    """

    def _answer(self, request: ChatRequest, fault: Fault | None) -> str:
        if fault is not None and fault != "truncation":
            return super()._answer(request, fault)
        *told, last = request.user.splitlines()
        options = sorted(last.split(SEPARATOR))
        opinion = _draw("\n".join(sorted(told)))
        slip = _draw(request.request_id) % 4 == 0
        return f"{PREFILL} {options[(opinion + slip) % len(options)]}"


def _draw(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
