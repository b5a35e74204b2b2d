"""The text of an expression as tokens, for those who rewrite it. Pure; comments and blanks stay in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)
    |(?P<text>[bB]?[rR][bB]?(?:\"\"\".*?\"\"\"|'''.*?'''|"[^"\n]*"|'[^'\n]*')
       |[bB]?(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
    |(?P<number>\d[\w.]*)
    |(?P<name>[A-Za-z_@]\w*|`[^`]*`)
    |(?P<sign>&&|\|\||[=!<>]=|\.\?|\[\?|.)""",
    re.DOTALL | re.VERBOSE,
)
OPENING: Final = {"(": ")", "[": "]", "[?": "]", "{": "}"}
_CLOSING: Final = frozenset(")]}")


@dataclass(slots=True, eq=False)
class Token:
    """A piece of the text; ``at`` is where it stood at first, ``kind`` its group in the pattern."""

    kind: str
    text: str
    at: int
    before: str = ""  # the blanks in front of it


def tokens_of(text: str) -> list[Token]:
    """Give the tokens of an expression; blanks belong to what follows them."""
    found = []
    blank = ""
    for match in _TOKEN.finditer(text):
        if match.lastgroup == "blank":
            blank += match.group()
            continue
        found.append(Token(str(match.lastgroup), match.group(), match.start(), blank))
        blank = ""
    return found


def joined(tokens: Sequence[Token]) -> str:
    """Give the text of tokens, their first blanks left out."""
    return "".join((each.before if index else "") + each.text for index, each in enumerate(tokens))


def closing(tokens: Sequence[Token], opening: int) -> int:
    """Give the index of the bracket that closes the one at ``opening``; -1 if none does."""
    depth = 0
    for index in range(opening, len(tokens)):
        if tokens[index].kind != "sign":
            continue
        if tokens[index].text in OPENING:
            depth += 1
        elif tokens[index].text in _CLOSING:
            depth -= 1
            if not depth:
                return index
    return -1


def opening(tokens: Sequence[Token], closing_at: int) -> int:
    """Give the index of the bracket that the one at ``closing_at`` closes; -1 if none."""
    depth = 0
    for index in range(closing_at, -1, -1):
        if tokens[index].kind != "sign":
            continue
        if tokens[index].text in _CLOSING:
            depth += 1
        elif tokens[index].text in OPENING:
            depth -= 1
            if not depth:
                return index
    return -1


def start_of_chain(tokens: Sequence[Token], end: int) -> int:
    """Give where the chain of selections, calls and indexes begins whose last token is at ``end``; -1 if none."""
    at = end
    while at >= 0:
        token = tokens[at]
        if token.kind == "sign" and token.text in _CLOSING:
            at = opening(tokens, at)
            if at < 0:
                return -1
            is_call = tokens[at].text == "(" and at > 0 and tokens[at - 1].kind == "name"
            is_index = tokens[at].text in ("[", "[?") and at > 0 and _ends_value(tokens[at - 1])
            if is_call or is_index:
                at -= 1
                if is_index:
                    continue
        elif token.kind == "sign":
            return -1
        if at > 1 and tokens[at - 1].text in (".", ".?"):
            at -= 2
            continue
        return at
    return -1


def _ends_value(token: Token) -> bool:
    return token.kind != "sign" or token.text in _CLOSING


def arguments(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split what stands between the brackets of a call at its commas."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "sign" and token.text in OPENING:
            depth += 1
        elif token.kind == "sign" and token.text in _CLOSING:
            depth -= 1
        if token.kind == "sign" and token.text == "," and not depth:
            found.append([])
        else:
            found[-1].append(token)
    return found
