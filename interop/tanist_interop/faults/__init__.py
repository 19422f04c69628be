"""Faults: what is done to a broker, and how it is undone.

Each fault has ``begin()`` and ``heal()``; liveness is demanded only when healed. They act on any
host that has the four verbs of ``Nodes``.
"""
