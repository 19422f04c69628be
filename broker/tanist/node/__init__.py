"""The node: one broker of a cluster as a pure function of what happens to it.

``Node.step(input) -> outputs``. Reading order: ``inputs``, ``outputs``, ``node`` (the order of
things within a step), ``gate`` (when confirmations may leave), ``admission`` (who gets in),
``cluster`` (the role, and the links between brokers).
"""
