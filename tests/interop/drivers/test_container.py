"""A client program behind an engine's frames, which a thread here writes."""

from __future__ import annotations

import queue
import socket
import struct
import threading
import time

import pytest

from tanist_interop import protocol
from tanist_interop.drivers.container import ContainerProgram, image
from tanist_interop.drivers.program import Gone, Said
from tanist_interop.drivers.registry import ClientSpec
from tests.interop.fake_docker import FakeDocker

DONE = b'{"type":"done","in_reply_to":%d}\n'


class Attached(FakeDocker):
    """A container whose other end is ours."""

    def attach(self, container):
        ours, self.end = socket.socketpair()
        return ours

    def frame(self, stream, octets):
        self.end.sendall(struct.pack(">BxxxL", stream, len(octets)) + octets)

    def ends(self, container, code):
        self.codes[container] = code
        self.end.close()


@pytest.fixture
def spec(tmp_path):
    return ClientSpec("a", tmp_path, ("./run",))


@pytest.fixture
def engine(spec):
    return Attached(image(spec))


@pytest.fixture
def program(spec, engine, tmp_path):
    subject = ContainerProgram(
        "a.send", spec, tmp_path / "a.log", queue.SimpleQueue(), engine, None, "group"
    )
    (tmp_path / "a.log").touch()
    subject.start()
    yield subject
    subject.end()


def item(program):
    return program.inbox.get(timeout=10)


def test_frames_become_lines(program, engine, tmp_path):
    first, second = DONE % 1, DONE % 2
    engine.frame(1, first + second[:7])
    engine.frame(2, b"warning: slow\n")
    engine.frame(1, second[7:] + b"nonsense\n")
    assert [item(program).message.in_reply_to for _ in range(2)] == [1, 2]
    assert item(program).message is None
    engine.ends("c1", 3)
    gone = item(program)
    assert (type(gone), gone.code, gone.last_words) == (Gone, 3, "warning: slow")
    assert (tmp_path / "a.log").read_text() == "warning: slow\n"


def test_a_line_that_was_not_ended_is_not_lost(program, engine):
    engine.frame(1, (DONE % 7).rstrip())
    engine.ends("c1", 0)
    assert isinstance(item(program), Said)


def test_requests_are_written(program, engine):
    program.write(protocol.encode(protocol.Close(4)))
    assert engine.end.recv(100) == b'{"type":"close","id":4}\n'
    engine.end.close()
    for _ in range(3):
        program.write("x" * 100_000)


def test_the_end_closes_standard_input_and_removes_the_container(program, engine):
    def close_when_told():
        while engine.end.recv(100):
            pass
        engine.ends("c1", 0)

    thread = threading.Thread(target=close_when_told)
    thread.start()
    program.end()
    thread.join(10)
    assert item(program).code == 0
    assert engine.codes == {}
    program.end()


def test_who_does_not_end_is_killed(program, engine, monkeypatch):
    monkeypatch.setattr("tanist_interop.drivers.container.CLOSE_S", 0.2)
    kill = engine.signal

    def die(container, name):
        kill(container, name)
        engine.end.close()

    engine.signal = die
    began = time.monotonic()
    program.end()
    assert time.monotonic() - began < 5
    assert engine.asked == [(None, "SIGKILL")]
    assert item(program).code == -9


def test_all_of_the_container_hangs_and_goes_on(program, engine, monkeypatch):
    monkeypatch.setattr("tanist_interop.drivers.container.CLOSE_S", 0.2)
    program.suspend()
    program.resume()
    assert engine.asked == [(None, "sh -c kill -STOP -1"), (None, "sh -c kill -CONT -1")]
    engine.ends("c1", 0)


def test_without_an_image_it_cannot_run(spec, tmp_path):
    inbox = queue.SimpleQueue()
    program = ContainerProgram("a", spec, tmp_path / "a.log", inbox, Attached(), None, "group")
    program.start()
    gone = inbox.get_nowait()
    assert gone.code == 127
    assert gone.last_words == "no image tanist-client-a; run interop/images.sh a"
    program.write("{}")
    program.kill()
    program.end()
