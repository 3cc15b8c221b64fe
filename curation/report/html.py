"""`report.html`: one file without scripts, fonts or images from outside."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from curation.report.read import settings
from curation.report.run import REPORT, open_run
from curation.report.sections import headline, sections
from curation.report.wording import cleaned

TEMPLATE = "report.html.j2"


def write_report(out: Path) -> Path:
    """Write the report of the run in `out`, whichever stages have run, to `out/report.html`.

    Raises:
        InputError: `out` is not a folder, or a table in it is damaged.
    """
    with open_run(out) as run:
        page = _template(
            title=out.resolve().name, numbers=headline(run), sections=sections(run),
            settings=cleaned(settings(out)),
        )  # fmt: skip
    path = out / REPORT
    path.write_text(page, encoding="utf-8")
    return path


def _template(**context: object) -> str:
    """The page; everything but finished SVG is escaped, whatever the template's file is called."""
    source = (files("curation.report") / TEMPLATE).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source).render(context)
