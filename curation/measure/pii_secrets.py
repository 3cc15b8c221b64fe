"""Secrets in a text: private keys, access keys and tokens by their shape, passwords with a name."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from curation.measure.pii_scan import Found

_KEY_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----\s{0,4}(?:\\n)?"
    r"(?:[A-Z][A-Za-z-]{1,30}: [^\n]{0,80}\n){0,4}+"
    r"(?P<body>[A-Za-z0-9+/=\s\\]{0,20000}+)"
    r"(?:-----END [A-Z0-9 ]{0,40}-----)?"
)
_MIN_BODY_CHARS = 40

_TOKEN = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|AGPA|AROA|AIDA)[A-Z2-7]{16}"  # Amazon
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{50,100}|glpat-[A-Za-z0-9_-]{20,64}"
    r"|xox[abeprs]-[A-Za-z0-9-]{10,250}|xapp-[A-Za-z0-9-]{20,250}"  # Slack
    r"|AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,500}"  # Google
    r"|[sr]k_live_[A-Za-z0-9]{16,250}|whsec_[A-Za-z0-9]{24,64}"  # Stripe
    r"|sk-(?:proj-|ant-|svcacct-|or-)?[A-Za-z0-9_-]{20,250}"  # OpenAI and others
    r"|hf_[A-Za-z]{30,40}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,250}"
    r"|SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{30,64}"  # SendGrid
    r"|eyJ[A-Za-z0-9_-]{8,4000}+\.eyJ[A-Za-z0-9_-]{8,4000}+\.[A-Za-z0-9_-]{16,1000}+"  # JWT
    r")(?![A-Za-z0-9])"
)
TOKEN_STARTS = ("AK", "AS", "AG", "AR", "AI", "gh", "gi", "gl", "xo", "xa", "ya", "sk", "rk", "wh",
                "hf", "np", "py", "SG", "ey")  # fmt: skip

_NAMES = {
    "password": 8, "passwd": 8, "passwort": 8, "passphrase": 8, "pwd": 8, "kennwort": 8,
    "senha": 8, "contrasena": 8, "wachtwoord": 8, "secret": 16, "key": 20, "token": 16,
}  # fmt: skip
"""Least characters of a value, by the last word of its name."""
NAME_ENDS = tuple(sorted({name[-2:] for name in _NAMES}))
_NAME = re.compile(
    r"(?i:(?<!forgot[_-])(?<!reset[_-])(?<!lost[_-])(password|passwd|passwort|passphrase|pwd|kennwort|senha|contrasena|wachtwoord"
    r"|(?:client|app|api|auth|access|shared|consumer)[_ -]?secret|(?:^|_)secret"
    r"|(?:api|access|secret|auth|account|encryption|consumer)[_ -]?key"
    r"|(?:api|auth|access|bearer|bot|refresh)[_ -]?token))[\"']?\s{0,2}\Z"
)
_NAME_CHARS = 32
_VALUE = re.compile(r"[>=]?\s{0,2}(?:(?P<quote>[\"'`])(?P<quoted>[^\"'`\s]{8,200})(?P=quote)"
                    r"|(?P<bare>[^\s\"'`<>(){},;|:][^\s\"'`<>(){},;|]{7,199})"
                    r"(?![^\s\"'`<>)},;|]))")  # fmt: skip
_PLACEHOLDER = re.compile(
    r"(?i)\\u|example|placeholder|change[-_]?(?:me|it)|your|dummy|sample|insert|redacted|xxxx|\*\*|\.\.\."
    r"|\$\{|\{\{|^\$|^%|<|://|password|passwd|secret|12345678|abcdefgh|process\.env|environ|getenv"
)
_CODE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[|->|::)")
_MIN_BITS = 2.5
_MIN_TOKEN_BITS = 3.0
_MAX_VALUE_BITS_CHARS = 200


def find_key_block(text: str, start: int, _end: int) -> Iterator[Found]:
    """The private key that begins at `start`, with its last line where that is near.

    A heading without a key below it, as in manuals, is none.
    """
    match = _KEY_BLOCK.match(text, start)
    if match and len("".join(match["body"].split())) >= _MIN_BODY_CHARS:
        yield Found("secret", *match.span())


def find_token(text: str, start: int, _end: int) -> Iterator[Found]:
    """The access key or token that begins at `start`."""
    match = _TOKEN.match(text, start)
    if match and _is_random(match[0], _MIN_TOKEN_BITS) and not _is_worded(match[0]):
        yield Found("secret", *match.span())


def find_named_value(text: str, at: int, _end: int) -> Iterator[Found]:
    """The value behind `password=`, `api_key:` and the like at `at`, where it looks random."""
    name = _NAME.search(text[max(0, at - _NAME_CHARS) : at])
    value = _VALUE.match(text, at + 1) if name else None
    if name is None or value is None:
        return
    group = "quoted" if value["quoted"] else "bare"
    if _is_password(value[group], _least_chars(name[1]), is_quoted=group == "quoted"):
        yield Found("secret", *value.span(group))


def _least_chars(name: str) -> int:
    lower = name.lower()
    return next(chars for end, chars in _NAMES.items() if lower.endswith(end))


def _is_password(value: str, n_chars: int, *, is_quoted: bool) -> bool:
    """Long enough, letters and digits, no placeholder, no expression of a program."""
    value = value.rstrip(".")
    if len(value) < n_chars or _PLACEHOLDER.search(value):
        return False
    if not is_quoted and _CODE.match(value):
        return False
    has_both = any(c.isalpha() for c in value) and any(c.isdigit() for c in value)
    return has_both and _is_random(value, _MIN_BITS)


def _is_random(value: str, bits: float) -> bool:
    """Whether the characters of `value` differ by so many bits each (entropy of their shares)."""
    counts = Counter(value[:_MAX_VALUE_BITS_CHARS]).values()
    n = sum(counts)
    return -sum(count / n * math.log2(count / n) for count in counts) >= bits


def _is_worded(token: str) -> bool:
    """Whether a token is an example of a manual, or words with dashes: `sk-learn-like-names`."""
    if _PLACEHOLDER.search(token):
        return True
    return token.startswith("sk-") and not (
        any(c.isdigit() for c in token) and any(c.isupper() for c in token)
    )
