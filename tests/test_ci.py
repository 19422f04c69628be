"""Which environments ``.ci/run`` and ``make test`` run: with a stand-in for tox that notes what it
is asked for, and stand-ins for what they look for on the machine."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tanist_interop.scenarios.catalogue import CATALOGUE
from tanist_interop.scenarios.proofs import BY_NAME

ROOT = Path(__file__).resolve().parents[1]
TEST = "run -e lint,py311,processes --skip-missing-interpreters false"
NOT_IN_CI = {"cover", "py312", "catch-up"}


def script(path: Path, text: str = "exit 0") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


class Machine:
    """A checkout in which every program is there and does nothing."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / ".ci").mkdir()
        for name in (".ci/run", "Makefile"):
            shutil.copy(ROOT / name, root / name)
        for name in ("clients/setup", "tests/sim/run.py", "bench/run.py"):
            script(root / name)
        script(root / "interop/engine", f'echo "engine $1" >>"{root}/asked"; shift; exec "$@"')
        script(root / "interop/images.sh", f'echo "images $*" >>"{root}/asked"')
        for name in ("git", "gcc", "chromium", "python3", "python3.12", "python3.13"):
            script(root / "bin" / name)
        script(root / ".venv-tox/bin/tox", f'echo "$*" >>"{root}/asked"')
        listing = r"printf 'scenarios:\n  kill-primary x\n  types x\n  soak x\nclients:\n  js x\n'"
        script(root / ".tox/interop/bin/tanist-interop", listing)

    def run(self, *command: str) -> tuple[int, str, list[str]]:
        """Exit status, what it printed, and what tox was asked for, a line per call."""
        inherited = {
            key: text
            for key, text in os.environ.items()
            if key != "ENVS" and not key.startswith(("MAKE", "MFLAGS"))
        }
        env = {**inherited, "PATH": f"{self.root}/bin:{os.environ['PATH']}"}
        done = subprocess.run(
            command, cwd=self.root, env=env, capture_output=True, text=True, check=False
        )
        asked = self.root / "asked"
        lines = asked.read_text("utf-8").splitlines() if asked.exists() else []
        return done.returncode, done.stdout + done.stderr, lines


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def environments(lines: list[str]) -> set[str]:
    """Of the calls of tox among these."""
    calls = [line.split()[2] for line in lines if line.startswith("run ")]
    return {name for call in calls for name in call.split(",")}


def test_make_test_runs_what_tox_runs_without_names(machine: Machine) -> None:
    assert machine.run("make", "test")[2] == ["run"]


def test_environments_that_are_named_must_be_able_to_run(machine: Machine) -> None:
    assert machine.run("make", "test", "ENVS=lint,py311,processes")[2] == [TEST]


def test_the_stage_test_is_the_command_of_the_readme(machine: Machine) -> None:
    code, said, asked = machine.run(".ci/run", "test")
    assert (code, asked) == (0, [TEST]), said
    assert "1 passed, 0 failed" in said
    assert "\n    make test\n" in (ROOT / "README.md").read_text("utf-8")
    assert re.search(r"^ +test\) make test ", (ROOT / ".ci/run").read_text("utf-8"), re.M)


def test_stages_to_be_asked_for(machine: Machine) -> None:
    names = ["lint", "py312", "cover"]
    code, said, asked = machine.run(".ci/run", *names)
    assert code == 0, said
    assert [line.split()[2] for line in asked] == names


@pytest.mark.parametrize(
    ("verdict", "runs", "code"), [(0, 6, 0), (1, 6, 0), (2, 6, 1), (1, 5, 1), (124, 6, 1)]
)
def test_rivals_may_fail_on_their_merits_only(
    machine: Machine, verdict: int, runs: int, code: int
) -> None:
    script(machine.root / "interop/rivals")
    drill = machine.root / ".tox/interop/bin/tanist-interop"
    files = " ".join(f"runs/rivals/{number}/results.json" for number in range(runs))
    script(
        drill,
        f'''echo "$*" >>"{machine.root}/drilled"
case "$*" in *external*) exit {verdict} ;; *local*) for f in {files}; do
    mkdir -p $(dirname $f); touch $f; done ;; esac''',
    )
    done, said, _ = machine.run(".ci/run", "rivals")
    assert done == code, said
    drilled = (machine.root / "drilled").read_text("utf-8").splitlines()
    assert [line.split()[1] for line in drilled[:2]] == ["local", "external"]
    if code == 0:
        assert drilled[-1].startswith("compare runs/rivals/kill-primary-")


def test_a_stage_that_leaves_a_process_behind_fails_and_the_process_is_ended(
    machine: Machine,
) -> None:
    left = machine.root / "left"
    script(
        machine.root / ".venv-tox/bin/tox",
        f'setsid sleep 300 >"{machine.root}/null" 2>&1 &\necho $! >"{left}"',
    )
    code, said, _ = machine.run(".ci/run", "lint")
    assert code == 1, said
    assert "stage lint left processes behind:" in said
    assert "sleep 300" in said
    stat = Path(f"/proc/{left.read_text('utf-8').strip()}/stat")
    assert not stat.exists() or stat.read_text("utf-8").split()[2] == "Z", (
        "nobody has waited for it"
    )


def test_a_stage_that_is_none_fails_and_says_which_there_are(machine: Machine) -> None:
    code, said, asked = machine.run(".ci/run", "nonsense")
    assert (code, asked) == (1, [])
    assert "to be asked for: lint py312 cover containers rivals" in said


def test_the_drill_in_containers_has_an_engine_and_its_images(machine: Machine) -> None:
    code, said, asked = machine.run(".ci/run", "containers")
    assert code == 0, said
    engine, images, again, run = asked
    assert {engine, again} == {"engine --required"}, "that there is none is a failure"
    words = run.split()
    clients = words[words.index("--clients") + 1].split(",")
    assert images.split()[1:] == ["broker", *clients]
    assert run.startswith("run -e interop -- --hosts docker --scenario ")
    known = {*CATALOGUE, *BY_NAME}
    assert set(words[words.index("--scenario") + 1].split(",")) <= known


def test_what_ci_leaves_out_is_what_the_pages_say(machine: Machine) -> None:
    code, said, asked = machine.run(".ci/run")
    assert code == 0, said
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "tox.ini", "utf-8")
    there = {name.strip() for name in settings["tox"]["env_list"].split(",")}
    there |= {name.removeprefix("testenv:") for name in settings.sections() if ":" in name}
    there.discard(".pkg_compiled")
    assert there - environments(asked) == NOT_IN_CI
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    (sentence,) = re.findall(r"calls them in order, except three: (.*?)\.\n", page, re.S)
    assert {name for name in re.findall(r"`([\w-]+)`", sentence)} == NOT_IN_CI


def test_the_end_says_again_what_failed_in_a_stage(machine: Machine) -> None:
    failing = 'echo "FAILED tests/test_a.py::test_b - $3"; seq 200; exit 1'
    script(machine.root / ".venv-tox/bin/tox", failing)
    code, said, _ = machine.run(".ci/run", "lint", "cover")
    assert code == 1
    end = said[said.index("=== lint failed") :].splitlines()
    assert "FAILED tests/test_a.py::test_b - lint" in end
    assert "FAILED tests/test_a.py::test_b - cover" in end
    assert end[-2:] == ["failed: lint cover", "0 passed, 2 failed"]
    assert len(end) < 40
