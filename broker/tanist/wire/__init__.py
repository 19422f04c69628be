"""The wire: bytes to events and back. Knows frames and commands, never queues.

One package per protocol version (``amqp010``), each sans-I/O: bytes and the time of day come in
as arguments, bytes and events go out as return values. Nothing here opens a socket, asks a clock
or rolls dice, and nothing here imports a layer above ``tanist.types``.
"""
