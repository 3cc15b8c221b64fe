"""Perplexity of a text under a KenLM model, by language.

The perplexity is 10 ** (-L / n): L is the sum of log10 probabilities over the tokens of all lines
that have any, n their tokens plus one for the end of each line. Lower is closer to the text that
the model was trained on. Source: CCNet (1911.00359) and its code, cc_net; edugp/kenlm, which
publishes models for the same use. 2412.02595 filters by such a model and prints no threshold: none
is set here.

Deviations from cc_net and from edugp's `model.py`, each of which changes values:

- A line is a sentence. They delete the line feeds of a page, which are control characters, before
  they split it into lines: the whole page is one sentence, in which the last word of each line and
  the first of the next are one word. Blank lines are left out; where cc_net is given a page by
  lines, each counts as a token.
- Tab, form feed and every other white space is a blank; cc_net deletes those that are control
  characters (`a TAB b` is `ab`). It counts tokens by Unicode white space and KenLM by ASCII's, so
  that a no-break space adds to n and not to L; here both count the same.
- Full-width `１` is `0` like any digit; their table makes a quote of it where digits are kept.
- More punctuation becomes ASCII: single quotes of either side, hyphens and minus, full-width signs
  (`_PUNCTUATION`, second half).
- Soft hyphen, word joiner and byte order mark are deleted, the zero-width space is a blank, a lone
  surrogate U+FFFD. Accents are stripped character by character, in linear time.
- The words `<s>`, `</s>` and `<unk>` in a text are unknown words; KenLM takes the first for the
  start of a sentence, whose probability is 1e-99 or so.
- Values are not rounded. A text without tokens has no perplexity; cc_net says 10 ** (-log10 p) of
  the empty sentence.
- At most `MAX_TEXT_CHARS` of a text and `MAX_LINE_CHARS` of a line are looked at.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
import math
import re
import shutil
import tempfile
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, cast

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from curation.errors import ConfigError

MAX_TEXT_CHARS = 1_000_000
"""Characters of a text that are looked at, from its start."""
MAX_LINE_CHARS = 50_000
"""Characters of a line that are looked at, from its start."""
MAX_PERPLEXITY = 1e38
"""What a larger value is told as: it fits a float32."""
COLUMNS = ("perplexity", "perplexity_line_median", "perplexity_line_p90", "oov_frac")
"""Keys of `PerplexityModel.measures`."""
SHIPPED = "shipped"
"""Instead of a path: the model in the package, trained on the text of the sample crawl."""
MODEL_SUFFIXES = (".arpa.bin", ".binary", ".bin", ".klm", ".arpa", ".arpa.gz")
"""Ends of the names of models, in the order in which they are preferred."""

Tokeniser = Callable[[str], list[str]]
"""Tokens of a normalised line; none has white space in it."""

_PUNCTUATION = {
    # As cc_net has them.
    **dict.fromkeys("，、", ","), "。": ".", "．": ". ", **dict.fromkeys("„”“«»」「《》", '"'),
    **dict.fromkeys("´’", "'"), **dict.fromkeys("∶：", ":"), "？": "?", "！": "!", "（": "(",
    "）": ")", "；": ";", "–": "-", "—": " - ", "～": "~", "…": "...", "━": "-", "〈": "<",
    "〉": ">", "【": "[", "】": "]", "％": "%", "►": "-",
    # Missing there.
    **dict.fromkeys("‘‚‛‹›′", "'"), **dict.fromkeys("‟″『』", '"'), **dict.fromkeys("‐‑‒−", "-"),
    "―": " - ", "‥": "..", "｡": ".", "､": ",",
}  # fmt: skip
_DELETED = "\u00ad\u2060\ufeff"
_ZERO_WIDTH_SPACE = "\u200b"
_UNENCODABLE = "\ufffd"
_FIRST_FULL_WIDTH, _LAST_FULL_WIDTH, _TO_ASCII = 0xFF01, 0xFF5E, 0xFEE0

# Scripts without spaces between words: each character is a token.
_ALONE = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Not the joiners U+200C and U+200D, which belong to words.
_MARKS = r"!-/:-@\[-`{-~¡-©«-´¶-¹»-¿×÷،؛؟۔।॥" + "\u2010-\u2bff\U0001f000-\U0001faff"
_WORD = re.compile(f"[{_MARKS}{_ALONE}]|[^\\s{_MARKS}{_ALONE}]+(?:'[^\\s{_MARKS}{_ALONE}]+)*")

_SPECIAL = frozenset({"<s>", "</s>", "<unk>"})
_UNKNOWN = "<unk>"
_SPACE_PIECE = "\u2581"
_END_BYTES = 1 << 20


def normalise_for_perplexity(
    line: str, *, lower_case: bool = False, strip_accents: bool = False
) -> str:
    """`line` as the models' training text was written: digits 0, punctuation ASCII, one blank.

    Control characters are deleted. edugp's models keep case and accents, CCNet's keep neither. The
    module's docstring lists what differs from cc_net. About 140 us for 5,000 characters.
    """
    if lower_case:
        line = line.lower()
    return " ".join(line.translate(_TABLES[strip_accents]).split())


class _Replacements(dict[int, str]):
    """What stands for a character, worked out when it is first met."""

    def __init__(self, *, strip_accents: bool) -> None:
        super().__init__()
        self._strip_accents = strip_accents

    def __missing__(self, code: int) -> str:
        characters = chr(code)
        if self._strip_accents:
            decomposed = unicodedata.normalize("NFD", characters)
            characters = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
        self[code] = "".join(map(_replaced, characters))
        return self[code]


def _replaced(character: str) -> str:
    if character.isdecimal():
        return "0"
    if character in _PUNCTUATION:
        return _PUNCTUATION[character]
    if character.isspace() or character == _ZERO_WIDTH_SPACE:
        return " "
    category = unicodedata.category(character)
    if category == "Cc" or character in _DELETED:
        return ""
    if category == "Cs":
        return _UNENCODABLE
    if _FIRST_FULL_WIDTH <= ord(character) <= _LAST_FULL_WIDTH and not character.isalpha():
        return chr(ord(character) - _TO_ASCII)
    return character


_TABLES = (_Replacements(strip_accents=False), _Replacements(strip_accents=True))


def split_words(line: str) -> list[str]:
    """Words and marks of a normalised line; an apostrophe between letters belongs to the word.

    In scripts without spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese), a
    character is a token.
    """
    return _WORD.findall(line)


class Card(BaseModel):
    """What must be known of a model to ask it rightly: `<stem>.card.json` beside it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: Literal["words", "white_space", "sentencepiece"] | None = None
    """`words`: `split_words`. None: SentencePiece if there is such a model, else white space."""
    lower_case: bool = False
    """The training text was lower-cased. True for CCNet's models, False for edugp's."""
    strip_accents: bool = False
    """The training text had its accents stripped. True for CCNet's models, False for edugp's."""
    training: dict[str, JsonValue] = {}
    """How it was trained; for readers."""


@dataclass(frozen=True)
class ModelFiles:
    """Where the parts of a model lie, and what its card says."""

    model: Path
    sentencepiece: Path | None
    card: Card


class Scorer(Protocol):
    """What is used of a KenLM model; tests replace it."""

    def full_scores(self, sentence: str) -> Iterable[tuple[float, int, bool]]:
        """log10 probability, n-gram length, unknown or not: of each token, then of the end."""
        ...

    def __contains__(self, token: str) -> bool: ...


class LineScore(NamedTuple):
    """What the model says of a line."""

    log10_prob: float
    n_tokens: int
    n_unknown: int

    @property
    def perplexity(self) -> float:
        return _perplexity([self])


@dataclass(frozen=True)
class PerplexityModel:
    """An n-gram model with the tokens and the normalisation that it was trained with."""

    scorer: Scorer
    tokenise: Tokeniser
    lower_case: bool = False
    strip_accents: bool = False

    def perplexity(self, text: str) -> float | None:
        """Perplexity of `text`, unrounded; None if it has no tokens."""
        return self.measures(text)["perplexity"]

    def line_perplexities(self, text: str) -> list[float]:
        """Perplexity of each line that has tokens, in order."""
        return [line.perplexity for line in self.line_scores(text)]

    def measures(self, text: str) -> dict[str, float | None]:
        """`COLUMNS` of `text`; all None if it has no tokens.

        Lines count by their tokens in median and 90th percentile: a menu of twenty lines of one
        word should not outweigh a paragraph. The percentile shows that a tenth of the text is bad
        where the mean hides it. 0.75 to 1 ms for 5,000 characters, by the size of the model;
        with SentencePiece 2 ms.
        """
        lines = self.line_scores(text)
        if not lines:
            return dict.fromkeys(COLUMNS)
        n_tokens = sum(line.n_tokens for line in lines)
        ranked = sorted((line.perplexity, line.n_tokens) for line in lines)
        return {
            "perplexity": _perplexity(lines),
            "perplexity_line_median": _percentile(ranked, 50),
            "perplexity_line_p90": _percentile(ranked, 90),
            "oov_frac": sum(line.n_unknown for line in lines) / n_tokens,
        }

    def line_scores(self, text: str) -> list[LineScore]:
        """What the model says of each line that has tokens, in order."""
        lines = text[:MAX_TEXT_CHARS].split("\n")
        tokenised = (self._tokens(line[:MAX_LINE_CHARS]) for line in lines)
        return [self._score(tokens) for tokens in tokenised if tokens]

    def _tokens(self, line: str) -> list[str]:
        return tokens_of(
            line, self.tokenise, lower_case=self.lower_case, strip_accents=self.strip_accents
        )

    def _score(self, tokens: Sequence[str]) -> LineScore:
        # Python floats: the sum that KenLM tells has 32 bits, too few for the longest lines.
        log10_prob, n_unknown = 0.0, 0
        for log10, _, unknown in self.scorer.full_scores(" ".join(tokens)):
            log10_prob += log10
            n_unknown += unknown
        return LineScore(log10_prob, len(tokens), n_unknown)


def tokens_of(
    line: str, tokenise: Tokeniser, *, lower_case: bool, strip_accents: bool
) -> list[str]:
    """Tokens of a line as it stands in a text, for training and for asking alike."""
    normal = normalise_for_perplexity(line, lower_case=lower_case, strip_accents=strip_accents)
    tokens = tokenise(normal) if normal else []
    if ">" in normal and not _SPECIAL.isdisjoint(tokens):
        return [_UNKNOWN if token in _SPECIAL else token for token in tokens]
    return tokens


def _perplexity(lines: Sequence[LineScore]) -> float:
    log10_prob = sum(line.log10_prob for line in lines)
    n = sum(line.n_tokens + 1 for line in lines)
    exponent = min(-log10_prob / n, 38.0)
    return min(math.pow(10.0, exponent), MAX_PERPLEXITY)


def _percentile(ranked: Sequence[tuple[float, int]], percent: int) -> float:
    """Least of the (perplexity, tokens) at or below which so much of the tokens lies."""
    total, seen = sum(n for _, n in ranked), 0
    for perplexity, n in ranked:
        seen += n
        if 100 * seen >= percent * total:
            return perplexity
    raise AssertionError("the last line completes the sum")


class PerplexityModels:
    """The models of a run by language, each loaded when its first text comes."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        """`paths`: language code to path or `shipped`.

        Raises:
            ConfigError: a model is not there, or its parts do not fit.
        """
        self._files = {language: find_model(language, name) for language, name in paths.items()}

    def perplexities(self, text: str, language: str | None) -> dict[str, float | None]:
        """`COLUMNS` of `text`; all None where its language has no model or it has no tokens."""
        if language not in self._files:
            return dict.fromkeys(COLUMNS)
        return _opened(self._files[language].model).measures(text)

    def identity(self) -> dict[str, str]:
        """Hash of each language's model: another one under the same name shows."""
        return {language: _print(files) for language, files in sorted(self._files.items())}


def find_model(language: str, name: str) -> ModelFiles:
    """Files of the model of `language` that the settings call `name`: a path or `shipped`.

    Raises:
        ConfigError: it is not there, or its parts do not fit.
    """
    if name == SHIPPED:
        return model_files(Path(__file__).parent / "weights" / f"{language}.arpa.gz")
    return model_files(Path(name).expanduser())


def model_files(path: Path) -> ModelFiles:
    """The parts of the model at `path`: a file, or a folder with one model in it.

    Beside `en.arpa.bin` (or another of `MODEL_SUFFIXES`): `en.sp.model` and `en.card.json`, both
    optional.

    Raises:
        ConfigError: there is no model, more than one, or a card that cannot be read.
    """
    model = _model_in(path) if path.is_dir() else path
    if not model.is_file():
        raise ConfigError(f"perplexity model {path}: no such file; {_HOW}")
    stem = _stem(model)
    pieces = model.with_name(f"{stem}.sp.model")
    card = _read_card(model.with_name(f"{stem}.card.json"))
    if card.tokens == "sentencepiece" and not pieces.is_file():
        raise ConfigError(f"perplexity model {model}: its card wants {pieces.name} beside it")
    has_pieces = card.tokens in (None, "sentencepiece") and pieces.is_file()
    return ModelFiles(model, pieces if has_pieces else None, card)


_HOW = (
    f"a model is a file that ends in {', '.join(MODEL_SUFFIXES)}, or a folder with one, with its "
    "SentencePiece model (en.arpa.bin, en.sp.model) beside it. CCNet and edugp/kenlm publish some "
    "by language; python -m models.perplexity.train makes one; `shipped` is a small English one. "
    "See docs/perplexity.md"
)


def _model_in(folder: Path) -> Path:
    found = sorted(file for file in folder.iterdir() if file.name.endswith(MODEL_SUFFIXES))
    if not found:
        raise ConfigError(f"perplexity model {folder}: no model in this folder; {_HOW}")
    if len({_stem(file) for file in found}) > 1:
        names = ", ".join(file.name for file in found)
        raise ConfigError(f"perplexity model {folder}: several models ({names}); name the file")
    return min(found, key=lambda file: MODEL_SUFFIXES.index(_suffix(file)))


def _suffix(model: Path) -> str:
    return next((end for end in MODEL_SUFFIXES if model.name.endswith(end)), model.suffix)


def _stem(model: Path) -> str:
    return model.name.removesuffix(_suffix(model))


def _read_card(path: Path) -> Card:
    if not path.is_file():
        return Card()
    try:
        return Card.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ConfigError(f"perplexity model: {path} is no card of a model: {error}") from error


def _print(files: ModelFiles) -> str:
    """Hash of sizes, first and last MiB of the files, and of the card: 16 hex digits."""
    told = hashlib.sha256(files.card.model_dump_json().encode())
    for path in filter(None, (files.model, files.sentencepiece)):
        size = path.stat().st_size
        told.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            told.update(file.read(_END_BYTES))
            file.seek(max(file.tell(), size - _END_BYTES))
            told.update(file.read(_END_BYTES))
    return told.hexdigest()[:16]


def load_perplexity_model(path: Path) -> PerplexityModel:
    """The model at `path`, as `model_files` finds it.

    A binary is mapped, so that the processes of a machine share it; an ARPA is read into each, at
    about a million n-grams in a second. A compressed one is unpacked into a temporary file first:
    the wheels of KenLM have no zlib.

    Raises:
        ConfigError: there is no model, its parts do not fit, or a package is not installed.
    """
    files = model_files(path)
    scorer = _load_scorer(files.model)
    if files.sentencepiece is None and _SPACE_PIECE in scorer:
        raise ConfigError(
            f"perplexity model {files.model}: its tokens are SentencePiece's, but there is no "
            f"{_stem(files.model)}.sp.model beside it"
        )
    card = files.card
    tokenise = tokeniser(card.tokens or "white_space", files.sentencepiece)
    return PerplexityModel(scorer, tokenise, card.lower_case, card.strip_accents)


_opened = functools.lru_cache(maxsize=None)(load_perplexity_model)
"""Loaded once a process: Spark's workers live longer than its tasks."""


def tokeniser(
    tokens: Literal["words", "white_space", "sentencepiece"], sentencepiece: Path | None
) -> Tokeniser:
    """The tokeniser of that name; SentencePiece's if there is the file of one.

    Raises:
        ConfigError: SentencePiece is not installed, or cannot read the file.
    """
    if sentencepiece is not None:
        return _load_sentencepiece(sentencepiece)
    return split_words if tokens == "words" else str.split


def _load_scorer(model: Path) -> Scorer:
    if not model.name.endswith(".gz"):
        return _load_plain(model, told=model)
    with tempfile.NamedTemporaryFile(suffix=".arpa") as plain:
        try:
            with gzip.open(model) as packed:
                shutil.copyfileobj(packed, plain)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ConfigError(f"perplexity model {model}: not a whole gzip: {error}") from error
        plain.flush()
        return _load_plain(Path(plain.name), told=model)


def _load_plain(model: Path, *, told: Path) -> Scorer:
    _require("kenlm", "ufal-kenlm")
    import kenlm  # type: ignore[import-not-found, unused-ignore]

    conf = kenlm.Config()
    conf.show_progress = False
    conf.arpa_complain = kenlm.ARPALoadComplain.NONE
    conf.load_method = kenlm.LoadMethod.POPULATE_OR_LAZY
    try:
        return cast(Scorer, kenlm.Model(str(model), conf))
    except OSError as error:
        raise ConfigError(f"perplexity model {told}: KenLM cannot read it: {error}") from error


def _load_sentencepiece(path: Path) -> Tokeniser:
    _require("sentencepiece", "sentencepiece")
    import sentencepiece  # type: ignore[import-untyped, unused-ignore]

    try:
        processor = sentencepiece.SentencePieceProcessor(model_file=str(path))
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"perplexity model: SentencePiece cannot read {path}: {error}") from error
    return functools.partial(processor.encode, out_type=str)


def _require(module: str, package: str) -> None:
    if find_spec(module) is None:
        raise ConfigError(f"perplexity needs the package {package}: pip install {package}")
