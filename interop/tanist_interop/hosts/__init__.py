"""Hosts: where the brokers run. ``local`` runs them as processes of this machine.

A host starts, kills, suspends and restarts brokers, and asks them with ``qpid-ha`` as an operator
would; it knows nothing of clients and scenarios.
"""
