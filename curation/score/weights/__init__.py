"""Small weights that the package ships; `models/classifiers/README.md` is their model card."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from curation.errors import InputError


def default_weight(name: str) -> Path:
    """Path of the shipped file `name`: `fasttext.ftz`, `ensemble.json`, or a head: `edu.npz`.

    Raises:
        InputError: no such file is shipped. The message names those that are.
    """
    folder = Path(str(importlib.resources.files("curation.score.weights")))
    path = folder / name
    if not path.is_file():
        shipped = sorted(
            file.name for file in folder.iterdir() if file.suffix in {".ftz", ".npz", ".json"}
        )
        raise InputError(f"{name}: no such shipped weight; there are {', '.join(shipped)}")
    return path
