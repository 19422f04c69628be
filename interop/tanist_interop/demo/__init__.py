"""The demo cluster's two companions, started by ``docker-compose.yml`` in containers of their own.

``elect`` promotes the first broker and shows how they are; ``load`` lets a genuine client send and
receive and counts (``tally``). docs/demo-cluster.md says what to do with them.
"""
