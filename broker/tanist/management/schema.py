"""The QMF2 classes, declared as data.

``class_name`` is as it travels: object classes in lower case, event classes in camel case. The
hashes are the original's; consoles that learned a schema from one broker go on with another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tanist.wire.amqp010.values import Value

AGENT_VENDOR: Final = "apache.org"
AGENT_PRODUCT: Final = "qpidd"
PACKAGE_HA: Final = "org.apache.qpid.ha"


@dataclass(frozen=True)
class ClassSchema:
    """A class of managed objects, or of events."""

    package: str
    class_name: str
    hash: UUID
    is_event: bool = False

    def schema_id(self) -> dict[str, Value]:
        """The ``_schema_id`` map of an element of this class."""
        return {
            "_package_name": self.package,
            "_class_name": self.class_name,
            "_type": "_event" if self.is_event else "_data",
            "_hash": self.hash,
        }

    def object_name(self, key: str) -> str:
        """The object name of an instance, ``package:class:key``."""
        return f"{self.package}:{self.class_name}:{key}"


HA_BROKER: Final = ClassSchema(PACKAGE_HA, "habroker", UUID("acdc2ef2-f796-fbd4-22ea-8ee38bb4ef49"))
MEMBERS_UPDATE: Final = ClassSchema(
    PACKAGE_HA, "membersUpdate", UUID("c5244832-896c-4450-b9b2-0283d5163250"), is_event=True
)

SEVERITY_INFORM: Final = 6
SEVERITY_NAMES: Final = ("emerg", "alert", "crit", "error", "warn", "note", "info", "debug")
