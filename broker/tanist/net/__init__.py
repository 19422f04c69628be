"""The hands of a node: sockets, timers and the clock, on Twisted.

``edge`` turns what happens into inputs of ``Node.step`` and performs its outputs in order;
``protocol`` is one connection, ``listeners`` and ``links`` make them, ``clock`` tells the time.
Rule of the layer: it knows no AMQP. Bytes go through unread, so every decision stays in the pure
layers, where it can be simulated.
"""
