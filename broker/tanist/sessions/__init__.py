"""Sessions: what clients ask for, in the words of their protocol, done to the broker.

This layer turns the events of a wire protocol (``tanist.wire``) into commands of the broker
(``tanist.core``) and the broker's deliveries into transfers. One package per protocol version;
``held`` is what they share with the gate of the node.

Rule of the layer: it knows protocols and the broker, not connections of the network, not roles,
not replication. It does no I/O and knows no clock; ``Broker.now`` is the time. It imports ``wire``,
``core``, ``security`` and ``types`` only; ``management`` is a sibling that it never imports.
"""

from __future__ import annotations
