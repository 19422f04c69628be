"""What became of AMQP values between client programs: lines for the report, and a page for docs/.

The page, docs/type-fidelity.md, is the file ``type-fidelity.md`` that a run of the scenario
``types`` leaves in its folder.
"""

from __future__ import annotations

from typing import Any, Final

from tanist_interop.report.columns import Results, align

Cell = dict[str, Any]

WORDS: Final = {
    "same": "the same",
    "changed": "changed",
    "failed": "lost",
    "unsupported": "not sent",
}

PLACES: Final = {
    "body": "As the body",
    "property": "As an application property, or header",
    "map": "As an entry of a map that is the body",
}

HEAD: Final = """\
# Type fidelity

<!-- Written by `tox -e interop -- --scenario types`, into the folder of the run; do not edit. -->

What becomes of every AMQP 1.0 type, sent by each client program of the drill and received by each,
through the broker. The two programs of AMQP 0-10 take part with what 0-10 has. The drill's scenario
`types` sends all of it and compares; a value that is not the same, and not changed exactly as one
of the [reasons](#reasons) says, makes the run invalid, and so does a reason that nothing needs.

The broker itself changes a value only between AMQP 1.0 and AMQP 0-10, by
[the mapping](message-mapping.md). All else is what a client library does; between Proton in C++ and
in Python, which hand out everything as it is, every type comes out as it went in.

"""


def rows(results: Results) -> list[list[str]]:
    """Heading, a row per sender and a column per receiver: how many values came the same, were
    changed for a listed reason, were lost, and were not sent; empty for a run without values."""
    figures = results["figures"].get("fidelity")
    if not figures or not figures["cells"]:
        return []
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for cell in figures["cells"]:
        count = counts.setdefault((cell["sender"], cell["receiver"]), dict.fromkeys(WORDS, 0))
        count[cell["outcome"]] += 1
    names = sorted({sender for sender, _ in counts})
    out = [["the same/changed/lost/not sent", *(f"> {name}" for name in names)]]
    for sender in names:
        row = [counts.get((sender, receiver), {}) for receiver in names]
        out.append([f"{sender} >", *("/".join(str(n) for n in count.values()) for count in row)])
    return out


def lines(results: Results) -> list[str]:
    """These rows as lines, and the reasons."""
    table = rows(results)
    if not table:
        return []
    reasons = results["figures"]["fidelity"]["reasons"]
    return [*align(table), "", *(f"{name}: {text}" for name, text in reasons.items())]


def document(results: Results) -> str:
    """The page, in Markdown; empty for a run without values."""
    figures = results["figures"].get("fidelity")
    if not figures or not figures["cells"]:
        return ""
    numbers = {name: number for number, name in enumerate(figures["reasons"], 1)}
    out = [HEAD, _versions(results), "\n## Reasons\n\n| | name | why |\n|---|---|---|\n"]
    for name, text in figures["reasons"].items():
        out.append(f"| {numbers[name]} | {name} | {text} |\n")
    out.append(
        "\n`=` is the same value of the same type; `-` is not sent by the program; `lost` is not "
        "handed out.\nNumbers are those of the reasons.\n"
    )
    for place, title in PLACES.items():
        out.append(f"\n## {title}\n")
        for sender in sorted({cell["sender"] for cell in figures["cells"]}):
            here = [c for c in figures["cells"] if (c["place"], c["sender"]) == (place, sender)]
            out.append(_table(sender, here, numbers))
    return "".join(out)


def _versions(results: Results) -> str:
    """The versions of those that took part."""
    here = {cell["sender"] for cell in results["figures"]["fidelity"]["cells"]}
    programs = results["context"].get("programs", {}).values()
    said = {p["client"]: p["versions"] for p in programs if p["client"] in here}
    rows = []
    for client, versions in sorted(said.items()):
        known = {key: text for key, text in versions.items() if key not in ("machine", "c++")}
        rows.append(
            f"* {client}: {', '.join(f'{key} {text}' for key, text in sorted(known.items()))}\n"
        )
    return "".join(rows)


def _table(sender: str, cells: list[Cell], numbers: dict[str, int]) -> str:
    receivers = sorted({cell["receiver"] for cell in cells})
    there = {(cell["case"], cell["receiver"]): cell for cell in cells}
    out = [f"\n### {sender}\n\n"]
    out.append(f"| sent | {' | '.join(receivers)} |\n|{'---|' * (len(receivers) + 1)}\n")
    for case in dict.fromkeys(cell["case"] for cell in cells):
        row = [_text(there[case, receiver], numbers) for receiver in receivers]
        out.append(f"| {case} | {' | '.join(row)} |\n")
    return "".join(out)


def _text(cell: Cell, numbers: dict[str, int]) -> str:
    why = ", ".join(str(numbers[name]) for name in cell["losses"])
    if cell["outcome"] == "same":
        return "="
    word = {"unsupported": "-", "failed": "lost"}.get(cell["outcome"], f"`{cell['got']}`")
    return f"{word} ({why})" if why else word
