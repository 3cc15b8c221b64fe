import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.licences import LICENCES, licence_marks
from curation.measure.phrases import RIGHTS_RESERVED, automaton, found_phrases
from curation.measure.words import Words


def licence(text):
    return licence_marks(Words(text))["licence"]


def n_marks(text):
    return licence_marks(Words(text))["n_copyright_marks"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("See https://creativecommons.org/licenses/by-sa/4.0/deed.en for terms.", "cc-by-sa"),
        ("http://creativecommons.org/licenses/by/3.0", "cc-by"),
        ("creativecommons.org/licenses/by-nc-nd/4.0", "cc-by-nc-nd"),
        ("creativecommons.org/licenses/by-nd-nc/1.0", "cc-by-nc-nd"),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "cc0"),
        ("https://creativecommons.org/publicdomain/mark/1.0/", "public-domain"),
        ("This work is licensed under CC BY-SA 4.0.", "cc-by-sa"),
        ("Text: CC-BY-NC-SA", "cc-by-nc-sa"),
        ("License: CC BY 4.0", "cc-by"),
        ("Released as CC0 1.0 Universal", "cc0"),
        ("All data is offered under CC0.", "cc0"),
        ("Licensed under a Creative Commons Attribution 4.0 International License.", "cc-by"),
        ("Creative Commons\nAttribution-NonCommercial-ShareAlike 3.0", "cc-by-nc-sa"),
        ("Creative Commons Attribution-NoDerivatives 4.0", "cc-by-nd"),
        ("Lizenz: Creative Commons Namensnennung - Nicht kommerziell 4.0", "cc-by-nc"),
        ("Creative Commons Reconocimiento-NoComercial-SinObraDerivada", "cc-by-nc-nd"),
        ("Creative Commons Attribuzione - Condividi allo stesso modo 3.0", "cc-by-sa"),
        ("クリエイティブ Creative Commons 表示 - 継承 4.0", "cc-by-sa"),
        ("Creative Commons Zero", "cc0"),
        ("Contains public sector information licensed under the Open Government Licence v3.0.",
         "ogl"),
        ("Permission is granted under the terms of the GNU Free Documentation License, Version 1.2",
         "gfdl"),
        ("This program is released under the MIT license.", "mit"),
        ("Permission is hereby granted, free of charge, to any person obtaining a copy", "mit"),
        ("Redistribution and use in source and binary forms, with or without", "bsd"),
        ("Available under the BSD license", "bsd"),
        ("Licensed under the Apache License, Version 2.0 (the License);", "apache"),
        ("under the terms of the GNU General Public License as published by", "gpl"),
        ("under the terms of the GNU Lesser General Public License", "lgpl"),
        ("under the GNU Affero General Public License", "agpl"),
        ("Das Programm steht unter der GPL-Lizenz.", "gpl"),
        ("publié sous licence MIT", "mit"),
        ("distribuido bajo la licencia Apache 2.0", "apache"),
        ("// SPDX-License-Identifier: MPL-2.0", "mpl"),
        ("This book is in the public domain.", "public-domain"),
        ("We dedicate this work to the public domain.", "public-domain"),
    ],
)  # fmt: skip
def test_a_declared_licence_is_named(text, name):
    assert licence(text) == name
    assert licence(f"Some words before.\n\n{text}\n\nAnd behind.") == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "He has a driving licence and studied under a professor at MIT.",
        "Many projects are licensed under the MIT license.",
        "You could release it under the GPL licence or not.",
        "How to choose between the MIT license and the Apache license",
        "Photo: Jane Doe / CC BY 2.0",
        "Image by someone via Flickr, licensed under CC BY-SA 2.0",
        "Image source: https://creativecommons.org/licenses/by/2.0/",
        "Please cc by mail, cc by noon.",
        "Creative Commons is an organisation.",
        "republished under a Creative Commons licence",
        "Mickey Mouse entered the public domain in 2024.",
        "Ein Leben unter einer Lizenz mit Folgen",
        "the public domain of knowledge, the cc0-like account",
        "abcc-by-sa",
    ],
)
def test_a_mention_is_no_declaration(text):
    assert licence(text) is None


def test_of_several_the_one_for_text_that_asks_for_least_is_named():
    text = "Code is under the MIT license. Text is CC BY-NC-SA 4.0; older text is CC BY-SA 3.0."
    assert licence(text) == "cc-by-sa"
    assert licence(text.replace("CC BY", "CCBY")) == "mit"


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("", 0),
        ("© 2020 Jane Doe", 1),
        ("Copyright © 2020 Jane Doe", 1),
        ("Copyright (c) 2019-2021 by Jane", 1),
        ("(C) Copyright 1999", 1),
        ("(c) 2001 A\n(c) 2002 B", 2),
        ("Copyright 2020. All\nRights Reserved.", 2),
        ("© Verlag. Alle Rechte vorbehalten.", 2),
        ("ВСЕ ПРАВА ЗАЩИЩЕНЫ", 1),
        ("版权所有 © 2020", 2),
        ("Copyright law protects (c) the author, in 2020.", 0),
        ("a) one b) two (c) three", 0),
        ("all rights are reserved", 0),
    ],
)
def test_copyright_notices_are_counted(text, n):
    assert n_marks(text) == n


def test_every_formula_is_found_in_any_case_and_over_a_line_end():
    for formula in RIGHTS_RESERVED:
        over_lines = formula.replace(" ", " \n\t")
        # The capitals of Turkish `ı` are those of `i`.
        has_capitals = formula.upper().lower() == formula
        assert n_marks(f"x {formula.upper()}. {over_lines}") == 1 + has_capitals, formula


def test_only_the_last_of_very_many_places_are_looked_at():
    assert licence("under the MIT license. " + "licence to kill. " * 60) is None
    assert licence("licence to kill. " * 60 + "under the MIT license. ") == "mit"


PHRASES = ("ab", "b c", "abc", "c", "b c d", "дa")


@settings(max_examples=300, deadline=None)
@given(st.text("abcdABдД \n\t", max_size=60))
def test_the_automaton_finds_what_looking_for_each_phrase_finds(text):
    found, n = found_phrases(Words(text).codes, *automaton(PHRASES), 0b111)
    squeezed = "".join(" " if c.isspace() else c for c in text).lower()
    while "  " in squeezed:
        squeezed = squeezed.replace("  ", " ")
    there = [phrase for phrase in PHRASES if phrase in squeezed]
    assert [phrase for k, phrase in enumerate(PHRASES) if found >> k & 1] == there
    ends = {
        end
        for phrase in PHRASES[:3]
        for end in range(len(squeezed) + 1)
        if squeezed[:end].endswith(phrase)
    }
    assert n == len(ends)


PIECES = ["cc by", "-sa", " 4.0", "licen", "ce ", "creative commons ", "creativecommons.org/",
          "under ", "mit ", "public domain", "©", "(c) ", "2020", "\ud800", "\0", " ", "\n",
          "all rights reserved", "İ", "spdx-license-identifier: "]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join))
def test_any_text_has_a_value(text):
    marks = licence_marks(Words(text))
    assert marks["licence"] is None or marks["licence"] in LICENCES
    assert marks["n_copyright_marks"] >= text.count("©")


@pytest.mark.parametrize(
    "text",
    ["x" * 10_000_000, "licen" * 400_000, "©" * 1_000_000, "(c)" * 500_000, "copyright " * 300_000,
     "creative commons " * 100_000, "under " * 300_000],
)  # fmt: skip
def test_long_texts_of_one_thing_take_no_longer_than_others(text):
    assert licence(text) is None
