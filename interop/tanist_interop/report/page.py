"""The HTML reports: ``report.html`` of one run, ``index.html`` of many.

A page is one file that needs nothing else: no network, no script. Plots are SVG inside it, colours
follow what the reader's system prefers. What clients and brokers said is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tanist_interop import history
from tanist_interop.report import (
    colours,
    failovers,
    fidelity,
    plots,
    proofs,
    results,
    standing,
    story,
    table,
)
from tanist_interop.report.columns import Results
from tanist_interop.report.results import COUNTED, moment

FILE: Final = "report.html"
INDEX: Final = "index.html"

ENVIRONMENT: Final = Environment(
    loader=PackageLoader("tanist_interop.report"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
)


def of_run(run: Results, records: Iterable[history.Record]) -> str:
    """The page of one run, from its ``results.json`` and its history. Raises whatever reading the
    records raises."""
    told = story.read(records)
    found = failovers.of_runs([run])
    return ENVIRONMENT.get_template("run.html").render(
        **_common(),
        run=run,
        verdict=table.WORDS[run["valid"]],
        moment=moment(run),
        table=proofs.matrix(proofs.cells(run)),
        checkers=[
            [f["checker"], _verdict(f["valid"]), _list(f["problems"])] for f in run["findings"]
        ],
        clients=[[name, *_counts(sums)] for name, sums in run["clients"].items()],
        pairs=_pairs(run),
        trials=table.trial_rows(run),
        replicas=table.replica_rows(run),
        values=fidelity.rows(run),
        reasons=run["figures"].get("fidelity", {}).get("reasons", {}),
        splits=_rows(found),
        phases=_phases(found),
        several=len(run["failovers"]) > 1,
        because=failovers.because([run]),
        plots=_plots(told),
        unjudged=run.get("unjudged", []),
        versions=_versions(run),
        text=table.render(run, run["seconds"]),
    )


def of_runs(runs: list[tuple[str, Results]], left_out: Iterable[proofs.Cell] = ()) -> str:
    """The page of many runs: of each its folder, relative to the page, and its ``results.json``;
    and the cells of runs that were not made. What was shown of different brokers is told apart."""
    missing = list(left_out)
    groups: dict[str, list[tuple[str, Results]]] = {}
    for folder, run in runs:
        groups.setdefault(_broker(run), []).append((folder, run))
    values = [run["valid"] for _, run in runs]
    worst = next((v for v in ("false", "unknown", "true") if v in values), "unknown")
    return ENVIRONMENT.get_template("index.html").render(
        **_common(),
        valid=worst,
        verdict=table.WORDS[worst],
        counts=[(table.WORDS[v].lower(), values.count(v)) for v in table.WORDS if v in values],
        standing=standing.rows([run for _, run in runs]) if len(groups) > 1 else [],
        numbers_from=standing.NUMBERS_FROM,
        rivals=_rivals(groups),
        groups=[_group(number, *group, missing) for number, group in enumerate(groups.items())],
        runs=[_line(folder, run) for folder, run in runs],
    )


def write(folder: Path, run: Results) -> None:
    """Write the page of a run into its folder. Raises: DamagedHistory, OSError."""
    page = of_run(run, history.stream(folder / "history.jsonl"))
    (folder / FILE).write_text(page, "utf-8")


def write_index(
    folder: Path, runs: list[tuple[str, Results]], left_out: Iterable[proofs.Cell] = ()
) -> None:
    """Write the page of many runs into the folder that theirs are in. Raises: OSError."""
    (folder / INDEX).write_text(of_runs(runs, left_out), "utf-8")


def _common() -> dict[str, Any]:
    style = ENVIRONMENT.get_template("style.css").render(
        light=Markup(colours.rules(dark=False)), dark=Markup(colours.rules(dark=True))
    )
    return {
        "style": Markup(style),
        "words": proofs.WORDS,
        "signs": proofs.SIGNS,
        "counted": list(COUNTED),
        "parts": [*failovers.PARTS, failovers.ALLOWED],
    }


def _verdict(valid: str) -> Markup:
    return Markup('<span class="{}">{}</span>').format(valid, table.WORDS[valid].lower())


def _list(problems: list[str]) -> Markup:
    return Markup("<br>").join(problems)


def _counts(sums: dict[str, int | None]) -> list[str]:
    return ["?" if sums[key] is None else f"{sums[key]:,}" for key in COUNTED]


def _pairs(run: Results) -> list[list[str]]:
    """Sending programs by receiving ones; empty for a run without such a matrix."""
    figures = run["figures"].get("matrix")
    if not figures:
        return []
    there = {(cell["sender"], cell["receiver"]): cell for cell in figures["cells"]}
    rows = [["", *(f"> {name}" for name in figures["programs"])]]
    for sender in figures["programs"]:
        row = [there.get((sender, receiver)) for receiver in figures["programs"]]
        rows.append([
            f"{sender} >",
            *(f"{c['received']:,} / {c['acknowledged']:,}, {c['lost']}" if c else "-" for c in row),
        ])  # fmt: skip
    return rows


def _rows(found: dict[str, list[failovers.Split]]) -> list[list[str]]:
    heads = ("client", "failovers", *failovers.PARTS, failovers.ALLOWED)
    return [[row[head] for head in heads] for row in failovers.rows(found)]


def _phases(found: dict[str, list[failovers.Split]], name: str = "phases") -> Markup:
    """The plot of the failover time, empty if nobody went on."""
    bars = failovers.median_bars(found)
    ends = [end for every in bars.values() for _, _, end in every]
    return Markup(plots.phases(bars, max(ends), name)) if ends else Markup("")


def _plots(told: story.Story) -> list[dict[str, Any]]:
    cells = told.latencies
    total = sum(cells.messages.values())
    width = (
        f"{cells.width_ns / 1e6:g} ms" if cells.width_ns < 1e9 else f"{cells.width_ns / 1e9:g} s"
    )
    step = f"{told.step_ns / 1e9:g} s"
    every = [
        (
            plots.latency, "Confirmation latency",
            f"All {total:,} messages, by the moment of their announcement. A dot is a cell "
            f"{width} wide and {story.CELL_HEIGHT:.1%} high into which at least one message fell; "
            f"there are {len(cells.found):,}. Clients report in small batches, so a latency is "
            "as exact as these. Bars: faults, from beginning to end.",
        ),
        (
            plots.throughput, "Throughput",
            f"Per client program, averaged over steps of {step}: messages acknowledged to its "
            "senders, copies given to its receivers.",
        ),
        (
            plots.lanes, "Brokers",
            "What each broker was, by its own log where it writes one that tells; else by what the "
            "drill did to it.",
        ),
        (
            plots.unseen, "Messages not seen yet",
            f"Acknowledged to the sender, and given to no receiver yet: the most in each {step}.",
        ),
    ]  # fmt: skip
    return [
        {"name": draw.__name__, "title": title, "caption": caption, "svg": Markup(draw(told))}
        for draw, title, caption in every
    ]


def _versions(run: Results) -> list[tuple[str, str]]:
    found = [(name, text) for name, text in run["versions"].items() if name != "clients" and text]
    for client, versions in run["versions"]["clients"].items():
        found.append((client, ", ".join(f"{name} {text}" for name, text in versions.items())))
    return found


def _broker(run: Results) -> str:
    return str(run["versions"].get("broker", "")) or results.UNTOLD


def _group(
    number: int, broker: str, runs: list[tuple[str, Results]], left_out: list[proofs.Cell]
) -> dict[str, Any]:
    cells = [cell for folder, run in runs for cell in proofs.cells(run, folder)]
    matrix = proofs.matrix([*cells, *left_out])
    by_fault: dict[str, list[Results]] = {}
    for _, run in runs:
        if run["failovers"]:
            by_fault.setdefault(proofs.fault_of(run["scenario"]), []).append(run)
    found = {fault: failovers.of_runs(hit) for fault, hit in by_fault.items()}
    return {
        "broker": broker,
        "table": matrix,
        "why": [cell for cell in matrix.there.values() if cell.verdict != "valid"],
        "medians": _medians("client", found) if len(found) > 1 else [],
        "because": failovers.because([run for _, run in runs]),
        "faults": [
            {
                "fault": fault,
                "splits": _rows(splits),
                "phases": _phases(splits, f"phases-{number}-{place}"),
            }
            for place, (fault, splits) in enumerate(found.items())
        ],
    }


def _rivals(groups: dict[str, list[tuple[str, Results]]]) -> list[list[str]]:
    """Heading and a row per client and fault, a column per broker, as in ``_medians``; empty if
    there is one broker only."""
    if len(groups) < 2:
        return []
    kinds = {
        proofs.fault_of(run["scenario"])
        for group in groups.values() for _, run in group if run["failovers"]
    }  # fmt: skip
    out: list[list[str]] = []
    for fault in sorted(kinds):
        found = {
            broker: failovers.of_runs(
                [run for _, run in group if proofs.fault_of(run["scenario"]) == fault]
            )
            for broker, group in groups.items()
        }
        rows = _medians("client, fault", found)
        out += rows[:1] if not out else []
        out += [[f"{row[0]}, {fault}", *row[1:]] for row in rows[1:]]
    return out


def _medians(corner: str, found: dict[str, dict[str, list[failovers.Split]]]) -> list[list[str]]:
    """Heading and a row per client: a column per fault or broker, with the median time from the
    fault to the first new confirmation, and of how many failovers."""
    out = [[corner, *found]]
    for client in sorted({name for splits in found.values() for name in splits}):
        row = [client]
        for splits in found.values():
            times = [split.first for split in splits.get(client, []) if split.first is not None]
            spread = failovers.spread(times)
            row.append(f"{failovers.duration(spread[0])} ({len(times)})" if spread else "-")
        out.append(row)
    return out


def _line(folder: str, run: Results) -> dict[str, str]:
    sums = run["figures"].get("total-queue", {})
    known = run["verdicts"].get("total-queue", "unknown") != "unknown"
    return {
        "folder": folder,
        "scenario": run["scenario"]["name"],
        "seed": str(run["seed"]),
        "valid": run["valid"],
        "verdict": table.WORDS[run["valid"]].lower(),
        "moment": moment(run) or "-",
        "seconds": f"{run['seconds']:.1f}",
        "lost": f"{sums['lost']:,}" if sums and known else "?" if sums else "-",
        "broker": _broker(run),
        **{
            key: f"{sums[key]:,}" if sums else "-"
            for key in ("acknowledged", "unexpected", "duplicated")
        },
    }
