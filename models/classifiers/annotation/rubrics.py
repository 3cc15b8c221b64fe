"""Rubrics: a YAML head (`name`, `title`, `answer`, `source`), then the text that a judge reads.

`answer` is a range of whole numbers (`0..5`), whose steps the text may list as lines `0: ...`, or
a mapping of class to what belongs to it. The shipped ones lie in `rubrics/`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from curation.errors import ConfigError

FOLDER = Path(__file__).parent.with_name("rubrics")
SHIPPED = ("edu", "quality", "domain", "speech", "toxicity")


@dataclass(frozen=True)
class Rubric:
    """What is asked of a text, and the answers that there are."""

    name: str
    title: str
    lead: str
    """Text before the scale."""
    scale: tuple[tuple[str, str], ...]
    """Answers with what each means, in the order of the file; empty: numbers that none explains."""
    tail: str
    """Text after the scale."""
    limits: tuple[int, int] | None
    """Least and greatest number; None: the answers are classes."""
    version: str
    """First 12 hex digits of the SHA-256 of the file."""

    @property
    def options(self) -> tuple[str, ...]:
        """Every answer that there is, in the order of the file."""
        if self.limits is None:
            return tuple(name for name, _ in self.scale)
        return tuple(str(number) for number in range(self.limits[0], self.limits[1] + 1))


_HEAD = re.compile(r"---\n(.*?\n)---\n(.*)", re.DOTALL)
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_STEP = re.compile(r"^(\d+): (.*(?:\n[ \t]+\S.*)*)\n?", re.MULTILINE)
_NAME = re.compile(r"[\w-]+")


def load_rubrics(names: Sequence[str]) -> list[Rubric]:
    """The rubrics called `names`: shipped ones by name, others by the path of their file.

    Raises:
        ConfigError: a file is missing or no rubric, or two of them share a name.
    """
    found = [_load(name) for name in names]
    called = [rubric.name for rubric in found]
    if not called or len({*called}) != len(called):
        raise ConfigError(f"--rubrics: name one or more, each once; found `{','.join(names)}`")
    return found


def parse_rubric(file_name: str, content: bytes) -> Rubric:
    """The rubric in a file called `file_name` that holds `content`.

    Raises:
        ConfigError: the head is not YAML or lacks a key, `answer` is neither a range nor a mapping
            of classes that differ, or the text lists some of the numbers and not the others.
    """
    head, text = _parts(file_name, content)
    version = hashlib.sha256(content).hexdigest()[:12]
    if isinstance(head["answer"], dict):
        classes = _classes(file_name, head["answer"])
        return Rubric(head["name"], head["title"], text, classes, "", None, version)
    limits = _limits(file_name, str(head["answer"]))
    lead, steps, tail = _steps(text)
    rubric = Rubric(head["name"], head["title"], lead, steps, tail, limits, version)
    if steps and tuple(number for number, _ in steps) != rubric.options:
        raise ConfigError(f"{file_name}: the text lists some of {head['answer']} and not the rest")
    return rubric


def plain(name: str) -> str:
    """`name` in lower case, its words between single spaces: how classes are compared."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold().replace("&", " and ")))


def _load(name: str) -> Rubric:
    path = FOLDER / f"{name}.md" if _NAME.fullmatch(name) else Path(name)
    try:
        return parse_rubric(str(path), path.read_bytes())
    except OSError as error:
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.md")))
        raise ConfigError(
            f"rubric `{name}`: {path} cannot be read ({error.strerror}); shipped: {known}; "
            "name your own by its path"
        ) from error


def _parts(file_name: str, content: bytes) -> tuple[dict[str, Any], str]:
    try:
        match = _HEAD.fullmatch(content.decode("utf-8"))
        head = yaml.safe_load(match[1]) if match else None
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        summary = " ".join(str(error).split())
        raise ConfigError(f"{file_name}: not readable as YAML: {summary}") from error
    if match is None or not isinstance(head, dict):
        raise ConfigError(f"{file_name}: begins with a YAML head between two `---` lines")
    for key in ("name", "title", "answer"):
        if not head.get(key):
            raise ConfigError(f"{file_name}: the head has no `{key}`")
    if not isinstance(head["name"], str) or not _NAME.fullmatch(head["name"]):
        raise ConfigError(f"{file_name}: `name` is of letters, digits, `_` and `-`")
    return head | {"title": str(head["title"])}, match[2].strip()


def _classes(file_name: str, answer: dict[Any, Any]) -> tuple[tuple[str, str], ...]:
    names = [name for name in answer if isinstance(name, str) and plain(name)]
    if len(names) < len(answer) or len({plain(name) for name in names}) < max(2, len(names)):
        raise ConfigError(f"{file_name}: `answer` names two or more classes, all different words")
    return tuple((name, " ".join(str(answer[name] or "").split())) for name in names)


def _limits(file_name: str, answer: str) -> tuple[int, int]:
    match = _RANGE.fullmatch(answer.strip())
    if match is None or int(match[1]) >= int(match[2]):
        raise ConfigError(f"{file_name}: `answer` is a range such as 0..5, or classes; {answer!r}")
    return int(match[1]), int(match[2])


def _steps(text: str) -> tuple[str, tuple[tuple[str, str], ...], str]:
    """Text before the steps of the scale, the steps in rising order, text behind them."""
    found = list(_STEP.finditer(text))
    if not found:
        return text, (), ""
    steps = sorted(((match[1], " ".join(match[2].split())) for match in found), key=_number)
    return text[: found[0].start()].strip(), tuple(steps), text[found[-1].end() :].strip()


def _number(step: tuple[str, str]) -> int:
    return int(step[0])
