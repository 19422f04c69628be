"""The table of a channel: complete, closed, and as the specification has it."""

from __future__ import annotations

import itertools

from tanist.wire.amqp010 import session_state as state
from tanist.wire.amqp010.session_state import ILLEGAL, INPUTS, LEGAL, STATES
from tanist.wire.amqp010.spec import CONTROLS


def test_every_pair_is_legal_or_has_its_answer():
    pairs = set(itertools.product(STATES, INPUTS))
    assert set(LEGAL) <= pairs
    assert set(LEGAL.values()) <= set(STATES)
    assert set(ILLEGAL) == set(STATES)


def test_every_state_can_be_left_by_the_peer_and_only_an_idle_channel_is_attached():
    for source in STATES:
        if source != state.IDLE:
            reach = {LEGAL[pair] for pair in LEGAL if pair[0] == source}
            assert reach - {source}, f"state {source} is a trap"
    attached = {pair for pair, target in LEGAL.items() if target == state.ATTACHED}
    assert {source for source, got in attached if got == state.GOT_ATTACH} == {
        state.IDLE,
        state.SILENT,
        state.ATTACHED,
    }


def test_commands_count_only_while_attached():
    assert LEGAL[state.ATTACHED, state.GOT_COMMAND] == state.ATTACHED
    for source in (state.IDLE, state.SILENT, state.DETACHING):
        assert LEGAL[source, state.GOT_COMMAND] == source
    assert (state.ATTACHING, state.GOT_COMMAND) not in LEGAL


def test_the_inputs_are_controls_of_the_specification():
    names = {definition.name for definition in CONTROLS.values()}
    assert set(state.CONTROL_INPUTS) <= names
