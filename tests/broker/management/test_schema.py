"""Class declarations carry the originals' names and hashes."""

from __future__ import annotations

from tanist.management.schema import HA_BROKER, MEMBERS_UPDATE, SEVERITY_INFORM, SEVERITY_NAMES


def test_schema_ids() -> None:
    assert HA_BROKER.schema_id() == {
        "_package_name": "org.apache.qpid.ha",
        "_class_name": "habroker",
        "_type": "_data",
        "_hash": HA_BROKER.hash,
    }
    assert HA_BROKER.hash.hex == "acdc2ef2f796fbd422ea8ee38bb4ef49"
    assert MEMBERS_UPDATE.schema_id()["_type"] == "_event"
    assert MEMBERS_UPDATE.hash.hex == "c5244832896c4450b9b20283d5163250"


def test_severity_names_follow_syslog() -> None:
    assert SEVERITY_NAMES[SEVERITY_INFORM] == "info"
    assert len(SEVERITY_NAMES) == 8
