"""Words before a number that say what it is: numbers without a check digit are found by them."""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


PHONE = _set(
    "tel telephone phone telefon telefono telefone telefoon telefonu telefonnummer teléfono"
    " téléphone tél telef telefax fone phon fon ph fax faxnr facsimile call calling dial"
    " mobile mobil mobiltelefon móvil movil mob cell cellphone cellular cellulare celular"
    " gsm handy handynummer whatsapp hotline helpline rufnummer rufen anrufen anruf llame llamar"
    " appelez appeler portable zadzwoń tlf tlfn puh puhelin komórka kom"
    " тел телефон телефону моб факс звоните τηλ τηλέφωνο هاتف טלפון"
)
CARD = _set(
    "card cards cc ccn creditcard cardnumber credit debit visa mastercard amex express discover"
    " diners jcb unionpay karte kreditkarte kartennummer kartennr kartı carte tarjeta carta cartão"
    " cartao karta karty kaart kaartnummer pan карта карты"
)
ADDRESS = _set(
    "ip ips ipv address addresses adresse dirección direccion indirizzo адрес ping"
)  # fmt: skip
VERSION = _set(
    "version versions ver v rev release releases build firmware driver section sections chapter"
    " article paragraph clause figure table annex versione versión versão wersja версия kapitel"
    " abschnitt update patch sdk kernel chrome firefox safari opera edge windows bios oid"
)
IDS = {
    "ssn": _set("ssn ssns social"),
    "nino": _set("nino ni insurance nin"),
    "insee": _set("insee nir sécurité securite sécu secu sociale immatriculation"),
    "dni": _set("dni nif nie documento identidad identificación identificacion cif fiscal"),
    "steuer": _set(
        "steuer steueridentifikationsnummer identifikationsnummer idnr steuerid tin tax"
        " steuernummer steuerliche"
    ),
    "pesel": _set("pesel peselu peselem"),
    "cpf": _set("cpf cpfs contribuinte"),
    "aadhaar": _set("aadhaar aadhar adhaar uidai uid आधार"),
}

# Vowel signs of Devanagari are no letters for Python.
_WORD = re.compile(r"(?:[^\W\d_]|[\u093e-\u094d])+|[\d\n,;{}\[\]<>]")
_GLUED_PHONE = re.compile(
    r"(?:电话|電話|手机|手機|传真|傳真|热线|携帯|전화|휴대폰)"
    r"(?:号码|號碼|番号|번호)?[ :：.(\xa0]{0,4}\Z"
)
"""In scripts without blanks between words, what stands directly before a number."""
_CHARS, _PHONE_CHARS = 40, 32
_MAX_WORDS = 4


def follows(text: str, start: int, words: frozenset[str]) -> bool:
    """Whether one of `words` stands within 40 characters before `start`."""
    before = text[max(0, start - _CHARS) : start]
    return not words.isdisjoint(_WORD.findall(before.lower()))


def is_phone_named(text: str, start: int) -> bool:
    """Whether one of the last words before `start` announces a telephone number.

    No digit, comma or bracket of a program may stand between, and a line feed only directly behind
    the word.
    """
    before = text[max(0, start - _PHONE_CHARS) : start]
    if not before.isascii() and _GLUED_PHONE.search(before):
        return True
    for place, word in enumerate(reversed(_WORD.findall(before.lower()))):
        if word in PHONE:
            return True
        is_end = not word.isalpha() and (word != "\n" or place)
        if is_end or place >= _MAX_WORDS:
            return False
    return False
