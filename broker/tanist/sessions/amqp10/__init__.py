"""AMQP 1.0 sessions: ``Sessions10`` is what the node drives, ``Link10`` what it hands in."""
