"""NeMo Curator's 28 heuristic filters over texts: documents a second. Run by its own Python.

Reads a JSON list of texts from standard input; the argument is the number of rounds. The last line
of the output is a JSON list with the documents a second of each round. Imports nothing of ours:
`bench.measure --nemo PYTHON` runs it in NeMo Curator's environment.
"""

import json
import sys
import time

from nemo_curator.stages.text.filters.heuristic import (
    BoilerPlateStringFilter,
    BulletsFilter,
    CommonEnglishWordsFilter,
    EllipsisFilter,
    LongWordFilter,
    MeanWordLengthFilter,
    NonAlphaNumericFilter,
    NumbersFilter,
    ParenthesesFilter,
    PunctuationFilter,
    SymbolsToWordsFilter,
    UrlsFilter,
    WhiteSpaceFilter,
    WordCountFilter,
    WordsWithoutAlphabetsFilter,
)
from nemo_curator.stages.text.filters.heuristic.repetition import (
    RepeatedLinesByCharFilter,
    RepeatedLinesFilter,
    RepeatedParagraphsByCharFilter,
    RepeatedParagraphsFilter,
    RepeatingDuplicateNGramsFilter,
    RepeatingTopNGramsFilter,
)

FILTERS = [
    NonAlphaNumericFilter(), SymbolsToWordsFilter(), NumbersFilter(), UrlsFilter(),
    WhiteSpaceFilter(), ParenthesesFilter(), BoilerPlateStringFilter(), RepeatedLinesFilter(),
    RepeatedParagraphsFilter(), RepeatedLinesByCharFilter(), RepeatedParagraphsByCharFilter(),
    WordCountFilter(), PunctuationFilter(), WordsWithoutAlphabetsFilter(),
    CommonEnglishWordsFilter(), MeanWordLengthFilter(), LongWordFilter(), EllipsisFilter(),
    *(RepeatingTopNGramsFilter(n=n) for n in (2, 3, 4)),
    *(RepeatingDuplicateNGramsFilter(n=n) for n in range(5, 11)), BulletsFilter(),
]  # fmt: skip


def measure(texts: list[str]) -> float:
    """Documents a second; every filter scores every text, as ScoreFilter has it."""
    begun = time.process_time()
    for text in texts:
        for one in FILTERS:
            one.keep_document(one.score_document(text))
    return len(texts) / (time.process_time() - begun)


if __name__ == "__main__":
    assert len(FILTERS) == 28, len(FILTERS)
    given = json.load(sys.stdin)
    measure(given[:20])
    found = [measure(given) for _ in range(int(sys.argv[1]))]
    sys.stdout.write("\n" + json.dumps(found) + "\n")
