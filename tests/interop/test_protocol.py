from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist_interop import protocol
from tanist_interop.protocol import MalformedLine, decode, encode

EXAMPLES = [
    protocol.Init(1, "a", 1),
    protocol.Connect(2, ["h:1"], 1, False, "exchange", True, {"username": "x"}),
    protocol.Reopened(1, 3, "gave up", 7),
    protocol.Send(3, "q", "p", 2**60, 0, 0.5),
    protocol.Drain(4, "q", 1),
    protocol.InitOk(1, "c", 1, {"python": "2.7"}, ["send"], 2**62),
    protocol.Unsupported(9, "what"),
    protocol.Received(1, 3, "p", [[1, 5], [3, 3]], True, None),
    protocol.Received(1, 3, "p", [], True, 4, False),
    protocol.Settle(5, 3, "modify"),
    protocol.Put(6, "q", "map", {"type": "list", "value": [{"type": "int", "value": "-7"}]}),
    protocol.Taken(6, {"type": "map", "value": [[{"type": "null", "value": ""}] * 2]}),
    protocol.Error(1, "Boom: é\n", 3, True),
]


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda m: m.TYPE)
def test_what_is_encoded_is_decoded(message):
    line = encode(message)
    assert "\n" not in line
    assert decode(line) == message
    assert decode(line.encode()) == message


def test_every_type_has_one_name():
    kinds = (*protocol.REQUESTS, *protocol.REPLIES, *protocol.EVENTS)
    assert len(protocol.BY_TYPE) == len(kinds)
    assert all(kind.TYPE for kind in kinds)


def test_defaults_fill_what_is_left_out_and_unknown_keys_are_ignored():
    send = decode('{"type":"send","id":1,"queue":"q","producer":"p","first_sn":1,"count":0,"x":1}')
    assert send == protocol.Send(1, "q", "p", 1, 0)
    assert decode('{"type":"connect","id":1,"addresses":[],"heartbeat_s":1}').options == {}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("hello", "is not JSON"),
        ("[1]", "is not a JSON object"),
        ('{"type":"jump"}', "unknown type 'jump'"),
        ('{"type":7}', "unknown type 7"),
        ('{"type":"done"}', "lacks 'in_reply_to'"),
        ('{"type":"done","in_reply_to":"1"}', "expected integer"),
        ('{"type":"done","in_reply_to":true}', "expected integer"),
        ('{"type":"ok","t":1,"task":1,"producer":"p","sns":[[2,1]]}', "list of [first, last]"),
        ('{"type":"ok","t":1,"task":1,"producer":"p","sns":[1]}', "list of [first, last]"),
        ('{"type":"ok","t":1,"task":1,"producer":"p","sns":7}', "list of [first, last]"),
        ('{"type":"ok","t":1.5,"task":1,"producer":"p","sns":[]}', "expected integer"),
        ('{"type":"taken","in_reply_to":1,"value":{"type":"int","value":7}}', "expected value"),
        (
            '{"type":"taken","in_reply_to":1,"value":{"type":"list","value":["x"]}}',
            "expected value",
        ),
        ('{"type":"taken","in_reply_to":1,"value":{"value":""}}', "expected value"),
        ('{"type":"taken","in_reply_to":1,"value":"x"}', "expected value"),
        ('{"type":"connect","id":1,"addresses":[1],"heartbeat_s":1}', "list of strings"),
    ],
)
def test_a_malformed_line_is_explained(line, problem):
    with pytest.raises(MalformedLine) as caught:
        decode(line)
    assert problem in str(caught.value)
    assert "docs/client-protocol.md" in str(caught.value)


def test_a_line_has_a_limit():
    with pytest.raises(MalformedLine, match="limit"):
        decode(b" " * (protocol.MAX_LINE_BYTES + 1))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-5, 30)))
def test_ranges_hold_the_numbers_in_order(sns):
    ranges = protocol.compress(sns)
    assert protocol.expand(ranges) == sns
    assert all(first <= last for first, last in ranges)


@given(st.lists(st.tuples(st.integers(-5, 30), st.integers(0, 9)).map(lambda p: [p[0], sum(p)])))
def test_ranges_are_counted_without_expanding_them(ranges):
    assert protocol.count(ranges) == len(protocol.expand(ranges))


def test_ascending_runs_are_one_range():
    assert protocol.compress([1, 2, 3, 7, 8, 2]) == [[1, 3], [7, 8], [2, 2]]
