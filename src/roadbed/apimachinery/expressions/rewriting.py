"""Comprehensions over two variables and ``sortBy``, which the runtime lacks, in terms of those over one.

``m.all(k, v, p)`` becomes a loop over the keys (or indexes) of ``m`` that binds ``v`` to what lies there. Called
before an expression is compiled, wherever one comes from; a text without such a macro comes back as it is.

Source: github.com/google/cel-go/ext/{comprehensions,lists}.go.
"""

from __future__ import annotations

from typing import Final

from .tokens import Token, arguments, closing, joined, start_of_chain, tokens_of

_TESTS: Final = {"all": "all", "exists": "exists", "existsOne": "exists_one", "exists_one": "exists_one"}
_MAKERS: Final = ("transformList", "transformMap", "transformMapEntry")
_SORT: Final = "sortBy"


def expanded(text: str) -> str:
    """Give the expression with every macro rewritten that the runtime does not know."""
    if "validate" in text or "named" in text:
        text = _with_optionals(text)
    if not any(f"{name}(" in text.replace(" ", "") for name in (*_TESTS, *_MAKERS, _SORT)):
        return text
    tokens = tokens_of(text)
    count = 0
    while True:
        changed = _expand_last(tokens, count)
        if changed is None:
            return joined(tokens) if count else text
        tokens, count = changed, count + 1


def _with_optionals(text: str) -> str:
    """Make what formats give optional values: they are empty lists and maps of the functions here."""
    tokens = tokens_of(text)
    at = len(tokens) - 2
    while at > 1:
        name = tokens[at].text
        is_call = tokens[at - 1].text == "." and tokens[at + 1].text == "("
        is_named = name == "named" and tokens[at - 2].text == "format"
        if is_call and (name == "validate" or is_named):
            start, end = start_of_chain(tokens, at - 2), closing(tokens, at + 1)
            is_done = (
                is_named
                and start > 1
                and tokens[start - 2].text == "ofNonZeroValue"
                and tokens[end + 1].text == ")"
            )
            if start >= 0 and end >= 0 and not is_done:
                method = "__validate" if name == "validate" else name
                target, given = joined(tokens[start:at]), joined(tokens[at + 1 : end + 1])
                written = f"optional.ofNonZeroValue({target}{method}{given})"
                tokens = [*tokens_of_whole(tokens[:start], written, tokens[start]), *tokens[end + 1 :]]
                at = len(tokens) - 1
        at -= 1
    return joined(tokens)


def tokens_of_whole(before: list[Token], written: str, first: Token) -> list[Token]:
    """Give tokens followed by rewritten text, itself as tokens so that more can be rewritten in it."""
    fresh = tokens_of(written)
    fresh[0].before = first.before
    return [*before, *fresh]


def _expand_last(tokens: list[Token], count: int) -> list[Token] | None:
    """Rewrite the last macro there is; inner ones come after outer ones, so they are done first."""
    for at in range(len(tokens) - 2, 1, -1):
        name = tokens[at].text
        is_macro = name in _TESTS or name in _MAKERS or name == _SORT
        if not is_macro or tokens[at - 1].text != "." or tokens[at + 1].text != "(":
            continue
        end = closing(tokens, at + 1)
        start = start_of_chain(tokens, at - 2)
        if end < 0 or start < 0:
            continue
        parts = arguments(tokens[at + 2 : end])
        most = 4 if name in _MAKERS else 3
        named = parts[:1] if name == _SORT else parts[:2]
        is_named = all(len(each) == 1 and each[0].kind == "name" for each in named)
        fits = len(parts) == 2 if name == _SORT else 3 <= len(parts) <= most
        if not fits or not is_named:
            continue
        target, given = joined(tokens[start : at - 1]), [joined(each) for each in parts]
        if name == _SORT:
            written = _sorted(target, given, f"__input{count}")
        else:
            written = _written(name, target, given, f"__range{count}")
        whole = Token("name", written, tokens[start].at, tokens[start].before)
        return [*tokens[:start], whole, *tokens[end + 1 :]]
    return None


def _sorted(target: str, parts: list[str], name: str) -> str:
    return f"cel.bind({name}, {target}, __sortedBy({name}, {name}.map({parts[0]}, {parts[1]})))"


def _written(name: str, target: str, parts: list[str], over: str) -> str:
    key, value = parts[0], parts[1]

    def bound(expression: str) -> str:
        return f"cel.bind({value}, {over}[{key}], {expression})"

    keys = f"__keys({over})"
    if name in _TESTS:
        body = f"{keys}.{_TESTS[name]}({key}, {bound(parts[2])})"
        return f"cel.bind({over}, {target}, {body})"
    if len(parts) == 4:
        keys = f"{keys}.filter({key}, {bound(parts[2])})"
    made = f"{keys}.map({key}, {bound(parts[-1])})"
    if name == "transformMap":
        made = f"__zipped({keys}, {made})"
    elif name == "transformMapEntry":
        made = f"__merged({made})"
    return f"cel.bind({over}, {target}, {made})"
