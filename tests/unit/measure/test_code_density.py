import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.code import code_density, code_lines
from curation.measure.words import Words

CODE = {
    "python": """import numpy as np
from pathlib import Path
@cache
def mean(values, weights=None):
    if weights is None:
        return sum(values) / len(values)
    total = 0
    for value in values:
        total += value
    print(f"total {total}")
    return total""",
    "javascript": """const fs = require('fs');
// Reads the file and prints it
function show(name) {
  fs.readFile(name, (error, data) => {
    if (error) throw error;
    console.log(data.toString());
  });
}
export default show;""",
    "c": """#include <stdio.h>
/* The entry point of the program. */
int main(int argc, char **argv) {
    int n = 0;
    while (n < argc) {
        printf("%s", argv[n]);
        n++;
    }
    return 0;
}""",
    "java": """public class Stack<T> {
    private final List<T> items = new ArrayList<>();
    public void push(T item) {
        items.add(item);
    }
}""",
    "rust": """use std::collections::HashMap;
fn main() {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in text.split(' ') {
        *counts.entry(word.to_string()).or_insert(0) += 1;
    }
}""",
    "go": """package main
import "fmt"
func add(a int, b int) int {
    sum := a + b
    return sum
}""",
    "sql": """SELECT name, count(*) FROM visits
WHERE visited_at > '2020-01-01'
GROUP BY name ORDER BY 2 DESC;
INSERT INTO visits (name, visited_at) VALUES ('Ann', now());""",
    "html": """<div class="menu">
  <ul>
    <li><a href="/about">About us</a></li>
  </ul>
</div>
<!-- end of menu -->""",
    "css": """.menu a:hover {
  color: #ff0000;
  margin: 0 auto;
}""",
    "json": """{
  "name": "menu",
  "items": [1, 2, 3],
  "open": true
}""",
    "shell": """#!/bin/sh
$ pip install requests
sudo apt-get update
git clone https://example.com/project.git
npm install --save express
export HOME_DIR=/tmp/home
docker run -it --rm image""",
}

_NO_CODE = """The committee met on Monday (as usual) and agreed on the budget for 2024.
"I never said that," she replied; "you must have dreamt it."
He paid $5, she paid $10 (plus tax); that was all.
Prices start at $49.99 - $59.99 per night
Call us: (555) 123-4567
Opening hours: Mon-Fri 9:00-17:00; Sat 10:00-14:00
Let me explain why this is so.
If you want more, write to us.
For more information, see the next page:
While we wait, let us talk about the weather.
Class begins at nine.
Import duties rose in May.
Return the form to the office;
From 2010 to 2015 he lived in Rome.
Select a date and a time
Case closed!
String quartets by Haydn
Use a sharp knife.
Try it
Print this page
With love, Anna
Do not disturb
end of story
data protection
type of room: double
git is a tool that many people use.
make sure that the door is closed
source: Reuters
python snakes are found in Africa
| Year | Sales | Profit |
| --- | --- | --- |
| 2019 | 1,200 | 34% |
2019 1,200 34 5.6 -7
Name\tAge\tCity
Anna\t34\tParis
Total: 1,234.56 EUR
---------------------------
===========================
* * *
- Milk, 2 l
- Bread (whole grain)
1. Mix flour and eggs.
2) Bake for 20 minutes at 180 °C
a) the seller shall deliver the goods;
b) the buyer shall pay the price; and
• Free wifi
[1] Smith, J. (2001). On things. Journal, 12(3), 45-67.
[edit]
[x] done
(see figure 3)
$x^2 + y^2 = z^2$
$$\\int_0^1 f(x) dx = F(1) - F(0)$$
\\begin{equation}
\\frac{a}{b} = \\frac{c}{d}
f(x) = 2x + 1
a = b + c
E = mc^2
sin(x) + cos(y) = 1
x_1 + x_2 = 5
speed = distance / time
P(A|B) = P(A) P(B|A) / P(B)
2 + 2 = 4
3 < 4 > 2
<john> hi, how are you?
[12:01] <mary> fine, thanks :)
> quoted line of an e-mail
>> quoted twice
# A heading
## Another heading
#hashtag #another
@someone thanks for that!
@someone
Q: What is this?
A: It is a test.
Home > Products > Shoes
Home | About | Contact
Next >>
<< Previous
<3
:-) ;-)
;
Read more...
https://www.example.com/a/b?c=d&e=f
www.example.com
info@example.com
Copyright (c) 2020 Example Inc.
© 2020
Room 5, Floor 3, Building {B}
AT&T and R&D grew by 5 %
and/or
1/2 cup of sugar
5' 11"
The iPhone and YouTube are brand names.
I/O, TCP/IP and so on.
Straße 5, 10115 Berlin
Это простое предложение; и ещё одно.
这是一个句子；不是代码。
今日は天気がいいですね（笑）
مرحبا بالعالم
C'est la vie; n'est-ce pas ?
¿Qué hora es?
To be, or not to be: that is the question;
Whether 'tis nobler in the mind to suffer
Roses are red,
Violets are blue;
Romeo: But soft! What light through yonder window breaks?
John 3:16
Score: 3-2 (2-1)
e2-e4 e7-e5
A -> B -> C
Paris => London, 344 km
C++ and C# are programming languages.
The function f(x) is continuous at 0.
You can call the method run() to start it.
Set the variable to zero, then run the program again.
Select File > Open from the menu
WHERE WE ARE
FROM OUR BLOG
DROP US A LINE
CREATE YOUR ACCOUNT
UPDATE ON THE SITUATION"""
NO_CODE = _NO_CODE.splitlines()


def is_code(text):
    return code_lines(Words(text)).tolist()


def test_lines_of_code_in_many_languages_are_found():
    found = {name: np.mean(is_code(text)) for name, text in CODE.items()}
    n_lines = sum(len(text.split("\n")) for text in CODE.values())
    n_found = sum(sum(is_code(text)) for text in CODE.values())
    assert len(CODE) >= 8
    assert n_lines >= 60
    assert n_found >= 0.9 * n_lines, found
    assert min(found.values()) >= 0.7, found


def test_what_is_no_code_is_not_taken_for_it():
    assert len(NO_CODE) >= 100
    assert [line for line in NO_CODE if any(is_code(line))] == []
    assert sum(is_code("\n".join(NO_CODE))) == 0


def test_code_between_prose_does_not_take_prose_with_it():
    mixed = "\n\n".join(f"Here is an example in {name}:\n{text}" for name, text in CODE.items())
    mixed += "\n\nAnd this is how it ends, with a few words.\n"
    lines = [line for line in mixed.split("\n") if line.strip()]
    prose = [line for line, found in zip(lines, is_code(mixed), strict=True) if line[0] in "HA"]
    assert len(prose) == len(CODE) + 1
    assert not any(
        found for line, found in zip(lines, is_code(mixed), strict=True) if line in prose
    )


def test_shares_and_blocks_by_hand():
    text = "One line.\nfoo();\nbar();\nbaz();\n\nTwo.\nfoo();\nbar();\n\nThree."
    found = code_density(Words(text))
    assert found["code_line_frac"] == pytest.approx(5 / 8)
    assert found["code_char_frac"] == pytest.approx(30 / (30 + 9 + 4 + 6))
    assert found["n_code_blocks"] == 1


def test_a_bracket_alone_is_code_beside_code_only():
    assert is_code("];") == [False]
    assert is_code("values = [\n  'a_b', 'c_d',\n];\nprint(values);")[2:] == [True, True]


@pytest.mark.parametrize("text", ["", " \n\t\n", "\0", "\ud800"])
def test_without_code_everything_is_nothing(text):
    assert set(code_density(Words(text)).values()) == {0.0}


PIECES = ["foo(", ")", ";", "{", "}", "\n", "  ", "\t", "word ", "if ", "<", "/", ">", '"', ":",
          "=", "$ ", "#", "@", "\\", "SELECT ", "FROM ", "git ", "install ", "-", "_", "é",
          "\ud800", "\0", "中", "\r", "\u2028"]  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3)).map("".join))
def test_any_text_has_shares_between_nothing_and_all(text):
    found = code_density(Words(text))
    assert 0 <= found["code_line_frac"] <= 1
    assert 0 <= found["code_char_frac"] <= 1
    assert 3 * found["n_code_blocks"] <= len(is_code(text))


@pytest.mark.parametrize("piece", ["x", "foo();\n", "{", "a ", '"', "_", "git install ", "\n", ";"])
def test_a_text_of_ten_million_characters_has_a_value(piece):
    found = code_density(Words(piece * (10_000_000 // len(piece))))
    assert 0 <= found["code_char_frac"] <= 1
