"""Messages of one protocol version for consumers of the other: pure functions, no state.

A message stays in the form in which it came; it is translated when a consumer of the other version
gets it, and a consumer of the same version gets its octets untouched. The table of what becomes
what, with a test for each row, is docs/message-mapping.md.

* ``to_amqp10`` and ``to_amqp010`` translate a message; ``as_amqp010`` makes it one of 0-10, as
  the management agent wants it.
* ``headers_of`` are the application headers by which a message of either form is routed.
* ``lookup`` finds what the identifiers of a selector stand for.

From the bottom: ``values`` (and ``jms``, ``times``, ``identifiers``, ``addresses``), ``bodies``,
``amqp10`` and ``amqp010``, ``headers``, ``lookup``. ``names`` has the keys under which one version
carries what only the other has a place for.
"""

from tanist.sessions.translation.amqp010 import as_amqp010, to_amqp010
from tanist.sessions.translation.amqp10 import to_amqp10
from tanist.sessions.translation.headers import headers_of
from tanist.sessions.translation.lookup import lookup

__all__ = ["as_amqp010", "headers_of", "lookup", "to_amqp010", "to_amqp10"]
