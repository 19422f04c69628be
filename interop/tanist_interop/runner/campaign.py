"""A campaign: a number of runs, each in its own folder, with reports; and the summary of all.

A run folder ``<out>/<scenario>-<time>-<seed>/`` holds history.jsonl, results.json, report.txt,
report.html, every broker's and every client's log, and what ``qpid-ha`` was asked; the campaign
leaves index.html, junit.xml and summary.txt beside the run folders.
"""

from __future__ import annotations

import functools
import platform
import random
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Final

from tanist_interop.checkers.finding import Valid, combine
from tanist_interop.checkers.judge import Verdict
from tanist_interop.drivers.registry import ClientSpec
from tanist_interop.hosts.cluster import Settings
from tanist_interop.report import (
    failovers,
    fidelity,
    grid,
    junit,
    page,
    proofs,
    results,
    table,
    terminal,
)
from tanist_interop.report.columns import Results
from tanist_interop.runner import rivals
from tanist_interop.runner.delays import Delays
from tanist_interop.runner.exchange import Exchange
from tanist_interop.runner.hosting import Place
from tanist_interop.runner.play import Plan, Play
from tanist_interop.runner.proofs import Proofs
from tanist_interop.runner.quiet import Quiet
from tanist_interop.runner.selectors import Selectors
from tanist_interop.runner.subscriptions import Subscriptions
from tanist_interop.runner.transactions import Transactions
from tanist_interop.runner.trials import Trials
from tanist_interop.scenarios.proofs import PROOFS
from tanist_interop.scenarios.scenario import Scenario

COURSES: Final[dict[str, type[Play]]] = {
    "stream": Play,
    "trials": Trials,
    "exchange": Exchange,
    "delays": Delays,
    "transactions": Transactions,
    "selectors": Selectors,
    "subscriptions": Subscriptions,
    "quiet": Quiet,
    "proofs": Proofs,
}

VERSION_S: Final = 10.0
"""How long a broker may take to tell its version."""

EXIT_CODES: Final = {Valid.TRUE: 0, Valid.FALSE: 1, Valid.UNKNOWN: 2}


@dataclass(frozen=True)
class Options:
    """What the command line asked for. ``arguments`` are repeated in the command to run again."""

    scenarios: list[Scenario]
    clients: list[ClientSpec]
    seed: int
    repeat: int
    out: Path
    qpidd: tuple[str, ...]
    qpid_ha: tuple[str, ...]
    qpid_config: tuple[str, ...] = ("qpid-config",)
    broker_options: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    not_run_fails: bool = False
    draw: int = 0
    """So many of the clients in each run, drawn from its seed; 0 = all."""
    place: Place = field(default_factory=Place)


def run(options: Options, say: Callable[[str], None]) -> int:
    """All runs; returns the exit code: 0 valid, 1 invalid, 2 unknown. ``say`` may be a Screen."""
    screen = terminal.of(say)
    options.out.mkdir(parents=True, exist_ok=True)
    clients = [spec for spec in options.clients if options.place.takes(spec)]
    for spec in options.clients:
        if spec not in clients:
            screen(f"{spec.name} not run: these brokers do not speak {spec.protocol}")
    runs: list[tuple[Results, float]] = []
    pages: list[tuple[str, Results]] = []
    missing: dict[str, dict[str, object]] = {}
    values: list[Valid] = []
    left_out: grid.Cells = []
    for seed in range(options.seed, options.seed + options.repeat):
        for scenario in options.scenarios:
            problem = options.place.missing(scenario)
            if problem:
                screen(f"{scenario.name} not run: {problem}")
                names = [spec.name for spec in clients]
                left_out += grid.left_out(scenario.fault, names, list(PROOFS), problem)
                values += [Valid.FALSE] if options.not_run_fails else []
                continue
            able = [spec for spec in clients if suits(spec, scenario)]
            if not able:
                screen(f"{scenario.name} not run: none of these clients is for it")
                continue
            total = options.repeat * len(options.scenarios)
            screen.begin(len(runs) + 1, total, f"{scenario.name}, seed {seed}")
            few = scenario.crowd or scenario.only
            taken = drawn(able, options.draw, seed) if options.draw and not few else able
            folder, verdict, seconds = run_once(options, scenario, taken, seed, screen)
            values.append(verdict.valid)
            found = verdict.as_json()
            runs.append((found, seconds))
            pages.append((folder.name, results.document(found, seconds)))
            for note in _not_run(found):
                missing[str(note["client"])] = note
            clients = [spec for spec in clients if spec.name not in missing] or clients
    if not runs:
        values.append(Valid.UNKNOWN)
    _report(options, screen, runs, pages, left_out)
    required = sorted(name for name, note in missing.items() if not note.get("optional"))
    if required and options.not_run_fails:
        screen(f"not run, which is a failure here: {', '.join(required)}")
        values.append(Valid.FALSE)
    return EXIT_CODES[combine(values)]


def _report(
    options: Options,
    screen: terminal.Screen,
    runs: list[tuple[Results, float]],
    pages: list[tuple[str, Results]],
    left_out: grid.Cells,
) -> None:
    """What all runs showed together: on the screen, and in the folder of the runs."""
    summary = table.summary(runs) + _failovers([run for _, run in pages])
    if len(runs) > 1:
        screen("")
        screen(summary)
    found_cells = grid.cells([each for each, _ in runs]) + left_out
    if found_cells:
        (options.out / "matrix.json").write_text(grid.document(found_cells), "utf-8")
    if found_cells or len(runs) > 1:
        shown = [cell for name, found in pages for cell in proofs.cells(found, name)]
        screen.matrix(proofs.matrix([*shown, *proofs.told(left_out)]))
    page.write_index(options.out, pages, proofs.told(left_out))
    (options.out / "summary.txt").write_text(summary, "utf-8")
    (options.out / "junit.xml").write_bytes(junit.document(runs, options.not_run_fails))


def _failovers(runs: list[Results]) -> str:
    """The failover time of each client over all runs, if these are runs of one fault: medians over
    different ones say nothing."""
    if len({proofs.fault_of(run["scenario"]) for run in runs if run["failovers"]}) != 1:
        return ""
    found = failovers.lines(failovers.of_runs(runs), failovers.because(runs))
    return "\n".join(["", *found, ""]) if found else ""


def drawn(clients: list[ClientSpec], number: int, seed: int) -> list[ClientSpec]:
    """So many of these clients, one of each protocol among them; optional ones are left out, unless
    there are too few others. The same seed draws the same of the same clients."""
    dice = random.Random(seed)
    pool = [spec for spec in clients if not spec.optional]
    pool = dice.sample(pool, len(pool)) + [spec for spec in clients if spec.optional]
    first = {spec.protocol: spec for spec in reversed(pool)}
    chosen = list(first.values())
    chosen += [spec for spec in pool if spec not in chosen][: max(0, number - len(chosen))]
    return [spec for spec in clients if spec in chosen]


def run_once(
    options: Options,
    scenario: Scenario,
    clients: list[ClientSpec],
    seed: int,
    say: Callable[[str], None],
) -> tuple[Path, Verdict, float]:
    """One run with its reports: its folder, the verdict and the seconds it took."""
    folder = make_folder(options.out, f"{scenario.name}-{time.strftime('%Y%m%d-%H%M%S')}-{seed}")
    names = ",".join(spec.name for spec in clients)
    words = ["tanist-interop", "--scenario", scenario.name, "--seed", str(seed)]
    command = shlex.join(
        [*words, "--clients", names, *options.arguments, "--hosts", options.place.name]
    )
    context: dict[str, object] = {
        "command": command,
        "began": results.now(),
        "python": sys.version.split()[0],
        "versions": versions(options),
        "hosts": options.place.name,
        "retries": {spec.name: asdict(spec.retry) for spec in clients if spec.retry is not None},
        "unjudged": options.place.unjudged(scenario),
    }
    scenario = options.place.adapted(scenario)
    plan = Plan(scenario, seed, clients, folder, context)
    say(f"{scenario.name}, seed {seed}: {scenario.summary} -> {folder}")
    began = time.monotonic()
    cluster, start_program = options.place.open(folder, settings(options, scenario), scenario)
    play = COURSES[scenario.course](plan, cluster, start_program, say)
    verdict = play.run()
    seconds = time.monotonic() - began
    write_reports(folder, verdict, seconds)
    say("")
    say(table.render(verdict.as_json(), seconds))
    return folder, verdict, seconds


def suits(spec: ClientSpec, scenario: Scenario) -> bool:
    """Whether the scenario is for this client."""
    return spec.crowd == bool(scenario.crowd) and scenario.only in ("", spec.name)


def settings(options: Options, scenario: Scenario) -> Settings:
    """The brokers that a scenario wants."""
    return Settings(
        options.qpidd, options.qpid_ha, scenario.nodes, scenario.link_heartbeat_s,
        (*scenario.broker_options, *options.broker_options), scenario.change_urls,
        options.qpid_config,
    )  # fmt: skip


def make_folder(out: Path, name: str) -> Path:
    """A new folder of this name, numbered if there is one already."""
    for number in range(1, 1000):
        folder = out / (name if number == 1 else f"{name}.{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder.resolve()
    raise FileExistsError(f"{out / name} and 998 more")


def write_reports(folder: Path, verdict: Verdict, seconds: float) -> None:
    """report.txt, results.json, junit.xml and report.html of one run, and the page about values of
    one that exchanged them. Raises: DamagedHistory, OSError."""
    found = verdict.as_json()
    results.write(folder, found, seconds)
    (folder / "report.txt").write_text(table.render(found, seconds), "utf-8")
    (folder / "junit.xml").write_bytes(junit.document([(found, seconds)], False))
    values = fidelity.document(found)
    if values:
        (folder / "type-fidelity.md").write_text(values, "utf-8")
    page.write(folder, results.document(found, seconds))


def versions(options: Options) -> dict[str, str]:
    """Of the drill, the broker and the machine."""
    profile = options.place.profile
    broker = printed(options.qpidd) if profile is None else rivals.version(profile)
    return {"drill": drill_version(), "broker": broker, "machine": platform.platform()}


@functools.cache
def printed(qpidd: tuple[str, ...]) -> str:
    """What a broker's command prints for ``--version``; empty if it prints nothing."""
    try:
        asked = subprocess.run(
            [*qpidd, "--version"], capture_output=True, text=True, timeout=VERSION_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.strip() if asked.returncode == 0 else ""


def drill_version() -> str:
    """The version of the distribution that this drill came with."""
    try:
        return f"tanist-interop {metadata.version('tanist')}"
    except metadata.PackageNotFoundError:
        return "tanist-interop, not installed"


def _not_run(found: Results) -> list[dict[str, object]]:
    notes = found["context"].get("not_run", [])
    assert isinstance(notes, list)
    return notes
