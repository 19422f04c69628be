"""Management: the QMF version 2 agent of the broker, and what it shows.

Pure, beside ``sessions``: requests arrive as ordinary messages through the management exchanges,
answers leave as ordinary messages. ``schema`` declares the classes as data, ``codec`` builds the
message headers, ``ha_broker`` is the one object that ``qpid-ha`` needs, ``agent`` ties them
together. The node hands requests in and publishes the answers.
"""
