from __future__ import annotations

import json
from pathlib import Path

import pytest

from tanist_interop.drivers import registry
from tanist_interop.drivers.registry import BadClient, Retry, discover

ROOT = Path(__file__).resolve().parents[3]


def write(folder, name, value):
    (folder / name).mkdir()
    text = value if isinstance(value, str) else json.dumps(value)
    (folder / name / "client.json").write_text(text)


def test_clients_are_found_in_order(tmp_path):
    more = {"needs": "luck", "shared": True, "protocol": "amqp1.0", "optional": True}
    more["crowd"] = True
    more["retry"] = {"least_ms": 100, "most_ms": 500, "because": "delay 100 ms"}
    write(tmp_path, "b", {"name": "b", "command": ["./run"], **more})
    write(tmp_path, "a", {"name": "a", "command": ["x", "y"], "setup": "apt"})
    (tmp_path / "setup").write_text("")
    found = discover(tmp_path)
    assert list(found) == ["a", "b"]
    assert found["a"].command == ("x", "y")
    assert (found["a"].remedy, found["b"].remedy) == ("apt", registry.DEFAULT_REMEDY)
    assert (found["b"].needs, found["b"].shared, found["a"].shared) == ("luck", True, False)
    assert (found["b"].protocol, found["a"].protocol) == ("amqp1.0", "amqp0-10")
    assert (found["b"].optional, found["a"].optional) == (True, False)
    assert (found["b"].crowd, found["a"].crowd) == (True, False)
    assert (found["b"].retry, found["a"].retry) == (Retry(100.0, 500.0, "delay 100 ms"), None)


@pytest.mark.parametrize(
    "value",
    ["nonsense", "[]", {"name": "x"}, {"name": "x", "command": []}, {"name": 1, "command": ["x"]},
     {"name": "x", "command": ["x"], "retry": {"least_ms": 1}},
     {"name": "x", "command": ["x"], "retry": {"least_ms": 2, "most_ms": 1, "because": ""}},
     {"name": "x", "command": [1]}, {"name": "x", "command": ["x"], "protocol": "mqtt"}],
)  # fmt: skip
def test_a_bad_file_is_refused(tmp_path, value):
    write(tmp_path, "x", value)
    with pytest.raises(BadClient, match=r"client\.json"):
        discover(tmp_path)


def test_names_are_unique(tmp_path):
    for folder in ("x", "y"):
        write(tmp_path, folder, {"name": "same", "command": ["x"]})
    with pytest.raises(BadClient, match="one name"):
        discover(tmp_path)


def test_not_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "MAX_CLIENTS", 0)
    write(tmp_path, "x", {"name": "x", "command": ["x"]})
    with pytest.raises(BadClient, match="more than 0"):
        discover(tmp_path)


def test_our_own_clients_are_well_described():
    for spec in discover(ROOT / "clients").values():
        assert '"protocol"' in (spec.folder / "client.json").read_text()
        assert spec.name == spec.folder.name
        assert spec.needs
        assert spec.retry is not None, "how long it waits by its own settings"
        assert (ROOT / spec.remedy).exists()
