"""AMQP 1.0 sessions: ``Sessions10`` is what the node drives, ``Link10`` what it hands in.

From the bottom: ``settings``; ``holding`` (what waits for the gate), ``link`` and ``state`` (a
connection, a session); ``addressing``, ``node_properties``, ``filters`` (what clients say),
``nodes`` (addresses, dynamic nodes), ``interest``, ``subscriptions`` (queues of topics),
``annotations``, ``outcomes`` (settling), ``registry`` (names of links), ``consumer`` and
``producer`` (links), ``transactions`` and ``coordinator``, ``attaching`` (links begin),
``sessions``. Rule: a ``BrokerError`` rejects a message or ends a link, never more.
"""
