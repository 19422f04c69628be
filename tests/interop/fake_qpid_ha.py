"""``qpid-ha`` for the stand-in broker: ``status``, ``query --json`` and ``promote``."""

from __future__ import annotations

import argparse
import json
import socket
import sys


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-b", required=True)
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--cluster-manager", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("verb")
    options = parser.parse_args()
    host, port = options.b.split(":")
    try:
        with socket.create_connection((host, int(port)), timeout=options.timeout) as sock:
            file = sock.makefile("rw")
            file.write(json.dumps({"op": options.verb}) + "\n")
            file.flush()
            print(json.loads(file.readline()))
    except (OSError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
