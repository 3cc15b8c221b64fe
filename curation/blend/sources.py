"""What a source of the blend is, as Spark SQL over a text and the attributes of its document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curation.blend.buckets import bucket_sql
from curation.blend.published import files_of, list_published, print_of
from curation.config import BlendConfig, RunConfig
from curation.errors import ConfigError
from curation.score.members import number_columns
from curation.tokens.files import sha256_of

_SCORE_OF = {"domain": "domain_p", "speech": "speech_p", "toxicity": "toxicity"}
"""Attributes that a model gives, and the number that comes with each."""


def source_sql(conf: BlendConfig) -> str:
    """Expression of the name of a text's source, before small ones are merged.

    Columns: quality, kind, kind2, language, domain, speech, crawl, corpus; toxicity, in 0..1 or
    null.
    """
    if not conf.sources:
        return "concat_ws('/', quality, kind, kind2)"
    levels = {"toxicity": _toxicity_sql(conf)} if "toxicity" in conf.sources else {}
    return bucket_sql(conf.sources, columns=levels)


def separator(conf: BlendConfig) -> str:
    """What stands between the parts of a source's name."""
    return "," if conf.sources else "/"


def _toxicity_sql(conf: BlendConfig) -> str:
    """Of `low`, `medium`, `high`; null of a text without a score."""
    medium, high = (f"{cut!r}D" for cut in conf.toxicity_cuts)
    return (
        f"CASE WHEN toxicity < {medium} THEN 'low' WHEN toxicity < {high} THEN 'medium' "
        f"WHEN toxicity >= {high} THEN 'high' END"
    )


def identity(conf: RunConfig) -> dict[str, object]:
    """What decides the blend beside the settings: files of published texts, and of a target.

    Raises:
        ConfigError: texts are to be cut by an attribute that no model gives.
        InputError: a file is not there, or not where its texts' attributes are told.
    """
    wanted = [name for name in conf.blend.sources if name in _SCORE_OF]
    given = number_columns(conf.score) if wanted else ()
    absent = [name for name in wanted if _SCORE_OF[name] not in given]
    if absent:
        raise ConfigError(f"blend.sources: score.members gives no {', '.join(absent)}")
    published = list_published(conf.blend.published, conf.crawl)
    target = conf.blend.select.target_files if conf.blend.select else ()
    return {
        **({"published": print_of(published)} if published else {}),
        **({"target": _hashes(target)} if target else {}),
    }


def _hashes(patterns: Sequence[str]) -> list[str]:
    setting = "blend.select.target_files"
    paths = {path for pattern in patterns for path in files_of(pattern, setting)}
    return [sha256_of(Path(path)) for path in sorted(paths)]
