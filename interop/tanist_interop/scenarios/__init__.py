"""Scenarios: what a run does, as data. No I/O; the runner carries them out.

``scenario`` says what a scenario and a flow are, ``catalogue`` lists those that we have.
"""
