"""AMQP 1.0 on the wire."""
