r"""Where formulas of LaTeX stand in a text: to cut around them, and to leave them alone. Pure.

Marks alone decide, other than in `measure/formulas.py`, which asks whether what stands between them
is mathematics: to keep out of a span that is none costs nothing here.
"""

from __future__ import annotations

import re

# `\\[2pt]` is a line break, and no delimiter. No formula holds its own opening delimiter, so that
# openings without an end, however many, are searched past once: the search is linear.
_INSIDE = r"[^\\]*+(?:(?:\\\\|\\(?![()\[\]]))[^\\]*+)*+"

FORMULA = rf"""
    \$\$(?:[^$]|\$(?!\$))++\$\$                            # display, TeX
  | (?<!\\)\\\[{_INSIDE}\\\]                               # display, LaTeX
  | (?<!\\)\\\({_INSIDE}\\\)                               # inline, LaTeX
  | \\begin\{{(?P<environment>[A-Za-z]{{1,20}}\*?)\}}
    [^\\]*+(?:\\(?!(?:begin|end)\{{(?P=environment)\}})[^\\]*+){{0,400}}+
    \\end\{{(?P=environment)\}}
  | (?<![\\$])\$(?![\s$])[^$\n]++(?<![\s\\])\$(?!\d)       # inline; not the price of two things
"""
"""A formula with its delimiters, as part of a verbose pattern."""

FORMULAS = re.compile(FORMULA, re.VERBOSE)
