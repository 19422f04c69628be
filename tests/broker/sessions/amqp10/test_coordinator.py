"""The coordinator's link."""

from __future__ import annotations

from session_peer10 import Client10, Node10, Session10, message

from tanist.sessions.amqp10 import coordinator as module
from tanist.wire.amqp10.composites import (
    Coordinator,
    Declare,
    Declared,
    Discharge,
    Modified,
    Rejected,
)
from tanist.wire.amqp10.sections import encode_body_value
from tanist.wire.amqp10.values import Described, ULong


def refusal(outcome: object) -> str:
    assert isinstance(outcome, Rejected)
    assert outcome.error is not None
    return str(outcome.error.condition)


def test_it_says_what_it_can(session: Session10) -> None:
    link = session.coordinator()
    target = session.attached["coordinator"].attach.target
    assert isinstance(target, Coordinator)
    assert "amqp:local-transactions" in target.capabilities
    assert link.credit == module.CREDIT


def test_ids_are_never_used_twice_in_a_session(session: Session10) -> None:
    ids = set()
    for number in range(5):
        link = session.coordinator(f"coordinator {number}")
        for _ in range(5):
            ids.add(session.declare(link))
        session.close(link)
    assert len(ids) == 25
    assert not session.client.state.transactions


def test_unknown_ids(session: Session10) -> None:
    link = session.coordinator()
    txn = session.declare(link)
    session.request(link, Discharge(txn))
    for unknown in (txn, b"", b"x" * 100):
        outcome = session.request(link, Discharge(unknown))
        assert refusal(outcome) == "amqp:transaction:unknown-id"


def test_an_id_of_another_session_is_unknown(node: Node10, session: Session10) -> None:
    txn = session.declare(session.coordinator())
    other = session.client.begin()
    assert refusal(other.request(other.coordinator("other"), Discharge(txn))) == (
        "amqp:transaction:unknown-id"
    )
    assert txn in node.sessions10.sessions_of(session.client.link)[0].transactions


def test_what_is_no_request_is_rejected(session: Session10) -> None:
    link = session.coordinator()
    for octets in (
        message(),
        b"",
        b"junk",
        encode_body_value("declare"),
        encode_body_value(Described(ULong(0x31), "no list")),
        encode_body_value(Modified()),
    ):
        number = session.send(link, octets or encode_body_value(None))
        assert session.outcome(number) in ("amqp:decode-error",)
    assert session.declare(link)


def test_distributed_transactions_are_refused(session: Session10) -> None:
    link = session.coordinator()
    outcome = session.request(link, Declare(Described(ULong(1), b"global")))
    assert refusal(outcome) in ("amqp:not-implemented", "amqp:decode-error")


def test_requests_that_are_settled_end_the_link(session: Session10) -> None:
    link = session.coordinator()
    session.send(link, encode_body_value(Declare()), settled=True)
    error = session.detached["coordinator"]
    assert error is not None
    assert error.condition == "amqp:not-allowed"
    assert not session.client.state.transactions


def test_a_session_has_so_many_and_no_more(session: Session10) -> None:
    link = session.coordinator()
    first = session.declare(link)
    for _ in range(module.TRANSACTIONS_MAX - 1):
        session.declare(link)
    assert refusal(session.request(link, Declare())) == "amqp:resource-limit-exceeded"
    session.request(link, Discharge(first, True))
    assert isinstance(session.request(link, Declare()), Declared)


def test_credit_comes_again(session: Session10) -> None:
    link = session.coordinator()
    for _ in range(3 * module.CREDIT):
        session.request(link, Discharge(session.declare(link)))
    assert link.credit > 0


def test_an_empty_commit_is_confirmed_at_once(slow: Node10) -> None:
    session = Client10(slow).begin()
    link = session.coordinator()
    outcome = session.request(link, Discharge(session.declare(link)))
    assert type(outcome).__name__ == "Accepted"
