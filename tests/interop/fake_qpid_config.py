"""``qpid-config`` for the stand-in broker: passes its words on."""

from __future__ import annotations

import sys

from fake_qpid_ha import ask


def main() -> int:
    address, words = sys.argv[2], sys.argv[5:]
    answer = ask(address, 5.0, "configure", words=words)
    print(answer)
    return 0 if answer == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
