"""High availability: roles, the replicated log, the primary's and the backup's half of a link.

Pure. Stands on ``wire`` (the replication link is an ordinary AMQP 0-10 connection) and ``core``
(records are applied to a ``Broker``). It decides; the node carries bytes and clocks to it.

Reading order: ``roles`` (the table of states), ``log``, ``messages`` (what travels), ``primary``,
``backup``.
"""
