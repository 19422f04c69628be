"""Hosts: where the brokers run.

``cluster`` says what the runner needs of a host; ``local`` runs the brokers as processes of this
machine. A host starts, kills, suspends, cuts off and restarts brokers, and asks them with
``qpid-ha`` as an operator would; it knows nothing of clients and scenarios.
"""
