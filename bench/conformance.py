"""Our presets beside datatrove's own filter classes over real pages: agreement, rule by rule.

`python -m bench.conformance --warc GLOB [--json OUT]` extracts the pages as s01 does, keeps those
in English, lets each rule of `gopher`, `c4` and `fineweb` and the datatrove filter with only that
rule on judge every page, and prints how often they agree: datatrove as it is (words and sentences
by spaCy), with our words put into it, and with every difference of definition taken out. Each page
on which they differ is put down to the cause that takes the difference away; `unexplained` is what
nothing did. docs/conformance.md explains the causes. Needs `pip install 'curation[bench]'`, no
network. `--jsonl FILE` takes texts from JSON lines (`url`, `text`) instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from bench.conformance_rules import WORDS, Comparison, Step, comparisons, counted
from curation.config import ExtractConfig, MeasureConfig
from curation.crawl.listing import list_warcs
from curation.crawl.warc import read_records
from curation.errors import InputError, reported
from curation.extract.guard import Failure, attempt
from curation.extract.pages import Place, row_maker
from curation.extract.records import DocIds, Origin
from curation.measure.language import identify, load_language_model
from curation.measure.rules import rules
from curation.measure.signals import signals
from curation.measure.words import Words
from curation.model_store import language_model_path

PRESETS = ("gopher", "fineweb", "c4")
"""Those of ours that datatrove has filters for."""
LANGUAGE = "en"
UNEXPLAINED = "unexplained"
_MAX_S = 600.0
_N_EXAMPLES = 3


@dataclass(frozen=True)
class Page:
    """A page to judge."""

    url: str
    text: str


def read_warc(patterns: Sequence[str]) -> Iterator[Page]:
    """The pages of WARC files, extracted as s01 does it by default."""
    row_of = row_maker(ExtractConfig())
    for path in (file.path for file in list_warcs(list(patterns))):
        ids, origin = DocIds(path), Origin(path, "bench", "bench")
        for item in read_records(path):
            row = row_of(Place(item, ids.next_id(item), origin))
            if row["outcome"] == "page":
                yield Page(row["url"], row["text"])


def read_jsonl(path: Path) -> Iterator[Page]:
    """Pages from JSON lines with `url` and `text`."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield Page(row["url"], row["text"])


def in_english(pages: Sequence[Page]) -> list[Page]:
    """The pages whose likeliest language is English."""
    model = load_language_model(str(language_model_path()))
    n_chars = MeasureConfig().max_language_chars
    found = identify([page.text for page in pages], model, max_chars=n_chars)
    return [page for page, best in zip(pages, found, strict=True) if best[0][0] == LANGUAGE]


def our_verdicts(
    pages: Sequence[Page], presets: Sequence[str]
) -> dict[tuple[str, str], list[bool]]:
    """Whether each page is dropped, by preset and reason; `all` is any reason of the preset.

    Decided by the SQL of the rules, over the signals that s02 measures.
    """
    measured = [_signals(page.text) for page in pages]
    table = pa.Table.from_pylist(measured)
    found: dict[tuple[str, str], list[bool]] = {}
    for preset in presets:
        fails = {rule.reason: rule.fails for rule in rules(preset)}
        fails["all"] = " OR ".join(fails.values())
        told = ", ".join(f"({sql}) AS {reason}" for reason, sql in fails.items())
        with duckdb.connect() as connection:
            judged = duckdb.from_arrow(table, connection=connection).project(told)
            columns = judged.to_arrow_table().to_pydict()
        found |= {(preset, reason): column for reason, column in columns.items()}
    return found


def _signals(text: str) -> dict[str, Any]:
    words = Words(text)
    return signals(words) | {"n_words": words.n_words, "language": LANGUAGE}


def compare(
    comparison: Comparison, ours: Sequence[bool], theirs: Sequence[Sequence[bool | None]]
) -> dict[str, Any]:
    """Agreement of a rule: as it is, with the same words, with the same definition; causes.

    Args:
        comparison: The rule.
        ours: Whether we drop each page.
        theirs: The same of datatrove, by page and step.
    """
    told = [(drop, steps) for drop, steps in zip(ours, theirs, strict=True) if None not in steps]
    pairs = [(drop, steps[0]) for drop, steps in told]
    causes = [_cause(comparison.steps, drop, steps) for drop, steps in told if drop != steps[0]]
    agreed = [_share([drop == steps[at] for drop, steps in told]) for at in range(len(theirs[0]))]
    by_words = [at for at, step in enumerate(comparison.steps) if step.cause == WORDS]
    return {
        "preset": comparison.preset,
        "reason": comparison.reason,
        "same_definition": comparison.same,
        "n": len(told),
        "both_drop": sum(mine and its is True for mine, its in pairs),
        "only_ours": sum(mine and not its for mine, its in pairs),
        "only_theirs": sum(its is True and not mine for mine, its in pairs),
        "agreement": agreed[0],
        "agreement_same_words": agreed[by_words[0]] if by_words else agreed[0],
        "agreement_same_definition": agreed[-1],
        "causes": counted(causes),
    }


def _cause(steps: Sequence[Step], ours: bool, theirs: Sequence[bool | None]) -> str:
    """Cause of the first step from which on both agree."""
    at = len(steps)
    while at and theirs[at - 1] == ours:
        at -= 1
    return steps[at].cause if at < len(steps) else UNEXPLAINED


def _share(agreed: Sequence[bool]) -> float:
    return round(sum(agreed) / len(agreed), 5) if agreed else 1.0


def judge(pages: Sequence[Page], found: Sequence[Comparison]) -> list[list[list[bool | None]]]:
    """What datatrove says, by comparison, page and step; None where it raises or does not tell."""
    by_rule: list[list[list[bool | None]]] = [[] for _ in found]
    for page in pages:
        for verdicts, one in zip(by_rule, found, strict=True):
            verdicts.append([_told(step, page.text) for step in one.steps])
    return by_rule


def _told(step: Step, text: str) -> bool | None:
    told = attempt(partial(step.drops, text), name="datatrove", max_s=_MAX_S)
    return None if isinstance(told, Failure) else told


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    head = ("preset", "rule", "pages", "both drop", "only we", "only datatrove", "agreement, %",
            "same words, %", "same definition, %", "causes")  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * 7 + "---|"]
    for row in rows:
        shares = [row[f"agreement{kind}"] for kind in ("", "_same_words", "_same_definition")]
        causes = ", ".join(f"{cause} {n}" for cause, n in row["causes"].items())
        name = f"{row['reason']}{' =' if row['same_definition'] else ''}"
        counts = [str(row[key]) for key in ("n", "both_drop", "only_ours", "only_theirs")]
        cells = [row["preset"], name, *counts, *(f"{100 * share:.2f}" for share in shares), causes]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def examples(
    pages: Sequence[Page],
    comparison: Comparison,
    ours: Sequence[bool],
    theirs: Sequence[Sequence[bool | None]],
) -> dict[str, list[str]]:
    """Addresses of a few pages for each cause, to look at."""
    found: dict[str, list[str]] = {}
    for page, drop, steps in zip(pages, ours, theirs, strict=True):
        if None not in steps and drop != steps[0]:
            urls = found.setdefault(_cause(comparison.steps, drop, steps), [])
            urls += [page.url] if len(urls) < _N_EXAMPLES else []
    return found


def measure(pages: Sequence[Page], presets: Sequence[str]) -> dict[str, Any]:
    """The comparison of the rules of `presets`, as JSON has it."""
    found = [one for one in comparisons() if one.preset in presets]
    mine = our_verdicts(pages, presets)
    ours = [mine[one.preset, one.reason] for one in found]
    theirs = judge(pages, found)
    rows = [
        compare(one, dropped, told) | {"examples": examples(pages, one, dropped, told)}
        for one, dropped, told in zip(found, ours, theirs, strict=True)
    ]
    return {"n_pages": len(pages), "rules": rows}


def main(args: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--warc", nargs="+", help="files, or a pattern of them")
    source.add_argument("--jsonl", type=Path, help="texts, a JSON object a line")
    parser.add_argument("--json", type=Path, help="where the numbers go")
    parser.add_argument("--preset", nargs="+", choices=PRESETS, default=PRESETS)
    parser.add_argument("--limit", type=int, help="pages read at most; all by default")
    options = parser.parse_args(args)
    source_pages = read_warc(options.warc) if options.warc else read_jsonl(options.jsonl)
    pages = in_english(list(islice(source_pages, options.limit)))
    if not pages:
        raise InputError("no page in English to compare on")
    found = measure(pages, options.preset)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{found['n_pages']} pages in English\n\n{table(found['rules'])}")
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
