"""The programs: each reads its words, calls a lower layer, and returns an exit code.

Rule of the layer: nothing imports it, and nothing in it is worth importing.
"""
