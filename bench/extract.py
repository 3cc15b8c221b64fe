r"""Extractors side by side on pages whose main text people marked: F1, speed, errors, by page type.

`python -m bench.extract --warc GLOB --gold FILE --json OUT [--engines ...]` gives the pages of the
gold, found by the SHA-1 of their payload, to every engine in turn, a few at a time, so that noise
of the machine hits all alike. F1, precision and recall are over word tokens (`\w+`, lower-cased, as
multisets), the mean over pages with `main_text`. Time is that of the process, decoding apart. A
page on which an engine raises, or takes longer than `--max-page-s`, counts as an error with F1 0.

Time and text of a peer are those of its package's own call, with the settings of our adapter
(`StringEngine.bare`) and the page as it is: what the adapter adds, such as formulas written as
text, a title and blank lines between paragraphs, is neither paid by the peer nor to its credit.
With `--adapters` the peers run as they do in the pipeline. Ours runs whole either way.

The weights that `fast` ships are trained on every page of `../shared/data/crawl`: what it scores
there says nothing of pages that it has not seen. `python -m models.extractor.train ...
--held-out-only --out FILE`, then `--fast-weights FILE --held-out` here, measures it on domains that
it was not trained on.

Gold is JSON lines, plain or gz: `sha1`, `main_text`; where there are, `page_type`, and `must` and
`must_not`, lists of snippets that the text shall and shall not contain.
"""

from __future__ import annotations

import argparse
import gc
import glob
import gzip
import hashlib
import json
import resource
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from curation.crawl.warc import WarcRecord, read_records
from curation.errors import InputError, reported
from curation.extract.arbitration import words_of
from curation.extract.decode import decode
from curation.extract.engines import Engine, engine
from curation.extract.fast import FastEngine, read_weights
from curation.extract.guard import Failure, attempt
from curation.extract.string_engine import StringEngine
from models.extractor.data import GoldPage, domain_of

NAMES = ("fast", "rs-trafilatura", "trafilatura", "resiliparse", "justext")
OURS = "fast"
GROUP_PAGES = 25
"""Pages that an engine has one behind the other, before the next engine has them."""
UNTOLD_TYPE = "untold"


@dataclass(frozen=True)
class Gold:
    """What people said of a page; `words` is None where nobody marked its main text."""

    words: Counter[str] | None
    page_type: str
    must: tuple[str, ...]
    must_not: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """A page of the gold, decoded."""

    sha1: str
    url: str
    html: str
    decode_s: float


@dataclass(frozen=True)
class Contestant:
    """What is measured: a name, and a function from HTML and URL to text."""

    name: str
    text_of: Callable[[str, str], str]


@dataclass
class Tally:
    """What an engine did so far."""

    n_errors: int = 0
    n_pages: int = 0
    seconds: float = 0.0
    slowest_s: float = 0.0
    by_type: dict[str, list[tuple[float, float, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    must: list[float] = field(default_factory=list)
    must_not: list[float] = field(default_factory=list)


def score(found: Counter[str], wanted: Counter[str]) -> tuple[float, float, float]:
    """F1, precision and recall of two multisets of words, each 0..1; 0 where nothing is shared."""
    shared = (found & wanted).total()
    if not shared:
        return 0.0, 0.0, 0.0
    precision, recall = shared / found.total(), shared / wanted.total()
    return 2 * precision * recall / (precision + recall), precision, recall


def cpu_s() -> float:
    """Processor time of this process so far, all its threads, in seconds.

    Not `time.process_time`: while the timer of `guard` is set, Linux counts that in steps of 4 ms,
    longer than an extractor takes.
    """
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def snippet_frac(text: str, snippets: Sequence[str]) -> float:
    """Share of `snippets` that stand in `text`, white space squeezed in both."""
    squeezed = _squeezed(text)
    return sum(_squeezed(snippet) in squeezed for snippet in snippets) / len(snippets)


def read_gold(path: str) -> dict[str, Gold]:
    """Gold by SHA-1. Of several rows of a page the first with a main text counts.

    Raises:
        InputError: there is no such file, or it is not JSON lines with a `sha1`.
    """
    gold: dict[str, Gold] = {}
    try:
        opened = gzip.open if Path(path).read_bytes()[:2] == b"\x1f\x8b" else open
        with opened(path, "rt", encoding="utf-8") as file:
            for row in map(json.loads, filter(str.strip, file)):
                if gold.get(row["sha1"]) is None or gold[row["sha1"]].words is None:
                    gold[row["sha1"]] = _gold(row)
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise InputError(f"gold {path}: {type(error).__name__}: {error}") from error
    return gold


def _gold(row: Mapping[str, Any]) -> Gold:
    words = words_of(row.get("main_text") or "")
    must, must_not = (tuple(filter(None, row.get(key) or ())) for key in ("must", "must_not"))
    return Gold(words or None, row.get("page_type") or UNTOLD_TYPE, must, must_not)


def files_of(patterns: Sequence[str]) -> list[str]:
    """Files that match one of `patterns`, in order.

    Raises:
        InputError: no file does.
    """
    # `Path.glob` takes no pattern that begins at the root.
    found = {path for one in patterns for path in glob.glob(one, recursive=True)}  # noqa: PTH207
    if not found:
        raise InputError(f"--warc {' '.join(patterns)}: no such file")
    return sorted(found)


def read_pages(paths: Sequence[str], wanted: Mapping[str, Gold]) -> Iterator[Page]:
    """Pages of the files that are in the gold, each once, decoded as the pipeline does."""
    seen: set[str] = set()
    for item in (item for path in paths for item in read_records(path)):
        if not isinstance(item, WarcRecord) or item.record_type not in ("response", "resource"):
            continue
        sha1 = hashlib.sha1(item.payload, usedforsecurity=False).hexdigest()
        if sha1 in wanted and sha1 not in seen:
            seen.add(sha1)
            begun = cpu_s()
            html = decode(item.payload, item.http_charset).text
            yield Page(sha1, item.url, html, cpu_s() - begun)


def bare(one: Engine) -> Contestant:
    """The call of the package that an engine is an adapter to; other engines are `adapted`."""
    return Contestant(one.name, one.bare) if isinstance(one, StringEngine) else adapted(one)


def adapted(one: Engine) -> Contestant:
    """An engine as it runs in the pipeline."""
    return Contestant(one.name, lambda html, url: one(html, url=url).text)


def run_pages(
    pages: Sequence[Page],
    gold: Mapping[str, Gold],
    contestants: Sequence[Contestant],
    tallies: Mapping[str, Tally],
    max_s: float,
) -> None:
    """Gives some pages to everyone and adds what came of them to `tallies`.

    An engine has them one behind the other, as in a worker: what another one, or the scoring, left
    in the processor's caches is not its affair.
    """
    for one in contestants:
        found = [_timed(one, page, max_s) for page in pages]
        for page, (text, seconds, failed) in zip(pages, found, strict=True):
            _add(tallies[one.name], gold[page.sha1], text, seconds=seconds, failed=failed)


def _timed(one: Contestant, page: Page, max_s: float) -> tuple[str, float, bool]:
    """Text, seconds, and whether the engine failed or took longer than `max_s`."""
    begun = cpu_s()
    found = attempt(partial(one.text_of, page.html, page.url), name=one.name, max_s=max_s)
    seconds = cpu_s() - begun
    failed = isinstance(found, Failure) or seconds > max_s
    return "" if isinstance(found, Failure) or failed else found, seconds, failed


def _add(tally: Tally, gold: Gold, text: str, *, seconds: float, failed: bool) -> None:
    if gold.must:
        tally.must.append(snippet_frac(text, gold.must))
    if gold.must_not and not failed:
        tally.must_not.append(1.0 - snippet_frac(text, gold.must_not))
    if gold.words is None:
        return
    tally.n_errors += failed
    tally.n_pages += 1
    tally.seconds += seconds
    tally.slowest_s = max(tally.slowest_s, seconds)
    tally.by_type[gold.page_type].append(score(words_of(text), gold.words))


def facts(tally: Tally) -> dict[str, Any]:
    """The JSON of one engine."""
    scores = [one for group in tally.by_type.values() for one in group]
    return _means(scores) | {
        "pages_per_s": round(tally.n_pages / tally.seconds, 2) if tally.seconds else 0.0,
        "errors": tally.n_errors,
        "slowest_s": round(tally.slowest_s, 4),
        "by_type": {
            name: {"n_pages": len(group)} | _means(group)
            for name, group in sorted(tally.by_type.items())
        },
    }


def _means(scores: Sequence[tuple[float, float, float]]) -> dict[str, float]:
    names = ("f1", "precision", "recall")
    return {
        name: round(sum(one[place] for one in scores) / len(scores), 4) if scores else 0.0
        for place, name in enumerate(names)
    }


def report(tallies: Mapping[str, Tally], *, decode_s: float, n_read: int) -> dict[str, Any]:
    """All that is written as JSON: engines, ratios of ours to each peer, snippets, decoding."""
    engines = {name: facts(tally) for name, tally in tallies.items()}
    return {
        "engines": engines,
        "ratios": _ratios(engines),
        "snippets": {
            name: {"must_frac": _mean(tally.must), "absent_must_not_frac": _mean(tally.must_not)}
            for name, tally in tallies.items()
        },
        "n_pages": next(iter(tallies.values())).n_pages,
        "decode_pages_per_s": round(n_read / decode_s, 1) if decode_s else 0.0,
    }


def _ratios(engines: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    ours = engines.get(OURS)
    if ours is None:
        return {}
    return {
        name: {
            "speed": round(ours["pages_per_s"] / peer["pages_per_s"], 2),
            "f1_more": round(ours["f1"] - peer["f1"], 4),
        }
        for name, peer in engines.items()
        if name != OURS and peer["pages_per_s"]
    }


def table(found: Mapping[str, Any]) -> str:
    """The report as text."""
    types = sorted({name for one in found["engines"].values() for name in one["by_type"]})
    head = ["engine", "F1", "precision", "recall", "pages/s", "errors", "slowest s", "must"]
    head += ["no must_not", f"{OURS}: times as fast", "F1 more"]
    rows = [_row(name, found) for name in found["engines"]]
    counts = next(iter(found["engines"].values()))["by_type"]
    type_rows = [
        [f"{kind} ({counts[kind]['n_pages']})"]
        + [f"{one['by_type'][kind]['f1']:.3f}" for one in found["engines"].values()]
        for kind in types
    ]
    decoding = f"{found['n_pages']} pages; decoding {found['decode_pages_per_s']} pages/s"
    by_type = _aligned([["F1 by type", *found["engines"]], *type_rows])
    return f"{_aligned([head, *rows])}\n\n{by_type}\n\n{decoding}\n"


def _row(name: str, found: Mapping[str, Any]) -> list[str]:
    one, snippets = found["engines"][name], found["snippets"][name]
    ratio = found["ratios"].get(name)
    cells = [name, *(f"{one[key]:.4f}" for key in ("f1", "precision", "recall"))]
    cells += [f"{one['pages_per_s']:.1f}", str(one["errors"]), f"{one['slowest_s']:.2f}"]
    cells += [f"{snippets[key]:.3f}" for key in ("must_frac", "absent_must_not_frac")]
    return cells + ([f"{ratio['speed']:.2f}", f"{ratio['f1_more']:+.4f}"] if ratio else ["", ""])


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4) if values else 0.0


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _groups(pages: Iterator[Page], limit: int) -> Iterator[list[Page]]:
    """At most `limit` pages (0: all), `GROUP_PAGES` at a time."""
    pages = islice(pages, limit or None)
    while group := list(islice(pages, GROUP_PAGES)):
        yield group


def _rotated(contestants: Sequence[Contestant], number: int) -> list[Contestant]:
    """Each group begins with another one, so that none always finds the pages in the cache."""
    place = number % len(contestants)
    return [*contestants[place:], *contestants[:place]]


def _engine(name: str, fast_weights: Path | None) -> Engine:
    if name != OURS or fast_weights is None:
        return engine(name)
    with fast_weights.open("rb") as file:
        return FastEngine(read_weights(file))


def warning(options: argparse.Namespace) -> str:
    """What must be known to read the figures; empty where nothing is to be said."""
    if options.fast_weights is not None:
        return ""
    return (
        f"{OURS}: the shipped weights were trained on all pages of ../shared/data/crawl; its F1 on "
        "those is no measure of unseen pages. For that: train with --held-out-only, and give the "
        "file as --fast-weights together with --held-out\n"
    )


def _kept(held_out: bool) -> Callable[[Page], bool]:
    if not held_out:
        return lambda page: True
    return lambda page: is_held_out(page.url)


def is_held_out(url: str) -> bool:
    """Whether the page's domain is among those that our extractor is not trained on."""
    return GoldPage(
        sha1="",
        url=url,
        domain=domain_of(url),
        page_type="",
        html="",
        main_text="",
        must=(),
        must_not=(),
    ).is_held_out


def arguments(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--warc", required=True, nargs="+", help="patterns of WARC files")
    parser.add_argument("--gold", required=True, help="JSON lines, plain or gz")
    parser.add_argument("--json", required=True, help="where the numbers go")
    parser.add_argument(
        "--engines", nargs="+", default=list(NAMES), help="names, or module:factory"
    )
    parser.add_argument(
        "--adapters", action="store_true", help="peers as in the pipeline, not their bare calls"
    )
    parser.add_argument("--max-page-s", type=float, default=20.0)
    parser.add_argument("--fast-weights", type=Path, help="weights for fast, not the shipped ones")
    parser.add_argument("--limit", type=int, default=0, help="first pages only; 0: all")
    parser.add_argument("--held-out", action="store_true", help="only domains not trained on")
    return parser.parse_args(args)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Runs the bench.

    Raises:
        InputError: no WARC file matches, or none of them holds a page of the gold.
    """
    names = [name for group in options.engines for name in group.split(",") if name]
    made = [_engine(name, options.fast_weights) for name in names]
    contestants = [(adapted if options.adapters else bare)(one) for one in made]
    paths = files_of(options.warc)
    gold, kept = read_gold(options.gold), _kept(options.held_out)
    gc.freeze()  # the gold is ours: no engine shall pay for walks of the garbage collector over it
    tallies = {one.name: Tally() for one in contestants}
    n_read, decode_s = 0, 0.0
    for group in _groups(filter(kept, read_pages(paths, gold)), options.limit):
        if n_read == 0:  # what an engine loads at its first page is not the page's time
            run_pages(group[:1], gold, contestants, defaultdict(Tally), options.max_page_s)
        turn = _rotated(contestants, n_read // GROUP_PAGES)
        run_pages(group, gold, turn, tallies, options.max_page_s)
        n_read, decode_s = n_read + len(group), decode_s + sum(page.decode_s for page in group)
    if not n_read:
        raise InputError(f"--warc {' '.join(options.warc)}: no page of {options.gold}")
    return report(tallies, decode_s=decode_s, n_read=n_read)


def main() -> None:
    """Measures, prints the table, writes the JSON."""
    options = arguments()
    with reported():
        found = measure(options)
    Path(options.json).write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(found) + "\n" + warning(options))


if __name__ == "__main__":
    main()
