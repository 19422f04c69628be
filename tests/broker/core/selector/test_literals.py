from __future__ import annotations

import math
from importlib.resources import files

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tanist.core.selector.literals import (
    NumberReader,
    continues_identifier,
    identifier_end,
    quoted_end,
    starts_identifier,
    unquoted,
)
from tanist.types import BrokerError
from tests.broker.core.selector.ebnf import Grammar, Language

SPECIALS = {
    "any character but the apostrophe": "'",
    "any character but the quotation mark": '"',
}
LANGUAGE = Language(
    Grammar(files("tanist.core.selector").joinpath("grammar.ebnf").read_text("utf-8")),
    lambda name, symbol: symbol != SPECIALS[name] if name in SPECIALS else None,
)


def doubled(text: str) -> list[str]:
    """Characters, doubled quotes as the one terminal that they are in the grammar."""
    inner = text[1:-1].replace(text[0] * 2, "\0")
    return [text[0], *(text[0] * 2 if char == "\0" else char for char in inner), text[-1]]


def read(text: str) -> NumberReader:
    reader = NumberReader(text, 0)
    reader.read()
    return reader


@settings(max_examples=800, deadline=None)
@given(
    st.one_of(
        st.text(st.sampled_from("0178_xXbBlLeE.+-fFdDpPaA"), max_size=9),
        st.from_regex(
            r"\A(0[xXbB]?|[1-9])[0-9_aF]{0,4}(\.[0-9_]{0,3})?([eEpP][+-]?[0-9_]{1,3})?[lLfFdD]?\Z"
        ),
    ).filter(lambda text: text[:1].isdigit() or (text[1:2].isdigit() and text[0] == "."))
)
@example("0_7")
@example("0_8")
@example("08.5")
@example("0x1.p1")
@example("0x.8p1f")
@example("1__0L")
def test_numbers_are_those_of_the_grammar(text: str) -> None:
    exact = LANGUAGE.has("exact", text)
    approximate = LANGUAGE.has("approximate", text)
    assert not (exact and approximate)
    try:
        reader = read(text)
    except BrokerError as refused:
        assert not (exact or approximate) or "beyond the range" in refused.text
        return
    if reader.end == len(text):
        assert (exact, approximate) == (reader.is_exact, not reader.is_exact)
    else:
        assert not exact and not approximate
        whole = text[: reader.end]
        assert LANGUAGE.has("exact" if reader.is_exact else "approximate", whole)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("00", 0),
        ("7", 7),
        ("1_000_000", 1000000),
        ("42L", 42),
        ("017", 15),
        ("0_17l", 15),
        ("0x1F", 31),
        ("0XffL", 255),
        ("0x0F", 15),
        ("0b101", 5),
        ("9223372036854775807", 2**63 - 1),
        ("0x7FFFFFFFFFFFFFFF", 2**63 - 1),
        ("0x8000000000000000", -(2**63)),
        ("0xFFFFFFFFFFFFFFFF", -1),
        ("01777777777777777777777", -1),
        ("0b" + "1" * 64, -1),
        ("0x" + "0" * 100 + "1", 1),
    ],
)
def test_exact_numbers(text: str, value: int) -> None:
    reader = read(text)
    assert (reader.is_exact, reader.exact, reader.end) == (True, value, len(text))


@given(st.floats(min_value=0, allow_infinity=False, allow_nan=False))
@example(5e-324)
@example(1.7976931348623157e308)
def test_approximate_numbers(value: float) -> None:
    for text in (repr(value), value.hex()):
        reader = read(text)
        assert (reader.is_exact, reader.approximate, reader.end) == (False, value, len(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("7.", 7.0),
        (".5", 0.5),
        ("0.", 0.0),
        ("1e3", 1000.0),
        ("1_0.0_1E+0_1", 100.1),
        ("5f", 5.0),
        ("5.5D", 5.5),
        ("010.0", 10.0),
        ("0e99999", 0.0),
        ("0x0p-9999", 0.0),
        ("0x1.8p+1", 3.0),
    ],
)
def test_other_approximate_numbers(text: str, value: float) -> None:
    reader = read(text)
    assert not reader.is_exact
    assert math.isclose(reader.approximate, value, rel_tol=1e-15, abs_tol=0)


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775809",
        "1" * 5000,
        "0x1" + "0" * 16,
        "0b1" + "0" * 64,
        "02000000000000000000000",
        "1e309",
        "1e-325",
        "0x1p1024",
        "0x1p-1080",
        "0x1p99999999999999999999",
    ],
)
def test_numbers_out_of_range(text: str) -> None:
    with pytest.raises(BrokerError, match="beyond the range of numbers at character 1 "):
        read(text)


def test_a_number_ends_where_it_can_go_on_no_longer() -> None:
    assert [read(text).end for text in ("1and", "1.5.5", "0b12", "0x1G", "1e5e5", "5LL")] == [
        *(1, 3, 3, 3, 3, 2)
    ]


STARTS = "azAZ_$\u00aa\u00e9\u20ac\u203f\u2168\u4e2d\U00010400"
PARTS = STARTS + "09.\u0301\u0903\u0663\u200d\u00ad\x00\x08\x0e\x1b\x7f\x85\x9f"
NEITHER = " \t\n\x0b\x1c\x1f'\"-+*/=<>(),;:!?%&#@[]{}|~`^\\\u00a0\u00b2\u2028\u2603\u00d7"
"""Letters, currency, connectors, letter numbers; marks, digits, what Java ignores; the rest."""


def test_identifiers_are_java_s() -> None:
    for char in STARTS:
        assert starts_identifier(char), ascii(char)
    for char in PARTS:
        assert continues_identifier(char), ascii(char)
        assert starts_identifier(char) is (char in STARTS), ascii(char)
    for char in NEITHER:
        assert not starts_identifier(char) and not continues_identifier(char), ascii(char)


def test_the_end_of_an_identifier() -> None:
    assert identifier_end("a = 1", 0) == 1
    assert identifier_end("1 + amqp.to_2$", 4) == 14
    assert identifier_end("a-b", 0) == 1


@given(st.text(st.sampled_from("ab'\" "), max_size=8), st.sampled_from("'\""))
def test_quoted_text_comes_back(content: str, quote: str) -> None:
    text = quote + content.replace(quote, quote * 2) + quote
    end = quoted_end(f"x{text} y", 1)
    assert end == len(text) + 1
    assert unquoted(f"x{text} y", 1, end) == content
    assert LANGUAGE.has("string" if quote == "'" else "identifier", doubled(text))


@pytest.mark.parametrize("text", ["'", "'a", "'a''", "'''", '"', '"a""', "\"''"])
def test_what_is_quoted_must_end(text: str) -> None:
    with pytest.raises(BrokerError, match="at character 2 "):
        quoted_end(f" {text}", 1)
