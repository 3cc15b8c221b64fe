"""Re-warming: what a rise of the learning rate does to a trained model.

Hypothesis: warmed up again to the peak of its first training, ten times its last rate, a model's
loss on the old sources rises before it falls; going on at the last rate it does not rise.

Arms, both from one base (`bench.science.continued`), both reading half newspapers' reports, which
are new, and half the old sources: `steady` goes on at the base's last rate and falls to a hundredth
of it; `re-warmed` climbs in a fifth of the steps to the base's peak and falls to a tenth. The
optimizer starts anew in both. `web bump` is the highest loss on held-out pages along the run less
the loss at its start; the final losses on old and new text follow.

Source: 2407.07263 (Reuse, Don't Retrain): any warm-up is worse than none. Ibrahim et al. 2024
(2403.08763) find the bump, and re-warm where the data change much.
"""

from __future__ import annotations

from collections.abc import Mapping

from bench.science.continued import BASE, CONTINUED, NEWS, PROSE, STEADY, WEB, material
from bench.science.design import Arm, Contrast, Experiment, Phase
from bench.science.runner import SHAPE

WARMUP_FRAC = 0.2
_BLEND = (Phase({WEB: 0.25, PROSE: 0.25, NEWS: 0.5}),)
_DIFFERENCE = {"re-warmed": 1.0, "steady": -1.0}


def arms(sizes: Mapping[str, int], budget: int) -> tuple[Arm, ...]:
    """The same blend at two courses of the learning rate."""
    n_steps = budget / (CONTINUED["batch_size"] * SHAPE.sequence_length)
    climb = {"warmup_steps": round(WARMUP_FRAC * n_steps)}
    return Arm("steady", _BLEND, STEADY), Arm("re-warmed", _BLEND, climb)


EXPERIMENT = Experiment(
    "rewarming",
    "Re-warming the learning rate",
    material,
    arms,
    (
        Contrast("re-warmed minus steady", "web bump", _DIFFERENCE, "above 0"),
        Contrast("re-warmed minus steady, at the end", WEB, _DIFFERENCE, "open"),
        Contrast("re-warmed minus steady, at the end", NEWS, _DIFFERENCE, "open"),
    ),
    ("web bump", WEB, NEWS),
    base=BASE,
    length=0.5,
    shape=CONTINUED,
    traced=WEB,
)
