"""`python -m models.classifiers.annotate --texts FILE --out FOLDER`: a model scores texts.

A language model judges every text on rubrics, in two passes. With --read, or --data alone, nothing
is asked: pages are printed for a human reader, whose scores go into `labels.csv` by hand.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from curation.errors import ConfigError, CurationError, InputError
from curation.lock import locked
from curation.synth.backends.loading import KINDS
from models.classifiers.annotation.answers import AnswerFile
from models.classifiers.annotation.report import (
    Figures,
    against_labels,
    agreement_of,
    annotations_csv,
    cost_of,
    load_labels,
)
from models.classifiers.annotation.rubrics import SHIPPED, load_rubrics
from models.classifiers.annotation.run import Annotation, Open, open_backend
from models.classifiers.annotation.settings import AnnotateConfig, load_settings
from models.classifiers.annotation.texts import chosen, load_texts
from models.classifiers.data import candidate_pages

HEAD_CHARS = 520
MIDDLE_CHARS = 110
LONG_CHARS = 1_200
"""A page longer than this shows its middle too."""
PAGES_TO_READ = 40


def main(arguments: Sequence[str] | None = None, open_backend: Open = open_backend) -> int:
    """Do what the command line asks for; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        if options.read or _names_pages_alone(options):
            _print_pages(options)
        else:
            sys.stdout.write(annotate(options, open_backend))
    except CurationError as error:
        sys.stderr.write(f"{type(error).__name__}: {' '.join(str(error).split())}\n")
        return 2
    return 0


def annotate(options: argparse.Namespace, open_backend: Open) -> str:
    """Ask what is not answered, write the results into the folder; a summary of them.

    Raises:
        CurationError: a setting, an input or the environment is not as it must be.
    """
    named = {name: getattr(options, name) for name in ("backend", "model", "passes", "tries")}
    settings = load_settings(named, options.set)
    rubrics = load_rubrics((options.rubrics or ",".join(SHIPPED)).split(","))
    labels = load_labels(options.labels, rubrics) if options.labels else {}
    if options.out is None:
        raise ConfigError("--out names the folder for the answers; with --read pages are printed")
    texts = _texts(options, settings)
    with locked(str(options.out)):
        answers = AnswerFile(options.out)
        annotation = Annotation(texts, rubrics, settings, answers)
        annotation.ask_all(open_backend, _note)
        report = _report(annotation, labels)
        report["cost"] = _costs(annotation, answers, options)
        _write(options.out, "annotations.csv", annotations_csv(annotation))
        _write(options.out, "agreement.json", _json(report))
        _write(options.out, "cost.json", _json(report["cost"]))
    return _summary(report)


def excerpt(text: str) -> str:
    """What the reader sees of `text`, white space collapsed: its opening, and a middle if long."""
    flat = " ".join(text.split())
    if len(flat) <= LONG_CHARS:
        return flat[:HEAD_CHARS]
    middle = len(flat) // 2
    return f"{flat[:HEAD_CHARS]} ## {flat[middle : middle + MIDDLE_CHARS]}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m models.classifiers.annotate", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--texts", type=Path, help="JSON lines (.gz, .zst) or parquet: id, text")
    source.add_argument("--data", type=Path, help="folder with crawl/: the pages of labels.csv")
    parser.add_argument("--start", type=int, default=0, help="texts to pass over")
    parser.add_argument("--count", type=int, help="texts to take; all, and 40 with --read")
    parser.add_argument("--read", action="store_true", help="print pages of --data, ask nothing")
    parser.add_argument("--out", type=Path, help="folder of the answers; one with answers goes on")
    parser.add_argument("--rubrics", help=f"names or paths; {','.join(SHIPPED)}")
    parser.add_argument("--backend", choices=KINDS, help="vllm; docs/backends.md")
    parser.add_argument("--model", help="generator: a name of curation/model_store.py or a folder")
    parser.add_argument("--passes", type=int, help="judgements of each text on a rubric; 2")
    parser.add_argument("--tries", type=int, help="requests for one readable answer; 3")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE",
        help="a setting of AnnotateConfig (docs/annotate.md); repeatable",
    )  # fmt: skip
    parser.add_argument(
        "--labels", type=Path, help="CSV with columns called as rubrics, to compare"
    )
    parser.add_argument("--price-in", type=float, help="price of a million tokens read")
    parser.add_argument("--price-out", type=float, help="price of a million tokens written")
    return parser


def _names_pages_alone(options: argparse.Namespace) -> bool:
    """The older command, `--data DIR` with neither answers to keep nor rubrics to ask."""
    asking = ("texts", "out", "rubrics", "backend", "model", "passes", "tries", "set", "labels")
    return not any(getattr(options, name) for name in asking)


def _print_pages(options: argparse.Namespace) -> None:
    if options.data is None:
        raise ConfigError("--read prints the pages of --data; --texts has none")
    count = PAGES_TO_READ if options.count is None else options.count
    pages = list(candidate_pages(options.data).items())
    for sha1, text in pages[options.start : options.start + count]:
        sys.stdout.write(f"{sha1},?,{len(text)}  {excerpt(text)}\n")


def _texts(options: argparse.Namespace, settings: AnnotateConfig) -> dict[str, str]:
    if options.start < 0 or (options.count is not None and options.count < 1):
        raise ConfigError("--start is 0 or more, --count 1 or more")
    span = {"start": options.start, "count": options.count}
    if options.texts is not None:
        found = load_texts(options.texts, max_chars=settings.max_text_chars, **span)
    else:
        pages = candidate_pages(options.data).items()
        found = chosen(pages, max_chars=settings.max_text_chars, **span)
    if not found:
        raise InputError(f"{options.texts or options.data}: no text there to annotate")
    return found


def _note(n_done: int, n_asked: int) -> None:
    sys.stderr.write(f"annotate: {n_done} of {n_asked} questions of this round asked\n")


def _report(annotation: Annotation, labels: Mapping[str, Mapping[str, str]]) -> Figures:
    settings = annotation.settings
    report: Figures = {"settings": settings.model_dump(mode="json"), "rubrics": {}}
    report["texts"] = len(annotation.hashes)
    for rubric in annotation.rubrics:
        found = agreement_of(annotation, rubric)
        if rubric.name in labels:
            found["against_labels"] = against_labels(annotation, rubric, labels[rubric.name])
        report["rubrics"][rubric.name] = found
    return report


def _costs(annotation: Annotation, answers: AnswerFile, options: argparse.Namespace) -> Figures:
    """Cost of the answers that these results are made of, and of all that the folder holds."""
    prices = (options.price_in, options.price_out)
    used = [answer for q in annotation.questions() for answer in annotation.answers_to(q)]
    return {
        "these": cost_of(used, *prices),
        "folder": cost_of(answers.by_request.values(), *prices),
    }


def _summary(report: Figures) -> str:
    lines = [f"{report['texts']} texts, {report['settings']['model']}"]
    for name, found in report["rubrics"].items():
        unparsed = found["unparsed_questions"]
        parts = [f"{name}: unparsed {_told(unparsed['by_reason']) or 'none'}"]
        for pair in found["between_passes"]:
            figures = {key: value for key, value in pair.items() if key != "passes"}
            parts.append(f"passes {pair['passes'][0]} and {pair['passes'][1]}: {_told(figures)}")
        if "against_labels" in found:
            parts.append(f"against labels: {_told(found['against_labels'])}")
        lines.append("; ".join(parts))
    lines += [f"cost, {what}: {_told(cost)}" for what, cost in report["cost"].items()]
    return "".join(f"{line}\n" for line in lines)


def _told(figures: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name} {'not defined' if value is None else value}" for name, value in figures.items()
    )


def _json(value: Figures) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _write(folder: Path, name: str, content: str) -> None:
    """Write a file whole or not at all."""
    unfinished = folder / f".{name}.unfinished"
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(folder / name)


if __name__ == "__main__":
    raise SystemExit(main())
