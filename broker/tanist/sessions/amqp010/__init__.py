"""AMQP 0-10 sessions: ``Sessions`` is what the node drives, ``Link010`` what it hands in.

From the bottom: ``ranges`` (ids as ranges), ``holding`` (what waits for the gate), ``link`` and
``state`` (a connection, a session), ``consumer`` (delivering), ``publishing`` (transfers of
clients), ``messages``, ``queues``, ``exchanges``, ``transactions`` (the other commands, by class),
``sessions`` (attaching, executing, ending). Rule: a ``BrokerError`` ends one session, never more.
"""
