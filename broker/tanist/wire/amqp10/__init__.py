"""AMQP 1.0 on the wire.

From the bottom: ``spec`` (the specification as data), ``values`` (the types as Python values),
``composites`` and ``performatives`` (the described lists as classes), ``encoding`` and ``decoding``
(values to octets and back), ``composing`` (values to classes), ``twins`` (the short way of what
every message needs), ``codec`` (frame bodies), ``sections`` (messages), ``framing`` (frames); above
them ``connection``, ``session``, ``link`` (the state machines) and ``events`` (what they report).

The rule: every module is pure, compiles with mypyc, and blames a peer only by raising
``FramingError`` or by an event.
"""
