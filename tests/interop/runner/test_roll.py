from __future__ import annotations

import pytest

from tanist_interop.drivers.registry import discover
from tanist_interop.runner import roll


def call(clients_dir):
    said = []
    return roll.call(discover(clients_dir), said.append), said[0]


def test_who_can_run_here(clients_dir):
    code, text = call(clients_dir)
    assert code == 0
    lines = text.splitlines()
    assert lines[1].split() == ["a", "amqp0-10", "none", "yes"]
    assert lines[4].startswith("a: ")


@pytest.mark.parametrize(("optional", "code"), [("false", 1), ("true", 0)])
def test_who_cannot_and_why(clients_dir, optional, code):
    (clients_dir / "a" / "client.json").write_text(
        '{"name": "a", "command": ["./nothing"], "needs": "Java", "setup": "get-java",'
        f' "optional": {optional}}}'
    )
    status, text = call(clients_dir)
    assert status == code
    assert text.splitlines()[1].split()[-1] == "no"
    assert "needs Java; to get it: get-java" in text


def test_a_program_that_pretends_cannot(clients_dir, monkeypatch):
    monkeypatch.setenv("FAKE_CLIENT", "liar")
    code, text = call(clients_dir)
    assert code == 1
    assert "it cannot be believed" in text
