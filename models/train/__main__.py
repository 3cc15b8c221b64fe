"""`python -m models.train --conf FILE [--set section.key=value] [--out DIR]`.

Trains on DIR/tokens/manifest.json into DIR/model, as `curation run --only train` does. An error is
one line and exit code 2.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from curation.config import load_config, overrides
from curation.errors import reported
from curation.lock import locked
from curation.tokens.manifest import read_manifest
from models.train.folder import check_packages, manifest_path, mark_trained, open_folder


def main(arguments: Sequence[str] | None = None) -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser("python -m models.train", description="Train on token shards.")
    parser.add_argument("--conf", required=True, help="YAML file of the run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides")
    parser.add_argument("--out", help="folder of the run, instead of the file's `out`")
    options = parser.parse_args(arguments)
    with reported():
        conf = load_config(options.conf, overrides(options.overrides, out=options.out))
        check_packages()
        read_manifest(manifest_path(conf))  # before anything is written
        with locked(conf.out):
            folder = open_folder(conf)
            from models.train.loop import train

            result = train(conf.train, manifest_path(conf), folder)
            mark_trained(folder)
    sys.stdout.write(f"{result}\n")


if __name__ == "__main__":
    main()
