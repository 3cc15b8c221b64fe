"""Invented facts about invented places: said in prose, or asked for."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from curation.sample.catalogue import load_stock

KINDS = ("Museum", "Library", "Bridge", "Mill", "Observatory", "Theatre", "Garden", "Hall")
STONES = ("granite", "brick", "slate", "marble", "oak", "sandstone", "iron", "limestone")
WORDINGS = {
    "town": (
        "The {entity} stands in {value}.",
        "In {value} one finds the {entity}.",
        "Visitors who come to {value} go and see the {entity}.",
        "The {entity} belongs to the town of {value}.",
    ),
    "founder": (
        "The {entity} was founded by {value}.",
        "It was {value} who founded the {entity}.",
        "The founder of the {entity} is known by the name of {value}.",
        "As its founder the {entity} honours {value}.",
    ),
    "stone": (
        "The {entity} is built of {value}.",
        "The walls of the {entity} are made of {value}.",
        "For the {entity} the builders chose {value}.",
        "What the {entity} is made of is {value}.",
    ),
}
"""Sentences of prose by attribute; each names the entity, so that it can stand alone."""
QUESTIONS = {
    "town": "In which town is the {entity}?",
    "founder": "Who founded the {entity}?",
    "stone": "What is the {entity} built of?",
}


@dataclass(frozen=True)
class Fact:
    """One attribute of one entity."""

    entity: str
    attribute: str
    value: str

    def sentence(self, rng: Random) -> str:
        """The fact in prose, in one of several wordings."""
        wording = rng.choice(WORDINGS[self.attribute])
        return wording.format(entity=self.entity, value=self.value)

    @property
    def cloze(self) -> tuple[str, str]:
        """The first wording up to the value, and the value."""
        prompt, _, end = WORDINGS[self.attribute][0].partition(" {value}")
        return prompt.format(entity=self.entity), f" {self.value}{end}"

    @property
    def question(self) -> tuple[str, str]:
        """A question up to its answer, and the answer."""
        asked = QUESTIONS[self.attribute].format(entity=self.entity)
        return f"Question: {asked}\nAnswer:", f" {self.value}"


def invented_facts(n_entities: int, seed: int) -> list[list[Fact]]:
    """The facts of each of `n_entities` entities (at most 384), one an attribute."""
    rng, lists = Random(f"{seed}/facts"), load_stock().slots
    names = [f"{last} {kind}" for last in lists["last"] for kind in KINDS]
    values = {"town": lists["town"], "founder": lists["first"], "stone": STONES}
    return [
        [Fact(entity, attribute, rng.choice(values[attribute])) for attribute in WORDINGS]
        for entity in rng.sample(names, n_entities)
    ]
