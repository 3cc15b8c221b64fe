"""How much of a text is program code, markup or shell, by its lines.

Ours, for any programming language, precise first. A line has points for marks that prose, tables,
formulas and lists do not have together: how it begins (`//`, `<div`, `>>>`, `sudo`), how it ends
(`;`, `{`), what is in it (a call, an assignment, `->`, `snake_case`, a key of JSON), a keyword in
front, indentation. Words that follow each other as in prose, and commands of LaTeX, take points
away. A line of `STRONG` points is code; so is one of `WEAK` points or of brackets alone beside a
line that is.

On the lines that its test labels, 75 of code in 11 languages and 121 of other kinds, it finds 73
and no other; of 110 lines that it called code in real pages, 107 were.

For rules such as: more than half code is no prose for a model of prose, whatever its quality score;
pages with blocks of code and prose between them are tutorials, worth a bucket of their own.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import Codes, codes_of
from curation.measure.compiled import is_among, kernel
from curation.measure.prose import hashes_of
from curation.measure.words import Hashes, Ints, Spans, Words

STRONG, WEAK = 3, 1
PROSE_PAIRS = 6
"""So many pairs of words and a line is prose, unless it begins like code."""
BLOCK_LINES = 3
"""So many lines of code in a row are a block."""

KEYWORDS = frozenset({
    "#define", "#include", "async", "await", "break;", "case", "class", "const", "continue;", "def",
    "elif", "else", "else:", "end", "enum", "except", "export", "extern", "finally:", "fn", "for",
    "func", "function", "if", "impl", "import", "from", "interface", "let", "local", "match", "mod",
    "module", "namespace", "package", "private", "protected", "pub", "public", "return", "return;",
    "select", "static", "struct", "switch", "template", "throw", "try:", "try", "type", "typedef",
    "use", "using", "val", "var", "void", "while", "with", "yield", "int", "char", "float",
    "double", "bool", "string", "String", "unsigned", "auto", "raise", "assert", "require",
    "lambda",
    "begin", "do", "done", "fi", "then", "esac", "data", "where", "instance", "foreach", "print",
    "echo", "elsif", "unless", "my", "sub", "proc", "library", "set", "put", "lock",
})  # fmt: skip
"""First words of lines of code; some are words of prose too, and count for little."""
SQL = frozenset({
    "SELECT", "FROM", "WHERE", "INSERT", "INTO", "VALUES", "UPDATE", "SET", "DELETE", "CREATE",
    "TABLE", "ALTER", "DROP", "JOIN", "LEFT", "INNER", "GROUP", "ORDER", "BY", "HAVING", "LIMIT",
    "PRIMARY", "KEY", "NOT", "NULL", "UNION", "INDEX", "REFERENCES", "AS", "ON",
})  # fmt: skip
_SQL_STARTS = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "FROM",
                         "WHERE", "JOIN", "LEFT", "INNER", "GROUP", "ORDER"})  # fmt: skip
COMMANDS = frozenset({
    "apt", "apt-get", "brew", "cargo", "cd", "chmod", "chown", "conda", "cp", "curl", "docker",
    "git", "go", "grep", "helm", "kubectl", "ls", "make", "mkdir", "mv", "npm", "npx", "pip",
    "pip3", "python", "python3", "rm", "ssh", "systemctl", "tar", "wget", "yarn", "export",
    "source",
    "$", "sudo", "%", "#",
})  # fmt: skip
SUBCOMMANDS = frozenset({
    "add", "apply", "build", "checkout", "clone", "commit", "create", "exec", "get", "init",
    "install", "mod", "pull", "push", "run", "start", "test", "update", "upgrade", "config",
    "pip", "npm", "apt", "apt-get", "docker", "git", "systemctl",
})  # fmt: skip

_KEYWORDS, _SQL, _STARTS = hashes_of(KEYWORDS), hashes_of(SQL), hashes_of(_SQL_STARTS)
_COMMANDS, _SUBCOMMANDS = hashes_of(COMMANDS), hashes_of(SUBCOMMANDS)
_SPACE, _TAB, _DOLLAR, _HASH, _QUOTE, _OPEN, _CLOSE, _STAR, _PLUS, _COMMA, _MINUS, _DOT = (
    np.uint32(ord(sign)) for sign in ' \t$#"()*+,-.'
)
_SLASH, _COLON, _SEMICOLON, _LESS, _EQUAL, _GREATER, _MARK, _AT, _BACKSLASH, _BAR, _AND, _UNDER = (
    np.uint32(ord(sign)) for sign in "/:;<=>!@\\|&_"
)
_CURLY, _UNCURLY, _SQUARE, _APOSTROPHE, _QUESTION = (np.uint32(ord(sign)) for sign in "{}['?")
_BRACKETS = codes_of("{}()[];, \t\r")


def code_density(words: Words) -> dict[str, float]:
    """`code_line_frac`, `code_char_frac`, `n_code_blocks`; nothing is code in a text without lines.

    About 30 us for 5,000 characters.
    """
    lines = words.tokens.lines
    is_code = code_lines(words)
    n_chars = lines.end - lines.start
    total = max(int(n_chars.sum()), 1)
    return {
        "code_line_frac": float(is_code.sum() / max(is_code.size, 1)),
        "code_char_frac": float(n_chars[is_code].sum() / total),
        "n_code_blocks": int(_n_blocks(is_code)),
    }


def code_lines(words: Words) -> NDArray[np.bool_]:
    """Which of the lines are code, shape (n_lines,)."""
    tokens = words.tokens
    points = _line_points(
        words.codes, tokens.lines, tokens.words, _KEYWORDS, _SQL, _STARTS, _COMMANDS, _SUBCOMMANDS,
        _BRACKETS,
    )  # fmt: skip
    return _with_neighbours(points)


@kernel
def _with_neighbours(points: Ints) -> NDArray[np.bool_]:
    """Strong lines, and weak ones that other code stands beside."""
    is_code = points >= STRONG
    for i in range(1, points.size):
        is_code[i] |= points[i] >= WEAK and is_code[i - 1]
    for i in range(points.size - 2, -1, -1):
        is_code[i] |= points[i] >= WEAK and is_code[i + 1]
    return is_code


@kernel
def _n_blocks(is_code: NDArray[np.bool_]) -> int:
    n_blocks, n_lines = 0, 0
    for one in is_code:
        n_lines = n_lines + 1 if one else 0
        n_blocks += n_lines == BLOCK_LINES
    return n_blocks


@kernel
def _line_points(
    codes: Codes,
    lines: Spans,
    words: Spans,
    keywords: Hashes,
    sql: Hashes,
    sql_starts: Hashes,
    commands: Hashes,
    subcommands: Hashes,
    brackets: Codes,
) -> Ints:
    """Points of each line, shape (n_lines,)."""
    # Arrays are taken out of their tuples: numba counts references to each at every use.
    line_starts, line_ends = lines.start, lines.end
    starts, ends, hashes = words.start, words.end, words.hash
    points, word = np.empty(line_starts.size, np.int64), 0
    for i in range(line_starts.size):
        first = word
        while word < starts.size and starts[word] < line_ends[i]:
            word += 1
        line = codes[starts[first] : ends[word - 1]]
        if _is_of(line, brackets):
            points[i] = STRONG if line[0] == _UNCURLY or line[0] == _CURLY else WEAK
            continue
        n_pairs, start = _n_prose_pairs(line), _start_points(line)
        if n_pairs == PROSE_PAIRS and not start:
            points[i] = 0
            continue
        is_keyword = is_among(hashes[first], keywords)
        has_second = word - first > 1
        found = start + _end_points(line, n_pairs, is_keyword)
        found += _inner_points(line) + (is_keyword and has_second and n_pairs < 3)
        if is_among(hashes[first], sql_starts):
            n_sql = 0
            for k in range(first + 1, word):
                n_sql += is_among(hashes[k], sql)
            found += 3 if n_sql else 1
        elif has_second and is_among(hashes[first], commands):
            found += 1 + 2 * is_among(hashes[first + 1], subcommands) + _has_flag(line)
        is_indented = starts[first] - line_starts[i] >= 2 or codes[line_starts[i]] == _TAB
        if found > 0 and is_indented:
            found += 1
        points[i] = found - 2 * (n_pairs >= 3) - 2 * (n_pairs == PROSE_PAIRS)
    return points


@kernel
def _is_of(line: Codes, among: Codes) -> bool:
    for code in line:  # noqa: SIM110 - numba compiles no generator
        if not is_among(code, among):
            return False
    return True


@kernel
def _is_letter(code: np.uint32) -> bool:
    return bool((code | np.uint32(32)) - np.uint32(97) < np.uint32(26) or code >= np.uint32(0xC0))


@kernel
def _is_name(code: np.uint32) -> bool:
    return bool(_is_letter(code) or code - np.uint32(48) < np.uint32(10) or code == _UNDER)


@kernel
def _n_prose_pairs(line: Codes) -> int:
    """Words of letters with one behind them, outside double quotes; at most `PROSE_PAIRS`."""
    n, n_letters, was_word, is_quoted = 0, 0, False, False
    for code in line:
        is_quoted ^= code == _QUOTE
        if _is_letter(code) and not is_quoted:
            n_letters += 1
        elif code == _SPACE:
            n += was_word and n_letters > 1
            was_word, n_letters = n_letters > 1, 0
            if n == PROSE_PAIRS:
                return n
        elif code in (_COMMA, _DOT, _APOSTROPHE):
            continue
        else:
            was_word, n_letters = False, -1_000_000
            if code == _QUOTE:
                n_letters = 0
    return n + int(was_word and n_letters > 1)


@kernel
def _start_points(line: Codes) -> int:
    """For comments, tags, prompts; words in a comment are prose, and give back what they take."""
    if line.size < 2:
        return 0
    one, two = line[0], line[1]
    is_comment = (one == _SLASH and (two in (_SLASH, _STAR))) or (one == _STAR and two == _SLASH)
    is_hash = one == _HASH and (two == _MARK or (line.size > 8 and two == 105 and line[2] == 110))
    if is_comment or is_hash or (one == _LESS and (two in (_MARK, _QUESTION))):
        return 7
    if one == _LESS and (two == _SLASH or _is_letter(two)) and line[-1] == _GREATER:
        return 7
    if one == _GREATER and two == _GREATER and line.size > 4 and line[2] == _GREATER:
        return 3 * int(line[3] == _SPACE)
    if one == _DOLLAR and two == _SPACE and line.size > 2 and _is_letter(line[2]):
        return 3
    if one == _AT and _is_letter(two):
        return 1
    return 0


@kernel
def _end_points(line: Codes, n_pairs: int, is_keyword: bool) -> int:
    last = line[-1]
    if last == _SEMICOLON:
        has_mark = False
        for code in line[:-1]:
            has_mark |= not (_is_letter(code) or code in (_SPACE, _COMMA))
        return 1 + (n_pairs <= 1 and has_mark) + is_keyword
    if last == _CURLY:
        return 3
    if last == _UNCURLY and n_pairs <= 2:
        return 1
    if last == _COLON and is_keyword:
        return 1
    return -1 * ((last in (_DOT, _QUESTION, _MARK)) and n_pairs > 1)


@kernel
def _inner_points(line: Codes) -> int:
    """For calls, assignments, operators, names with underscores, closing tags, keys of JSON."""
    n_calls, n_methods, n_operators, n_snakes, n_tags, n_latex = 0, 0, 0, 0, 0, 0
    has_assignment, is_first, dot = False, True, False
    for i in range(1, line.size):
        before, code = line[i - 1], line[i]
        if _is_name(before) and code == _OPEN:
            n_calls += 1
            n_methods += dot or (i + 1 < line.size and _opens_code(line[i + 1]))
        dot = (code == _DOT and _is_name(before)) or (dot and _is_name(code))
        n_operators += _is_operator(before, code)
        n_snakes += (
            code == _UNDER and _is_letter(before) and i + 1 < line.size and _is_letter(line[i + 1])
        )
        n_tags += before == _LESS and code == _SLASH
        n_latex += before == _BACKSLASH and _is_letter(code)
        if code == _EQUAL and is_first and i > 2 and not _is_behind(line, i):
            has_assignment = True
        is_first &= _is_name(code) or code in (_SPACE, _DOT, _COLON)
    has_key = line[0] == _QUOTE and _has_json_key(line)
    found = min(n_calls, 1) + min(n_methods, 2) + min(n_operators, 2) + min(n_snakes, 2)
    found += 2 * has_assignment + 2 * min(n_tags, 1) + 3 * has_key
    return found - 4 * (n_latex > 0 and n_methods == 0)


@kernel
def _is_behind(line: Codes, place: int) -> bool:
    """Whether `>` or `=` stands behind `place`: an arrow or a comparison."""
    return place + 1 < line.size and bool(line[place + 1] in (_GREATER, _EQUAL))


@kernel
def _opens_code(code: np.uint32) -> bool:
    """Behind the bracket of a call: no argument, or a string."""
    return bool(code in (_CLOSE, _QUOTE, _APOSTROPHE))


@kernel
def _is_operator(before: np.uint32, code: np.uint32) -> bool:
    if before == code:
        return bool(code in (_EQUAL, _COLON, _AND, _BAR))
    if code == _EQUAL:
        return bool(before in (_MARK, _PLUS, _MINUS, _COLON))
    if code == _GREATER:
        return bool(before in (_MINUS, _EQUAL))
    return bool(before == _LESS and code == _MINUS)


@kernel
def _has_json_key(line: Codes) -> bool:
    for i in range(2, line.size - 1):
        if line[i] == _QUOTE:
            return bool(line[i + 1] == _COLON)
    return False


@kernel
def _has_flag(line: Codes) -> bool:
    """Whether an option such as `-m` or `--all` is in it."""
    for i in range(2, line.size):
        is_letter = _is_letter(line[i]) or line[i] == _MINUS
        if line[i - 2] == _SPACE and line[i - 1] == _MINUS and is_letter:
            return True
    return False
