"""Two phases against one: questions at the end, or throughout.

Hypothesis: going on from a base, a general blend followed by one with questions does better on
questions about facts that were told in prose only than the general blend alone, and, with as many
questions read, than a blend that has them throughout.

Arms, all from one base (`bench.science.continued`), the rate falling from the base's last one to a
hundredth: `general` has no questions; `throughout` has them at 10 % in every step; `two phases`
reads the general blend until the rate is at a fifth, then has as many questions as `throughout` in
what is left, so that order alone differs. Measured: loss and right answers of questions about
places of which no question was trained on; loss on the web.

Source: 2407.07263 (Reuse, Don't Retrain), tables 4 and 9. There the phases' questions are more than
none, here they are equal too: an earlier switch would mean more of them.
"""

from __future__ import annotations

from bench.science.continued import ASKED, BASE, CONTINUED, PROSE, STEADY, WEB, material
from bench.science.design import Arm, Contrast, Experiment, Phase, fixed
from models.recipes.continued import MIN_FRAC, QA_SHARE, switch_progress

SWITCH = switch_progress(min_frac=MIN_FRAC)
GENERAL = {WEB: 0.3, PROSE: 0.7}


def with_questions(share: float) -> dict[str, float]:
    """The general blend with a share of questions."""
    return {name: part * (1 - share) for name, part in GENERAL.items()} | {ASKED: share}


ARMS = (
    Arm("general", (Phase(GENERAL),), STEADY),
    Arm("throughout", (Phase(with_questions(QA_SHARE)),), STEADY),
    Arm(
        "two phases",
        (Phase(GENERAL, SWITCH), Phase(with_questions(QA_SHARE / (1 - SWITCH)))),
        STEADY,
    ),
)


def _minus(name: str, other: str) -> dict[str, float]:
    return {name: 1.0, other: -1.0}


EXPERIMENT = Experiment(
    "phases",
    "Two phases against one",
    material,
    fixed(*ARMS),
    (
        Contrast(
            "two phases minus general", "unseen questions nats", _minus("two phases", "general"),
            "below 0",
        ),
        Contrast(
            "two phases minus throughout", "unseen questions nats",
            _minus("two phases", "throughout"), "below 0",
        ),
        Contrast(
            "two phases minus throughout", "unseen questions right",
            _minus("two phases", "throughout"), "above 0",
        ),
        Contrast("two phases minus throughout", WEB, _minus("two phases", "throughout"), "below 0"),
    ),
    ("unseen questions nats", "seen questions nats", WEB),
    base=BASE,
    length=0.5,
    shape=CONTINUED,
)  # fmt: skip
