"""What a page says, before it has a site and a design: a draft made of blocks."""

from dataclasses import dataclass
from typing import Literal

Quality = Literal["good", "fair", "poor"]
BlockKind = Literal["p", "h2", "ul", "ol", "quote", "table", "post"]


@dataclass(frozen=True)
class Block:
    """A paragraph, heading, list, quotation, table (cells split by tabs) or somebody's post.

    Text may hold LaTeX between single (in line) or double (on display) dollar signs where the
    draft says `formulas`. `by` names the author of a post.
    """

    kind: BlockKind
    lines: tuple[str, ...]
    by: str = ""


@dataclass(frozen=True)
class Draft:
    """Content of one page. `family` says which sites may carry it, `topic` groups what is alike."""

    kind: str
    family: str
    title: str
    blocks: tuple[Block, ...]
    quality: Quality
    language: str = "en"
    author: str = ""
    formulas: bool = False
    price: str = ""
    notice: str = ""
    """Consent notice that takes the place of the content; it is no part of the text."""

    @property
    def text(self) -> str:
        """Main text, one block or item a line; no title."""
        return "\n".join(line.replace("\t", " ") for block in self.blocks for line in block.lines)


def p(*sentences: str) -> Block:
    """A paragraph of `sentences`."""
    return Block("p", (" ".join(sentences),))


def h2(text: str) -> Block:
    """A heading below the page's title."""
    return Block("h2", (text,))
