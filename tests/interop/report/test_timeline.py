from __future__ import annotations

import xml.etree.ElementTree as ET

from tanist_interop.report.timeline import counts, draw, marks


def test_acknowledgements_are_counted_per_tenth_of_a_second(story):
    story.run()
    story.sender()
    story.sent((1, 5))
    story.ms += 200
    story.sent(6)
    assert counts(story.records)[1] == {"s": [5, 0, 1]}


def test_marks_of_a_failover(story):
    labels = [label for _, label in marks(story.good().records)]
    assert labels == ["kill n1", "promoted n2", "back n1", "rejoined n1"]


def test_the_picture_is_xml(story):
    svg = ET.fromstring(draw(story.good().records))
    text = [element.text for element in svg.iter() if element.text]
    assert "kill n1" in text
    assert "s" in text


def test_a_run_without_acknowledgements_can_be_drawn(story):
    story.run()
    ET.fromstring(draw(story.records))
