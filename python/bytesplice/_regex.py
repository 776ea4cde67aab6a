"""
Expressions of the module re in the syntax of the Rust crate regex.

The parser of re says what an expression means. What the other engine does not have is refused
rather than searched for in another sense.
"""

import re
import warnings
from collections.abc import Iterable
from functools import lru_cache
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NoReturn

from bytesplice._bytesplice import Regex
from bytesplice._errors import PatternError

_LETTERS = {re.IGNORECASE: "i", re.MULTILINE: "m", re.DOTALL: "s"}
# Those of bytes: ASCII only, and the vertical tab is a space.
_CATEGORIES = {
    code.CATEGORY_DIGIT: r"\d",
    code.CATEGORY_NOT_DIGIT: r"\D",
    code.CATEGORY_SPACE: r"\t-\r\x20",
    code.CATEGORY_NOT_SPACE: r"\x00-\x08\x0E-\x1F\x21-\xFF",
    code.CATEGORY_WORD: r"\w",
    code.CATEGORY_NOT_WORD: r"\W",
}
_PLACES = {
    code.AT_BEGINNING: "^",
    code.AT_BEGINNING_STRING: r"\A",
    code.AT_BOUNDARY: r"\b",
    code.AT_NON_BOUNDARY: r"\B",
    code.AT_END_STRING: r"\z",
}
_REFUSED = {
    code.ASSERT: "look-around",
    code.ASSERT_NOT: "look-around",
    code.GROUPREF: "a backreference",
    code.GROUPREF_EXISTS: "a backreference",
    code.ATOMIC_GROUP: "an atomic group",
    code.POSSESSIVE_REPEAT: "a possessive repetition",
}


@lru_cache(maxsize=256)
def compiled(pattern: "re.Pattern[bytes]") -> Regex:
    """Return the same expression for the other engine, or raise PatternError."""
    return Regex(translated(pattern))


def translated(pattern: "re.Pattern[bytes]") -> str:
    """
    Return the expression in the other syntax, or raise PatternError.

    >>> translated(re.compile(rb"(?P<key>k+)=[^;]{1,3}", re.IGNORECASE))
    '(?i:(?P<key>(?:k){1,})=(?:[^;]){1,3})'
    """
    if not isinstance(pattern.pattern, bytes):
        raise TypeError("a pattern must be compiled from bytes, not from str")
    if pattern.flags & re.LOCALE:
        _refuse(pattern, "re.LOCALE")
    names = {number: name for name, number in pattern.groupindex.items()}
    with warnings.catch_warnings():
        # Of the expression: whoever compiled it has seen them.
        warnings.simplefilter("ignore")
        tree = parser.parse(pattern.pattern, pattern.flags)
    return _with_flags(pattern, names, tree, pattern.flags, 0, pattern.flags)


def _with_flags(
    pattern: "re.Pattern[bytes]",
    names: dict[int, str],
    tree: Iterable[Any],
    added: int,
    dropped: int,
    flags: int,
) -> str:
    on = "".join(letter for flag, letter in _LETTERS.items() if added & flag)
    off = "".join(letter for flag, letter in _LETTERS.items() if dropped & flag)
    inner = _sequence(pattern, names, tree, flags)
    return f"(?{on}{'-' if off else ''}{off}:{inner})"


def _sequence(
    pattern: "re.Pattern[bytes]", names: dict[int, str], tree: Iterable[Any], flags: int
) -> str:
    return "".join(_item(pattern, names, op, argument, flags) for op, argument in tree)


def _item(
    pattern: "re.Pattern[bytes]", names: dict[int, str], op: Any, argument: Any, flags: int
) -> str:
    if op is code.LITERAL:
        return _byte(argument)
    if op is code.NOT_LITERAL:
        return f"[^{_byte(argument)}]"
    if op is code.ANY:
        return "."
    if op is code.IN:
        return _class(pattern, argument)
    if op is code.BRANCH:
        return f"(?:{'|'.join(_sequence(pattern, names, one, flags) for one in argument[1])})"
    if op is code.SUBPATTERN:
        number, added, dropped, tree = argument
        flags = (flags | added) & ~dropped
        inner = _with_flags(pattern, names, tree, added, dropped, flags)
        if number is None:
            return inner
        inner = _sequence(pattern, names, tree, flags)
        return f"(?P<{names[number]}>{inner})" if number in names else f"({inner})"
    if op in (code.MAX_REPEAT, code.MIN_REPEAT):
        least, most, tree = argument
        if most > 1 and tree.getwidth()[0] == 0 and _has_choice(tree):
            # The engines go on differently after a round that took nothing where more could be had.
            _refuse(pattern, "a repetition of alternatives, or of what is lazy, that may be empty")
        bounds = f"{least},{'' if most == code.MAXREPEAT else most}"
        lazy = "?" if op is code.MIN_REPEAT else ""
        return f"(?:{_sequence(pattern, names, tree, flags)}){{{bounds}}}{lazy}"
    if op is code.AT:
        if argument is not code.AT_END:
            return _PLACES[argument]
        if flags & re.MULTILINE:
            return "$"
        _refuse(
            pattern, r"$ without re.MULTILINE, which also matches before a last newline (use \Z)"
        )
    if op is code.FAILURE:
        return r"[^\x00-\xFF]"
    _refuse(pattern, _REFUSED.get(op, str(op)))


def _has_choice(tree: Any) -> bool:
    """Whether there are alternatives in it, or lazy repetitions."""
    for op, argument in tree:
        if op in (code.BRANCH, code.MIN_REPEAT):
            return True
        if op in (code.SUBPATTERN, code.MAX_REPEAT) and _has_choice(argument[-1]):
            return True
    return False


def _class(pattern: "re.Pattern[bytes]", items: Iterable[Any]) -> str:
    parts = []
    for op, argument in items:
        if op is code.NEGATE:
            parts.append("^")
        elif op is code.LITERAL:
            parts.append(_byte(argument))
        elif op is code.RANGE:
            parts.append(f"{_byte(argument[0])}-{_byte(argument[1])}")
        elif op is code.CATEGORY:
            parts.append(_CATEGORIES[argument])
        else:
            _refuse(pattern, str(op))
    return f"[{''.join(parts)}]"


def _byte(value: int) -> str:
    # What both syntaxes take for itself, within a class and outside.
    return chr(value) if chr(value) in _PLAIN else f"\\x{value:02X}"


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_=;,:/@%'\"")


def _refuse(pattern: "re.Pattern[bytes]", what: str) -> NoReturn:
    raise PatternError(
        f"{pattern.pattern!r} has {what}, which cannot be searched for here; "
        "bytesplice.Regex takes the expressions of the Rust crate regex"
    )
