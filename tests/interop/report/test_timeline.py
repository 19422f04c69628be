from __future__ import annotations

import xml.etree.ElementTree as ET

from tanist_interop.report.timeline import POINTS_MAX, WIDTHS, Picture, draw, read


def svg_of(story):
    return ET.fromstring(draw(iter(story.records)))


def words(svg):
    return [element.text for element in svg.iter() if element.text and element.text.strip()]


def test_acknowledgements_are_counted_per_tenth_of_a_second(story):
    story.run()
    story.sender()
    story.sent((1, 5))
    story.ms += 200
    story.sent(6)
    assert read(story.records).acks == {"s": {0: 5, 2: 1}}


def test_marks_of_a_failover_have_words(story):
    picture = words(svg_of(story.good()))
    for text in ("kill n1", "promoted n2", "back n1", "rejoined n1", "s", "n1", "n2"):
        assert text in picture


def test_a_change_of_urls_has_words(story):
    story.run()
    story.mark("urls_changed")
    assert "URLs changed" in words(svg_of(story))


def test_a_lane_shows_what_a_broker_was(story):
    story.run()
    story.mark("formed")
    story.sender()
    story.sent(1)
    story.fault()
    story.mark("promoted", node="n2")
    story.fault("end")
    story.mark("rejoined", node="n1")
    lanes = read(story.records).lanes
    assert [state for _, state in lanes["n1"]] == ["serves", "away", "stands by"]
    assert [state for _, state in lanes["n2"]] == ["stands by", "serves"]


def soaked(story, seconds):
    story.run()
    story.mark("formed")
    story.sender()
    for second in range(seconds):
        story.sent(second)
        story.ms += 996
        if second % 10 == 5:
            story.fault(failover=False, node="n3")
            story.fault("end", node="n3")
            story.mark("rejoined", node="n3")
    return story


def test_half_an_hour_stays_readable(story):
    svg = svg_of(soaked(story, 1800))
    assert int(svg.get("width")) == WIDTHS[1]
    (line,) = (e for e in svg.iter() if e.tag.endswith("polyline"))
    assert POINTS_MAX / 2 < len(line.get("points").split()) <= POINTS_MAX + 1
    picture = words(svg)
    assert "kill (180)" in picture  # counted in the legend, not written at each mark
    assert "kill n3" not in picture
    assert {"0 s", "898 s"} <= set(picture)


def test_rates_are_per_second_whatever_the_bucket(story):
    picture = Picture(read(soaked(story, 1800).records))
    rates = picture._rates(picture.story.acks["s"])
    assert max(rates[1:-1]) < 1.5


def test_everything_is_inside_the_picture(story):
    svg = svg_of(soaked(story, 100))
    right = int(svg.get("width"))
    boxes = [e for e in svg.iter() if e.tag.endswith("rect")]
    assert all(0 <= float(e.get("x", 0)) <= right for e in boxes)


def test_a_run_without_acknowledgements_can_be_drawn(story):
    story.run()
    svg_of(story)
