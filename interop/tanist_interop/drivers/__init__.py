"""Drivers: start a client program by name and speak the client protocol with it.

``registry`` finds the programs (``clients/*/client.json``), ``program`` runs one as a child process
and puts everything it says into the runner's inbox.
"""
