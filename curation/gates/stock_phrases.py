"""Phrases of a generator about itself or its task, which no text for training should hold."""

from __future__ import annotations

import re

_PHRASES = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\bi(?:'m| am) (?:just )?an? (?:ai|language model|virtual assistant)\b"
    r"|\bi(?:'m| am) sorry,? but i (?:can|am not|do not|don't)"
    r"|\bi (?:can(?:not|'t)|am unable to) (?:help|assist|provide|fulfil|comply|generate)"
    r"|\bmy (?:training data|knowledge cut-?off)\b"
    r"|\bhere (?:is|are|'s) (?:the|a|an|your|my) (?:rewritten|rephrased|paraphrased|rewrite"
    r"|paraphrase|summary|distilled|list|dialogue|conversation|requested|question)"
    r"|\b(?:rewritten|rephrased|paraphrased) (?:text|version|passage|paragraph)\s*:"
    r"|\b(?:the|this|provided|given|above) (?:text|passage|document|article) (?:provided|above|says"
    r"|states|mentions|discusses|does not (?:say|mention|provide))\b"
    r"|\bi hope (?:this|that) helps\b|\blet me know if you (?:need|would|have|want)"
    r"|\b(?:is there|do you need) anything else\b|\b(?:sure|certainly)[,!] (?:here|i)\b"
    r"|<\|(?:im_start|im_end|endoftext|eot_id|assistant|user|system)\|>|\[/?INST\]",
    re.IGNORECASE,
)


def count_stock_phrases(text: str) -> int:
    """How many there are: refusals, talk about the task or itself, control tokens spelt out."""
    return sum(1 for _ in _PHRASES.finditer(text.replace("\u2019", "'")))
