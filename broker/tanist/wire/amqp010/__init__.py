"""AMQP 0-10 on the wire.

From the bottom: ``spec`` (the specification as data), ``values`` (the types as Python values),
``codec`` (controls, commands, structs, maps), ``transfer`` (the hand-written twin for messages),
``framing`` (frames), ``assembly`` (frames to whole commands), ``session`` and ``connection`` (the
two state machines), ``events`` (what they report).

The rule: every module is pure, compiles with mypyc, and blames a peer only by raising
``FramingError`` or by an event.
"""
