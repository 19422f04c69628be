"""The broker's model: queues, exchanges, subscriptions, and the records that change them.

Rule: wire-neutral and pure. The core knows no byte of a header, no protocol, no clock, no peer. It
imports only ``tanist.types``. Every change of replicated state is a record (``records``), applied
by the same memory function on the primary (``broker``) and on its replicas (``state``).
"""
