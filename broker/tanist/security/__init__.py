"""Who may do what: authentication (``sasl``), later authorisation.

The rule: decisions only. Files are read at the edge and come in as text, challenges and responses
come in and go out as bytes; nothing here knows a protocol, a queue or a clock.
"""
