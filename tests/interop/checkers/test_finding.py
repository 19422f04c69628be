from __future__ import annotations

import pytest

from tanist_interop.checkers.finding import Valid, combine, examples

T, F, U = Valid.TRUE, Valid.FALSE, Valid.UNKNOWN


@pytest.mark.parametrize(
    ("values", "result"),
    [([], T), ([T, T], T), ([T, U], U), ([U, F, T], F), ([F], F), ([U], U)],
)
def test_false_wins_over_unknown_wins_over_true(values, result):
    assert combine(values) is result


def test_examples_are_few():
    assert examples([("p", 2), ("p", 1)]) == "p:1, p:2"
    assert examples([("p", n) for n in range(13)]).endswith("p:9 and 3 more")
