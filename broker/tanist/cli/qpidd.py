"""``qpidd``: the broker, started, watched and stopped as the original's scripts do it.

Reads the options, then does one thing: help, version, ``--check``/``--quit``/``--kill`` of a
running daemon, start a daemon, or serve in the foreground. Exit codes: 0 done or stopped politely;
1 anything else, after one critical line on the log (``Unexpected error: ...`` or, for a line of
the configuration file, ``Bad argument: |...|``).

Spec: qpidd-compat 1.1, 1.4.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tanist.service.build import build_node, version_line
from tanist.service.config import BrokerOptions, broker_options, log_options
from tanist.service.daemon import NotRunning, control, run_daemon
from tanist.service.logs import Log, open_log
from tanist.service.options import BY_NAME
from tanist.service.service import MakeNode, Service
from tanist.service.sources import BadLine, Setting, gather, help_text
from tanist.types import BrokerError


def main() -> int:
    """The program; returns its exit code."""
    return run(sys.argv[1:], os.environ, Path(BY_NAME["config"].default), build_node)


def run(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    default_config: Path,
    make_node: MakeNode,
) -> int:
    """The program with its surroundings as arguments."""
    log = open_log(log_options({}))
    try:
        settings = gather(arguments, environment, default_config)
        log = open_log(log_options(settings))
        home = Path(environment.get("HOME") or "/tmp")
        options = broker_options(settings, home)
        return _act(options, settings, log, make_node)
    except NotRunning as error:
        log.line("notice", "Broker", error.text)
    except BadLine as error:
        log.line("critical", "Broker", error.text)
    except BrokerError as error:
        log.line("critical", "Broker", f"Unexpected error: {error.text}")
    except OSError as error:
        log.line("critical", "Broker", f"Unexpected error: {error}")
    return 1


def _act(
    options: BrokerOptions, settings: Mapping[str, Setting], log: Log, make_node: MakeNode
) -> int:
    if options.show_help:
        print(help_text())
        return 0
    if options.show_version:
        print(version_line())
        return 0
    daemon, port = options.daemon, options.network.port
    if daemon.check or daemon.quit or daemon.kill:
        text = control(daemon, port)
        if text:
            print(text)
        return 0
    options.validate()
    service = Service(options, settings, log, make_node)
    if not daemon.daemon:
        return service.run(lambda actual: _print_port(port, actual))
    actual, problem = run_daemon(daemon, port, service.run)
    if problem:
        log.line("critical", "Broker", f"Unexpected error: {problem}")
        return 1
    _print_port(port, actual)
    return 0


def _print_port(wanted: int, actual: int) -> None:
    """A port that was chosen is printed alone on one line."""
    if wanted == 0:
        print(actual, flush=True)


if __name__ == "__main__":
    sys.exit(main())
