"""Check digits, check letters and validity rules of numbers that are given to people.

Each function takes the bare characters, upper-case, without separators; other lengths are false.
Sources: ISO/IEC 7812-1 (Luhn), ISO 13616 (IBAN), ISO 7064 (mod 11, 10 and mod 11-2); the rest are
the rules of the offices that give the numbers.
"""

from __future__ import annotations

import re
from datetime import date

_LUHN_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

IBAN_CHARS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "DO": 28,
    "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23,
    "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26,
    "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20,
    "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MR": 27, "MT": 31, "MU": 30,
    "NL": 18, "NO": 15, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
    "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "ST": 25, "SV": 28,
    "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip
"""Characters of an IBAN by country: the IBAN registry of SWIFT."""

_CARD = re.compile(
    r"4\d{12}(?:\d{3}){0,2}"  # Visa
    r"|(?:5[1-5]\d\d|222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|(?:6011|64[4-9]\d|65\d\d)\d{12}"  # Discover
    r"|3(?:0[0-5]|[68]\d|9\d)\d{11}"  # Diners Club
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|62\d{14,17}"  # UnionPay
)
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_FISCAL_MONTHS = "ABCDEHLMPRST"
_FISCAL_ODD = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25,
               24, 23)  # fmt: skip
_FISCAL = re.compile(r"[A-Z]{6}\d\d[ABCDEHLMPRST]\d\d[A-Z]\d{3}[A-Z]")
_NINO = re.compile(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]")
_SSN = re.compile(r"(?!000|666|9)\d{3}(?!00)\d\d(?!0000)\d{4}")
_SSN_PRINTED = {"078051120", "219099999", "123456789"}
"""Numbers of advertisements and examples."""
_INSEE = re.compile(r"[12]\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[1-8]\d|9[0-5789]|2[AB])\d{8}")
_CHINESE_REGIONS = {"1": "12345", "2": "123", "3": "1234567", "4": "123456", "5": "01234",
                    "6": "12345", "7": "1", "8": "123"}  # fmt: skip
_CHINESE_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
_PESEL_CENTURIES = (1900, 2000, 2100, 2200, 1800)
_VERHOEFF_POWERS = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4))


def is_luhn(digits: str) -> bool:
    """Whether the last of `digits` is the check digit of ISO/IEC 7812-1."""
    numbers = [int(digit) for digit in reversed(digits)]
    total = sum(numbers[::2]) + sum(_LUHN_DOUBLED[number] for number in numbers[1::2])
    return bool(digits) and total % 10 == 0


def is_card(digits: str) -> bool:
    """Whether `digits` are a payment card's: prefix and length of an issuer, check digit.

    Numbers of one or two different digits (4111 1111 1111 1111) are printed as examples.
    """
    return bool(_CARD.fullmatch(digits)) and len(set(digits)) > 2 and is_luhn(digits)


def is_iban(code: str) -> bool:
    """Whether `code` has its country's length and leaves 1 when divided by 97."""
    if IBAN_CHARS.get(code[:2]) != len(code) or not code.isascii() or not code.isalnum():
        return False
    turned = code[4:] + code[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def is_ssn(digits: str) -> bool:
    """US Social Security number: no check digit; area, group and serial that are given out."""
    return bool(_SSN.fullmatch(digits)) and digits not in _SSN_PRINTED


def is_nino(code: str) -> bool:
    """UK National Insurance number: no check character; prefixes and suffixes given out."""
    return bool(_NINO.fullmatch(code))


def is_insee(code: str) -> bool:
    """French INSEE number of 13 characters, with its key of two digits behind it."""
    if not _INSEE.fullmatch(code):
        return False
    number = int(code[:13].replace("2A", "19", 1) if code[5:7] == "2A" else
                 code[:5] + "18" + code[7:13] if code[5:7] == "2B" else code[:13])  # fmt: skip
    return 97 - number % 97 == int(code[13:])


def is_dni(code: str) -> bool:
    """Spanish DNI (8 digits, letter) or NIE (X, Y or Z, 7 digits, letter)."""
    digits = code[:-1].translate({88: "0", 89: "1", 90: "2"}) if code[:1] in "XYZ" else code[:-1]
    if len(code) != 9 or not digits.isdecimal():
        return False
    return _DNI_LETTERS[int(digits) % 23] == code[-1]


def is_codice_fiscale(code: str) -> bool:
    """Italian codice fiscale without replaced digits: shape, day of birth, check letter."""
    if not _FISCAL.fullmatch(code) or not 1 <= int(code[9:11]) % 40 <= 31 or code[9:11] > "71":
        return False
    values = [int(c) if c.isdecimal() else ord(c) - 65 for c in code[:15]]
    total = sum(_FISCAL_ODD[value] for value in values[::2]) + sum(values[1::2])
    return chr(65 + total % 26) == code[15]


def is_steuer_id(digits: str) -> bool:
    """German tax id: one of the first ten digits two or three times; ISO 7064 mod 11, 10."""
    if len(digits) != 11 or digits[0] == "0":
        return False
    counts = sorted(digits[:10].count(digit) for digit in set(digits[:10]))
    if counts[-1] not in (2, 3) or counts[-2] != 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = 2 * ((int(digit) + product) % 10 or 10) % 11
    return (11 - product) % 10 == int(digits[10])


def is_pesel(digits: str) -> bool:
    """Polish PESEL: date of birth, check digit."""
    if len(digits) != 11:
        return False
    century, month = divmod(int(digits[2:4]), 20)
    total = sum(int(d) * w for d, w in zip(digits, _PESEL_WEIGHTS, strict=False))
    year = _PESEL_CENTURIES[century] + int(digits[:2])
    return is_date(year, month, int(digits[4:6])) and -total % 10 == int(digits[10])


def is_cpf(digits: str) -> bool:
    """Brazilian CPF: two check digits; not the same digit eleven times."""
    if len(digits) != 11 or len(set(digits)) == 1:
        return False
    for n in (9, 10):
        total = sum(int(digits[i]) * (n + 1 - i) for i in range(n))
        if total * 10 % 11 % 10 != int(digits[n]):
            return False
    return True


def is_aadhaar(digits: str) -> bool:
    """Indian Aadhaar: does not begin with 0 or 1; Verhoeff's check digit."""
    if len(digits) != 12 or digits[0] in "01":
        return False
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _VERHOEFF_POWERS[1][value]
        check = _dihedral(check, value)
    return check == 0


def _dihedral(a: int, b: int) -> int:
    """Product in the dihedral group of order 10, by Verhoeff's numbers."""
    if a < 5:
        return (a + b) % 5 + 5 * (b >= 5)
    return (a - b) % 5 + 5 * (b < 5)


def is_chinese_id(code: str) -> bool:
    """Chinese resident id of 18 characters: region, date of birth, ISO 7064 mod 11-2."""
    if len(code) != 18 or not code[:17].isdecimal() or code[1] not in _CHINESE_REGIONS.get(
        code[0], ""
    ):  # fmt: skip
        return False
    if not is_date(int(code[6:10]), int(code[10:12]), int(code[12:14])) or code[6] not in "12":
        return False
    total = sum(int(d) * w for d, w in zip(code, _CHINESE_WEIGHTS, strict=False))
    return "10X98765432"[total % 11] == code[17]


def is_date(year: int, month: int, day: int) -> bool:
    """Whether the calendar has that day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True
