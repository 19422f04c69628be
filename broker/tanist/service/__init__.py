"""The broker as a process: options, log, files, daemon, and the composition root.

Rule of the layer: only here are flags, environment and files turned into frozen configuration
objects, and only ``build`` creates the long-lived objects and passes each its collaborators.
Nothing below imports this package.
"""
