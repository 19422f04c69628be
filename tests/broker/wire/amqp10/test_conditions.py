from __future__ import annotations

from tanist.types import Condition
from tanist.wire.amqp10 import conditions

SYMBOLS = {
    value for name, value in vars(conditions).items() if name.isupper() and isinstance(value, str)
}


def test_the_conditions_are_those_of_the_specification():
    amqp = """internal-error not-found unauthorized-access decode-error resource-limit-exceeded
        not-allowed invalid-field not-implemented resource-locked precondition-failed
        resource-deleted illegal-state frame-size-too-small"""
    connection = "connection-forced framing-error redirect"
    session = "window-violation errant-link handle-in-use unattached-handle"
    link = "detach-forced transfer-limit-exceeded message-size-exceeded redirect stolen"
    expected = {f"amqp:{name}" for name in amqp.split()}
    # The specification calls the condition of connection-forced amqp:connection:forced.
    expected |= {
        f"amqp:connection:{name.removeprefix('connection-')}" for name in connection.split()
    }
    expected |= {f"amqp:session:{name}" for name in session.split()}
    expected |= {f"amqp:link:{name}" for name in link.split()}
    assert expected == SYMBOLS


def test_the_registry_of_all_layers_agrees():
    assert {condition.symbol for condition in Condition} - {""} <= SYMBOLS


def test_a_violation_says_what_and_why():
    violation = conditions.Violation(conditions.NOT_ALLOWED, "no")
    assert (violation.condition, violation.text, str(violation)) == ("amqp:not-allowed", "no", "no")
