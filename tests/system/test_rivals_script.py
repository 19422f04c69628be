"""``interop/rivals`` with stand-ins for apt-get, dpkg-deb and Maven."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "interop" / "rivals"

APT = 'for p in "$@"; do case $p in erlang*|rabbitmq*) touch "$p.deb" ;; esac; done'
DPKG = """mkdir -p "$3/usr/lib/rabbitmq/bin" "$3/usr/lib/erlang/bin"
printf '#!/bin/sh\\n' >"$3/usr/lib/rabbitmq/bin/rabbitmq-server"
chmod +x "$3/usr/lib/rabbitmq/bin/rabbitmq-server"
for name in erl start; do echo "ROOTDIR=/usr/lib/erlang" >"$3/usr/lib/erlang/bin/$name"; done"""
MAVEN = """for word; do case $word in -DoutputDirectory=*) out=${word#*=} ;; esac; done
mkdir -p "$out/apache-artemis-2.40.0/bin"
printf '#!/bin/sh\\n' >"$out/apache-artemis-2.40.0/bin/artemis"
chmod +x "$out/apache-artemis-2.40.0/bin/artemis"
tar -C "$out" -czf "$out/apache-artemis-2.40.0-bin.tar.gz" apache-artemis-2.40.0
rm -r "$out/apache-artemis-2.40.0\""""


@pytest.fixture
def rivals(tmp_path):
    """Runs the script; the stand-ins do what is given, and note that they were called."""

    def run(*words, apt=APT, maven=MAVEN):
        for name, text in (("apt-get", apt), ("dpkg-deb", DPKG), ("mvn", maven)):
            line = f'echo "{name} $*" >>"{tmp_path}/called"'
            (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n{text}\n")
            (tmp_path / name).chmod(0o755)
        env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        env["TANIST_CACHE"] = str(tmp_path / "cache")
        done = subprocess.run(
            [SCRIPT, *words], env=env, capture_output=True, text=True, check=False
        )
        called = tmp_path / "called"
        lines = called.read_text().splitlines() if called.exists() else []
        called.unlink(missing_ok=True)
        return done.returncode, done.stderr, lines

    return run


def test_both_are_fetched_once(rivals, tmp_path):
    code, said, called = rivals()
    assert code == 0, said
    assert called[0].startswith("apt-get download")
    assert "there: rabbitmq artemis" in said
    root = tmp_path / "cache/rivals/rabbitmq/root"
    erl = (root / "usr/lib/erlang/bin/erl").read_text()
    assert erl == f"ROOTDIR={root}/usr/lib/erlang\n"
    assert sorted(path.name for path in root.parent.iterdir()) == ["root"], "no packages are left"
    assert rivals() == (0, f"there: rabbitmq artemis, in {tmp_path}/cache/rivals\n", [])


def test_what_is_missing_is_told_with_the_remedy(rivals):
    assert rivals("--check")[::2] == (1, [])
    code, said, _ = rivals("rabbitmq", apt="echo no mirror >&2; exit 100")
    assert code == 1
    assert "no mirror" in said
    assert said.endswith("not there: rabbitmq; interop/rivals rabbitmq\n")
    code, said, called = rivals("artemis", maven="echo offline; exit 1")
    assert (code, len(called)) == (1, 1)
    assert "offline" in said


def test_one_that_nobody_knows_is_a_mistake(rivals):
    code, said, called = rivals("pulsar")
    assert (code, called) == (2, [])
    assert "there are: rabbitmq artemis" in said
