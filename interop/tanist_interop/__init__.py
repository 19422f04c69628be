"""The drill: drives genuine clients through failovers of a cluster and judges the result.

Layers, imports pointing down only::

    cli > runner > hosts | drivers | faults > scenarios | checkers | report > history > protocol

The drill never imports the broker: it starts it as a process, promotes with ``qpid-ha`` and looks
at it from outside, as an operator would.
"""
