"""Options as users give them: command line, environment and file, merged by precedence.

``gather`` reads the three sources against the table in ``options`` and returns one ``Setting`` per
option that somebody gave, all still text. The first source that mentions an option wins: command
line, then ``QPID_*`` environment, then file. Repeatable options are taken from that one source
and not merged between sources.

Neither ``argparse`` nor ``configparser`` fits: argparse takes unambiguous prefixes and positional
words, cannot give a flag an optional value that is not the next option (``--auth no`` and
``--daemon`` must both work), and knows no environment; configparser wants sections and folds
lines. The rules to follow are short and exact, so they are written here.

Spec: qpidd-compat 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tanist.service.options import BY_NAME, BY_SHORT, BY_VARIABLE, OPTIONS, Kind, Option
from tanist.service.values import is_flag
from tanist.types import BrokerError, Condition

CONFIG_BYTES_MAX: Final = 1024 * 1024
"""A configuration file has a few hundred lines; ``--config /dev/zero`` must end."""


class UsageError(BrokerError):
    """An option, its value or the configuration file is wrong. The broker must not start."""

    def __init__(self, text: str) -> None:
        super().__init__(Condition.INVALID_ARGUMENT, text)


class BadLine(UsageError):
    """A line of the configuration file is not ``known-option=value``; the text says which."""

    def __init__(self, line: str) -> None:
        super().__init__(f"Bad argument: |{line}|")


@dataclass(frozen=True)
class Setting:
    """What one source says about one option: ``texts`` has one entry unless it is repeatable."""

    option: Option
    texts: tuple[str, ...]
    source: str
    """``command line``, ``environment`` or the path of the file."""


def gather(
    arguments: Sequence[str], environment: Mapping[str, str], default_config: Path
) -> dict[str, Setting]:
    """Settings by option name, from all sources.

    ``arguments`` is without the program's name. ``default_config`` is read if it exists; a file
    named by ``--config`` or ``QPID_CONFIG`` must exist.

    Raises: UsageError, BadLine.
    """
    settings = from_environment(environment)
    given = from_arguments(arguments)
    chosen = given.get("config") or settings.get("config")
    path = Path(chosen.texts[-1]) if chosen else default_config
    merged = from_file(read_config(path, required=chosen is not None), str(path))
    merged.update(settings)
    merged.update(given)
    return merged


def _collect(pairs: Iterator[tuple[Option, str]], source: str) -> dict[str, Setting]:
    """One setting per option; of an option that is not repeatable the last text counts."""
    texts: dict[str, tuple[str, ...]] = {}
    for option, text in pairs:
        before = texts.get(option.name, ()) if option.repeatable else ()
        texts[option.name] = (*before, text)
    return {name: Setting(BY_NAME[name], value, source) for name, value in texts.items()}


def from_environment(environment: Mapping[str, str]) -> dict[str, Setting]:
    """Settings from ``QPID_*`` variables; unknown and empty ones are ignored."""
    found = ((BY_VARIABLE.get(name), text) for name, text in environment.items())
    pairs = ((option, text) for option, text in found if option is not None and text)
    return _collect(pairs, "environment")


def read_config(path: Path, *, required: bool) -> str:
    """The text of the configuration file, empty if it is absent and not ``required``.

    Raises: UsageError if it cannot be read.
    """
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
    except FileNotFoundError as error:
        if not required:
            return ""
        raise UsageError(f"Cannot read config file {path}: {error.strerror}") from error
    except OSError as error:
        raise UsageError(f"Cannot read config file {path}: {error.strerror}") from error
    if len(data) > CONFIG_BYTES_MAX:
        raise UsageError(f"Cannot read config file {path}: more than {CONFIG_BYTES_MAX} bytes")
    return data.decode("utf-8", "replace")


def from_file(text: str, source: str) -> dict[str, Setting]:
    """Settings from ``key=value`` lines; blank lines and ``#`` comments are skipped.

    Raises: BadLine for an unknown key or a line without ``=``.
    """
    return _collect(_file_pairs(text), source)


def _file_pairs(text: str) -> Iterator[tuple[Option, str]]:
    for line in text.splitlines():
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        key, equals, value = bare.partition("=")
        option = BY_NAME.get(key.strip())
        if option is None or not equals:
            raise BadLine(line)
        yield option, value.strip()


def from_arguments(arguments: Sequence[str]) -> dict[str, Setting]:
    """Settings from the command line. Raises: UsageError."""
    return _collect(_argument_pairs(arguments), "command line")


def _argument_pairs(arguments: Sequence[str]) -> Iterator[tuple[Option, str]]:
    rest = list(reversed(arguments))
    while rest:
        word = rest.pop()
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            option = BY_NAME.get(name)
            if option is None:
                raise UsageError(f"Unknown option '--{name}'; see --help")
            yield option, value if equals else _next_value(option, word, rest)
        elif word.startswith("-") and len(word) > 1:
            yield from _short_pairs(word, rest)
        else:
            raise UsageError(f"Unexpected argument '{word}': options start with --")


def _short_pairs(word: str, rest: list[str]) -> Iterator[tuple[Option, str]]:
    """``-p 5672``, ``-p5672``, and flags in one word, ``-dt``."""
    for position, letter in enumerate(word[1:], start=2):
        option = BY_SHORT.get(letter)
        if option is None:
            raise UsageError(f"Unknown option '-{letter}' in '{word}'; see --help")
        tail = word[position:].removeprefix("=")
        if option.kind is not Kind.FLAG:
            yield option, tail or _next_value(option, f"-{letter}", rest)
            return
        if tail and is_flag(tail):
            yield option, tail
            return
        yield option, "yes" if tail else _next_value(option, f"-{letter}", rest)


def _next_value(option: Option, word: str, rest: list[str]) -> str:
    """The value in the next word. A flag takes it only if it is a boolean word."""
    if option.kind is Kind.FLAG:
        return rest.pop() if rest and is_flag(rest[-1]) else "yes"
    if not rest:
        raise UsageError(f"Option '{word}' needs a value")
    return rest.pop()


def help_text() -> str:
    """What ``--help`` prints: one line per option, by group."""
    lines = ["Usage: qpidd [OPTIONS]"]
    group = ""
    for option in OPTIONS:
        if option.group != group:
            group = option.group
            lines += ["", f"{group} options:"]
        short = f"-{option.short}, " if option.short else "    "
        names = f"  {short}--{option.name} {option.kind.value}"
        default = f" (default {option.default})" if option.default else ""
        effect = f"ignored: {option.ignored}" if option.ignored else option.meaning + default
        lines.append(f"{names:<44} {effect}")
    return "\n".join(lines)
