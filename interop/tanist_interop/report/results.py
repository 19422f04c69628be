"""``results.json``: one run for programs. docs/results.md describes every key.

It is what the verdict says (``Verdict.as_json``), and what else the report of a run shows: figures
per client program, versions, the command to run it again, when it was and how long it took.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from tanist_interop.report import floors
from tanist_interop.report.columns import Results, programs

SCHEMA: Final = 1
"""Grows by one when a key changes its meaning or goes; new keys do not count."""

FILE: Final = "results.json"

COUNTED: Final = (
    "attempts", "acknowledged", "received", "lost", "unexpected", "duplicated", "recovered",
)  # fmt: skip
"""What ``clients`` holds per program: sums over the flows that it sends."""


UNTOLD: Final = "a broker that does not tell its version"

PRODUCT: Final = re.compile(r"(.*?),? (?:version )?(\d.*)")
"""Product and version in what a broker says of itself."""


class BadResults(ValueError):
    """A file that is no ``results.json`` of ours; the text says why."""


def document(results: Results, seconds: float) -> Results:
    """Everything that is known of a run, as JSON values."""
    context, figures = results["context"], dict(results["figures"])
    each: list[Results] = []
    if "failover" in figures:
        figures["failover"] = dict(figures["failover"])
        retries, processes = context.get("retries", {}), programs(results)
        each = [
            {**one, "by_settings_ms": floors.spans(one, retries, processes)}
            for one in figures["failover"].pop("each", [])
        ]
    named = versions(results)
    product, version = broker({"versions": named})
    return {
        "schema": SCHEMA,
        "valid": results["valid"],
        "scenario": results["scenario"],
        "seed": results["seed"],
        "began": context.get("began", ""),
        "seconds": round(seconds, 1),
        "command": context.get("command", ""),
        "broker": {"product": product, "version": version},
        "versions": named,
        "findings": results["findings"],
        "unjudged": context.get("unjudged", []),
        "clients": clients(results),
        "failovers": each,
        "figures": figures,
        **{key: results[key] for key in ("verdicts", "problems", "flows")},
        "context": context,
    }


def broker(run: Results) -> tuple[str, str]:
    """Product and version of what was tested, as the broker told them; ``UNTOLD`` if it did not."""
    text = str(run["versions"].get("broker", ""))
    match = PRODUCT.fullmatch(text)
    product, version = (match[1], match[2]) if match else (text, "")
    return product or UNTOLD, version


def versions(results: Results) -> Results:
    """Of the drill, the broker, Python, the machine, and of each client program by library."""
    context = results["context"]
    named: Results = {name: text for name, text in context.get("versions", {}).items() if text}
    named["python"] = context.get("python", named.get("python", ""))
    greeted = context.get("programs", {}).values()
    return {**named, "clients": {p["client"]: p.get("versions", {}) for p in greeted}}


def clients(results: Results) -> dict[str, dict[str, int | None]]:
    """Per client program that sent: what became of its messages. ``lost`` is None as long as no
    drain told whether any is."""
    named = programs(results)
    drained = results["verdicts"].get("total-queue", "unknown") != "unknown"
    out: dict[str, dict[str, int | None]] = {}
    for flow in results["flows"]:
        sums = out.setdefault(named.get(flow["sender"], flow["sender"]), dict.fromkeys(COUNTED, 0))
        for key in COUNTED:
            sums[key] = (sums[key] or 0) + int(flow.get(key, 0))
    for sums in out.values():
        sums["lost"] = sums["lost"] if drained else None
    return {name: out[name] for name in sorted(out)}


def write(folder: Path, results: Results, seconds: float) -> None:
    """Write the file of a run."""
    text = json.dumps(document(results, seconds), indent=1)
    (folder / FILE).write_text(text + "\n", "utf-8")


def load(path: Path) -> Results:
    """The content of such a file. Raises: BadResults, OSError."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadResults(f"{path}: {error}") from error
    if not isinstance(value, dict) or not {"valid", "scenario", "seed", "flows"} <= value.keys():
        raise BadResults(f"{path}: no results of a run")
    if value.get("schema") != SCHEMA:
        raise BadResults(f"{path}: schema {value.get('schema')}, this drill reads {SCHEMA}")
    return value


def moment(results: Results) -> str:
    """When the run began, for people: the local date and time, empty if it is not known."""
    try:
        began = datetime.fromisoformat(str(results.get("began", "")))
    except ValueError:
        return ""
    return began.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def now() -> str:
    """The moment as it stands in ``began``: UTC, ISO 8601, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
