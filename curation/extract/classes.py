"""Words in class, id and role attributes -> groups of meaning, one bit each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

_GROUPS: dict[str, str] = {
    "navigation": "nav navbar navigation menu menubar submenu breadcrumb breadcrumbs crumb crumbs "
    "navi dropdown megamenu topnav subnav skip sitemap menuitem navlist hamburger drawer",
    "pages": "pagination pager paging pagenav pages paginator prev next previous",
    "header": "header masthead banner topbar top head logo brand toolbar",
    "footer": "footer foot bottom copyright colophon legal disclaimer contentinfo",
    "side": "sidebar side aside rail widget widgets secondary complementary sidenav column2 right "
    "left module gutter",
    "related": "related recommend recommended recommendations recommendation similar more also "
    "popular trending suggested suggestions upsell crosssell cross latest recent readmore "
    "outbrain taboola teaser teasers promoted carousel slider swiper slick recirc mostread",
    "comment": "comment comments commentlist reply replies respond discussion disqus responses "
    "commenter feedback comm",
    "forum": "post posts message messages thread topic forum answer answers question questions "
    "postbody posttext userpost bbcode quote reddit js-post bbwrapper usertext msg",
    "content": "content article articlebody entry story body text main prose markdown richtext rte "
    "copy maintext postcontent entrycontent articlecontent blog hentry wysiwyg paragraph "
    "mainbody contenttext bodytext document page",
    "share": "share sharing social facebook twitter pinterest whatsapp linkedin addthis sharethis "
    "addtoany follow like likes vote votes",
    "ad": "ad ads advert advertisement advertising sponsor sponsored sponsors promo promotion "
    "promos adsense dfp gpt affiliate marketing",
    "consent": "cookie cookies consent gdpr onetrust privacy ccpa modal popup overlay dialog "
    "lightbox alert alertdialog notice notification toast banner-cookie paywall",
    "join": "newsletter subscribe subscription signup sign login register optin mailing account "
    "auth signin download cta",
    "byline": "author byline date time published timestamp meta postmeta metadata posted dateline "
    "avatar profile bio contributor datetime updated info",
    "label": "tag tags category categories label labels badge keywords topics cat chip eyebrow "
    "kicker",
    "product": "product price prices cart buy basket sku stock shipping delivery checkout "
    "wishlist availability offer variant swatch quantity size",
    "detail": "description desc details detail specs spec specification specifications features "
    "feature overview summary excerpt about ingredients directions instructions recipe faq "
    "accordion tab panel intro abstract lead dek standfirst subtitle subhead",
    "review": "review reviews rating ratings stars star testimonial testimonials customer",
    "list": "list grid card cards item items tile tiles results result row collection listing "
    "archive feed loop catalog gallery-item col",
    "hidden": "hidden hide sr-only visuallyhidden offscreen screenreader reader invisible collapse "
    "collapsed closed hid noprint print none",
    "user": "user username member members signature sig userinfo postprofile poster joined rank "
    "karma reputation usercard",
    "action": "action actions button buttons btn control controls tool tools tooltip icon icons "
    "edit report flag link links options settings permalink toggle",
    "image": "image img photo figure caption gallery media video player thumbnail thumb picture "
    "credit figcaption slideshow embed",
    "search": "search filter filters facet facets sort sorting refine searchbox query select",
    "contents": "toc contents tableofcontents outline index anchor",
    "code": "code highlight pre syntax snippet codehilite codeblock example table math",
    "title": "title heading headline h1 hero name subject jumbotron",
}
GROUPS = tuple(_GROUPS)
HIDDEN = 1 << len(GROUPS)
"""Bit of an element that its style or an attribute hides; stands above the groups."""
FORMULA = HIDDEN << 1
"""Bit of names that those of a formula may be among."""
_FORMULA_SIGN = re.compile(rb"math|tex(?!t)|mjx")

_BIT = {word: 1 << bit for bit, words in enumerate(_GROUPS.values()) for word in words.split()}
_CAPITALS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
"""Where a capital begins a word."""
_LETTERS = b"abcdefghijklmnopqrstuvwxyz"
_TO_WORDS = bytes(code if code in _LETTERS else ord(" ") for code in range(256))
_DIGITS = "0123456789"
_MAX_CACHED = 1 << 16
_MAX_CHARS = 300
_KEY_MASK = (1 << 40) - 1


class Names(NamedTuple):
    """What the class, id and role of an element say."""

    mask: int
    """Groups that its words belong to, one bit each."""
    score: float
    """Sum of the learned weights of its words: above zero where they speak for main text."""
    key: int
    """Equal for equal names within a process."""


NO_NAMES = Names(0, 0.0, 0)


def words_of(names: str) -> list[bytes]:
    """Words of a class or id attribute, lower-cased: `PostBody main-nav` -> post body main nav.

    As bytes, which are cut in half the time that a regular expression takes.
    """
    return _parted(names).translate(_TO_WORDS).split()


def _parted(names: str) -> bytes:
    if not names.islower():
        names = _CAPITALS.sub(" ", names)
    return names.encode(errors="replace").lower()


class NamesReader:
    """Class, id and role attributes -> their groups and learned score. Keeps what it has read."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._known = {
            word.encode(): (_BIT.get(word, 0), weights.get(word, 0.0))
            for word in {**_BIT, **weights}
        }
        self._read: dict[str, Names] = {}

    def __call__(self, classes: str) -> Names:
        """What the class attribute `classes` says."""
        return self._read.get(classes) or self._new(classes)

    def with_token(self, names: Names, token: str) -> Names:
        """`names` and what an id or a role says. The key stays: ids differ in what is alike."""
        token = token.rstrip(_DIGITS)  # ids are often numbered; digits are no words
        mask, score, _ = self._read.get(token) or self._new(token)
        return Names(names.mask | mask, names.score + score, names.key)

    def _new(self, names: str) -> Names:
        if len(self._read) >= _MAX_CACHED:
            self._read.clear()
        read = self._read[names] = self._names(names[:_MAX_CHARS])
        return read

    def _names(self, names: str) -> Names:
        parted = _parted(names)
        mask = FORMULA if _FORMULA_SIGN.search(parted) else 0
        score, known_words = 0.0, self._known
        for word in parted.translate(_TO_WORDS).split():
            if known := known_words.get(word):
                mask |= known[0]
                score += known[1]
        return Names(mask, score, hash(names) & _KEY_MASK)
