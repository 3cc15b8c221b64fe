"""How well near duplicates are found: ours, datatrove's MinHash and the exact oracle.

`python -m bench.dedup_quality --json OUT --plot OUT.svg [--gold FILE] [--documents N]` makes
families of documents from real texts (`bench.duplicates`; without `--gold` from made ones), counts
the exact Jaccard similarity of all pairs, and asks each method which pairs are candidates, that
is, share a band. Printed are, as Markdown and as JSON:

- recall: share of the pairs of a Jaccard bin that are candidates, beside the mean over the same
  pairs of the theory's 1 - (1 - s^r)^b;
- precision: share of the candidates at or above a similarity;
- families: share of the copies that are candidates with their base;
- clusters: what is removed by transitive closure, of candidates as they are and of verified ones,
  and by verifying each document with its survivor;
- estimates: error of the similarity that two signatures give.

What the methods are: `bench.dedup_methods`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.dedup_methods import (
    SEED,
    VERIFIED,
    Bools,
    Floats,
    Ints,
    Matrix,
    Method,
    classic_signatures,
    datatrove,
    ours,
)
from bench.dedup_plot import draw
from bench.duplicates import FAMILIES, N_PER_BASE, Variant, corpus
from curation.errors import InputError, reported
from curation.measure.hashing import random_bits
from curation.measure.minhash import Hashes

MOST_DOCUMENTS = 6_000
"""The oracle takes some 30 bytes a pair of documents."""
FAR = 0.5
"""Below it a removed document was no duplicate of its survivor."""
EDGES = np.arange(40, 101, 5) / 100
"""Bounds of the Jaccard bins; the last bin has 1.0 too."""
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
BASE_WORDS, LEAST_WORDS = 700, 300
"""Words of a base at most, and of a text at least that may be one."""
_N_ESTIMATED = 400
"""Documents whose signatures are compared with the classic ones, at 10 ms each."""

Row = dict[str, Any]


def read_texts(path: Path, field: str) -> list[str]:
    """Distinct texts of `LEAST_WORDS` or more in a file of JSON lines, plain or gz, in its order.

    Raises:
        InputError: there is none.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        texts = [json.loads(line).get(field) or "" for line in file]
    long = [text for text in dict.fromkeys(texts) if len(text.split()) >= LEAST_WORDS]
    if not long:
        raise InputError(f"{path}: no `{field}` of {LEAST_WORDS} words")
    return long


def made_texts(n: int) -> list[str]:
    """`n` texts of 3,000 words from a vocabulary of 4,096 made words, the same ones always."""
    parts = [a + b for a in "bdfghklmnprstvwz" for b in ("a", "e", "o", "ir")]
    words = [first + second for first in parts for second in parts]
    bits = (random_bits(3_000 * n, SEED) >> np.uint64(52)).reshape(n, 3_000)
    return [
        "".join(words[bit] + (". " if i % 17 == 16 else " ") for i, bit in enumerate(row))
        for row in bits.tolist()
    ]


def documents(texts: Sequence[str], n_documents: int, seed: int) -> list[Variant]:
    """Families of the first texts; what is not made into a base is the stock of other words.

    Raises:
        InputError: the texts do not suffice for so many.
    """
    n_bases = max(n_documents // N_PER_BASE, 1)
    split = [text.split(" ") for text in texts]
    bases = [" ".join(words[:BASE_WORDS]) for words in split[:n_bases]]
    rest = [words[BASE_WORDS:] for words in split[:n_bases]] + split[n_bases:]
    spare = (word for words in rest for word in " ".join(words).split())
    return list(corpus(bases, spare, seed=seed))


def recall_by_bin(method: Method) -> list[Row]:
    """Share of the pairs of each bin of `EDGES` that are candidates, and what theory says."""
    left, right = np.triu_indices(len(method.exact), 1)
    similarity = method.exact[left, right]
    rows: list[Row] = []
    for low, high in zip(EDGES[:-1].tolist(), EDGES[1:].tolist(), strict=True):
        is_last = high == EDGES[-1]
        inside = (similarity >= low) & ((similarity < high) | is_last)
        if inside.any():
            rows.append(_bin(low, method, left[inside], right[inside]))
    return rows


def _bin(low: float, method: Method, left: Ints, right: Ints) -> Row:
    similarity = method.exact[left, right].astype(np.float64)
    recalls = np.array([run.candidates[left, right].mean() for run in method.runs])
    return {
        "bin": low,
        "n_pairs": len(left),
        "jaccard": float(similarity.mean()),
        "recall": float(recalls.mean()),
        "standard_error": float(recalls.std() / np.sqrt(max(len(recalls) - 1, 1))),
        "theory": float(method.theory(similarity).mean()),
    }


def thresholds(methods: Sequence[Method]) -> list[Row]:
    """Precision and recall at each of `THRESHOLDS`: of candidates, verified ones, the oracle."""
    rows: list[Row] = []
    common = methods[0].exact
    for method in methods:
        found = [np.triu(run.candidates) for run in method.runs]
        verified = [one & (method.exact >= VERIFIED) for one in found]
        rows.append(_against(f"{method.name}", found, method.exact))
        rows.append(_against(f"{method.name}; verified", verified, method.exact))
        if method.exact is not common:
            rows.append(_against(f"{method.name}; by 24 chars", found, common))
    oracle = [np.triu(common >= VERIFIED)]
    return [*rows, _against("exact oracle, 24 chars", oracle, common)]


def _against(name: str, found: Sequence[Bools], exact: Matrix) -> Row:
    """Shares of the pairs that all runs found, and of all pairs, that are similar and found."""
    similarity = np.concatenate([exact[one] for one in found])
    n_similar = {t: len(found) * int(np.triu(exact >= t).sum()) for t in THRESHOLDS}
    return {
        "method": name,
        "n_found": len(similarity) / len(found),
        "precision": {str(t): float((similarity >= t).mean()) for t in THRESHOLDS},
        "recall": {str(t): float((similarity >= t).sum()) / n_similar[t] for t in THRESHOLDS},
    }


def families(made: Sequence[Variant], methods: Sequence[Method]) -> list[Row]:
    """Copies of each family: similarity with their base, and share found as candidates with it."""
    numbers = {one.doc_id: i for i, one in enumerate(made)}
    copies: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for i, one in enumerate(made):
        if one.family != "base":
            copies[one.family].append((numbers[one.base_id], i))
    rows: list[Row] = []
    for family in FAMILIES[1:]:
        bases, others = np.array(copies[family]).T
        row: Row = {"family": family, "n": len(bases)}
        for method in methods:
            found = np.stack([run.candidates[bases, others] for run in method.runs])
            row[method.name] = _found(method.exact[bases, others], found)
        rows.append(row)
    return rows


def _found(similarity: Matrix, found: Bools) -> Row:
    """Of copies with `similarity`, shape (n,), and whether each run found them, (n_runs, n)."""
    similar = similarity >= VERIFIED
    return {
        "jaccard": float(similarity.mean(dtype=np.float64)),
        "similar_frac": float(similar.mean()),
        "found_frac": float(found.mean()),
        "recall": float(found[:, similar].mean()) if similar.any() else None,
        "precision": float((found & similar).sum() / found.sum()) if found.any() else None,
    }


def closure(linked: Bools) -> Ints:
    """Least document of the connected component of each; shape (n,)."""
    n = len(linked)
    labels = np.arange(n, dtype=np.int32)
    while True:
        least = np.minimum(labels, np.where(linked, labels, np.int32(n)).min(axis=1))
        if (least == labels).all():
            return labels.astype(np.int64)
        labels = least[least]


def with_survivor(linked: Bools) -> Ints:
    """In order of documents: each goes to the first that is kept and linked to it, or is kept."""
    survivors = np.arange(len(linked))
    for i in range(len(linked)):
        kept = np.flatnonzero(linked[i, :i] & (survivors[:i] == np.arange(i)))
        survivors[i] = kept[0] if kept.size else i
    return survivors


def clusters(methods: Sequence[Method]) -> list[Row]:
    """What each way to make clusters removes; similarities are the method's own."""
    rows: list[Row] = []
    for method in methods:
        candidates = method.runs[0].candidates
        verified = candidates & (method.exact >= VERIFIED)
        ways = {
            "closure of candidates": closure(candidates),
            "closure of verified pairs": closure(verified),
            "verified with the survivor": with_survivor(verified),
        }
        if method.survivors is not None:
            ways = {"its own stages": method.survivors} | ways
        rows += [_removal(method, way, survivors) for way, survivors in ways.items()]
    similar = methods[0].exact >= VERIFIED
    for way, found in (("closure", closure(similar)), ("survivor", with_survivor(similar))):
        rows.append(_removal(methods[0], f"exact oracle, {way}", found))
    return rows


def _removal(method: Method, way: str, survivors: Ints) -> Row:
    removed = np.flatnonzero(survivors != np.arange(len(survivors)))
    kept = np.flatnonzero(survivors == np.arange(len(survivors)))
    with_own = method.exact[removed, survivors[removed]]
    left = np.tril(method.exact[np.ix_(kept, kept)] >= VERIFIED).any(axis=1)
    return {
        "method": method.name,
        "clusters": way,
        "n_removed": len(removed),
        "far_frac": float((with_own < FAR).mean()) if len(removed) else 0.0,
        "below_frac": float((with_own < VERIFIED).mean()) if len(removed) else 0.0,
        "n_left": int(left.sum()),
    }


def estimates(methods: Sequence[Method]) -> list[Row]:
    """Error of each method's estimate and of classic MinHash with as many values, over all runs."""
    rows: list[Row] = []
    for method in methods:
        some, n_values = method.shingles[:_N_ESTIMATED], method.runs[0].signatures.shape[1]
        classic = (classic_signatures(some, n_values, SEED + i) for i in range(len(method.runs)))
        exact = np.triu(method.exact[:_N_ESTIMATED, :_N_ESTIMATED], 1)
        rows.append(_errors(method.name, exact, [run.signatures for run in method.runs]))
        rows.append(_errors("classic MinHash", exact, classic))
    return rows


def _errors(name: str, exact: Matrix, signatures: Iterable[Hashes]) -> Row:
    """Errors of the share of equal values over the pairs that share a tenth of their shingles."""
    left, right = np.nonzero(exact >= 0.1)
    true, errors, n_values = exact[left, right].astype(np.float64), [], 0
    for one in signatures:
        errors.append(_agreement(one, left, right) - true)
        n_values = one.shape[1]
    error = np.concatenate(errors)
    return {
        "method": name,
        "values": n_values,
        "n_pairs": len(true),
        "bias": float(error.mean()),
        "mean": float(np.abs(error).mean()),
        "rms": float(np.sqrt((error**2).mean())),
        "theory_rms": float(np.sqrt((true * (1 - true) / n_values).mean())),
    }


def _agreement(signatures: Hashes, left: Ints, right: Ints) -> Floats:
    """Share of equal values of each pair, some pairs at a time for the memory's sake."""
    found = [
        (signatures[left[i : i + 4_096]] == signatures[right[i : i + 4_096]]).mean(axis=1)
        for i in range(0, len(left), 4_096)
    ]
    return np.concatenate(found)


def report(made: Sequence[Variant], methods: Sequence[Method]) -> Row:
    """All the numbers."""
    return {
        "n_documents": len(made),
        "n_runs": len(methods[0].runs),
        "recall": {one.name: recall_by_bin(one) for one in methods},
        "thresholds": thresholds(methods),
        "families": families(made, methods),
        "clusters": clusters(methods),
        "estimates": estimates(methods),
    }


def tables(found: Row) -> str:
    """The numbers as tables in Markdown."""
    names = list(found["recall"])
    parts = [
        _recall_table(found["recall"]),
        _threshold_table("precision", found["thresholds"]),
        _threshold_table("recall", found["thresholds"]),
        _table(["family", "copies", *names], [
            [row["family"], row["n"], *(_family_cell(row[name]) for name in names)]
            for row in found["families"]
        ]),
        _table(["method", "clusters", "removed", f"below {FAR}", f"below {VERIFIED}", "left"], [
            [row["method"], row["clusters"], row["n_removed"], _share(row["far_frac"]),
             _share(row["below_frac"]), row["n_left"]]
            for row in found["clusters"]
        ]),
        _table(["signature", "values", "bias", "mean error", "rms", "rms of theory"], [
            [row["method"], row["values"], *(f"{row[key]:.4f}" for key in
             ("bias", "mean", "rms", "theory_rms"))]
            for row in found["estimates"]
        ]),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _threshold_table(measure: str, rows: Sequence[Row]) -> str:
    lines = [
        [row["method"], *map(_share, row[measure].values()), f"{row['n_found']:,.0f}"]
        for row in rows
    ]
    return _table([f"{measure} at", *map(str, THRESHOLDS), "pairs found"], lines)


def _recall_table(recall: dict[str, list[Row]]) -> str:
    cells = {(name, row["bin"]): row for name, rows in recall.items() for row in rows}
    lines = [
        [f"{low:.2f}", *(_recall_cell(cells.get((name, float(low)))) for name in recall)]
        for low in EDGES[:-1]
    ]
    return _table(["Jaccard from", *recall], lines)


def _recall_cell(row: Row | None) -> str:
    if row is None:
        return ""
    return f"{_share(row['recall'])} ({_share(row['theory'])}), {row['n_pairs']:,}"


def _family_cell(row: Row) -> str:
    return f"{_share(row['found_frac'])} ({_share(row['similar_frac'])})"


def _share(value: float) -> str:
    return f"{value:.3f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def main(args: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", required=True, type=Path, help="where the numbers go")
    parser.add_argument("--plot", required=True, type=Path, help="where the SVG goes")
    parser.add_argument("--gold", type=Path, help="real texts, JSON lines; else made ones")
    parser.add_argument("--field", default="main_text", help="field of --gold with the text")
    parser.add_argument("--documents", type=int, default=4_000, help="documents, at most 8,000")
    parser.add_argument("--seed", type=int, default=17, help="of the edits")
    parser.add_argument("--runs", type=int, default=6, help="seeds of the hashes")
    options = parser.parse_args(args)
    if options.documents > MOST_DOCUMENTS:
        raise InputError(f"--documents {options.documents}: at most {MOST_DOCUMENTS}")
    texts = (
        read_texts(options.gold, options.field)
        if options.gold
        else made_texts(options.documents // N_PER_BASE + 50)
    )
    made = documents(texts, options.documents, options.seed)
    all_texts = [one.text for one in made]
    with tempfile.TemporaryDirectory() as folder:
        theirs = datatrove(all_texts, options.runs, Path(folder))
    methods = [*ours(all_texts, options.runs), theirs]
    found = report(made, methods)
    options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw(methods, found["recall"], options.plot)
    sys.stdout.write(tables(found))
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
