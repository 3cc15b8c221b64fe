"""Reads the stock of sentences: subjects, frames, names, languages and sites."""

import functools
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from curation.sample.spin import Slots

Chapter = Mapping[str, tuple[str, ...]]
"""Section name -> its lines. A comma after the name in the file: one comma-separated list."""

SUBJECT_FILES = ("nature", "body", "sky", "matter", "craft", "history", "technology")
LANGUAGES = ("de", "fr", "es", "it", "pt", "ru", "zh", "ja", "ar")
"""Languages of the sample crawl beside English, ISO 639-1."""

_FRAME_FILES = ("news", "blog", "lessons", "chatter", "forum", "shop", "furniture")
_NUMBERS = {
    "age": range(9, 17),
    "count": range(7, 22),
    "day": range(2, 29),
    "days": range(3, 30),
    "degrees": range(-3, 31),
    "entries": range(110, 990, 7),
    "grams": range(120, 2400, 35),
    "house": range(1, 140),
    "minutes": range(15, 95, 5),
    "n_objects": range(40, 420, 5),
    "n_rows": range(10, 60, 5),
    "n_tests": range(2000, 90000, 500),
    "pages": range(18, 340),
    "partners": range(40, 900, 3),
    "percent": range(15, 95, 5),
    "pick": range(2, 8),
    "price": range(3, 90),
    "small_sum": range(60, 980, 10),
    "staff": range(6, 90),
    "stock": range(4, 300, 3),
    "sum": range(2000, 95000, 500),
    "unit": range(1, 24),
    "visitors": range(300, 9000, 50),
    "year": range(1962, 2024),
    "year_next": range(2025, 2029),
    "year_recent": range(2015, 2024),
}


@dataclass(frozen=True)
class Section:
    """One aspect of a subject.

    `units` are runs of sentences that may be left out only together: in the files, a sentence
    that needs the one before it starts with a plus sign.
    """

    heading: str
    units: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Subject:
    """Something to write about; `topic` fits after the word "about"."""

    name: str
    topic: str
    field: str
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Stock:
    """All that pages are composed from; `chapters` is keyed by file, then by chapter."""

    subjects: tuple[Subject, ...]
    chapters: Mapping[str, Mapping[str, Chapter]]
    slots: Slots

    def subject(self, turn: int) -> Subject:
        """Subject number `turn`; consecutive turns walk through all of them, far apart in field."""
        return self.subjects[turn * 23 % len(self.subjects)]

    def lap(self, turn: int) -> int:
        """A number that grows with `turn` but meets each subject with all its residues in time."""
        return turn + turn // len(self.subjects)


@functools.cache
def load_stock() -> Stock:
    """The stock that ships with the package, read once a process."""
    subjects = [subject for name in SUBJECT_FILES for subject in _subjects(parse(read(name)))]
    names = (*_FRAME_FILES, "mathematics", "sites", *(f"language_{lang}" for lang in LANGUAGES))
    chapters = {name: parse(read(name)) for name in names}
    return Stock(tuple(subjects), chapters, _slots(parse(read("lists"))["lists"]))


def read(name: str) -> str:
    """Text of one Markdown file of the stock."""
    return files("curation.sample.stock").joinpath(f"{name}.md").read_text(encoding="utf-8")


def parse(text: str) -> dict[str, dict[str, tuple[str, ...]]]:
    """Chapter (`# name`) -> section (`## name`) -> lines; `> key: value` becomes a section too."""
    chapters: dict[str, dict[str, tuple[str, ...]]] = {}
    chapter: dict[str, tuple[str, ...]] = {}
    section = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("# "):
            chapter = chapters.setdefault(line[2:], {})
        elif line.startswith("## "):
            section = line[3:]
            chapter[section.rstrip(",")] = ()
        elif found := re.fullmatch(r"> (\w+): (.+)", line):
            chapter[found[1]] = (found[2],)
        else:
            chapter[section.rstrip(",")] += _items(line, is_list=section.endswith(","))
    return chapters


def _items(line: str, *, is_list: bool) -> tuple[str, ...]:
    return tuple(item.strip() for item in line.split(",")) if is_list else (line,)


def _subjects(chapters: Mapping[str, Chapter]) -> list[Subject]:
    return [
        Subject(
            name,
            chapter["topic"][0],
            chapter["field"][0],
            tuple(
                Section(heading, _units(lines))
                for heading, lines in chapter.items()
                if heading not in ("topic", "field")
            ),
        )
        for name, chapter in chapters.items()
    ]


def _units(lines: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    units: list[tuple[str, ...]] = []
    for line in lines:
        if line.startswith("+ "):
            units[-1] += (line[2:],)
        else:
            units.append((line,))
    return tuple(units)


def _slots(lists: Chapter) -> dict[str, tuple[str, ...]]:
    """Word lists, numbers, and invented people with addresses that cannot belong to anyone."""
    pairs = list(zip(itertools.cycle(lists["first"]), lists["last"], strict=False))
    return {
        **lists,
        **{name: tuple(map(str, numbers)) for name, numbers in _NUMBERS.items()},
        "person": tuple(f"{first} {last}" for first, last in pairs),
        "town2": lists["town"],
        "email": tuple(f"{first}.{last}@example.org".lower() for first, last in pairs),
        # 555-0100 to 555-0199 are set aside for fiction.
        "phone": tuple(f"202-555-01{n:02d}" for n in range(100)),
    }
