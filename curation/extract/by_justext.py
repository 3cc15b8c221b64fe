"""Engine `justext`: paragraphs by length, link density and stop words, then by their neighbours.

Jan Pomikálek, "Removing Boilerplate and Duplicate Content from Web Corpora", 2011. The extractor of
2412.02595. About 40 ms a page.
"""

from __future__ import annotations

import re
from functools import cache

import justext.core  # type: ignore[import-untyped]
from resiliparse.parse.lang import detect_fast

from curation.extract.string_engine import StringEngine, text_engine

_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)
"""Letters of Thai, Chinese, Japanese and Korean, and of those that are written likewise and that
have no stop list either: Lao, Tibetan, Burmese, Khmer."""
_MIN_UNSPACED_FRAC = 0.3
_MAX_LANGUAGE_CHARS = 4_000


def make() -> StringEngine:
    """The engine `justext`."""
    return text_engine("justext", text_of)


def text_of(html: str) -> str:
    """Paragraphs that are not boilerplate, by the settings that 2412.02595 uses (NeMo Curator's).

    The stop list is that of the language guessed from the page's own paragraphs, English where the
    guess has no list. Thai, Chinese, Japanese, Korean and others without spaces keep every
    paragraph, because there are no stop words to count. The guess is part of the bare call, because
    jusText asks its caller for a stop list; it takes about a hundredth of the time.
    """
    dom = justext.core.preprocessor(justext.core.html_to_dom(html))
    paragraphs = justext.core.ParagraphMaker.make_paragraphs(dom)
    text = "\n\n".join(paragraph.text for paragraph in paragraphs)
    if _is_unspaced(text):
        return text
    _classify(paragraphs, _stoplist(_language(text)))
    return "\n\n".join(p.text for p in paragraphs if not p.is_boilerplate)


def _classify(paragraphs: list[justext.core.Paragraph], stoplist: frozenset[str]) -> None:
    justext.core.classify_paragraphs(
        paragraphs,
        stoplist,
        length_low=70,
        length_high=200,
        stopwords_low=0.30,
        stopwords_high=0.32,
        max_link_density=0.2,
        no_headings=False,
    )
    justext.core.revise_paragraph_classification(paragraphs, max_heading_distance=200)


def _is_unspaced(text: str) -> bool:
    head = text[:_MAX_LANGUAGE_CHARS]
    n_letters = sum(map(str.isalpha, head))
    return len(_UNSPACED.findall(head)) > _MIN_UNSPACED_FRAC * n_letters


def _language(text: str) -> str:
    language, _ = detect_fast(text[:_MAX_LANGUAGE_CHARS])
    return language


@cache
def _stoplist(language: str) -> frozenset[str]:
    stoplist: frozenset[str] = justext.get_stoplist(_STOPLISTS.get(language, "English"))
    return stoplist


# By the language codes of `detect_fast`. Not Latin, into which it puts short English pages.
_STOPLISTS = {
    "af": "Afrikaans", "ar": "Arabic", "az": "Azerbaijani", "be": "Belarusian", "bg": "Bulgarian",
    "bn": "Bengali", "br": "Breton", "ca": "Catalan", "cs": "Czech", "cv": "Chuvash", "cy": "Welsh",
    "da": "Danish", "de": "German", "el": "Greek", "eo": "Esperanto", "es": "Spanish",
    "et": "Estonian", "eu": "Basque", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "fy": "West_Frisian", "ga": "Irish", "gl": "Galician", "gu": "Gujarati", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "hy": "Armenian", "id": "Indonesian",
    "io": "Ido", "is": "Icelandic", "it": "Italian", "jv": "Javanese", "ka": "Georgian",
    "kk": "Kazakh", "kn": "Kannada", "ku": "Kurdish", "ky": "Kyrgyz", "lb": "Luxembourgish",
    "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "ml": "Malayalam", "mr": "Marathi",
    "mt": "Maltese", "ne": "Nepali", "nl": "Dutch", "no": "Norwegian_Bokmal",
    "pa": "Western_Panjabi", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian",
    "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian", "sv": "Swedish",
    "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "tk": "Turkmen", "tl": "Tagalog",
    "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "vi": "Vietnamese",
    "vo": "Volapuk",
}  # fmt: skip
