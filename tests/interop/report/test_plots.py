from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from tanist_interop import protocol
from tanist_interop.report import colours, plots
from tanist_interop.report.story import read

DRAWN = (plots.latency, plots.throughput, plots.lanes, plots.unseen)
SVG = "{http://www.w3.org/2000/svg}"


def words(svg):
    return {e.text for e in ET.fromstring(svg).iter(f"{SVG}text") if e.text}


def colours_of(svg):
    return set(re.findall(r"var\(--([a-z0-9-]+)\)", svg))


@pytest.fixture
def told(story):
    story.good()
    story.mark("formed")
    story.batch(protocol.Invoke, [(50, 52)], "s")
    story.batch(protocol.Fail, [50], "s")
    story.batch(protocol.Info, [51], "s")
    return read(story.records)


@pytest.mark.parametrize("draw", DRAWN)
def test_every_plot_has_the_colours_of_the_page(draw, told):
    svg = draw(told)
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("data-plot") == draw.__name__
    assert root.find(f"{SVG}title").text == root.get("aria-label")
    assert root.get("width") is None and root.get("viewBox")
    assert {"ink", "rule"} <= colours_of(svg) <= {*colours.PAIRS, "font"}
    own = set(re.findall(r"#[0-9a-fA-F]{6}", svg)) - {colours.DOTS}
    assert not own, "a colour that does not follow the page"
    for style in re.findall(r'style="([^"]*font[^"]*)"', svg):
        assert "var(--font)" in style


@pytest.mark.parametrize("draw", DRAWN)
def test_a_run_of_nothing_can_be_drawn(draw, story):
    story.run()
    ET.fromstring(draw(read(story.records)))
    ET.fromstring(draw(read([])))


def test_ids_of_plots_on_one_page_differ(told):
    ids = [re.findall(r'\bid="([^"]+)"', draw(told)) for draw in DRAWN]
    every = [name for found in ids for name in found]
    assert every
    assert len(every) == len(set(every))


def test_outcomes_are_told_apart(told):
    svg = plots.latency(told)
    assert {"ok (20)", "info (1)", "fail (1)"} <= words(svg)
    assert {"unsure", "bad"} <= colours_of(svg)
    assert colours.DOTS in svg


def test_many_dots_are_a_picture(story):
    story.run()
    for number in range(700):
        story.ms += 5
        story.batch(protocol.Invoke, [number], "s")
        story.ms += number % 90
        story.batch(protocol.Ok, [number], "s")
    svg = plots.latency(read(story.records))
    assert "<image" in svg
    assert len(svg) < 100_000


def test_faults_have_words_while_they_are_few(told, story, new_story):
    assert {"kill n1", "promoted n2", "n1 is back"} <= words(plots.unseen(told))
    assert "fault" in colours_of(plots.lanes(told))
    many = new_story().good()
    for _ in range(plots.WORDS_MAX):
        many.fault()
        many.fault("end")
    crowded = plots.unseen(read(many.records))
    assert "kill n1" not in words(crowded)
    assert "fault" in colours_of(crowded)


def test_each_program_has_its_line(story):
    story.run()
    for number in range(10):
        story.program(f"s{number}", f"program {number}")
        story.sender(f"s{number}", producer=f"p{number}")
        story.sent(1, source=f"s{number}", producer=f"p{number}")
    svg = plots.throughput(read(story.records))
    assert {f"program {number}" for number in range(10)} <= words(svg)
    assert {f"line-{number}" for number in range(colours.LINES)} <= colours_of(svg)
    assert "stroke-dasharray" in svg, "when the colours begin again, the form differs"


def test_a_lane_has_the_colour_of_each_state(told):
    svg = plots.lanes(told)
    assert {"state-ready", "state-active", "state-away"} <= colours_of(svg)
    assert {"n1", "n2", "away"} <= words(svg)


def test_phases_stand_behind_each_other():
    bars = {
        "a": [("detected", 0.0, 0.1), ("deciding", 0.0, 0.3), ("promoting", 0.3, 0.4)],
        "b": [("deciding", 0.0, 0.3)],
    }
    svg = plots.phases(bars, 0.4)
    assert {"a", "b", "detected", "deciding", "promoting"} <= words(svg)


@pytest.mark.parametrize(
    ("limits", "decades"), [((3, 50), (1, 100)), ((1, 10), (1, 10)), ((5, 5), (1, 10))]
)
def test_an_axis_of_latencies_has_whole_decades(limits, decades):
    assert plots._decades(limits) == decades


@pytest.mark.parametrize(
    ("ms", "text"), [(0.01, "10 µs"), (1, "1 ms"), (100, "100 ms"), (10_000, "10 s")]
)
def test_durations_of_an_axis(ms, text):
    assert plots._duration(ms, None) == text
