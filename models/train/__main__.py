"""`python -m models.train --conf FILE [--set section.key=value] [--out DIR]`.

Trains on DIR/tokens, or on the folders of `train.sources`, into DIR/model, as `curation run --only
train` does. An error is one line and exit code 2. On several processes, one a GPU: `torchrun
--nproc-per-node N -m models.train ...`; all of them must see DIR.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from curation.config import RunConfig, load_config, overrides
from curation.errors import reported
from curation.lock import locked
from models.train.folder import (
    check_train,
    manifest_path,
    mark_trained,
    model_folder,
    open_folder,
    sources_of,
)

if TYPE_CHECKING:
    from models.train.parallel import Ranks


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser("python -m models.train", description="Train on token shards.")
    parser.add_argument("--conf", required=True, help="YAML file of the run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--out", help="folder of the run, instead of the file's `out`")
    options = parser.parse_args(arguments)
    with reported():
        conf = load_config(options.conf, overrides(options.overrides, out=options.out))
        check_train(conf)
        sources_of(conf)  # before anything is written
        from models.train.parallel import open_ranks

        with open_ranks(conf.train.device) as ranks:
            _train(conf, ranks)


def _train(conf: RunConfig, ranks: Ranks) -> None:
    from models.train.loop import train

    with locked(conf.out) if ranks.is_first else nullcontext():
        if ranks.is_first:
            open_folder(conf)
        ranks.wait()
        folder = model_folder(conf)
        result = train(conf.train, manifest_path(conf), folder, ranks=ranks)
        if ranks.is_first:
            mark_trained(folder)
            sys.stdout.write(f"{result}\n")


if __name__ == "__main__":
    main()
