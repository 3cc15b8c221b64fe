"""Licence marks: the open licence that a text declares for itself, and its copyright notices.

Ours, from the text alone, precise first: a text that talks about licences declares none. What
counts as declaring one:

- an address at `creativecommons.org/licenses/...` or `.../publicdomain/...` in the text;
- a licence of Creative Commons by name (`Creative Commons Attribution-ShareAlike`, in eight
  languages) or by its short form with parts or a version (`CC BY-SA`, `CC BY 4.0`, not `cc by`);
- another licence by name, behind a word such as `under` in the same sentence: `released under the
  MIT licence`, `unter der GPL-Lizenz`, `sous licence Apache`;
- `SPDX-License-Identifier:`, and the first words of the MIT and BSD licences;
- `this work is in the public domain`, and the like.

What stands close behind a word for a picture (`Photo: Jane Doe / CC BY 2.0`) is the picture's
licence, and is passed over. Of several licences, one for text goes before one for software, then
the one that asks for least.

For rules such as: a blend of openly licensed text takes `licence in ('cc0', 'public-domain',
'cc-by', 'cc-by-sa')`; boilerplate has many copyright notices for its length.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

from curation.measure.hashing import Normalised
from curation.measure.phrases import COPYRIGHT_MARKS, LICENCE_SIGNS
from curation.measure.words import Words

LICENCES = (
    "cc0", "public-domain", "ogl", "cc-by", "cc-by-sa", "gfdl", "cc-by-nd", "cc-by-nc",
    "cc-by-nc-sa", "cc-by-nc-nd", "mit", "bsd", "apache", "mpl", "lgpl", "gpl", "agpl",
)  # fmt: skip
"""Values of `licence`, by preference."""
_COPYRIGHT = re.compile(
    r"©|(?:copyright|\(c\))(?: ?(?:copyright|\(c\)|by|:|,)){0,3} ?(?:19|20)\d\d(?!\d)"
)

_LAST_PLACES, _BEFORE, _BEHIND = 50, 90, 110
"""Places of a sign that are looked at, from the text's end; characters before and behind."""

_PICTURE = re.compile(
    r"photo|\bfoto|image|imagen|picture|flickr|wikimedia|illustration|icons? |credit|\bbild|figure|"
    r"video|\bmusic"
)
_LINK = re.compile(
    r"creativecommons\.org/(?:licenses/(?P<parts>by(?:-(?:nc|nd|sa))*)\b|publicdomain/zero/|"
    r"(?P<public>publicdomain/mark/|licenses/publicdomain/))"
)
_SHORT = re.compile(r"cc[ -]by(?P<parts>(?:[ /-](?:nc|nd|sa)\b)*)(?P<version>[ -]\d\.\d)?(?![a-z])")
_ZERO = re.compile(r"cc0(?:[ -]1\.0| ?\(?(?:licen[cs]e|public domain|universal|dedication|waiver))")
_NAMED = re.compile(
    r"creative commons(?:[ :,®-]|\(?cc\)?|licen[cs]e|lizenz)*(?:(?P<zero>zero|0 |cc0)|"
    r"attribution|namensnennung|reconocimiento|atribución|attribuzione|atribuição|"
    r"naamsvermelding|uznanie autorstwa|paternité|表示|署名)"
)
_PARTS = {
    "nc": re.compile(
        r"non-? ?commerci|nicht-? ?kommerziell|n[oã]o?-? ?comercial|niet-? ?commercieel|"
        r"pas d.utilisation commerciale|użycie niekomercyjne|非営利|非商业"
    ),
    "nd": re.compile(
        r"no-? ?deriv|keine-? ?bearbeitung|s[ie][nm][- ]?(?:obras?[- ]?)?deriva|non opere derivate|"
        r"pas de modification|geen-? ?afgeleide|bez utworów zależnych|改変禁止|禁止演绎"
    ),
    "sa": re.compile(
        r"share-? ?alike|gleichen bedingungen|comparti\w*-? ?igual|condividi allo stesso modo|"
        r"mêmes conditions|gelijk ?delen|na tych samych warunkach|継承|相同方式共享"
    ),
}
_OTHER = re.compile(
    r"(?P<ogl>open government licen[cs]e)|(?P<gfdl>free documentation licen[cs]e|\bgfdl\b)"
    r"|(?P<agpl>affero general public|\bagpl)|(?P<lgpl>lesser general public|\blgpl)"
    r"|(?P<gpl>general public licen[cs]e|\bgpl)|(?P<mpl>mozilla public licen[cs]e|\bmpl\b)"
    r"|(?P<apache>\bapache(?: software)?(?:[ -]v?2(?:\.0)?)?[ -]li[cz]en|\blicen[a-zç]+ apache)"
    r"|(?P<mit>\bmit(?:/x11)?[ -]li[cz]en|\blicen[csçz]i?[ea] mit\b)"
    r"|(?P<bsd>\bbsd(?:[ -]style)?[ -]li[cz]en|\blicen[csçz]i?[ea] bsd\b)"
)
_UNDER = re.compile(r"\b(?:under|unter|sous|bajo|sob|sotto|con|onder)\b(?:[^.;!?]|\.\d){0,60}$")
_TALK = re.compile(
    r"\b(?:if|many|most|some|often|usually|typically|choose|could|would|should|might|may|whether|"
    r"always|changed?|switched|"
    r"projects|companies|unlike|versus|not|wenn|viele|oft|si|plusieurs|muchos|oder|vs)\b"
)
_SPDX = re.compile(r"spdx-licen[cs]e-identifier: ?\(?(?P<name>[a-z0-9-]+)")
_PUBLIC = re.compile(
    r"(?:this (?:\w+ )?\w+ (?:is|are) (?:now |hereby )?|(?:dedicate|release|place)[sd]? "
    r"(?:this|the) (?:\w+ )?\w+ )(?:in|into|to) the $"
)


def licence_marks(words: Words) -> dict[str, str | int | None]:
    """`licence`, one of `LICENCES` or None, and `n_copyright_marks`.

    `n_copyright_marks` counts `©`, `copyright` and `(c)` with a year behind it, and the formulas of
    `RIGHTS_RESERVED`: `Copyright © 2020` is one, `© 2020 Jane Doe. All rights reserved.` is two.
    About 3 us for 5,000 characters beside `Words.phrases`.
    """
    found = words.phrases
    has_marks = found.among(COPYRIGHT_MARKS)
    n_marks = sum(1 for _ in _COPYRIGHT.finditer(words.normalised)) if has_marks else 0
    signs = found.among(LICENCE_SIGNS)
    name = _declared(words.normalised, signs) if signs else None
    return {"licence": name, "n_copyright_marks": found.n_reserved + n_marks}


def _declared(text: Normalised, signs: list[str]) -> str | None:
    """What `text`, which has these `signs`, declares, by the preference of `LICENCES`."""
    found = {
        name
        for sign in signs
        for place in _places(text, sign)
        if (name := _TOLD_BY[sign](text, place)) is not None
    }
    return min(found, key=LICENCES.index, default=None)


def _places(text: str, sign: str) -> Iterator[int]:
    """The last places of `sign` in `text`, from behind."""
    place = len(text)
    for _ in range(_LAST_PLACES):
        place = text.rfind(sign, 0, place)
        if place < 0:
            return
        yield place


def _is_of_a_picture(text: str, place: int) -> bool:
    return _PICTURE.search(text, max(0, place - _BEFORE), place) is not None


def _creative_commons(parts: Iterable[str]) -> str | None:
    """Its short name, or None for a combination that there is not."""
    name = "-".join(["cc-by", *(part for part in ("nc", "nd", "sa") if part in parts)])
    return name if name in LICENCES else None


def _linked(text: str, place: int) -> str | None:
    match = _LINK.match(text, place)
    if match is None or _is_of_a_picture(text, place):
        return None
    if match["parts"]:
        return _creative_commons(match["parts"].split("-"))
    return "public-domain" if match["public"] else "cc0"


def _named(text: str, place: int) -> str | None:
    match = _NAMED.match(text, place, place + _BEHIND)
    if match is None or _is_of_a_picture(text, place):
        return None
    if match["zero"]:
        return "cc0"
    end = match.end() + _BEHIND
    return _creative_commons({p for p, sign in _PARTS.items() if sign.search(text, place, end)})


def _short(text: str, place: int) -> str | None:
    match = _SHORT.match(text, place)
    is_word = match is not None and not text[place - 1 : place].isalnum()
    if not is_word or match is None or _is_of_a_picture(text, place):
        return None
    if not match["parts"] and not match["version"]:
        return None
    return _creative_commons(re.findall("[a-z]+", match["parts"]))


def _zero(text: str, place: int) -> str | None:
    is_word = not text[place - 1 : place].isalnum()
    is_declared = _ZERO.match(text, place) or _UNDER.search(text[max(0, place - 40) : place])
    return "cc0" if is_word and is_declared and not _is_of_a_picture(text, place) else None


def _other(text: str, place: int) -> str | None:
    """A licence by name around the word licence at `place`, behind a word such as `under`."""
    start = max(0, place - _BEFORE)
    window = text[start : place + 40]
    if spdx := _SPDX.search(window):
        return next((name for name in LICENCES if spdx["name"].startswith(name)), None)
    match = _OTHER.search(window, max(0, place - start - 30))
    if match is None:
        return None
    before = window[: match.start()].rpartition(". ")[2]
    is_declared = _UNDER.search(before) and not _TALK.search(before)
    return match.lastgroup if is_declared else None


def _public_domain(text: str, place: int) -> str | None:
    before = text[max(0, place - _BEFORE) : place]
    is_declared = _PUBLIC.search(before) and not _is_of_a_picture(text, place)
    return "public-domain" if is_declared else None


_TOLD_BY: dict[str, Callable[[str, int], str | None]] = dict(zip(LICENCE_SIGNS, (
    _linked, _named, _short, _short, _zero, _other, _other, _public_domain,
    lambda text, place: "mit", lambda text, place: "bsd",
), strict=True))  # fmt: skip
"""What tells the licence at a place of a sign, or None."""
