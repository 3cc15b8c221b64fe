"""Dialogue: a rule applied several times, with explicit steps, tersely, or in other words.

Hypothesis: at equal tokens, dialogues that spell out each step teach to solve problems that were
not seen; a plain rephrase teaches no more than the terse form.

Texts: a number below 47 is doubled and has 11 added, modulo 47, one to four times (`Problem: 05, 3
times`). All arms begin a text with the problem and end it with the answer, so that they are asked
alike. `terse` has nothing between; `rephrased` says in other words what is asked; `dialogue` has a
teacher and a pupil who do one step a turn. All have every problem of a single step, and two of
three others; right are answers of the most likely continuation of the third that no arm has seen,
one a number. A fifth of all arms' tokens are the same encyclopaedia's entries. A generator stands
in for the model that would write the dialogues, and makes no mistake.

Source: 2410.12881 (MIND), sections 3 and 4: dialogue helps where knowledge differs, a rephrase not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from bench.science.design import Arm, Contrast, Experiment, Material, Phase, Quiz, fixed
from bench.science.texts import surveys

MODULUS, FACTOR, SUMMAND = 47, 2, 11
MOST_STEPS = 4
N_TEXTS = 4_000
MARKER = "Answer:"
FILLER = "filler"


@dataclass(frozen=True)
class Problem:
    """A number, and how often the rule is applied to it."""

    start: int
    n_steps: int

    @property
    def values(self) -> tuple[int, ...]:
        """The number, and what it is after each step."""
        done = [self.start]
        for _ in range(self.n_steps):
            done.append((FACTOR * done[-1] + SUMMAND) % MODULUS)
        return tuple(done)

    @property
    def prompt(self) -> str:
        """Beginning of every text about the problem."""
        return f"Problem: {self.start:02}, {self.n_steps} times\n"

    @property
    def answer(self) -> str:
        """What every text ends with, behind the marker."""
        return f"{self.values[-1]:02}"


def split_problems(seed: int) -> tuple[list[Problem], list[Problem]]:
    """Problems to train on, and one of each number that is held out; `seed` says which."""
    rng = Random(f"{seed}/problems")
    held_out = [Problem(start, rng.randint(2, MOST_STEPS)) for start in range(MODULUS)]
    every = [Problem(start, n) for start in range(MODULUS) for n in range(1, MOST_STEPS + 1)]
    return [problem for problem in every if problem not in held_out], held_out


def terse(problem: Problem, rng: Random) -> str:
    """The problem and its answer."""
    return f"{problem.prompt}{MARKER} {problem.answer}"


def rephrased(problem: Problem, rng: Random) -> str:
    """The same, with the question said once more in other words."""
    wording = rng.choice((
        "We are asked what becomes of {start} when the rule is used {n} times.",
        "What does one get from {start} after the rule was applied {n} times?",
        "Take {start}, use the rule on it {n} times, and say what is left.",
        "The task is to find where {start} goes in {n} turns of the rule.",
    ))  # fmt: skip
    said = wording.format(start=f"{problem.start:02}", n=problem.n_steps)
    return f"{problem.prompt}{said}\n{MARKER} {problem.answer}"


def dialogue(problem: Problem, rng: Random) -> str:
    """A teacher asks, a pupil answers: one step a turn, and how many are left."""
    turns = [
        f"Teacher: {problem.n_steps - i} left, from {before:02}?\nPupil: {after:02}.\n"
        for i, (before, after) in enumerate(pairwise(problem.values))
    ]
    return f"{problem.prompt}{''.join(turns)}{MARKER} {problem.answer}"


FORMS: dict[str, Callable[[Problem, Random], str]] = {
    "terse": terse,
    "rephrased": rephrased,
    "dialogue": dialogue,
}


def material(data: Path, seed: int) -> Material:
    """Texts about the problems in every form, and the filler."""
    train, held_out = split_problems(seed)
    drawn = Random(f"{seed}/texts").choices(train, k=N_TEXTS)
    sources: dict[str, Sequence[str]] = {
        name: [form(problem, Random(f"{seed}/{name}/{i}")) for i, problem in enumerate(drawn)]
        for name, form in FORMS.items()
    }
    return Material(
        sources | {FILLER: surveys(seed, held_out=False)},
        {FILLER: surveys(seed, held_out=True)},
        {
            "problems": Quiz(tuple((one.prompt, one.answer) for one in held_out), MARKER),
            "trained problems": Quiz(tuple((one.prompt, one.answer) for one in train), MARKER),
        },
    )


def _minus(name: str, other: str) -> dict[str, float]:
    return {name: 1.0, other: -1.0}


EXPERIMENT = Experiment(
    "dialogue",
    "Dialogue with explicit steps against terse and rephrased problems",
    material,
    fixed(*(Arm(name, (Phase({name: 0.8, FILLER: 0.2}),)) for name in FORMS)),
    (
        Contrast("dialogue minus terse", "problems right", _minus("dialogue", "terse"), "above 0"),
        Contrast(
            "dialogue minus rephrased",
            "problems right",
            _minus("dialogue", "rephrased"),
            "above 0",
        ),
        Contrast("rephrased minus terse", "problems right", _minus("rephrased", "terse"), "open"),
        Contrast("dialogue minus terse", FILLER, _minus("dialogue", "terse"), "open"),
    ),
    ("problems right", "trained problems right", FILLER),
)
