"""Rewriting: poor pages against the same content rewritten.

Hypothesis: at equal tokens, what is rewritten gives the lower loss on good text, and more of the
facts that the poor pages hold.

Arms: `low` is made-up pages that hold true sentences of a subject and invented facts (of places),
carelessly typed among small talk and a site's furniture; `rewritten` is the same sentences and
facts as clean prose, a third as long, hence read three times as often at equal tokens. A generator
stands in for the model that would rewrite: it loses nothing and adds nothing. Held out: entries of
an encyclopaedia on other subjects, made by the sample's generators; real high pages; the invented
facts in one plain wording, as the loss of their last words.

Source: 2412.02595 (Nemotron-CC), section 2.3: low pages are rewritten, not dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench.science.design import Arm, Contrast, Experiment, Material, Phase, Quiz, fixed
from bench.science.facts import Fact, invented_facts
from bench.science.texts import beginnings, crawl_pages, split_pages, surveys
from curation.sample.catalogue import Stock, load_stock
from curation.sample.chatter import ramble, roughen
from curation.sample.prose import facts

N_PAGES, N_ENTITIES = 320, 160
_N_KNOWN, _N_INVENTED = 6, 2
"""True sentences, and entities with their facts, on a page."""


def material(data: Path, seed: int) -> Material:
    """Pages, poor and rewritten, with the same content; each fact stands on four pages."""
    stock, invented = load_stock(), invented_facts(N_ENTITIES, seed)
    turns = [t for t in range(len(stock.subjects)) if t % 5 != seed % 5]
    low, rewritten = list[str](), list[str]()
    for number in range(N_PAGES):
        rng, turn = Random(f"{seed}/rewriting/{number}"), turns[number % len(turns)]
        told = [invented[(number * _N_INVENTED + i) % N_ENTITIES] for i in range(_N_INVENTED)]
        content = page_content(rng, stock, turn, told)
        low.append(low_page(rng, stock, turn, content))
        rewritten.append(" ".join(content))
    high = [page for page in crawl_pages(data) if page.edu >= 3]
    return Material(
        {"low": low, "rewritten": rewritten},
        {
            "surveys of other subjects": surveys(seed, held_out=True),
            "high pages": beginnings(split_pages(high, seed)[1]),
        },
        {"facts": Quiz(tuple(fact.cloze for entity in invented for fact in entity))},
        {"characters, low": sum(map(len, low)), "characters, rewritten": sum(map(len, rewritten))},
    )


def page_content(rng: Random, stock: Stock, turn: int, told: Sequence[Sequence[Fact]]) -> list[str]:
    """What a page has to say, sentence by sentence."""
    known = facts(rng, stock, stock.subject(turn), _N_KNOWN)
    return [*known, *(fact.sentence(rng) for entity in told for fact in entity)]


def low_page(rng: Random, stock: Stock, turn: int, content: Sequence[str]) -> str:
    """`content` in its order, carelessly typed among small talk, with a site's furniture."""
    furniture = stock.chapters["furniture"]["site"]
    talk = [line + "." for line in ramble(rng, stock, turn).text.replace("\n", " ").split(". ")]
    places = sorted(rng.choices(range(len(talk) + 1), k=len(content)))
    for place, sentence in zip(reversed(places), reversed(content), strict=True):
        talk.insert(place, sentence)
    menu = " | ".join(rng.sample(furniture["nav"], 8))
    share = " ".join(rng.sample(furniture["share"], 4))
    return "\n".join(
        [menu, roughen(rng, " ".join(talk)), share, *rng.sample(furniture["comment"], 3)]
    )


_DIFFERENCE = {"rewritten": 1.0, "low": -1.0}

EXPERIMENT = Experiment(
    "rewriting",
    "Low pages rewritten against low pages",
    material,
    fixed(*(Arm(name, (Phase({name: 1.0}),)) for name in ("low", "rewritten"))),
    tuple(
        Contrast("rewritten minus low", metric, _DIFFERENCE, "below 0")
        for metric in ("surveys of other subjects", "high pages", "facts nats")
    ),
    ("surveys of other subjects", "high pages", "facts nats"),
)
