"""Faults: what is done to brokers, links and clients, and how it is undone.

Each fault has ``inject()`` and ``heal()``; liveness is demanded only when healed. ``process`` has
the primitive ones, which hit one broker; ``catalogue`` those that scenarios name, each made of
primitive acts of a host (``scene``), so that they are the same on any host.
"""
