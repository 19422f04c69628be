"""The session machine, driven as the connection drives it; what it sends is decoded again."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tanist.types import FramingError, LocalProtocolError
from tanist.wire.amqp010 import session_state as state
from tanist.wire.amqp010.assembly import Assembler
from tanist.wire.amqp010.codec import (
    encode_control,
    make,
)
from tanist.wire.amqp010.events import (
    Attached,
    Command,
    Completed,
    Detached,
    Exception_,
    Result,
)
from tanist.wire.amqp010.incoming import RUNS_MAX, SPAN_MAX
from tanist.wire.amqp010.outgoing import HOLES_MAX
from tanist.wire.amqp010.transfer import TRANSFER_CODE, encode_transfer
from tanist.wire.amqp010.values import vbin16
from tests.broker.wire.amqp010.session_harness import MASK, NAME, Harness, decode, in_state


@pytest.fixture
def server() -> Harness:
    """An attached and confirmed server session whose peer starts at 0."""
    harness = Harness(state.ATTACHED)
    harness.point(0)
    assert harness.names() == ["session.attached", "session.command-point"]
    return harness


@pytest.fixture
def client() -> Harness:
    """An attached client session."""
    harness = Harness(state.ATTACHING)
    (event,) = harness.control("attached")
    assert isinstance(event, Attached)
    assert event.session is harness.session
    return harness


INPUTS = {
    state.GOT_ATTACH: [("attach", {})],
    state.GOT_ATTACHED: [("attached", {})],
    state.GOT_DETACH: [("detach", {})],
    state.GOT_DETACHED: [("detached", {"code": 0})],
    state.GOT_CONTROL: [
        ("request-timeout", {"timeout": 5}),
        ("timeout", {"timeout": 5}),
        ("command-point", {"command_id": 3, "command_offset": 0}),
        ("expected", {"commands": []}),
        ("confirmed", {"commands": []}),
        ("completed", {"commands": []}),
        ("known-completed", {"commands": []}),
        ("flush", {"completed": True}),
    ],
}
PAIRS = [
    (start, got, name, fields)
    for start, (got, controls) in itertools.product(state.STATES, INPUTS.items())
    for name, fields in controls
    if not (got == state.GOT_ATTACH and start in state.FREE)  # the connection makes a new session
]


@pytest.mark.parametrize(("start", "got", "name", "fields"), PAIRS)
def test_every_state_and_control_is_legal_or_the_protocol_error(start, got, name, fields):
    harness = in_state(start)
    harness.control(name, **fields)
    sent = harness.names()
    target = state.LEGAL.get((start, got))
    if target is not None:
        assert harness.session.state == target
        assert "execution.exception" not in sent
        if not (start == state.ATTACHED and got == state.GOT_DETACH):
            assert sent.count("session.detached") == (
                1 if (start, got) == (state.ATTACHING, state.GOT_DETACH) else 0
            )
    elif state.ILLEGAL[start] == state.EXCEPTION_ERROR:
        assert "execution.exception" in sent
        assert sent[-1] == "session.detach"
        assert harness.session.state == state.DETACHING
        assert [type(event) for event in harness.events] == [Detached]
    else:
        assert sent == ["session.detached"]
        assert harness.session.state == start


@pytest.mark.parametrize("start", state.STATES)
def test_every_state_and_command_is_legal_or_the_protocol_error(start):
    harness = in_state(start)
    events = harness.command()
    sent = harness.names()
    if start == state.ATTACHED:
        assert isinstance(events[0], Command)
        assert sent == []
    elif start == state.ATTACHING:
        assert sent[-2:] == ["execution.exception", "session.detach"]
        assert [type(event) for event in events] == [Detached]
    else:
        assert (events, sent) == ([], [])


def test_a_command_before_command_point_is_an_exception():
    harness = Harness(state.ATTACHED)
    events = harness.command()
    assert [type(event) for event in events] == [Detached]
    sent = harness.sent()
    assert [struct.name for struct in sent] == [
        "session.attached",
        "session.command-point",
        "execution.exception",
        "session.detach",
    ]
    assert sent[2].number("error_code") == 409


def test_refuse_is_the_whole_answer_and_hides_what_waited():
    harness = Harness(state.ATTACHED)
    harness.control("request-timeout", timeout=0)
    harness.session.refuse(1)
    (detached,) = harness.sent()
    assert detached.name == "session.detached"
    assert (detached.number("code"), detached.octets("name")) == (1, NAME)
    assert not harness.session.alive
    harness.session.refuse(1)
    harness.session.exception(404, "late", 0)
    harness.session.complete(0, 0)
    harness.session.detach()
    harness.session.flush()
    harness.session.resume_at(4)
    harness.session.send(make("execution.sync"))
    harness.session.send_transfer(encode_transfer("q", 0, 0), b"", b"x")
    assert harness.sent() == []
    assert harness.session.next_outgoing == 0


def test_a_session_can_be_taken_away_later(server):
    server.session.refuse(1)
    assert server.names() == ["session.detached"]
    server.command()
    server.control("detach")
    assert server.sent() == []
    assert server.events == []


def test_the_first_command_of_the_owner_confirms():
    harness = Harness(state.ATTACHED)
    assert harness.session.send(make("execution.sync")) == 0
    assert [struct.name for struct in decode(harness.output.take())] == [
        "session.attached",
        "session.command-point",
        "execution.sync",
    ]


def test_attach_again_is_idempotent_and_another_name_is_transport_busy(server):
    assert server.control("attach") == []
    assert server.sent() == []
    server.control("attach", name=vbin16(b"other"))
    (detached,) = server.sent()
    assert (detached.octets("name"), detached.number("code")) == (b"other", 2)
    assert server.session.alive


@pytest.mark.parametrize("name", ["detach", "attached"])
def test_a_wrong_name_is_invalid(name, server):
    harness = in_state(state.ATTACHING) if name == "attached" else server
    harness.control(name, name=vbin16(b"other"))
    sent = harness.sent()
    assert [struct.name for struct in sent][-2:] == ["execution.exception", "session.detach"]
    assert sent[-2].number("error_code") == 542


# -- incoming ------------------------------------------------------------------------------------


def test_completions_are_coalesced_and_prompt(server):
    assert server.ids(5) == [0, 1, 2, 3, 4]
    server.session.complete(0, 0)
    server.session.complete(1, 3)
    (completed,) = server.sent()
    assert completed == make("session.completed", commands=[(0, 3)])
    assert server.sent() == []
    server.session.complete(4, 4)
    assert server.sent() == [make("session.completed", commands=[(0, 4)])]


def test_completions_out_of_order_cover_what_a_client_waits_for(server):
    server.ids(10)
    server.session.complete(5, 6)
    assert server.sent() == [make("session.completed", commands=[(5, 6)])]
    server.session.complete(0, 2)
    assert server.sent() == [make("session.completed", commands=[(0, 2)])]
    server.session.complete(3, 4)
    assert server.sent() == [make("session.completed", commands=[(0, 6)])]


def test_a_start_anywhere_and_the_wrap():
    harness = Harness(state.ATTACHED)
    harness.point(0xFFFFFFFE)
    assert harness.ids(4) == [0xFFFFFFFE, 0xFFFFFFFF, 0, 1]
    assert harness.session.next_incoming == 2
    harness.session.complete(0xFFFFFFFE, 1)
    assert harness.sent()[-1] == make("session.completed", commands=[(0xFFFFFFFE, 1)])


def test_a_replayed_command_is_not_reported_twice_but_announced_again(server):
    server.ids(3)
    server.session.complete(0, 2)
    server.sent()
    server.point(1)
    assert server.command() == []
    assert server.sent() == [make("session.completed", commands=[(0, 2)])]
    server.command()
    (event,) = server.command()
    assert isinstance(event, Command)
    assert event.id == 3
    server.sent()
    server.point(3)
    assert server.command() == []
    assert server.sent() == []


def test_more_ranges_than_a_frame_holds_become_several_controls(server):
    server.output.max_payload = 4096 - 12
    server.ids(2000)
    for number in range(0, 2000, 2):
        server.session.complete(number, number)
    controls = server.sent()
    assert len(controls) == 2
    ranges = [pair for control in controls for pair in control.ranges("commands")]
    assert ranges == [(number, number) for number in range(0, 2000, 2)]


def test_a_very_long_session_announces_only_its_end(server):
    server.session.incoming.done.add((MASK + 1), (MASK + 1) + 3 * SPAN_MAX)
    server.session.incoming.next = (MASK + 1) + 3 * SPAN_MAX + 2
    last = (3 * SPAN_MAX + 1) & MASK
    server.session.complete(last, last)
    (completed,) = server.sent()
    assert completed.ranges("commands") == [((last - SPAN_MAX) & MASK, last)]


def test_flush_is_answered_after_the_commands_before_it(server):
    server.ids(2)
    server.control("flush", completed=True)
    server.session.complete(0, 1)
    assert server.sent() == [make("session.completed", commands=[(0, 1)])]
    server.control("flush", completed=True)
    assert server.sent() == [make("session.completed", commands=[(0, 1)])]


def test_flush_tells_what_is_expected_and_confirmed():
    harness = Harness(state.ATTACHED)
    harness.control("flush", expected=True, confirmed=True, completed=True)
    assert harness.sent()[2:] == [
        make("session.expected", commands=[]),
        make("session.confirmed", commands=[]),
        make("session.completed", commands=[]),
    ]
    harness.point(4)
    harness.ids(3)
    harness.session.complete(4, 5)
    harness.sent()
    harness.control("flush", expected=True, confirmed=True)
    assert harness.sent() == [
        make("session.expected", commands=[(7, 7)]),
        make("session.confirmed", commands=[(4, 5)]),
    ]


def test_known_completed_trims(server):
    server.ids(5)
    server.session.complete(0, 4)
    server.sent()
    server.control("known-completed", commands=[(0, 2)])
    server.control("flush", completed=True)
    assert server.sent() == [make("session.completed", commands=[(3, 4)])]


def test_no_timeout_is_granted_and_none_is_sent_unasked(server):
    server.control("request-timeout", timeout=300)
    server.control("timeout", timeout=300)
    assert server.sent() == [make("session.timeout", timeout=0)]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("gap", {"commands": [(0, 5)]}),
        ("command-point", {"command_id": 0, "command_offset": 1}),
    ],
)
def test_what_is_not_implemented_says_so(server, name, fields):
    (event,) = server.control(name, **fields)
    assert isinstance(event, Detached)
    exception, detach = server.sent()
    assert exception.number("error_code") == 540
    assert detach.name == "session.detach"
    assert server.command() == []


def test_jumps_are_limited(server):
    for number in range(RUNS_MAX + 1):
        assert server.point(2 * number + 10) == []
        server.session.take_id(server.events)
    (event,) = server.point(0x10000000)
    assert isinstance(event, Detached)
    assert server.sent()[0].number("error_code") == 506


def test_results_and_exceptions_are_events_and_complete_themselves(client):
    client.point(0)
    found = make("exchange.exchange-query-result", type="topic")
    (result,) = client.command("execution.result", command_id=9, value=found)
    assert isinstance(result, Result)
    assert (result.command_id, result.value) == (9, found)
    (failure,) = client.command("execution.exception", error_code=404, description="no")
    assert isinstance(failure, Exception_)
    assert failure.struct.text("description") == "no"
    assert make("session.completed", commands=[(0, 1)]) in client.sent()
    (detached,) = client.control("detach")
    assert isinstance(detached, Detached)
    assert client.names()[-1] == "session.detached"


def test_a_malformed_command_is_a_framing_error(server):
    with pytest.raises(FramingError):
        server.session.on_command(b"\x08\x01\x01\x00\xff\xff", server.events)


# -- outgoing ------------------------------------------------------------------------------------


def test_outgoing_commands_are_numbered_and_completed(client):
    session = client.session
    assert session.next_outgoing == 0
    assert [session.send(make("execution.sync"), sync=True) for _ in range(3)] == [0, 1, 2]
    sent = client.names()
    assert sent == ["session.command-point"] + ["execution.sync"] * 3
    (event,) = client.control("completed", commands=[(0, 1)])
    assert isinstance(event, Completed)
    assert event.ranges == [(0, 1)]
    (event,) = client.control("completed", commands=[(0, 2)])
    assert event.ranges == [(2, 2)]
    assert client.control("completed", commands=[(0, 2)]) == []
    assert client.control("completed", commands=[(3, 0x7FFFFFFF), (0, 0x7FFFFFFF)]) == []
    assert client.sent() == []


def test_known_completed_only_when_timely_reply_was_set(client):
    client.session.send(make("execution.sync"))
    client.sent()
    client.control("completed", commands=[(0, 0)], timely_reply=True)
    assert client.sent() == [make("session.known-completed", commands=[(0, 0)])]


def test_a_replay_chooses_its_ids(client):
    session = client.session
    session.resume_at(0xFFFFFFFF)
    assert session.send(make("execution.sync")) == 0xFFFFFFFF
    assert session.send(make("execution.sync")) == 0
    session.resume_at(10)
    assert session.next_outgoing == 10
    assert session.send(make("execution.sync")) == 10
    points = [item for item in client.sent() if item.name == "session.command-point"]
    assert [point.number("command_id") for point in points] == [0xFFFFFFFF, 10]
    (event,) = client.control("completed", commands=[(0xFFFFFFF0, 0xFFFFFFFF), (10, 40)])
    assert event.ranges == [(0xFFFFFFFF, 0xFFFFFFFF), (10, 10)]
    session.resume_at(0)
    assert session.send(make("execution.sync")) == 0


def test_a_server_may_jump_too(server):
    server.session.resume_at(7)
    assert server.session.send(make("execution.sync")) == 7
    assert [item.name for item in server.sent()] == ["session.command-point", "execution.sync"]


def test_holes_in_what_the_peer_completes_are_limited(client):
    session = client.session
    head = encode_transfer("q", 1, 0)
    for _ in range(2 * HOLES_MAX + 2):
        session.send_transfer(head, b"", b"")
        client.output.chunks.clear()
    step = 8000
    for start in range(0, HOLES_MAX + 1, step):
        numbers = range(start, min(start + step, HOLES_MAX + 1))
        events = client.control("completed", commands=[(2 * n, 2 * n) for n in numbers])
    assert [type(event) for event in events] == [Completed, Detached]
    assert client.sent()[-2].number("error_code") == 506


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)), min_size=1, max_size=3),
        max_size=6,
    )
)
def test_a_plain_completed_is_a_completed(announcements):
    plain, generic = Harness(state.ATTACHING), Harness(state.ATTACHING)
    for harness in (plain, generic):
        harness.control("attached")
        for _ in range(30):
            harness.session.send(make("execution.sync"))
    for pairs in announcements:
        ranges = [(first, first + width) for first, width in pairs]
        segment = encode_control(make("session.completed", commands=ranges))
        assert plain.session.on_completed(segment, plain.events)
        generic.control("completed", commands=ranges)
    assert [event.ranges for event in plain.events[1:]] == [
        event.ranges for event in generic.events[1:]
    ]


@pytest.mark.parametrize("wanted", [state.SILENT, state.ATTACHING, state.DETACHING, state.IDLE])
def test_a_plain_completed_counts_only_while_attached(wanted):
    harness = in_state(wanted)
    before = len(harness.events)
    segment = encode_control(make("session.completed", commands=[(0, 0)]))
    assert not harness.session.on_completed(segment, harness.events)
    assert len(harness.events) == before


def test_accept_is_sent(client):
    assert client.session.send_accept([(3, 5)]) == 0
    assert client.session.send_accept([(7, 7), (9, 9)]) == 1
    sent = client.sent()[-2:]
    assert [struct.name for struct in sent] == ["message.accept"] * 2
    assert [struct.ranges("transfers") for struct in sent] == [[(3, 5)], [(7, 7), (9, 9)]]


def test_confirmed_names_no_more_than_one_control_holds(server):
    for number in range(20_000):
        server.point(2 * number)
        (command_id,) = server.ids(1)
        server.session.complete(command_id, command_id)
    server.sent()
    server.control("flush", confirmed=True)
    (confirmed,) = server.sent()
    assert len(confirmed.ranges("commands")) == (65535 - 12 - 6) // 8


def test_flush_asks(client):
    client.session.flush()
    client.session.flush(expected=True, confirmed=True, completed=False)
    assert client.sent() == [
        make("session.flush", completed=True),
        make("session.flush", expected=True, confirmed=True),
    ]


def test_a_command_that_cannot_be_encoded_takes_no_number(client):
    with pytest.raises(LocalProtocolError):
        client.session.send(make("queue.declare", queue="x" * 300))
    assert client.session.next_outgoing == 0


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([encode_transfer("a", 0, 0), encode_transfer("b", 1, 1)]),
            st.sampled_from([b"", b"h", b"h" * 30, b"H" * 30, b"h" * 5000]),
            st.sampled_from([None, b"", b"b", b"b" * 30, b"B" * 30, b"b" * 9000]),
        ),
        max_size=12,
    )
)
def test_transfers_arrive_as_they_were_sent(messages):
    harness = Harness(state.ATTACHING)
    harness.control("attached")
    harness.output.max_payload = 4096 - 12
    ids = [
        harness.session.send_transfer(head, header, body or b"", body is None)
        for head, header, body in messages
    ]
    assert ids == list(range(len(messages)))
    frames = harness.output.frames
    assembler = Assembler(4096)
    units = assembler.feed(harness.output.take())
    assert assembler.failure is None
    assert assembler.frames == frames
    transfers = [unit for unit in units if unit[2].startswith(TRANSFER_CODE)]
    assert [unit[2:] for unit in transfers] == messages


def test_a_batch_of_any_size_has_no_header(client):
    head = encode_transfer("q", 1, 0)
    body = bytes(300_000)
    client.session.send_batch(head, body)
    units = Assembler().feed(client.output.take())
    assert units[-1] == (5, 1, head, b"", body)


# -- ending --------------------------------------------------------------------------------------


def test_an_exception_announces_ends_and_ignores_what_follows(server):
    server.ids(3)
    server.session.complete(0, 1)
    server.session.exception(404, "no such queue", 2, 4, 1)
    completed, exception, detach = server.sent()
    assert completed == make("session.completed", commands=[(0, 1)])
    assert exception.name == "execution.exception"
    assert exception.number("error_code") == 404
    assert exception.number("command_id") == 2
    assert (exception.number("class_code"), exception.number("command_code")) == (4, 1)
    assert exception.text("description") == "no such queue"
    assert detach.name == "session.detach"
    assert not server.session.alive
    assert server.command() == []
    assert server.control("completed", commands=[], timely_reply=True) == []
    assert server.control("detach") == []
    assert server.sent() == []
    assert server.control("detached", code=0) == []
    assert server.session.state == state.IDLE


def test_our_detach_is_confirmed(server):
    server.ids(1)
    server.session.complete(0, 0)
    server.session.detach()
    assert server.names() == ["session.completed", "session.detach"]
    (event,) = server.control("detached", code=0)
    assert isinstance(event, Detached)
    assert event.code == 0


def test_the_peers_detach_is_answered_after_the_results_of_its_commands(server):
    (command,) = server.command()
    (event,) = server.control("detach")
    assert isinstance(event, Detached)
    assert isinstance(command, Command)
    assert server.session.send(make("execution.sync")) == 0
    server.session.complete(command.id, command.id)
    assert server.names() == ["execution.sync", "session.completed", "session.detached"]
    assert not server.session.alive
    assert server.sent() == []


def test_an_exception_after_the_peers_detach_is_told_before_the_answer(server):
    server.command()
    server.control("detach")
    server.session.exception(404, "no", 0)
    assert server.names() == ["execution.exception", "session.detached"]


def test_a_refused_client_session_is_over():
    harness = Harness(state.ATTACHING)
    assert harness.session.send(make("execution.sync")) == 0
    (event,) = harness.control("detached", code=1)
    assert isinstance(event, Detached)
    assert event.code == 1
    assert not harness.session.alive


def test_an_error_text_is_cut(server):
    server.session.exception(541, "é" * 100_000, 0)
    assert len(server.sent()[0].text("description")) == 1024


def test_a_name_that_is_no_text_is_echoed_octet_for_octet():
    harness = Harness(state.ATTACHED, b"\xff\x00")
    assert harness.session.name == "\\xff\x00"
    assert harness.sent()[0].octets("name") == b"\xff\x00"
