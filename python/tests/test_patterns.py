"""Compiled expressions of re find here what they find there, or are refused."""

import re
import warnings
from pathlib import Path

import pytest
from conftest import examples
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import bytesplice

ATOMS = st.sampled_from(
    rb"a b . \n [ab] [^a] [\w-] \d \W \s \S \x00 \xff [\x80-\xff] []&&[~~-] \b \B ^ \A \Z \{ { #"
    rb" [^\S\d] (?i:B) (?s:.) (?m:$) \0 \x20".split()
)


def combined(parts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    repeats = st.sampled_from([b"*", b"+", b"?", b"*?", b"+?", b"??", b"{2}", b"{1,3}", b"{,2}?"])
    return st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(b"".join),
        st.lists(parts, min_size=1, max_size=3).map(lambda some: b"(?:%s)" % b"|".join(some)),
        st.builds(lambda part, repeat: b"(?:%s)%s" % (part, repeat), parts, repeats),
        parts.map(lambda part: b"(%s)" % part),
    )


EXPRESSIONS = st.recursive(ATOMS, combined, max_leaves=6)
FLAGS = st.sampled_from(
    [0, re.IGNORECASE, re.DOTALL, re.MULTILINE, re.IGNORECASE | re.DOTALL | re.MULTILINE]
)
TEXT = st.lists(st.sampled_from(list(b"abAB01 -_\n\v#{&[~]\0\x80\xff")), max_size=30).map(bytes)


@settings(max_examples=examples(1000))
@given(EXPRESSIONS, FLAGS, TEXT)
@example(rb"(?P<word>\w+)-(?:x|y)", 0, b"ab-x cd-y")
@example(rb"(?:\B|a)*", 0, b"aa")
@example(rb"(?:a*|b)*", 0, b"aab")
@example(rb"a # a comment", re.VERBOSE, b"aaa")
def test_the_first_match_is_the_same(
    tmp_path: Path, expression: bytes, flags: int, text: bytes
) -> None:
    with warnings.catch_warnings():
        # Of what may mean something else in later versions, such as && in a class.
        warnings.simplefilter("ignore", FutureWarning)
        pattern = re.compile(expression, flags)
    # In nothing re finds no \B before Python 3.14.
    assume(text or rb"\B" not in expression)
    path = tmp_path / "text"
    path.write_bytes(text)
    with bytesplice.open(path, lock="none") as file:
        try:
            found = file.find(pattern)
        except bytesplice.PatternError as error:
            assert "may be empty" in str(error)
            return
    wanted = pattern.search(text)
    assert (found.span if found else None) == (wanted.span() if wanted else None)


@pytest.mark.parametrize(
    ("expression", "what"),
    [
        (rb"a(?=b)", "look-around"),
        (rb"(?<!a)b", "look-around"),
        (rb"(a)\1", "a backreference"),
        (rb"(a)?(?(1)b|c)", "a backreference"),
        (rb"(?>a+)b", "an atomic group"),
        (rb"a++b", "a possessive repetition"),
        (rb"(?:\B|a)*", "may be empty"),
        (rb"(?:(a??)b*)+", "may be empty"),
        (rb"a$", "without re.MULTILINE"),
        (rb"(?L)a", "re.LOCALE"),
    ],
)
def test_what_is_refused(data: Path, expression: bytes, what: str) -> None:
    with bytesplice.open(data) as file:
        for call in (file.find, file.rfind, file.find_iter):
            with pytest.raises(bytesplice.PatternError, match=what) as caught:
                call(re.compile(expression))
            assert isinstance(caught.value, ValueError)


def test_regex(data: Path) -> None:
    with bytesplice.open(data) as file:
        for source in ("0+1", rb"0+1"):
            regex = bytesplice.Regex(source)
            found = file.find(regex)
            assert found is not None
            assert (found.span, regex.pattern) == ((0, 5), "0+1")
            assert repr(regex) == "bytesplice.Regex('0+1')"
    with pytest.raises(bytesplice.PatternError, match="unclosed group"):
        bytesplice.Regex("(a")
    with pytest.raises(bytesplice.PatternError, match="ASCII"):
        bytesplice.Regex(b"\xff")
    with pytest.raises(TypeError, match="str or bytes"):
        bytesplice.Regex(5)  # type: ignore[arg-type]
