"""Run many seeds: ``python tests/sim/run.py --seeds 500``; one seed with its trace: ``--seed 17``.

Prints one line per failing seed, with the command that reproduces it, and a summary. Exit status 0
if no seed failed.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.sim.cluster import Run


def play(seed: int) -> tuple[int, str, dict[str, int]]:
    """Play one seed; returns it, what went wrong ("" if nothing) and what happened in numbers."""
    run = Run(seed)
    try:
        run.play()
        problem = ""
    except Exception as error:  # a violation, or a bug that raised: both fail the seed
        problem = f"{type(error).__name__}: {error}"
    counts = {
        "acknowledged": len(run.history.acknowledged),
        "received": len(run.history.received),
        "kills": run.kills,
        "cuts": run.cuts,
        "freezes": run.freezes,
        "promotions": run.manager.promotions,
    }
    return seed, problem, counts


def play_verbosely(seed: int) -> int:
    """Play one seed and print its trace; exceptions are shown whole."""
    run = Run(seed)
    try:
        run.play()
    finally:
        print("\n".join(run.world.trace))
    print(f"seed {seed}: no rule was broken")
    return 0


def play_many(first: int, count: int, jobs: int) -> int:
    """Play seeds ``first`` to ``first + count - 1``; returns the exit status."""
    totals: dict[str, int] = {}
    failures = 0
    began = last_shown = time.monotonic()
    with multiprocessing.Pool(jobs) as pool:
        seeds = range(first, first + count)
        for done, (seed, problem, counts) in enumerate(pool.imap_unordered(play, seeds), 1):
            for name, number in counts.items():
                totals[name] = totals.get(name, 0) + number
            if problem:
                failures += 1
                print(f"FAILED seed {seed}: {problem}")
                print(f"       again: tox -e sim -- --seed {seed}", flush=True)
            if time.monotonic() - last_shown > 10:
                last_shown = time.monotonic()
                print(f"... {done} of {count} seeds, {failures} failed", flush=True)
    summary = ", ".join(f"{number} {name}" for name, number in totals.items())
    print(f"{count} seeds in {time.monotonic() - began:.0f} s: {failures} failed; {summary}")
    return 1 if failures else 0


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many seeds")
    parser.add_argument("--start", type=int, default=1, metavar="S", help="the first seed")
    parser.add_argument("--seed", type=int, metavar="S", help="only this seed, with its trace")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    arguments = parser.parse_args(argv)
    if arguments.seed is not None:
        return play_verbosely(arguments.seed)
    return play_many(arguments.start, arguments.seeds, arguments.jobs)


if __name__ == "__main__":
    sys.exit(main())
