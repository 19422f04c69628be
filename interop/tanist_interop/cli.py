"""``tanist-interop``: the drill's command line.

Exit status: 0 if every run is valid (lost = unexpected = 0 and every checker content), 1 if one is
invalid, 2 if one is unknown, 64 for a wrong command line. Without a command ``run`` is meant. With
``CI=true`` in the environment a client that cannot run is a failure.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tanist_interop import history
from tanist_interop.docker_api import DockerError
from tanist_interop.drivers.registry import BadClient, ClientSpec, discover
from tanist_interop.hosts import profile as profiles
from tanist_interop.hosts.profile import BadProfile, shipped
from tanist_interop.scenarios.catalogue import CATALOGUE, QUIET, SOAK
from tanist_interop.scenarios.proofs import BY_NAME, chosen
from tanist_interop.scenarios.scenario import Scenario, prolonged, scaled, soaked

try:
    from tanist_interop.report import terminal
    from tanist_interop.runner import archive, campaign, hosting, roll
except ModuleNotFoundError as error:  # the broker is installed without what only the drill needs
    sys.exit(f"tanist-interop needs {error.name}: pip install 'tanist[interop]'")

USAGE_ERROR: Final = 64
CLOSED: Final = 141
"""Whoever read the output has gone, and no verdict was told: what a shell makes of SIGPIPE."""

DEFAULT: Final = "kill-primary"
SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
SOAK_MIN_S: Final = 10
"""A few strikes at least."""
SOAK_MAX_S: Final = 24 * 3600
"""The history of a day is some ten gigabytes; beyond that repeat with other seeds."""


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    out = argparse.ArgumentParser(
        prog="tanist-interop",
        description="Drive genuine clients through a failover, judge what they saw.",
        epilog="Exit status: 0 valid, 1 invalid, 2 unknown, 64 wrong usage. See docs/drill.md. "
        "Without a command, and before options, `run` is meant.",
    )
    commands = out.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _run_options(commands.add_parser("run", help="run scenarios and judge them"))
    old = "a run folder, its history.jsonl, or the name of a folder in --out"
    for name, text in (
        ("check", "judge an old run again: prints the verdict, writes nothing"),
        ("report", "judge an old run again and write its reports anew; a folder of run folders "
         "gets its index anew"),
    ):  # fmt: skip
        command = commands.add_parser(name, help=text)
        command.add_argument("run", type=Path, metavar="RUN", help=old)
        _out_option(command)
    command = commands.add_parser("list", help="old runs: date, scenario, seed, clients, verdict")
    _out_option(command)
    command = commands.add_parser("clients", help="which client programs can run here")
    _clients_dir_option(command)
    command = commands.add_parser("compare", help="old runs side by side, of any brokers")
    command.add_argument("runs", type=Path, metavar="RUN", nargs="+",
                         help=f"{old}, or a results.json; two or more")  # fmt: skip
    _out_option(command)
    return out


def _out_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", type=Path, default=Path("runs"), help="folder of the run folders")


def _clients_dir_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--clients-dir", type=Path, default=Path("clients"), help="folder of the client programs"
    )


def _run_options(out: argparse.ArgumentParser) -> None:
    add = out.add_argument
    add("--scenario", default="", help=f"name, names with commas, or all; default {DEFAULT}")
    add("--repeat", type=int, default=1, help="so many runs, with seeds counting up")
    add("--seed", type=int, default=1, help="of the first run; draws the moment of the fault")
    add("--clients", default="", help="names with commas; default: all")
    add("--draw", type=int, default=0, metavar="N",
        help="only N of the clients, of each protocol one, others with each seed")  # fmt: skip
    _out_option(out)
    timed = out.add_mutually_exclusive_group().add_argument
    timed("--soak", type=duration, metavar="TIME", help="the soak for so long: 90s, 30m, 1h")
    timed("--quiet", type=duration, metavar="TIME", help="the scenario quiet for so long")
    add("--matrix", nargs="?", const="full", default="", metavar="PART",
        help="every client and fault, four proofs each; PART is ci, or faults by name")  # fmt: skip
    add("--messages", type=int, default=0, help="acknowledged messages per run, not the default")
    add("--list", action="store_true", help="list scenarios and clients, run nothing")
    _clients_dir_option(out)
    add("--broker-option", action="append", default=[], metavar="--OPTION=VALUE",
        help="also give this to every broker; may be repeated")  # fmt: skip
    add(
        "--hosts",
        choices=hosting.NAMES,
        default="auto",
        help="local: processes; docker: containers; auto: containers if there are images; "
        "external: the brokers of --profile",
    )
    add("--profile", default="", metavar="NAME",
        help=f"brokers that are not ours: {', '.join(shipped())}, or a file")  # fmt: skip
    python = shlex.quote(sys.executable)
    add("--qpidd", default=f"{python} -m tanist.cli.qpidd", help="the broker's command")
    add("--qpid-ha", default=f"{python} -m tanist.cli.qpid_ha", help="the operator's command")
    add("--qpid-config", default=f"{python} -m tanist.cli.qpid_config", help="the same for queues")


def duration(text: str) -> float:
    """Seconds of a duration like ``90s``, ``30m`` or ``1h``. Raises: ArgumentTypeError."""
    match = re.fullmatch(r"(\d+)([smh])", text)
    seconds = int(match[1]) * SECONDS[match[2]] if match else 0
    if not SOAK_MIN_S <= seconds <= SOAK_MAX_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no time from 10s to 24h, like 90s, 30m, 1h")
    return float(seconds)


def choose_scenarios(names: str) -> list[Scenario]:
    """The scenarios of these names. Raises: KeyError."""
    if names == "all":
        return list(CATALOGUE.values())
    there = {**CATALOGUE, **BY_NAME}
    return [there[name] for name in names.split(",")]


def choose_clients(names: str, there: dict[str, ClientSpec]) -> list[ClientSpec]:
    """The clients of these names; without names all. Raises: KeyError."""
    return [there[name] for name in names.split(",")] if names else list(there.values())


def listing(there: dict[str, ClientSpec]) -> str:
    """What can be run."""
    out = ["scenarios:"]
    out += [f"  {name:22} {scenario.summary}" for name, scenario in CATALOGUE.items()]
    out += ["matrix:"]
    out += [f"  {scenario.fault:22} {scenario.summary}" for scenario in BY_NAME.values()]
    out += ["clients:"]
    out += [
        f"  {name:22} {spec.protocol}, {spec.library}; needs {spec.needs}"
        for name, spec in there.items()
    ]
    return "\n".join(out)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words = ["run", *words]
    try:
        options = parser().parse_args(words)
    except SystemExit as error:
        return USAGE_ERROR if error.code else 0  # argparse says 2, which means unknown here
    try:
        return run(options) if options.command == "run" else look_back(options)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED


def look_back(options: argparse.Namespace) -> int:
    """Any other command than ``run``."""
    try:
        return COMMANDS[options.command](options)
    except BrokenPipeError:
        raise
    except (BadClient, archive.NoRun, history.DamagedHistory, OSError) as error:
        return _usage(str(error))


def run(options: argparse.Namespace) -> int:
    """Run scenarios."""
    try:
        there = discover(options.clients_dir)
        if options.list:
            _say(listing(there))
            return 0
        scenarios = choose_scenarios(options.scenario or DEFAULT)
        if options.matrix:
            scenarios = chosen(options.matrix)
        clients = choose_clients(options.clients, there)
    except KeyError as error:
        return _usage(f"there is no {error}; see --list")
    except BadClient as error:
        return _usage(str(error))
    if not clients:
        return _usage(f"no clients in {options.clients_dir}; see --list and --clients-dir")
    timed = _timed(options)
    if timed and (options.messages or options.scenario not in ("", timed.name)):
        return _usage(
            f"--{timed.name} is a scenario of its own, and ends by the clock: leave the others out"
        )
    if options.matrix and (timed or options.scenario):
        return _usage("--matrix is a set of scenarios of its own: leave the others out")
    if options.draw and not len({spec.protocol for spec in clients}) <= options.draw <= len(
        clients
    ):
        return _usage(f"--draw {options.draw}: not one of each protocol, or more than there are")
    try:
        place = _place(options, clients)
    except BadProfile as error:
        return _usage(str(error))
    except DockerError as error:
        return _usage(f"--hosts docker: {error}")
    extra: tuple[str, ...] = ()
    if timed:
        scenarios = [timed]
        extra += (f"--{timed.name}", f"{timed.soak_s or timed.quiet_s:.0f}s")
    elif options.messages:
        scenarios = [scaled(scenario, options.messages) for scenario in scenarios]
        extra += ("--messages", str(options.messages))
    extra += tuple(f"--broker-option={option}" for option in options.broker_option)
    if options.profile:
        extra += ("--profile", options.profile)
    signal.signal(signal.SIGTERM, _end)
    with terminal.screen() as shown:
        return campaign.run(_campaign(options, scenarios, clients, extra, place), shown)


def _timed(options: argparse.Namespace) -> Scenario | None:
    """The scenario for which a time was asked for."""
    if options.soak:
        return soaked(SOAK, options.soak)
    return prolonged(QUIET, options.quiet) if options.quiet else None


def _place(options: argparse.Namespace, clients: list[ClientSpec]) -> hosting.Place:
    """Where the runs take place. Raises: BadProfile, DockerError."""
    if (options.hosts == "external") != bool(options.profile):
        raise BadProfile("--hosts external and --profile belong together")
    profile = profiles.find(options.profile) if options.profile else None
    return hosting.choose(options.hosts, clients, profile=profile)


COMMANDS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "check": lambda o: archive.check(archive.find(o.run, o.out), _say),
    "report": lambda o: archive.report(archive.find(o.run, o.out), _say),
    "list": lambda o: archive.show(o.out, _say),
    "clients": lambda o: roll.call(discover(o.clients_dir), _say),
    "compare": lambda o: archive.compare([archive.find(run, o.out) for run in o.runs], _say),
}
"""Every command but ``run``."""


def _end(number: int, _frame: object) -> None:
    """Let SIGTERM end a run as Ctrl-C does: brokers and clients are taken down, too."""
    raise SystemExit(128 + number)


def _campaign(
    options: argparse.Namespace,
    scenarios: list[Scenario],
    clients: list[ClientSpec],
    extra: tuple[str, ...],
    place: hosting.Place,
) -> campaign.Options:
    return campaign.Options(
        scenarios=scenarios,
        clients=clients,
        seed=options.seed,
        repeat=options.repeat,
        draw=options.draw,
        place=place,
        out=options.out,
        qpidd=tuple(shlex.split(options.qpidd)),
        qpid_ha=tuple(shlex.split(options.qpid_ha)),
        qpid_config=tuple(shlex.split(options.qpid_config)),
        broker_options=tuple(options.broker_option),
        arguments=extra,
        not_run_fails=os.environ.get("CI", "").lower() in ("true", "1"),
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _usage(text: str) -> int:
    print(f"tanist-interop: {text}", file=sys.stderr)
    return USAGE_ERROR


if __name__ == "__main__":
    sys.exit(main())
