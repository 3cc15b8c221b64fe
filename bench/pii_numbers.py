"""Numbers and tokens for the cases of `bench.pii`, drawn by lot: with right and with wrong checks.

The check digits are computed here in other ways than in `curation.measure.pii_checks`, so that an
error in one shows. Dates of birth lie in the future, banks have the number 0, cards the prefix of a
test range: nobody has these numbers.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import partial
from random import Random

Draw = Callable[[Random], str]

_DIGITS, _UPPER = string.digits, string.ascii_uppercase
_ALNUM = string.ascii_letters + _DIGITS
_IBAN_SHAPES = {
    "de": "00000000dddddddddd", "at": "00000ddddddddddd", "ch": "00000dddddddddddd",
    "fr": "0000000000dddddddddddkk", "es": "00000000kkdddddddddd", "it": "X0000000000dddddddddddd",
    "gb": "ZZQX000000dddddddd", "nl": "ZZQXdddddddddd", "pl": "00000000dddddddddddddddd",
    "be": "000ddddddddd", "pt": "00000000ddddddddddddd", "se": "000ddddddddddddddddd",
    "no": "0000ddddddd", "dk": "0000dddddddddd", "fi": "000000dddddddd",
    "ie": "ZZQX000000dddddddd", "gr": "0000000dddddddddddddddd", "cz": "0000dddddddddddddddd",
    "sk": "0000dddddddddddddddd", "hu": "00000000dddddddddddddddd", "ro": "ZZQXdddddddddddddddd",
    "hr": "0000000dddddddddd", "tr": "000000dddddddddddddddd", "sa": "00dddddddddddddddddd",
    "ae": "000dddddddddddddddd", "il": "000000ddddddddddddd", "lu": "000ddddddddddddd",
    "ee": "00dddddddddddddd", "lt": "00000ddddddddddd", "lv": "ZZQXddddddddddddd",
    "ua": "000000ddddddddddddddddddd", "br": "00000000dddddddddddddddP1",
    "mt": "ZZQX00000dddddddddddddddddd",
}  # fmt: skip
_FISCAL_ODD = dict(zip(_DIGITS + _UPPER, (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6,
    8, 12, 14, 16, 10, 22, 25, 24, 23), strict=True))  # fmt: skip
_VERHOEFF_SEQUENCE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_FACE_TURNS = [
    [(a + b) % 5 + 5 * (b >= 5) if a < 5 else (a - b) % 5 + 5 * (b < 5) for b in range(10)]
    for a in range(10)
]


def some(dice: Random, alphabet: str, n: int) -> str:
    """`n` characters of `alphabet`."""
    return "".join(dice.choice(alphabet) for _ in range(n))


def grouped(code: str, *sizes: int, by: str = " ") -> str:
    """`code` cut into groups of `sizes`, the last of which is repeated."""
    groups: list[str] = []
    place = 0
    while place < len(code):
        size = sizes[min(len(groups), len(sizes) - 1)]
        groups.append(code[place : place + size])
        place += size
    return by.join(groups)


def other_digit(code: str, place: int = -1) -> str:
    """`code` with another character at `place`: the check fails."""
    place %= len(code)
    alphabet = _DIGITS if code[place].isdecimal() else _UPPER
    changed = alphabet[(alphabet.index(code[place]) + 1) % len(alphabet)]
    return code[:place] + changed + code[place + 1 :]


def luhn(dice: Random, prefix: str, n: int) -> str:
    """`n` digits with `prefix` whose check digit is right."""
    body = prefix + some(dice, _DIGITS, n - 1 - len(prefix))
    doubled = [int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(reversed(body))]
    return body + str(-sum(sum(divmod(number, 10)) for number in doubled) % 10)


def iban(dice: Random, country: str) -> str:
    """An IBAN of a bank with the number 0, or a bank that is none."""
    body = "".join(
        some(dice, _DIGITS, 1) if sign in "dk" else sign for sign in _IBAN_SHAPES[country]
    )
    remainder = 0
    for character in body + country.upper() + "00":
        value = int(character, 36)
        remainder = (remainder * (100 if value > 9 else 10) + value) % 97
    return f"{country.upper()}{98 - remainder:02d}{body}"


def ssn(dice: Random) -> str:
    """A Social Security number of an area beyond those that were given out."""
    return f"8{some(dice, _DIGITS, 2)}{dice.randint(1, 99):02d}{dice.randint(1, 9999):04d}"


def nino(dice: Random) -> str:
    """A UK National Insurance number."""
    return dice.choice(("AB", "JK", "PE", "WM")) + some(dice, _DIGITS, 6) + dice.choice("ABCD")


def insee(dice: Random, department: str = "75") -> str:
    """A French number with its key, of `department`."""
    body = f"{dice.choice('12')}{some(dice, _DIGITS, 2)}{dice.randint(1, 12):02d}{department}"
    body += some(dice, _DIGITS, 6)
    number = int(body.replace("2A", "19"))
    return body + f"{97 - number % 97:02d}"


def dni(dice: Random) -> str:
    """A Spanish DNI that begins with 00."""
    digits = "00" + some(dice, _DIGITS, 6)
    return digits + "TRWAGMYFPDXBNJZSQVHLCKE"[int(digits) % 23]


def nie(dice: Random) -> str:
    """A Spanish NIE."""
    first, digits = dice.choice("XYZ"), some(dice, _DIGITS, 7)
    return first + digits + "TRWAGMYFPDXBNJZSQVHLCKE"[int(str("XYZ".index(first)) + digits) % 23]


def fiscal(dice: Random) -> str:
    """A codice fiscale of a name that is none."""
    body = f"ZQX{some(dice, 'BCDFGQXZ', 3)}{some(dice, _DIGITS, 2)}{dice.choice('ABCDEHLMPRST')}"
    body += f"{dice.randint(1, 31):02d}{dice.choice('ABCDEFGHL')}{some(dice, _DIGITS, 3)}"
    odd = sum(_FISCAL_ODD[c] for c in body[::2])
    return body + _UPPER[(odd + sum(int(c, 36) - 10 * c.isalpha() for c in body[1::2])) % 26]


def steuer(dice: Random) -> str:
    """A German tax id: of the first ten digits one stands there twice."""
    digits = dice.sample(_DIGITS, 9)
    body = "".join(dice.sample([*digits, dice.choice(digits)], 10))
    body = body.lstrip("0") + "0" * (len(body) - len(body.lstrip("0")))
    rest = 10
    for digit in body:
        total = (int(digit) + rest) % 10
        rest = (10 if total == 0 else total) * 2 % 11
    return body + str((11 - rest) % 10)


def pesel(dice: Random) -> str:
    """A PESEL of somebody who is born between 2050 and 2099."""
    body = f"{dice.randint(50, 99)}{dice.randint(21, 32)}{dice.randint(1, 28):02d}"
    body += some(dice, _DIGITS, 4)
    total = sum(int(d) * int(w) for d, w in zip(body, "1379137913", strict=True))
    return body + str((10 - total % 10) % 10)


def cpf(dice: Random) -> str:
    """A Brazilian CPF that begins with 000."""
    body = "000" + some(dice, "123456789", 6)
    for first in (10, 11):
        rest = (
            sum(int(d) * weight for d, weight in zip(body, range(first, 1, -1), strict=True)) % 11
        )
        body += "0" if rest < 2 else str(11 - rest)
    return body


def aadhaar(dice: Random) -> str:
    """An Indian Aadhaar number."""
    body = dice.choice("23456789") + some(dice, _DIGITS, 10)
    return next(body + last for last in _DIGITS if _verhoeff(body + last) == 0)


def _verhoeff(digits: str) -> int:
    table = [tuple(range(10))]
    for _ in range(7):
        table.append(tuple(table[-1][value] for value in _VERHOEFF_SEQUENCE))
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _FACE_TURNS[check][table[place % 8][int(digit)]]
    return check


def chinese(dice: Random, last: str = _DIGITS) -> str:
    """A resident id of somebody who is born in the nineties of this century."""
    while True:
        body = (
            f"110105209{some(dice, _DIGITS, 1)}{dice.randint(1, 12):02d}{dice.randint(1, 28):02d}"
        )
        body += some(dice, _DIGITS, 3)
        total = sum(int(d) * pow(2, 17 - place, 11) for place, d in enumerate(body))
        check = "0123456789X"[(1 - total) % 11]
        if check in last:
            return body + check


def mixed(dice: Random, n: int) -> str:
    """Letters of both cases and digits, at least one of each."""
    drawn = [dice.choice(string.ascii_lowercase), dice.choice(_UPPER), dice.choice(_DIGITS)]
    drawn += some(dice, _ALNUM, n - 3)
    dice.shuffle(drawn)
    return "".join(drawn)


def pem(dice: Random, title: str = "RSA PRIVATE KEY", feed: str = "\n", end: str = "END") -> str:
    """A private key between its headings; `end` empty: the last one is missing."""
    lines = [some(dice, _ALNUM + "+/", 64) for _ in range(4)]
    foot = [f"-----{end} {title}-----"] if end else []
    return feed.join([f"-----BEGIN {title}-----", *lines, *foot])


def jwt(dice: Random) -> str:
    """Three parts of a JSON web token."""
    return ".".join(("eyJ" + mixed(dice, 30), "eyJ" + mixed(dice, 60), mixed(dice, 43)))


_CARDS: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "visa": ("400000", 16, (4,)), "mc": ("520000", 16, (4,)), "amex": ("340000", 15, (4, 6, 5)),
    "diners": ("360000", 14, (4, 6, 4)), "jcb": ("353000", 16, (4,)),
    "union": ("620000", 16, (4,)), "discover": ("601100", 16, (4,)),
}  # fmt: skip


def _card(prefix: str, n: int, sizes: tuple[int, ...], by: str) -> Draw:
    return lambda dice: grouped(luhn(dice, prefix, n), *sizes, by=by)


def _cards() -> dict[str, tuple[str, Draw]]:
    found: dict[str, tuple[str, Draw]] = {}
    for name, (prefix, n, sizes) in _CARDS.items():
        for suffix, by in (("", " "), ("_dash", "-"), ("_plain", "")):
            found[f"card_{name}{suffix}"] = ("card", _card(prefix, n, sizes, by))
    return found | {"card": found["card_visa"]}


def _ibans() -> dict[str, tuple[str, Draw]]:
    found: dict[str, tuple[str, Draw]] = {}
    for country in _IBAN_SHAPES:
        plain = partial(iban, country=country)
        found[f"iban_{country}"] = ("iban", _changed(plain, lambda code: grouped(code, 4)))
        found[f"iban_{country}_plain"] = ("iban", plain)
        found[f"bad_iban_{country}"] = (
            "",
            _changed(plain, lambda code: grouped(other_digit(code), 4)),
        )
    return found


def _changed(draw: Draw, change: Callable[[str], str]) -> Draw:
    return lambda dice: change(draw(dice))


_ID = "national_id"
GENERATORS: dict[str, tuple[str, Draw]] = {
    **_cards(),
    **_ibans(),
    "card_13": ("card", lambda dice: luhn(dice, "400000", 13)),
    "bad_card": ("", lambda dice: grouped(other_digit(luhn(dice, "400000", 16)), 4)),
    "bad_card_plain": ("", lambda dice: other_digit(luhn(dice, "400000", 16))),
    "bad_amex": ("", lambda dice: grouped(other_digit(luhn(dice, "340000", 15)), 4, 6, 5)),
    "ean_13": ("", lambda dice: "400" + some(dice, _DIGITS, 10)),
    "luhn_13": ("", lambda dice: luhn(dice, "400638", 13)),
    "imei": ("", lambda dice: luhn(dice, "490154", 15)),
    "luhn_16_other": ("", lambda dice: luhn(dice, "100000", 16)),
    "short_iban_de": ("", lambda dice: grouped(iban(dice, "de")[:-4], 4)),
    "long_iban_de": ("", lambda dice: iban(dice, "de") + "77"),
    "card_visa_dots": ("card", lambda dice: grouped(luhn(dice, "400000", 16), 4, by=".")),
    "iban_de_lower": ("iban", lambda dice: iban(dice, "de").lower()),
    "iban_de_odd": ("iban", lambda dice: grouped(iban(dice, "de"), 2, 2, 8, 10)),
    "ssn": (_ID, lambda dice: grouped(ssn(dice), 3, 2, 4, by="-")),
    "ssn_space": (_ID, lambda dice: grouped(ssn(dice), 3, 2, 4)),
    "ssn_plain": (_ID, ssn),
    "nino": (_ID, lambda dice: grouped(nino(dice), 2)),
    "nino_plain": (_ID, nino),
    "insee": (_ID, lambda dice: grouped(insee(dice), 1, 2, 2, 2, 3, 3, 2)),
    "insee_plain": (_ID, insee),
    "insee_corsica": (_ID, lambda dice: grouped(insee(dice, "2A"), 1, 2, 2, 2, 3, 3, 2)),
    "bad_insee": ("", lambda dice: grouped(other_digit(insee(dice)), 1, 2, 2, 2, 3, 3, 2)),
    "bad_insee_plain": ("", lambda dice: other_digit(insee(dice))),
    "dni": (_ID, dni),
    "dni_dash": (_ID, lambda dice: grouped(dni(dice), 8, by="-")),
    "dni_dots": (_ID, lambda dice: "{}.{}.{}-{}".format(*grouped(dni(dice), 2, 3, 3, 1).split())),
    "bad_dni": ("", lambda dice: other_digit(dni(dice))),
    "nie": (_ID, nie),
    "nie_dash": (_ID, lambda dice: grouped(nie(dice), 1, 7, by="-")),
    "bad_nie": ("", lambda dice: other_digit(nie(dice), 3)),
    "fiscal": (_ID, fiscal),
    "fiscal_lower": (_ID, lambda dice: fiscal(dice).lower()),
    "bad_fiscal": ("", lambda dice: other_digit(fiscal(dice))),
    "steuer": (_ID, steuer),
    "steuer_space": (_ID, lambda dice: grouped(steuer(dice), 2, 3)),
    "bad_steuer": ("", lambda dice: other_digit(steuer(dice))),
    "pesel": (_ID, pesel),
    "bad_pesel": ("", lambda dice: other_digit(pesel(dice))),
    "cpf": (_ID, lambda dice: "{}.{}.{}-{}".format(*grouped(cpf(dice), 3).split())),
    "cpf_plain": (_ID, cpf),
    "bad_cpf": ("", lambda dice: "{}.{}.{}-{}".format(
        *grouped(other_digit(cpf(dice)), 3).split())),
    "aadhaar": (_ID, lambda dice: grouped(aadhaar(dice), 4)),
    "aadhaar_plain": (_ID, aadhaar),
    "bad_aadhaar": ("", lambda dice: grouped(other_digit(aadhaar(dice)), 4)),
    "chinese": (_ID, chinese),
    "chinese_x": (_ID, lambda dice: chinese(dice, "X")),
    "bad_chinese": ("", lambda dice: other_digit(chinese(dice))),
    "swedish": (_ID, lambda dice: f"20{dice.randint(50, 99)}0101-{some(dice, _DIGITS, 4)}"),
    "stripe_test": ("", lambda dice: "sk_test_" + mixed(dice, 24)),
    "passphrase": ("secret", lambda dice: "-".join(some(dice, "aeioubdglmnr", 6) for _ in "1234")),
    "aws": ("secret", lambda dice: "AKIA" + some(dice, _UPPER + "234567", 16)),
    "github": ("secret", lambda dice: "ghp_" + mixed(dice, 36)),
    "github_pat": ("secret", lambda dice: f"github_pat_{mixed(dice, 22)}_{mixed(dice, 59)}"),
    "gitlab": ("secret", lambda dice: "glpat-" + mixed(dice, 20)),
    "slack": ("secret", lambda dice: f"xoxb-{some(dice, _DIGITS, 12)}-{mixed(dice, 24)}"),
    "google": ("secret", lambda dice: "AIza" + mixed(dice, 35)),
    "stripe": ("secret", lambda dice: "sk_live_" + mixed(dice, 24)),
    "openai": ("secret", lambda dice: "sk-" + mixed(dice, 48)),
    "openai_proj": ("secret", lambda dice: f"sk-proj-{mixed(dice, 40)}-{mixed(dice, 40)}"),
    "huggingface": ("secret", lambda dice: "hf_" + some(dice, string.ascii_letters, 34)),
    "npm": ("secret", lambda dice: "npm_" + mixed(dice, 36)),
    "sendgrid": ("secret", lambda dice: f"SG.{mixed(dice, 22)}.{mixed(dice, 43)}"),
    "jwt": ("secret", jwt),
    "pem": ("secret", pem),
    "pem_open": ("secret", lambda dice: pem(dice, "OPENSSH PRIVATE KEY", end="")),
    "pem_escaped": ("secret", lambda dice: pem(dice, "PRIVATE KEY", feed="\\n")),
    "pgp": ("secret", lambda dice: pem(dice, "PGP PRIVATE KEY BLOCK")),
    "password": ("secret", lambda dice: mixed(dice, dice.randint(9, 14))),
    "password_long": ("secret", lambda dice: mixed(dice, 50)),
    "hex32": ("secret", lambda dice: some(dice, "0123456789abcdef", 32)),
    "hex40": ("", lambda dice: some(dice, "0123456789abcdef", 40)),
    "hex64": ("", lambda dice: some(dice, "0123456789abcdef", 64)),
}  # fmt: skip
"""Kind (empty: none) and draw of every label that `pii_cases.yaml` names."""
