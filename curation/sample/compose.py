"""Decides how many pages of which kind there are, and composes their content."""

from collections.abc import Callable, Mapping
from random import Random

from curation.errors import ConfigError
from curation.sample import chatter, commerce, languages, mathematics, prose, stories, threads
from curation.sample.catalogue import Stock
from curation.sample.distinct import Gallery
from curation.sample.page import Draft

Genre = Callable[[Random, Stock, int], Draft]
"""Composes page number `turn` of its kind; another generator gives another page."""

KIND_FRACS: Mapping[str, float] = {
    "math": 0.08,
    "forum": 0.08,
    "foreign": 0.08,
    "product": 0.06,
    "spam": 0.06,
    "exact_duplicate": 0.06,
    "near_duplicate": 0.05,
    "partial_duplicate": 0.03,
    "listing": 0.025,
    "boilerplate": 0.015,
    "rant": 0.01,
    "personal": 0.01,
    "empty": 0.01,
}
"""Share of all pages; English articles are the rest."""

GENRE_FRACS: Mapping[Genre, float] = {
    prose.survey: 0.21,
    prose.lesson: 0.16,
    stories.news: 0.15,
    stories.blog: 0.14,
    chatter.ramble: 0.11,
    chatter.clickbait: 0.09,
    chatter.careless: 0.08,
    prose.digest: 0.06,
}
"""Share of the English articles."""

_GENRES: Mapping[str, Genre] = {
    "math": mathematics.worked,
    "forum": threads.thread,
    "foreign": languages.foreign,
    "product": commerce.product,
    "spam": commerce.spam,
    "listing": commerce.listing,
    "boilerplate": commerce.consent,
    "rant": chatter.rant,
    "personal": chatter.notice,
}

_MAX_LIKENESS = 0.5
_ATTEMPTS = 60


def count_kinds(n_pages: int) -> dict[str, int]:
    """Pages of each kind, at least one of each; "article" is what remains of `n_pages`."""
    counts = {kind: max(1, round(share * n_pages)) for kind, share in KIND_FRACS.items()}
    return {"article": n_pages - sum(counts.values()), **counts}


def compose_pages(stock: Stock, counts: Mapping[str, int], seed: int) -> list[Draft]:
    """All pages that are no duplicates and have something on them, kind after kind.

    Raises:
        ConfigError: the stock of sentences is too small for so many different pages.
    """
    gallery, drafts = Gallery(), list[Draft]()
    for name, genre, n in _shares(counts):
        drafts += [
            _distinct(gallery, stock, genre, turn, f"{seed}/{name}/{turn}") for turn in range(n)
        ]
    return drafts


def _shares(counts: Mapping[str, int]) -> list[tuple[str, Genre, int]]:
    """Name, genre and number of pages of everything that is composed."""
    n_articles, left = counts["article"], counts["article"]
    rows = []
    for genre, share in list(GENRE_FRACS.items())[1:]:
        n = min(left, max(1, round(share * n_articles)))
        left -= n
        rows.append((genre.__name__, genre, n))
    rows.append(("survey", prose.survey, left))
    return rows + [(kind, genre, counts[kind]) for kind, genre in _GENRES.items()]


def _distinct(gallery: Gallery, stock: Stock, genre: Genre, turn: int, seed: str) -> Draft:
    for attempt in range(_ATTEMPTS):
        draft = genre(Random(f"{seed}/{attempt}"), stock, turn)
        if not draft.text:
            return draft
        if gallery.likeness(draft.text) <= _MAX_LIKENESS:
            gallery.add(draft.text)
            return draft
    raise ConfigError(
        f"input.sample_pages: the stock of sentences is too small for another distinct page of "
        f"{genre.__name__} (number {turn}); ask for fewer pages"
    )
