from __future__ import annotations

import os
import queue
import signal
import sys
import time
from pathlib import Path

import pytest

from tanist_interop import protocol
from tanist_interop.drivers.program import CANNOT_RUN, Gone, Program, Said
from tanist_interop.drivers.registry import ClientSpec


@pytest.fixture
def start(tmp_path):
    programs = []

    def start(*command):
        inbox = queue.SimpleQueue()
        log = tmp_path / "log"
        log.touch()
        program = Program("x", ClientSpec("x", tmp_path, command), log, inbox)
        programs.append(program)
        program.start()
        return program, inbox

    yield start
    for program in programs:
        program.end()


def python(code):
    return (sys.executable, "-uc", code)


def test_lines_arrive_decoded_and_stamped(start):
    program, inbox = start(*python("print(input())\nprint('junk')"))
    program.write('{"type":"done","in_reply_to":5}')
    said = inbox.get(timeout=5)
    assert isinstance(said, Said)
    assert said.message == protocol.Done(5)
    assert said.at > 0
    junk = inbox.get(timeout=5)
    assert junk.message is None
    assert "not JSON" in junk.problem
    assert inbox.get(timeout=5).code == 0


def test_the_last_item_has_the_code_and_the_last_words(start):
    program, inbox = start(*python("import sys; sys.stderr.write('a\\nno java\\n'); sys.exit(127)"))
    gone = inbox.get(timeout=5)
    assert isinstance(gone, Gone)
    assert (gone.source, gone.code, gone.last_words) == ("x", CANNOT_RUN, "no java")
    program.write("too late")


def test_a_command_that_is_not_there_cannot_run(start):
    _, inbox = start("./there-is-no-such-program")
    gone = inbox.get(timeout=5)
    assert gone.code == CANNOT_RUN
    assert "such-program" in gone.last_words


def test_a_program_ends_when_its_stdin_ends(start):
    program, inbox = start(*python("import sys; sys.stdin.read(); sys.exit(5)"))
    program.end()
    assert inbox.get(timeout=0).code == 5
    program.end()  # again: nothing
    program.write("nobody hears")


def test_a_program_that_does_not_end_is_killed(start, monkeypatch):
    monkeypatch.setattr("tanist_interop.drivers.program.CLOSE_S", 0.3)
    program, inbox = start(*python("import time; time.sleep(60)"))
    program.end()
    assert inbox.get(timeout=5).code == -9


def test_a_local_command_is_started_from_its_folder(start, tmp_path):
    script = tmp_path / "run"
    script.write_text(f"#!{sys.executable}\nimport os, sys\nsys.exit(len(os.path.basename('abc')))")
    script.chmod(0o755)
    _, inbox = start("./run")
    assert inbox.get(timeout=5).code == 3


def test_a_program_is_killed_with_its_children(start):
    program, inbox = start("sh", "-c", "sleep 60 & echo $!; wait")
    child = int(inbox.get(timeout=5).problem.split("'")[1].removesuffix("\\n"))
    program.kill()
    assert inbox.get(timeout=5).code == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        for _ in range(500):
            os.kill(child, 0)
            if Path(f"/proc/{child}/stat").read_text().split()[2] == "Z":
                raise ProcessLookupError  # dead, and nobody has asked for it yet
            time.sleep(0.01)


def test_a_program_that_is_stopped_goes_on(start):
    code = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    program, inbox = start(*python(code))
    line = '{"type":"done","in_reply_to":5}'
    program.write(line)
    assert inbox.get(timeout=5).message == protocol.Done(5)
    program.suspend()
    program.write(line)
    with pytest.raises(queue.Empty):
        inbox.get(timeout=0.3)
    program.resume()
    assert inbox.get(timeout=5).message == protocol.Done(5)
