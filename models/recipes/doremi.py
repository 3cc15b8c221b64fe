"""`python -m models.recipes.doremi --conf FILE --out DIR`: shares of sources by DoReMi.

A reference model is trained on the sources of FILE in the shares that it gives (none: in proportion
to size), as any run is. A proxy of the same shape then reads all sources alike; at every step the
shares move towards those in which it is furthest behind the reference, and its loss is weighted by
them (`curation/blend/doremi.py` is the arithmetic). The shares of the blend are the mean over all
steps: DIR/doremi.json has them, and they are printed as `blend.weights` takes them.

A run that was cut goes on from its last checkpoint; one that is finished only prints. Cost: about
3.7 times the reference run. A step of the proxy adds a forward pass of each model, without
gradient, for the losses token by token.

Source: Xie et al. 2023 (2305.10429), algorithm 1. Data, Data Everywhere (2407.06380) finds it not
competitive with UniMax: look at `n_effective` before you use it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from curation.blend.doremi import Floats, excess_losses, mean_shares, updated_shares
from curation.config import PhaseConfig, TrainConfig, fingerprint, load_config, overrides
from curation.errors import ConfigError, InputError, TrainingDiverged, reported
from curation.lock import locked
from curation.tokens.files import replacing
from models.train.checkpoint import read_state
from models.train.folder import (
    MIXTURES,
    check_packages,
    manifest_path,
    settings_of,
    sources_of,
)
from models.train.loop import HF_FOLDER, lay_out, open_loader, train
from models.train.model import build_model
from models.train.optim import build_optimizer, learning_rate, set_learning_rate
from models.train.sources import Source
from models.train.step import DTYPES, Batch, split_batch, token_loss

REFERENCE, PROXY, RESULT = "reference", "proxy.pt", "doremi.json"
Samples = NDArray[np.int64]


class Proxy:
    """The second model, its sources, and the shares so far."""

    def __init__(
        self,
        conf: TrainConfig,
        sources: Mapping[str, Source],
        reference: PreTrainedModel,
        out: Path,
    ) -> None:
        """At the start of its run, with weights drawn as those of the reference were."""
        self._conf, self._reference = conf, reference.train(False)
        self.names = sorted(sources)
        self._loader = open_loader(uniform(conf), sources, out)
        manifest = next(iter(sources.values())).manifest
        self._eod_id = manifest.eod_id if conf.document_masks else None
        self._dtype = DTYPES[conf.precision]
        self._model = build_model(conf, manifest)
        self._optimizer = build_optimizer(self._model, conf)
        self.path: list[list[float]] = []
        """Shares after each step, in the order of `names`."""
        self._excess = np.zeros(len(self.names))

    def step(self) -> None:
        """One batch: how far behind each source is, new shares, one update by them."""
        conf, number = self._conf, len(self.path) + 1
        drawn = self._loader.draw(conf.batch_size)
        samples, source = self._loader.read(drawn), drawn[:, 0]
        self._excess = self._excess_of(samples, source)
        shares = updated_shares(self._shares(), self._excess)
        set_learning_rate(self._optimizer, learning_rate(number, conf))
        self._optimizer.zero_grad()
        for one in np.unique(source).tolist():
            self._add_gradient(samples[source == one], float(shares[one]))
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), conf.max_grad_norm)
        if not math.isfinite(float(norm)):
            raise TrainingDiverged(
                f"DoReMi: gradient norm of the proxy is {float(norm)} at step {number}; lower "
                "train.learning_rate"
            )
        self._optimizer.step()
        self.path.append(shares.tolist())

    def state_dict(self) -> dict[str, Any]:
        """All that the rest of the run depends on."""
        return {
            "path": self.path, "excess": self._excess.tolist(), "data": self._loader.state_dict(),
            "model": self._model.state_dict(), "optimizer": self._optimizer.state_dict(),
        }  # fmt: skip

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self.path, self._excess = list(state["path"]), np.array(state["excess"])
        self._loader.load_state_dict(state["data"])
        self._model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _shares(self) -> Floats:
        n = len(self.names)
        return np.array(self.path[-1]) if self.path else np.full(n, 1 / n)

    def _excess_of(self, samples: Samples, source: Samples) -> Floats:
        batches = self._batches(samples)
        proxy, reference = (
            np.concatenate([token_losses(model, batch, self._dtype) for batch in batches])
            for model in (self._model, self._reference)
        )
        of_token = np.repeat(source, self._conf.sequence_length)
        return excess_losses(proxy, reference, of_token, previous_K=self._excess)

    def _add_gradient(self, samples: Samples, share: float) -> None:
        """Of the mean loss a token of one source, times its share."""
        n_tokens = len(samples) * self._conf.sequence_length
        for batch in self._batches(samples):
            loss = token_loss(self._model, batch, dtype=self._dtype)
            torch.autograd.backward(loss * (share / n_tokens))

    def _batches(self, samples: Samples) -> list[Batch]:
        return split_batch(
            samples, self._conf.micro_batch_size, device=self._conf.device, eod_id=self._eod_id
        )


def token_losses(model: PreTrainedModel, batch: Batch, dtype: torch.dtype) -> Floats:
    """Cross-entropy in nats of every target of `batch`, one behind the other; no gradient."""
    head: Tensor = cast(Any, model).get_output_embeddings().weight
    device, mixed = batch.inputs_BT.device.type, dtype != torch.float32
    with torch.no_grad(), torch.autocast(device, dtype if mixed else None, enabled=mixed):
        hidden_BTH = model.base_model(
            batch.inputs_BT, position_ids=batch.positions_BT, use_cache=False
        ).last_hidden_state
        # Sequence by sequence: the logits of a batch would be the largest thing in memory.
        losses = [
            cross_entropy((hidden_TH @ head.T).float(), targets_T, reduction="none")
            for hidden_TH, targets_T in zip(hidden_BTH, batch.targets_BT, strict=True)
        ]
    found: Floats = torch.cat(losses).double().cpu().numpy()
    return found


def uniform(conf: TrainConfig) -> TrainConfig:
    """`conf` with every source read alike."""
    shares = dict.fromkeys(conf.sources, 1 / len(conf.sources))
    return conf.model_copy(update={"phases": (PhaseConfig(weights=shares),)})


def find_shares(
    conf: TrainConfig,
    sources: Mapping[str, Source],
    own: Path,
    out: Path,
    *,
    on_step: Callable[[int], None] = lambda step: None,
) -> dict[str, float]:
    """Train reference and proxy into `out`; the shares of the sources, which sum to 1.

    Args:
        conf: Shape of both models, steps, sources.
        sources: What `conf.sources` names.
        own: Manifest of the run's own shards, which is not read.
        out: Folder of the run.
        on_step: Called after each step of the proxy.

    Raises:
        ConfigError: there are fewer than two sources, or `conf` is of another schedule than these.
        InputError: `out` holds a proxy of other settings or other tokens.
        TrainingDiverged: of reference or proxy; here no step is skipped but by the reference.
    """
    _check(conf)
    train(conf, own, out / REFERENCE)
    lay_out(conf, sources, out / REFERENCE, is_new=False)  # what a finished run no longer needs
    reference = build_model(
        conf.model_copy(update={"init_from": str(out / REFERENCE / HF_FOLDER)}),
        next(iter(sources.values())).manifest,
    )
    proxy = Proxy(conf, sources, reference, out / REFERENCE)
    mark = fingerprint(settings_of(conf, sources))
    _resume(proxy, out / PROXY, mark)
    while len(proxy.path) < conf.n_steps:
        proxy.step()
        done = len(proxy.path)
        if done % conf.checkpoint_every == 0 or done == conf.n_steps:
            with replacing(out / PROXY) as temporary:
                torch.save(proxy.state_dict() | {"settings": mark}, temporary)
        on_step(done)
    return _result(proxy, out / RESULT)


def _check(conf: TrainConfig) -> None:
    if len(conf.sources) < 2:
        raise ConfigError(
            f"train.sources: DoReMi weighs two sources or more, found {sorted(conf.sources)}"
        )
    if conf.schedule == "continued":
        raise ConfigError("train.schedule: DoReMi has one blend; use cosine or wsd")
    if conf.backend != "transformers":
        raise ConfigError(f"train.backend: DoReMi takes transformers, not {conf.backend}")
    if conf.architecture in MIXTURES:
        raise ConfigError(f"train.architecture: DoReMi takes dense models, not {conf.architecture}")


def _resume(proxy: Proxy, path: Path, mark: str) -> None:
    if not path.is_file():
        return
    state = read_state(path)
    if state["settings"] != mark:
        raise InputError(f"{path}: of other settings or other tokens; name another --out")
    proxy.load_state_dict(state)


def _result(proxy: Proxy, path: Path) -> dict[str, float]:
    shares = mean_shares(np.array(proxy.path))
    weights = dict(zip(proxy.names, shares.tolist(), strict=True))
    n_effective = float(np.exp(-(shares * np.log(shares)).sum()))
    told = {"weights": weights, "n_effective": n_effective, "path": proxy.path}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return weights


def main(arguments: Sequence[str] | None = None) -> None:
    """Find shares as the command line says."""
    parser = argparse.ArgumentParser("python -m models.recipes.doremi", description=__doc__)
    parser.add_argument("--conf", required=True, help="YAML file of a run with `train.sources`")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--out", required=True, type=Path, help="folder of the search")
    options = parser.parse_args(arguments)
    with reported():
        conf = load_config(options.conf, overrides(options.overrides))
        check_packages()
        _check(conf.train)
        sources = sources_of(conf)
        with locked(str(options.out)):
            weights = find_shares(conf.train, sources, manifest_path(conf), options.out)
        lines = [f"  {name}: {share:.9f}" for name, share in weights.items()]
        sys.stdout.write("\n".join(["weights:", *lines]) + "\n")


if __name__ == "__main__":
    main()
