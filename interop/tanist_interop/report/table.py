"""The text table of a run, and the summary of many."""

from __future__ import annotations

from typing import Final

from tanist_interop.report import fidelity, floors
from tanist_interop.report.columns import Results, align, programs

WORDS: Final = {"true": "VALID", "false": "INVALID", "unknown": "UNKNOWN"}

COLUMNS: Final = (
    ("attempts", "attempts"),
    ("acknowledged", "acknowledged"),
    ("received", "received"),
    ("lost", "LOST"),
    ("unexpected", "UNEXPECTED"),
    ("duplicated", "duplicated"),
    ("recovered", "recovered"),
)
"""Key of a total-queue figure and its heading."""

MAX_PROBLEMS: Final = 20
MAX_FLOWS: Final = 40
"""A crowd has hundreds, and nobody reads so many rows."""


def rows(results: Results) -> list[list[str]]:
    """Heading, one row per flow (a matrix has a table, a crowd too many), one for all."""
    out = [["", *(heading for _, heading in COLUMNS)]]
    drained = results["verdicts"].get("total-queue", "unknown") != "unknown"

    def cells(figures: Results) -> list[str]:
        """Whether messages are lost is known only after a drain."""
        return [
            f"{figures.get(key, 0):,}" if drained or key != "lost" else "?" for key, _ in COLUMNS
        ]

    few = "matrix" not in results["figures"] and len(results["flows"]) <= MAX_FLOWS
    for flow in results["flows"] if few else []:
        label = f"{flow['sender']} > {', '.join(flow['receivers'])}"
        out.append([label, *cells(flow)])
    out.append(["all", *cells(results["figures"].get("total-queue", {}))])
    return out


def matrix_lines(results: Results) -> list[str]:
    """A row per sending program, a column per receiving one; empty for a run without a matrix."""
    figures = results["figures"].get("matrix")
    if not figures:
        return []
    names = figures["programs"]
    there = {(cell["sender"], cell["receiver"]): cell for cell in figures["cells"]}
    drained = results["verdicts"].get("total-queue", "unknown") != "unknown"
    out = [["received/acknowledged, lost", *(f"> {name}" for name in names)]]
    for sender in names:
        row = [f"{sender} >"]
        for receiver in names:
            cell = there.get((sender, receiver))
            lost = cell["lost"] if cell and drained else "?"
            row.append(f"{cell['received']}/{cell['acknowledged']}, {lost}" if cell else "-")
        out.append(row)
    return ["", *align(out)]


def trial_rows(results: Results) -> list[list[str]]:
    """Heading, a row per client and a column per case of what became of held messages; empty
    without any."""
    found = results["figures"].get("outcomes", {}).get("trials", [])
    if not found:
        return []
    cases = list(dict.fromkeys(trial["case"] for trial in found))
    there = {(trial["client"], trial["case"]): trial for trial in found}
    out = [["what was held came again", *cases]]
    for client in dict.fromkeys(trial["client"] for trial in found):
        out.append([client, *(_trial(there.get((client, case))) for case in cases)])
    return out


def trial_lines(results: Results) -> list[str]:
    """These rows as lines, and why a case was not made."""
    rows = trial_rows(results)
    if not rows:
        return []
    found = results["figures"]["outcomes"]["trials"]
    return [*align(rows), ""] + [
        f"unsupported: {trial['client']}, {trial['case']}: {trial['unsupported']}"
        for trial in found
        if trial["unsupported"]
    ]


def transaction_lines(results: Results) -> list[str]:
    """A row per sender that used transactions, and who used none; empty without any."""
    figures = results["figures"].get("transactions")
    if not figures:
        return []
    words = ("committed", "rolled back", "lost before", "in doubt", "of these, came")
    rows = [["transactions of", *words]]
    rows += [[str(value) for value in tally.values()] for tally in figures["senders"]]
    commits = ", ".join(f"{name} {count}" for name, count in figures["receivers"].items())
    out = ["", *align(rows), f"transactions of receivers: {commits}"]
    out[-1] += f"; {figures['receivers_in_doubt']} in doubt"
    return out + [f"unsupported: {who}: {why}" for who, why in figures["unsupported"].items()]


def subscription_lines(results: Results) -> list[str]:
    """A row per subscription of a topic; empty without any."""
    found = results["figures"].get("subscriptions", {}).get("subscriptions", [])
    if not found:
        return []
    out = [["subscription of", "to what is sent by", "", "got", "kept for it", "missed"]]
    for each in found:
        kept = f"{each['kept']:,}" if each["kind"] == "inactive" else "-"
        missed = f"{each['missed']:,}" if each["kind"] == "temporary" else "-"
        out.append(
            [each["client"], each["producer"], each["kind"], f"{each['got']:,}", kept, missed]
        )
    return ["", *align(out)]


def replica_rows(results: Results) -> list[list[str]]:
    """Heading and a row per broker that said what it holds; empty if none did."""
    found = results["figures"].get("replicas", {}).get("nodes", [])
    if not found:
        return []
    out = [["replica", "status", "queues", "messages", "digest"]]
    for each in found:
        numbers = [f"{each['queues']:,}", f"{each['messages']:,}"]
        out.append([each["node"], each["status"], *numbers, each["digest"]])
    return out


def _trial(trial: Results | None) -> str:
    if trial is None or trial["unsupported"]:
        return "-" if trial is None else "unsupported"
    wrong = "WRONG " if trial["problems"] else ""
    if trial["case"] in ("rejected", "dropped"):
        return f"{wrong}{trial['again']}/{trial['held']}, dead {trial['dead']}"
    return f"{wrong}{trial['again']}/{trial['held']}, marked {trial['marked']}"


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.2f} s"


def failover_lines(results: Results) -> list[str]:
    """Times from the fault, empty when there was no failover."""
    figures = results["figures"].get("failover", {})
    if "promote_ms" in figures:
        return _one_failover(results, figures)
    if figures.get("count"):
        return _many_failovers(figures)
    return []


def _one_failover(results: Results, figures: Results) -> list[str]:
    detect, first = figures["detect_ms"], _slowest(figures["first_ack_ms"])
    named = programs(results)
    (failover,) = results.get("failovers") or figures["each"]
    allowed = floors.spans(failover, results["context"].get("retries", {}), named)
    last = ["by its settings"] if allowed else []
    table = [["from the kill to", "detected", "promoted", "first new ack", *last]]
    for name in sorted(detect.keys() | first.keys()):
        span = allowed.get(named.get(name, name)) if name in first else None
        table.append([
            name,
            _seconds(detect[name]) if name in detect else "-",
            _seconds(figures["promote_ms"]),
            _seconds(first[name]) if name in first else "-",
            *[" to ".join(map(_seconds, span)) if span else "-" for _ in last],
        ])  # fmt: skip
    return ["", *align(table)]


def _slowest(times: dict[str, float]) -> dict[str, float]:
    """Per program: the longest time of its senders (they are named ``program to queue``)."""
    out: dict[str, float] = {}
    for name, ms in times.items():
        program = name.split(" to ")[0]
        out[program] = max(ms, out.get(program, ms))
    return out


def _many_failovers(figures: Results) -> list[str]:
    spread = figures["spread_ms"]
    columns = [spread[key] for key in ("detect", "promote", "first_ack")]
    heading = f"{figures['count']} failovers, from the fault to"
    table = [[heading, "detected", "promoted", "first new ack"]]
    for key, words in (("p50", "half of them"), ("p95", "95 of 100"), ("max", "the longest")):
        table.append([words, *(_seconds(c[key]) if c else "-" for c in columns)])
    faults = ", ".join(f"{name} {n}" for name, n in figures["faults"].items())
    return ["", *align(table), "", f"faults: {faults}"]


def duplicates_line(figures: Results) -> str:
    """Copies beyond the first, and how many are explained."""
    total = f"duplicates: {figures.get('duplicated', 0):,}"
    if figures.get("failovers", 0) <= 1:
        return f"{total} (bound {figures.get('bound', 0):,})"
    most, bound = figures["most_at_once"], figures["bound_at_once"]
    line = f"{total}; at most {most} of one queue after one failover (bound {bound})"
    return f"{line}; {figures['beside']} connections lost beside the failovers"


def quiet_lines(figures: Results) -> list[str]:
    """What was watched of a quiet time, and who could not tell; empty without one."""
    if "watched_s" not in figures:
        return []
    pauses = ", ".join(f"{name} {pause} s" for name, pause in figures["pauses_s"].items())
    return [
        f"quiet for {figures['watched_s']} s, {figures['intervals']} heartbeat intervals of each "
        f"program: {figures['connections_lost']} connections lost, {figures['dropped']} times a "
        "broker lost somebody",
        f"longest pause between two messages: {pauses}",
        *(f"unsupported: {name}: {why}" for name, why in figures["untold"].items()),
        *(f"{node} does not tell in its log whom it loses" for node in figures["mute"]),
    ]


def fact_lines(results: Results) -> list[str]:
    """One line per further checker that ran."""
    figures, out = results["figures"], [""]
    if "order" in figures:
        jumps = figures["order"]["jumps_back"]
        out.append("order: " + ("kept" if not jumps else f"{jumps} out of order"))
    if "duplicates" in figures:
        out.append(duplicates_line(figures["duplicates"]))
    if "redelivery" in figures:
        marks = figures["redelivery"]
        out.append(
            f"redelivered: {marks['marked']} marked, {marks['unmarked']} marks missing, "
            f"{marks['unmarked_resent']} sent again unmarked by a library"
        )
    out += quiet_lines(figures.get("quiet", {}))
    for name, gap in figures.get("stall", {}).get("gap_s", {}).items():
        least, most = figures["stall"]["least_s"], figures["stall"]["most_s"]
        out.append(f"no confirmation to {name} for {gap} s (wanted {least} to {most} s)")
    for node, ms in figures.get("rejoin", {}).get("ready_ms", {}).items():
        most = "at most " if figures["rejoin"]["count"] > 1 else ""
        out.append(f"{node} was a ready backup {most}{_seconds(ms)} after it came back")
    reopened = figures.get("course", {}).get("reopened", {})
    for source, times in sorted(reopened.items()):
        out.append(
            f"{source} went on with a new connection {times} times: its library had given up"
        )
    if "young_bytes" in figures.get("brokers", {}):
        begin, end = (size / 2**20 for size in figures["brokers"]["young_bytes"])
        most = figures["brokers"]["most_bytes"] / 2**20
        out.append(
            f"memory of a broker that had just caught up: {begin:.0f} MiB in the first quarter, "
            f"{end:.0f} MiB in the last; of any at most {most:.0f} MiB"
        )
    memory = figures.get("brokers", {}).get("memory_bytes", {})
    moments = ("ready", "fault", "end")
    for node, samples in sorted(memory.items()):
        sizes = [f"{samples[m] / 2**20:.0f} MiB {m}" for m in moments if m in samples]
        out.append(f"memory of {node}: {', '.join(sizes)}")
    return out


def render(results: Results, seconds: float) -> str:
    """The whole report of one run, ending with a newline."""
    name = results["scenario"].get("name", "?")
    word = WORDS[results["valid"]]
    out = [f"{name}, seed {results['seed']}: {word} ({seconds:.1f} s)", ""]
    out += trial_lines(results)
    out += fidelity.lines(results)
    if "total-queue" in results["figures"]:
        out += align(rows(results))
    out += matrix_lines(results)
    out += transaction_lines(results)
    out += subscription_lines(results)
    out += failover_lines(results)
    out += fact_lines(results)
    out += align(replica_rows(results))
    out += [f"not judged: {text}" for text in results["context"].get("unjudged", [])]
    for missing in results["context"].get("not_run", []):
        reason, remedy = missing["reason"], missing["remedy"]
        out.append(f"not run: {missing['client']}: {reason}; to get it: {remedy}")
    for problem in results["problems"][:MAX_PROBLEMS]:
        out.append(f"problem: {problem}")
    out.append(f"again: {results['context'].get('command', '-')}")
    return "\n".join(out) + "\n"


def summary(runs: list[tuple[Results, float]]) -> str:
    """Totals over runs, one line per fact, ending with a newline."""
    totals = dict.fromkeys([key for key, _ in COLUMNS], 0)
    count = dict.fromkeys(WORDS, 0)
    ends: list[int] = []
    for results, _ in runs:
        count[results["valid"]] += 1
        figures = results["figures"]
        for key in totals:
            totals[key] += figures.get("total-queue", {}).get(key, 0)
        for samples in figures.get("brokers", {}).get("memory_bytes", {}).values():
            ends += [samples["end"]] if "end" in samples else []
    verdicts = ", ".join(f"{n} {WORDS[word]}" for word, n in count.items() if n)
    seconds = sum(seconds for _, seconds in runs)
    out = [f"{len(runs)} runs in {seconds:.0f} s: {verdicts}"]
    out += align([[heading for _, heading in COLUMNS], [f"{n:,}" for n in totals.values()]])
    if ends:
        low, high = min(ends) / 2**20, max(ends) / 2**20
        out.append(f"memory of the brokers at the end: {low:.0f} to {high:.0f} MiB")
    return "\n".join(out) + "\n"
