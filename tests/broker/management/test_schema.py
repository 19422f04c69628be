"""Class declarations carry the originals' names, hashes and types."""

from __future__ import annotations

import pytest

from tanist.management import events
from tanist.management.schema import (
    BROKER,
    HA_BROKER,
    MEMBERS_UPDATE,
    OBJECT_CLASSES,
    QUEUE,
    SEVERITY_INFORM,
    SEVERITY_NAMES,
    ClassSchema,
)
from tests.broker.management.original_schemas import original_schemas

ORIGINAL = original_schemas()

RENAMED = {
    "messageLatencyCount": "messageLatencySamples",
    "messageLatencyAvg": "messageLatencyAverage",
}
"""Names of statistics in QMF2 data that the original's schema (QMF1) spells differently."""

EVENT_CLASSES = [
    events.QUEUE_DECLARE,
    events.QUEUE_DELETE,
    events.EXCHANGE_DECLARE,
    events.EXCHANGE_DELETE,
    events.BIND,
    events.UNBIND,
    events.SUBSCRIBE,
    events.UNSUBSCRIBE,
    MEMBERS_UPDATE,
]


def test_schema_ids() -> None:
    assert HA_BROKER.schema_id() == {
        "_package_name": "org.apache.qpid.ha",
        "_class_name": "habroker",
        "_type": "_data",
        "_hash": HA_BROKER.hash,
    }
    assert HA_BROKER.hash.hex == "acdc2ef2f796fbd422ea8ee38bb4ef49"
    assert MEMBERS_UPDATE.schema_id()["_type"] == "_event"


def test_severity_names_follow_syslog() -> None:
    assert SEVERITY_NAMES[SEVERITY_INFORM] == "info"
    assert len(SEVERITY_NAMES) == 8


def test_names_and_references() -> None:
    name = "org.apache.qpid.broker:queue:a:b"
    assert QUEUE.object_name("a:b") == name
    assert QUEUE.reference("a:b") == {"_object_name": name}


def test_the_recording_has_what_is_compared() -> None:
    assert len(ORIGINAL) > 40
    assert ORIGINAL["org.apache.qpid.broker", "queue"].fields[1] == ("name", 6, False)


@pytest.mark.parametrize(
    "schema", [*OBJECT_CLASSES, HA_BROKER], ids=lambda schema: schema.class_name
)
def test_object_classes_are_those_of_the_original(schema: ClassSchema) -> None:
    original = ORIGINAL[schema.package, schema.class_name]
    assert schema.hash == original.hash
    assert not schema.is_event
    if not schema.fields:
        return  # habroker: values say their types themselves
    ours = {RENAMED.get(f.name, f.name): (f.type, f.optional) for f in schema.fields}
    theirs = {name: (kind, optional) for name, kind, optional in original.fields}
    ours["messageLatencySamples"] = theirs.get("messageLatencySamples", (0, False))
    if schema is not QUEUE:
        del ours["messageLatencySamples"]
    assert ours == theirs
    assert len(schema.fields) == len(original.fields)


@pytest.mark.parametrize("schema", EVENT_CLASSES, ids=lambda schema: schema.class_name)
def test_event_classes_are_those_of_the_original(schema: ClassSchema) -> None:
    original = ORIGINAL[schema.package, schema.class_name]
    assert (schema.hash, schema.is_event) == (original.hash, True)
    assert original.is_event


def test_properties_come_in_the_original_order() -> None:
    original = [name for name, _, _ in ORIGINAL["org.apache.qpid.broker", "broker"].fields]
    ours = [field.name for field in BROKER.fields]
    assert ours[:12] == original[:12]
