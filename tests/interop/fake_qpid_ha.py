"""``qpid-ha`` for the stand-in broker: ``status``, ``query --json``, ``digest --json``,
``promote``, ``set --all``."""

from __future__ import annotations

import argparse
import json
import socket
import sys


def ask(address: str, timeout: float, op: str, **more):
    host, port = address.split(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as sock:
        file = sock.makefile("rw")
        file.write(json.dumps({"op": op, **more}) + "\n")
        file.flush()
        return json.loads(file.readline())


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-b", required=True)
    parser.add_argument("--timeout", type=float)
    parser.add_argument("--cluster-manager", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--public-url")
    parser.add_argument("verb")
    options = parser.parse_args()
    try:
        if options.verb == "set":
            for address in (options.b, *ask(options.b, options.timeout, "others")):
                print(address, ask(address, options.timeout, "set", url=options.public_url))
        else:
            print(ask(options.b, options.timeout, options.verb))
    except (OSError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
