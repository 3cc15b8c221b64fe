"""Asking: what has no answer yet, a batch at a time; the unreadable again until the tries end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from curation.synth.backends.loading import load_backend
from curation.synth.backends.protocol import KILLS_ENGINE, Backend, ChatRequest, Completion
from models.classifiers.annotation.answers import Answer, AnswerFile
from models.classifiers.annotation.fake import FakeAnnotator
from models.classifiers.annotation.parse import parse_answer
from models.classifiers.annotation.prompt import PREFILL, SYSTEM, user_turn
from models.classifiers.annotation.rubrics import Rubric
from models.classifiers.annotation.settings import AnnotateConfig

Open = Callable[[AnnotateConfig, int], Backend]
Note = Callable[[int, int], None]
"""Is told how many questions of a round are answered, and how many there are."""


class Question(NamedTuple):
    """One judgement that is wanted: a rubric, a pass, a text."""

    rubric: Rubric
    pass_number: int
    text_hash: str


class Annotation:
    """What is to be judged on which rubrics, and the answers that there are."""

    def __init__(
        self,
        texts: Mapping[str, str],
        rubrics: Sequence[Rubric],
        settings: AnnotateConfig,
        answers: AnswerFile,
    ) -> None:
        """Texts by id, as they are shown. One that two ids share is asked about once."""
        self.hashes = {key: _text_hash(text) for key, text in texts.items()}
        self.rubrics = rubrics
        self.settings = settings
        self._texts = {_text_hash(text): text for text in texts.values() if text.strip()}
        self._answers = answers
        self._ids: dict[tuple[str, int, str, int], str] = {}

    def questions(self) -> Iterator[Question]:
        """Every judgement that is wanted, those with much in common side by side."""
        hashes = sorted(self._texts, key=lambda name: (len(self._texts[name]), name))
        for rubric in self.rubrics:
            for pass_number in range(1, self.settings.passes + 1):
                yield from (Question(rubric, pass_number, name) for name in hashes)

    def answers_to(self, question: Question) -> list[Answer]:
        """The answers to a question, try by try: all but the last could not be read."""
        found: list[Answer] = []
        for number in range(1, self.settings.tries + 1):
            answer = self._answers.by_request.get(self._request_id(question, number))
            if answer is None:
                break
            found.append(answer)
            if answer.value is not None:
                break
        return found

    def ask_all(self, open_backend: Open, note: Note) -> None:
        """Ask until each question has an answer that can be read, or all its tries.

        The generator is loaded when there is something to ask, and seeded by what is already
        answered: a run that goes on does not draw the same numbers again.
        """
        backend: Backend | None = None
        while waiting := self._waiting():
            if backend is None:
                seed = self.settings.engine_seed + len(self._answers.by_request)
                backend = open_backend(self.settings, seed)
            n_done = 0
            for answers in self._asked(backend, waiting):
                self._answers.append(answers)
                n_done += len(answers)
                note(n_done, len(waiting))

    def _waiting(self) -> list[tuple[Question, int]]:
        """Questions without a readable answer and with a try left, with the number of that try."""
        return [
            (question, len(found) + 1)
            for question in self.questions()
            if not (found := self.answers_to(question)) or self._may_ask_again(found)
        ]

    def _may_ask_again(self, found: Sequence[Answer]) -> bool:
        """Whether there is no value, a try is left, and the question is none that kills engines."""
        last = found[-1]
        is_final = last.value is not None or (last.error or "").startswith(KILLS_ENGINE)
        return not is_final and len(found) < self.settings.tries

    def _asked(
        self, backend: Backend, waiting: Sequence[tuple[Question, int]]
    ) -> Iterator[list[Answer]]:
        """The answers to `waiting` as they are done, a commit's worth at a time."""
        places: dict[str, tuple[Question, int]] = {}

        def requests() -> Iterator[ChatRequest]:
            for question, number in waiting:
                request = self._request(question, number)
                places[request.request_id] = question, number
                yield request

        completions = backend.generate(requests())
        while some := list(islice(completions, self.settings.requests_per_commit)):
            yield [self._answer(*places[done.request_id], done) for done in some]

    def _request_id(self, question: Question, try_number: int) -> str:
        rubric, pass_number, text_hash = question
        place = (rubric.name, pass_number, text_hash, try_number)
        if place not in self._ids:
            self._ids[place] = self._request(question, try_number).request_id
        return self._ids[place]

    def _request(self, question: Question, try_number: int) -> ChatRequest:
        """The chat; every second pass reads the scale from its other end."""
        is_reversed = question.pass_number % 2 == 0
        user = user_turn(question.rubric, self._texts[question.text_hash], is_reversed=is_reversed)
        return ChatRequest(
            request_id=request_id(self.settings, question, try_number, user),
            system=SYSTEM,
            user=user,
            prefill=PREFILL if self.settings.prefill else "",
            max_tokens=self.settings.max_output_tokens,
            temperature=self.settings.temperature,
            top_p=self.settings.top_p,
        )

    def _answer(self, question: Question, number: int, completion: Completion) -> Answer:
        failed = completion.error is not None
        parsed = parse_answer(question.rubric, completion.text)
        return Answer(
            request_id=completion.request_id,
            rubric=question.rubric.name,
            rubric_version=question.rubric.version,
            model=self.settings.model,
            sampling=_sampling(self.settings),
            pass_number=question.pass_number,
            try_number=number,
            text_hash=question.text_hash,
            raw=completion.text,
            value=None if failed else parsed.value,
            reason="error" if failed else parsed.reason,
            error=completion.error,
            tokens_in=completion.n_input_tokens,
            tokens_out=completion.n_output_tokens,
            seconds=completion.seconds,
        )


def open_backend(settings: AnnotateConfig, seed: int) -> Backend:
    """The generator of the synthesis stages; for the fake one, its kind that knows rubrics.

    Raises:
        EnvironmentFault: the model or vLLM is not on this machine.
        ConfigError: the model cannot take `max_model_tokens`.
    """
    if settings.backend == "fake":
        return FakeAnnotator()
    return load_backend(settings, seed=seed)


def request_id(settings: AnnotateConfig, question: Question, try_number: int, user: str) -> str:
    """Hash of all that determines an answer: rubric, generator, sampling, pass, try, question."""
    parts = (
        question.rubric.version, settings.backend, settings.model, _sampling(settings),
        str(question.pass_number), str(try_number), question.text_hash, SYSTEM, user,
        *settings.answer_settings(),
    )  # fmt: skip
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def _sampling(settings: AnnotateConfig) -> str:
    names = ("temperature", "top_p", "max_output_tokens", "prefill")
    return " ".join(f"{name}={getattr(settings, name)}" for name in names)


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
