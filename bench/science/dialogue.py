"""Dialogue: a rule applied several times, with explicit steps, tersely, or in other words.

Hypothesis: at equal tokens, dialogues that spell out each step teach to solve problems that were
not seen; a plain rephrase teaches no more than the terse form.

Texts: a clock of twelve hours is put on by five hours, one to five times (`Problem: from seven, 3
times`). All arms begin a text with the problem and end it with the answer, so that they are asked
alike. `terse` has nothing between; `rephrased` says in other words what is asked; `dialogue` has a
teacher and a pupil who do one step a turn and say how many are left. All have every problem of a
single step, and two of four others; right are answers of the most likely continuation of the other
two, which no arm has seen. A tenth of all arms' tokens are the same encyclopaedia's entries. A
generator stands in for the model that would write the dialogues, and makes no mistake.

Source: 2410.12881 (MIND), sections 3 and 4: dialogue helps where knowledge differs, a rephrase not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench.science.design import Arm, Contrast, Experiment, Material, Phase, Quiz, fixed
from bench.science.texts import surveys

HOURS = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
STEP, MOST_STEPS = 5, 5
N_HELD_OUT = 2
"""Numbers of steps, of each hour, that no arm sees."""
N_TEXTS = 6_000
MARKER = "Answer:"
FILLER = "filler"


@dataclass(frozen=True)
class Problem:
    """An hour, by its place in `HOURS`, and how often the clock is put on."""

    start: int
    n_steps: int

    @property
    def hours(self) -> tuple[str, ...]:
        """The hour, and what it is after each step."""
        return tuple(HOURS[(self.start + STEP * i) % len(HOURS)] for i in range(self.n_steps + 1))

    @property
    def prompt(self) -> str:
        """Beginning of every text about the problem."""
        return f"Problem: from {self.hours[0]}, {self.n_steps} times\n"

    @property
    def ending(self) -> str:
        """End of every text about the problem."""
        return f"{MARKER} {self.hours[-1]}"


def split_problems(seed: int) -> tuple[list[Problem], list[Problem]]:
    """Problems to train on, and two of each hour that are held out; `seed` says which."""
    rng, train, held_out = Random(f"{seed}/problems"), list[Problem](), list[Problem]()
    for start in range(len(HOURS)):
        unseen = rng.sample(range(2, MOST_STEPS + 1), N_HELD_OUT)
        for n in range(1, MOST_STEPS + 1):
            (held_out if n in unseen else train).append(Problem(start, n))
    return train, held_out


def terse(problem: Problem, rng: Random) -> str:
    """The problem and its answer."""
    return f"{problem.prompt}{problem.ending}"


def rephrased(problem: Problem, rng: Random) -> str:
    """The same, with the question said once more in other words."""
    wording = rng.choice((
        "We are asked what the clock shows when from {start} it was put on {n} times.",
        "What does one read on the clock that was put on from {start} just {n} times?",
        "Take {start}, put the clock on {n} times, and say which hour it is.",
        "The task is to find the hour that {n} turns make of {start} in the end.",
    ))  # fmt: skip
    said = wording.format(start=problem.hours[0], n=problem.n_steps)
    return f"{problem.prompt}{said}\n{problem.ending}"


def dialogue(problem: Problem, rng: Random) -> str:
    """Two speak in turns: each does one step, and says how many are left."""
    turns = [
        f"{'Pupil' if i % 2 else 'Teacher'}: {hour}, {problem.n_steps - i} left\n"
        for i, hour in enumerate(problem.hours)
    ]
    return f"{problem.prompt}{''.join(turns)}{problem.ending}"


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
            "problems": _quiz(held_out),
            "trained problems": _quiz(train),
        },
    )


def _quiz(problems: Sequence[Problem]) -> Quiz:
    return Quiz(tuple((one.prompt, one.hours[-1]) for one in problems), MARKER)


def _minus(name: str, other: str) -> dict[str, float]:
    return {name: 1.0, other: -1.0}


EXPERIMENT = Experiment(
    "dialogue",
    "Dialogue with explicit steps against terse and rephrased problems",
    material,
    fixed(*(Arm(name, (Phase({name: 0.9, FILLER: 0.1}),)) for name in FORMS)),
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
    length=2.0,
    shape={"batch_size": 1, "micro_batch_size": 1, "learning_rate": 2e-3},
)
