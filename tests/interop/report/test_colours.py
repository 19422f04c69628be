from __future__ import annotations

import pytest

from tanist_interop.report import colours


def luminance(colour):
    """Relative luminance, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


TEXT = ("ink", "faint", "link", "good", "bad", "unsure", "fault")


@pytest.mark.parametrize("dark", [False, True])
def test_text_and_lines_are_seen_on_both_grounds(dark):
    ground = colours.PAIRS["ground"][dark]
    assert contrast(ground, colours.PAIRS["panel"][dark]) < 1.5
    for name, pair in colours.PAIRS.items():
        if name in TEXT:
            assert contrast(ground, pair[dark]) >= 4.5, name
        elif name.startswith("line-"):
            assert contrast(ground, pair[dark]) >= 3, name
        elif name.startswith("state-"):
            assert contrast(ground, pair[dark]) >= 1.7, name


def test_dots_are_seen_on_both_grounds():
    for ground in colours.PAIRS["ground"]:
        assert contrast(ground, colours.DOTS) >= 3


def test_the_measure_of_contrast_can_fail():
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#ffffff", "#ffff00") < 1.1


def test_lines_begin_again_and_states_are_known():
    assert colours.line(0) == colours.line(colours.LINES) == "line-0"
    names = {colours.line(number) for number in range(colours.LINES)}
    names |= {colours.state(name) for name in (*colours.STATES, "something new")}
    assert names <= colours.PAIRS.keys()


def test_stand_ins_are_told_apart():
    assert len(colours.STAND_INS) == len(colours.PAIRS)
    real = {colour for pair in colours.PAIRS.values() for colour in pair} | {colours.DOTS}
    assert not real & colours.STAND_INS.keys()
    assert colours.variable("ink") == "var(--ink)"


def test_rules_set_every_variable():
    for dark in (False, True):
        for name, pair in colours.PAIRS.items():
            assert f"--{name}: {pair[dark]};" in colours.rules(dark)
