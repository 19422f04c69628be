from __future__ import annotations

import sys
import threading
import time

import pytest

from tanist.net.commands import TEXT_MAX, Commands


class Runner:
    """Runs a command in a thread and keeps its answers."""

    def __init__(self, *words: str) -> None:
        self.answers: list[tuple[int, str]] = []
        self.threads: list[threading.Thread] = []
        self.commands = Commands(words, self.in_thread)

    def in_thread(self, work, done) -> None:
        thread = threading.Thread(target=lambda: done(work()))
        self.threads.append(thread)
        thread.start()

    def run(self, *arguments: str, document: str = "", timeout_s: float = 20.0) -> None:
        self.commands.run(
            list(arguments), document, timeout_s, lambda *answer: self.answers.append(answer)
        )

    def wait(self) -> list[tuple[int, str]]:
        for thread in self.threads:
            thread.join(30.0)
            assert not thread.is_alive()
        return self.answers


def python(source: str) -> Runner:
    return Runner(sys.executable, "-c", source)


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("import sys; print('yes'); sys.exit(0)", (0, "yes")),
        ("import sys; sys.stderr.write('no\\n'); sys.exit(1)", (1, "no")),
        ("import sys; print(); print(' 7 '); sys.stderr.write('noise')", (0, "7")),
        ("import sys; sys.exit(3)", (3, "")),
        ("print('x' * 5000)", (0, "x" * TEXT_MAX)),
    ],
)
def test_the_answer_is_the_exit_status_and_the_first_line(source, answer) -> None:
    runner = python(source)
    runner.run()
    assert runner.wait() == [answer]


def test_it_gets_arguments_and_the_document() -> None:
    runner = python("import sys; print(sys.argv[1:], sys.stdin.read())")
    runner.run("shrink", "3", document='{"epoch": 3}')
    assert runner.wait() == [(0, "['shrink', '3'] {\"epoch\": 3}")]


def test_a_command_that_does_not_exist_is_no_answer() -> None:
    runner = Runner("/nowhere/at all")
    runner.run()
    assert runner.wait() == [(-1, "cannot run /nowhere/at all: No such file or directory")]


def test_a_command_that_takes_too_long_is_killed_with_its_children() -> None:
    runner = python(
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    )
    began = time.monotonic()
    runner.run(timeout_s=0.5)
    ((code, text),) = runner.wait()
    assert (code, text) == (-1, f"{sys.executable} did not answer within 0.5 s")
    assert time.monotonic() - began < 20


def test_a_command_that_was_killed_is_no_answer() -> None:
    runner = python("import time; time.sleep(60)")
    runner.run()
    while not runner.commands._running:
        time.sleep(0.01)
    runner.commands.kill_all()
    assert runner.wait() == [(-1, f"{sys.executable} was killed by signal 9")]
