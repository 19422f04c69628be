"""The simulator's command line; see docs/simulator.md.

``--seeds 500`` plays many seeds: one line for each that failed, with the command that plays it
again; the first one is then made smaller. ``--seed 17`` and ``--plan FILE`` play one with its
trace. ``--shrink 17`` makes a failing seed smaller. ``--mutants`` breaks one rule after the other
and shows that each is noticed. ``--quiet-hour`` breaks nothing and says little for an hour. Exit
status 0 if nothing failed.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.sim.draw import draw
from tests.sim.mutants import COMPILED, MUTANTS
from tests.sim.plan import Plan
from tests.sim.quiet import QuietTime, quiet_plan
from tests.sim.shrink import shrink, size
from tests.sim.simulation import Simulation
from tests.sim.watch import Violation

COMMAND = "tox -e sim --"
PLANS = Path("runs/sim")
"""Where the smallest plans are written."""

PROTOCOLS = ("0-10", "1.0")

PROGRESS_S = 10.0
SHRINK_S = 120.0
"""Seconds that making a plan smaller may take."""

MUTANT_SEEDS = 500
"""A broken rule must be noticed within so many seeds."""

MUTANT_QUIET_S = 150.0
"""As much of a quiet hour shows whether a broken rule is noticed there."""


@dataclass
class Outcome:
    """What came of a plan. ``check``: the name of the check that failed, "" if none."""

    seed: int
    check: str
    text: str
    counts: Counter[str]


def play(plan: Plan) -> Outcome:
    """Play a plan without a trace."""
    counts: Counter[str] = Counter()
    try:
        simulation = Simulation(plan, tracing=False)
        counts = simulation.world.counts
        simulation.play()
    except Violation as violation:
        return Outcome(plan.seed, violation.check, violation.text, counts)
    except Exception as error:  # a bug that raised fails the seed as well
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{error} (at {where.filename}:{where.lineno})"
        return Outcome(plan.seed, type(error).__name__, text, counts)
    return Outcome(plan.seed, "", "", counts)


def play_seed(seed: int) -> Outcome:
    """Play the plan of a seed."""
    return play(draw(seed))


def play_verbosely(plan: Plan, name: str) -> int:
    """Play one plan and print its trace."""
    simulation = Simulation(plan)
    problem = ""
    try:
        simulation.play()
    except Violation as violation:
        problem = str(violation)
    except Exception:
        problem = traceback.format_exc()
    print("\n".join(simulation.world.trace))
    print(f"{name}: history {simulation.digest()}")
    print(f"{name}: FAILED {problem}" if problem else f"{name}: no rule was broken")
    return 1 if problem else 0


def play_quietly(plan: Plan) -> int:
    """Play a quiet hour, and print how quiet it was for each client, or why it was not."""
    quiet = QuietTime(plan)
    try:
        quiet.play()
    except Violation as violation:
        print("\n".join(quiet.simulation.world.trace))
        print(f"quiet hour: FAILED {violation}")
        return 1
    for line in quiet.summary():
        print(line)
    print(f"quiet hour: {plan.faults_end_s:.0f} s, no connection lost, no rule was broken")
    return 0


def play_many(first: int, count: int, jobs: int, shrink_s: float) -> int:
    """Play seeds ``first`` to ``first + count - 1``; returns the exit status."""
    totals: Counter[str] = Counter()
    failed: list[Outcome] = []
    began = last_shown = time.monotonic()
    with multiprocessing.Pool(jobs) as pool:
        seeds = range(first, first + count)
        for done, outcome in enumerate(pool.imap_unordered(play_seed, seeds, 4), 1):
            totals.update(outcome.counts)
            if outcome.check:
                failed.append(outcome)
                print(f"FAILED seed {outcome.seed}: {outcome.check}: {outcome.text}")
                print(f"       again: {COMMAND} --seed {outcome.seed}", flush=True)
            if time.monotonic() - last_shown > PROGRESS_S:
                last_shown = time.monotonic()
                print(f"... {done} of {count} seeds, {len(failed)} failed", flush=True)
    for line in summary(totals):
        print(line)
    print(f"{count} seeds in {time.monotonic() - began:.0f} s: {len(failed)} failed")
    if failed and shrink_s:
        make_smaller(min(failed, key=lambda outcome: outcome.seed).seed, shrink_s)
    return 1 if failed else 0


def summary(totals: Counter[str]) -> Iterator[str]:
    """Lines that say how often what happened: faults by kind, clients by protocol, all else."""
    groups: dict[str, list[str]] = {title: [] for title in ("faults", *PROTOCOLS, "brokers")}
    for name, number in sorted(totals.items()):
        first, _, rest = name.partition(" ")
        if first == "fault":
            groups["faults"].append(f"{number} {rest}")
        elif first in PROTOCOLS:
            groups[first].append(f"{number} {rest}")
        else:
            groups["brokers"].append(f"{number} {name}")
    for title, numbers in groups.items():
        if numbers:
            yield f"{title}: " + ", ".join(numbers)


def make_smaller(seed: int, limit_s: float) -> int:
    """Make a failing seed smaller, print the plan and how to run it."""
    plan = draw(seed)
    check = play(plan).check
    if not check:
        print(f"seed {seed}: no rule was broken, nothing to make smaller")
        return 0
    print(
        f"seed {seed} fails with {check!r}; making it smaller, at most {limit_s:.0f} s", flush=True
    )
    end = time.monotonic() + limit_s
    smaller = shrink(plan, check, lambda p: play(p).check, lambda: time.monotonic() > end)
    path = PLANS / f"seed-{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(smaller.to_json() + "\n", encoding="utf-8")
    print(smaller.to_json())
    names = ("faults", "clients", "messages and commands")
    sizes = zip(names, size(plan), size(smaller), strict=True)
    print(", ".join(f"{after} of {before} {name}" for name, before, after in sizes))
    print(f"seed {seed}: {play(smaller).check}: {play(smaller).text}")
    print(f"       again: {COMMAND} --plan {path}")
    return 1


def show_digests(seeds: int) -> int:
    """Print what ``Simulation.digest`` says of seeds 1 to ``seeds``, whether they fail or not."""
    for seed in range(1, seeds + 1):
        simulation = Simulation(draw(seed))
        with contextlib.suppress(Violation):
            simulation.play()
        print(f"seed {seed}: {simulation.digest()}")
    return 0


@dataclass
class Catch:
    """Whether a mutant was noticed, in which seed and how (0 and "" if not), and what it took."""

    name: str
    seed: int
    text: str
    played: int
    cpu_s: float


def catch(name: str, seeds: int = MUTANT_SEEDS, first: int = 1) -> Catch:
    """Play seeds with the mutant until one of the checks that should notice it does; ``first``
    before all others."""
    mutant = MUTANTS[name]
    played = 0
    began = time.process_time()
    for seed in (first, *range(1, seeds + 1)):
        plan = quiet_plan(MUTANT_QUIET_S, seed) if mutant.quiet else draw(seed)
        if mutant.works and mutant.works not in [work.kind for work in plan.works]:
            continue
        played += 1
        kind = QuietTime if mutant.quiet else Simulation
        try:
            kind(plan, mutant.make, tracing=False).play()
        except Violation as violation:
            if violation.check in mutant.caught_by:
                return Catch(name, seed, str(violation), played, time.process_time() - began)
    return Catch(name, 0, "", played, time.process_time() - began)


def try_mutants(jobs: int) -> int:
    """Break each rule; returns the exit status: 0 if every mutant was noticed as it should be."""
    names = [name for name, mutant in MUTANTS.items() if not (COMPILED and mutant.interpreted)]
    escaped = 0
    with multiprocessing.Pool(jobs) as pool:
        for caught in pool.imap(catch, names, 1):
            effort = f"{caught.played} seeds played, {caught.cpu_s:.0f} s"
            if caught.text:
                print(f"{caught.name}: seed {caught.seed} ({effort})\n    {caught.text}"[:220])
            else:
                escaped += 1
                print(f"{caught.name}: NOT NOTICED in {MUTANT_SEEDS} seeds ({effort})")
            sys.stdout.flush()
    print(f"{len(names)} mutants, {escaped} not noticed")
    if len(names) < len(MUTANTS):
        print(f"{len(MUTANTS) - len(names)} not tried: they need the interpreted broker")
    return 1 if escaped else 0


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many seeds")
    parser.add_argument("--start", type=int, default=1, metavar="S", help="the first seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--seed", type=int, metavar="S", help="only this seed, with its trace")
    parser.add_argument("--show", type=int, metavar="S", help="print the plan of this seed")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="play this plan, with its trace")
    parser.add_argument("--shrink", type=int, metavar="S", help="make this failing seed smaller")
    parser.add_argument(
        "--shrink-s", type=float, default=SHRINK_S, metavar="SECONDS", help="0: do not shrink"
    )
    parser.add_argument(
        "--digests", type=int, metavar="N", help="name the histories of seeds 1 to N"
    )
    parser.add_argument("--mutants", action="store_true", help="break rules and see them noticed")
    parser.add_argument(
        "--quiet-hour", action="store_true", help="an hour that heartbeats alone must last"
    )
    given = parser.parse_args(argv)
    if given.show is not None:
        print(draw(given.show).to_json())
        return 0
    if given.seed is not None:
        return play_verbosely(draw(given.seed), f"seed {given.seed}")
    if given.plan is not None:
        plan = Plan.from_json(given.plan.read_text(encoding="utf-8"))
        return play_verbosely(plan, str(given.plan))
    if given.shrink is not None:
        return make_smaller(given.shrink, given.shrink_s)
    if given.digests is not None:
        return show_digests(given.digests)
    if given.quiet_hour:
        return play_quietly(quiet_plan())
    if given.mutants:
        return try_mutants(given.jobs)
    return play_many(given.start, given.seeds, given.jobs, given.shrink_s)


if __name__ == "__main__":
    sys.exit(main())
