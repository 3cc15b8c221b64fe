"""Benchmark items from local files, as the harness's tasks have them.

Source of each layout: the harness's own task of the same name (lm-evaluation-harness 0.4.13), so
that figures can be set beside published ones.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from curation.errors import InputError

Row = Mapping[str, Any]
Item = dict[str, Any]


def read_items(path: Path, layout: str) -> list[Item]:
    """The items of the JSON lines at `path`, in order.

    Args:
        path: Gzipped JSON lines.
        layout: Key of `LAYOUTS`.

    Raises:
        InputError: the file is missing or damaged, or an item is not of the layout.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; --data names the folder of the benchmark items")
    made, where = LAYOUTS[layout], f"{path}"
    items: list[Item] = []
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                where = f"{path}:{number}"
                items.extend(made(json.loads(line)))
    except (EOFError, gzip.BadGzipFile, json.JSONDecodeError) as error:
        raise InputError(f"{where}: damaged: {error}") from error
    except (KeyError, ValueError) as error:
        raise InputError(f"{where}: not an item of {layout}: {error}") from error
    return items


def arc(row: Row, kind: str) -> Iterator[Item]:
    """A question of ARC, out of the prompt that the file has it in; of the other kind, nothing."""
    if row["set"] != kind:
        return
    asked = re.fullmatch(
        r"Please choose the correct answer to the question: (.*?)\n\n(Answer1: .*)\n\n"
        r"Answer format: .*",
        row["question"],
        re.DOTALL,
    )
    if asked is None:
        raise ValueError("the question is not between the words it should be between")
    choices = [part.strip() for part in re.split(r"Answer\d+: ", asked[2])[1:]]
    answer = int(row["answer"].removeprefix("answer")) - 1
    if not 0 <= answer < len(choices):
        raise ValueError(f"{row['answer']} of {len(choices)} choices")
    yield {"question": asked[1], "choices": choices, "answer": answer}


def hellaswag(row: Row) -> Iterator[Item]:
    """A beginning and its endings."""
    context = f"{row['activity_label']}: {row['ctx_a']} {row['ctx_b'].capitalize()}"
    yield {
        "question": _cleaned(context),
        "choices": [_cleaned(ending) for ending in row["endings"]],
        "answer": int(row["label"]),
    }


def _cleaned(text: str) -> str:
    """Without what WikiHow's mark-up has left."""
    text = text.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", text).replace("  ", " ")


def mmlu(row: Row) -> Iterator[Item]:
    """A question with its four answers; the heads of the tables that the file is made of, not."""
    if row["answer"] == "answer":
        return
    yield {
        "subject": row["subject"].replace("_", " "),
        "question": row["question"].strip(),
        "choices": row["choices"],
        "answer": int(row["answer"]),
    }


def gsm8k(row: Row) -> Iterator[Item]:
    """A problem and its worked answer, whose last line is #### and the number."""
    if "#### " not in row["answer"]:
        raise ValueError("the answer has no ####")
    yield {"question": row["question"], "answer": row["answer"]}


LAYOUTS: Mapping[str, Callable[[Row], Iterator[Item]]] = {
    "arc_easy": lambda row: arc(row, "ARC-Easy"),
    "arc_challenge": lambda row: arc(row, "ARC-Challenge"),
    "hellaswag": hellaswag,
    "mmlu": mmlu,
    "gsm8k": gsm8k,
}
"""How a task's item is made of a row."""
