"""Evidence: what was seen of a fault that a broker has an answer to, and whether it was right.

A broker that has nothing must refuse to be promoted; a primary that was replaced while it hung must
end when it goes on.
"""

from __future__ import annotations

from tanist_interop import history
from tanist_interop.checkers.finding import Finding, Valid

NAME = "evidence"


def check(records: history.Records) -> Finding:
    """Nothing wrong was seen, and something was seen."""
    found = list(history.notes(records, "evidence"))
    texts = [str(note.event["text"]) for note in found]
    wrong = tuple(str(note.event["text"]) for note in found if note.event["wrong"])
    if wrong:
        return Finding(NAME, Valid.FALSE, {"seen": texts}, wrong)
    void = tuple(str(note.event["text"]) for note in found if note.event["void"])
    if void:
        return Finding(NAME, Valid.UNKNOWN, {"seen": texts}, void)
    if not found:
        return Finding(NAME, Valid.UNKNOWN, {}, ("nothing was seen of the fault",))
    return Finding(NAME, Valid.TRUE, {"seen": texts})
