"""Settings of an annotation: the generator, how it samples, how much of a text it sees."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, ValidationError

from curation.config import Count, GeneratorConfig, Positive, parse_override, set_dotted
from curation.errors import ConfigError


class AnnotateConfig(GeneratorConfig):
    """What `--set NAME=VALUE` may say; the generator's settings mean what they mean in `synth`."""

    prefill: bool = True
    """Begin the answer with `Answer:`, so that a small model keeps the form."""
    engine_seed: Count = 17
    """Seed of the engine; the number of answers that the folder holds is added to it."""
    passes: Positive = 2
    """How often each text is judged on each rubric; every second pass shows the scale reversed."""
    tries: Positive = 3
    """How often one pass asks for an answer that can be read."""
    max_text_chars: Positive = 6_000
    """Characters of a text that are shown, from its beginning."""
    max_output_tokens: Positive = 24
    """Cap on an answer; raise it with `prefill=false` for a model that reasons first."""
    temperature: Annotated[float, Field(ge=0.0)] = 0.7
    """At 0 the passes differ by the order of the scale alone, and a second try says the same."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 0.9
    """Share of the probability that tokens are drawn from."""
    requests_per_commit: Positive = 64
    """Requests answered before they are written: what a crash can lose."""


def load_settings(named: Mapping[str, Any], settings: Sequence[str] = ()) -> AnnotateConfig:
    """`settings` as `NAME=VALUE`, and over them what `named` gives other than None.

    Raises:
        ConfigError: a name is unknown, a value has the wrong type or lies outside its range.
    """
    given: dict[str, Any] = {}
    for name, value in map(parse_override, settings):
        set_dotted(given, name, value)
    given |= {name: value for name, value in named.items() if value is not None}
    for name in given:
        _check_name(name)
    try:
        return AnnotateConfig.model_validate(given)
    except ValidationError as error:
        faults = (f"`{_place(fault)}`: {_said(fault)}" for fault in error.errors())
        raise ConfigError("; ".join(faults)) from error


def _check_name(name: str) -> None:
    known = sorted(AnnotateConfig.model_fields)
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
        raise ConfigError(f"--set {name}: no such setting; {hint}")


def _place(fault: Any) -> str:
    return ".".join(str(part) for part in fault["loc"]) or "settings"


def _said(fault: Any) -> str:
    found = "" if isinstance(fault["input"], dict) else f", found {fault['input']!r}"
    return f"{str(fault['msg']).removeprefix('Value error, ').lower()}{found}"
