"""Settings become frozen objects with the original's defaults, checked as a whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from tanist.service.config import announce, broker_options, log_options
from tanist.service.logrules import parse_rule
from tanist.service.sources import UsageError, from_arguments
from tanist.types import BrokerError

HOME = Path("/home/someone")


def options(*words):
    return broker_options(from_arguments(words), HOME)


def test_defaults_are_those_of_the_original():
    got = options()
    assert got.network.port == 5672
    assert got.network.interfaces == ()
    assert got.network.tcp
    assert got.network.socket_fds == ()
    assert got.network.backlog == 10
    assert got.network.max_connections == 500
    assert got.network.max_negotiate_time_s == 10.0
    assert got.network.known_hosts_url == "none"
    assert got.ha.replicate == "none"
    assert not got.ha.cluster
    assert got.ha.backup_timeout_s == 10.0
    assert got.ha.flow_messages == 1000
    assert got.links.maintenance_interval_s == 2.0
    assert got.links.heartbeat_interval_s == 120.0
    assert got.queues.limit_bytes == 104857600
    assert got.management.enable
    assert got.data_dir == HOME / ".qpidd"
    assert got.daemon.pid_dir == HOME / ".qpidd"
    assert got.log.enable == (parse_rule("notice+"),)
    assert got.log.to_stderr
    assert not got.log.to_stdout
    got.validate()


def test_fields_follow_their_options():
    got = options(
        "--ha-cluster=yes",
        "--ha-brokers-url=a:1,b:2",
        "--ha-public-url=none",
        "--ha-replicate=all",
        "--ha-backup-timeout=500ms",
        "--link-maintenance-interval=0.1",
        "--max-negotiate-time=250",
        "--listen-disable=tcp",
        "--socket-fd=3",
        "--socket-fd=4",
        "--interface=::1",
        "--interface=lo",
        "--no-data-dir",
        "--close-fd=9",
        "--trace",
    )
    got.validate()
    assert got.ha.cluster
    assert got.ha.brokers_url == "a:1,b:2"
    assert got.ha.public_url == ""
    assert got.ha.replicate == "all"
    assert got.ha.backup_timeout_s == 0.5
    assert got.links.maintenance_interval_s == 0.1
    assert got.network.max_negotiate_time_s == 0.25
    assert not got.network.tcp
    assert got.network.socket_fds == (3, 4)
    assert got.network.interfaces == ("::1", "lo")
    assert got.data_dir is None
    assert got.daemon.close_fds == (9,)
    assert got.log.enable == (parse_rule("notice+"), parse_rule("trace+"))


def test_paths_are_absolute_because_a_daemon_changes_its_directory():
    got = options("--data-dir=d", "--pidfile=p", "--log-to-file=l")
    assert got.data_dir == Path.cwd() / "d"
    assert got.daemon.pidfile == Path.cwd() / "p"
    assert got.log.to_file == Path.cwd() / "l"


def test_auth_follows_the_password_file_unless_told():
    assert not options().security.auth
    assert options("--password-file=p").security.auth
    assert not options("--password-file=p", "--auth=no").security.auth


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--port=x"], "Option port (command line): 'x' is not a number"),
        (["--auth=perhaps"], "Option auth (command line)"),
        (["--wait=soon"], "Option wait (command line)"),
        (["--socket-fd=1", "--socket-fd=x"], "Option socket-fd"),
        (["--worker-threads=many"], "Option worker-threads"),
        (["--log-enable=loud"], "Option log-enable"),
    ],
)
def test_unreadable_values_are_named(words, text):
    with pytest.raises(UsageError) as caught:
        options(*words)
    assert text in caught.value.text


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--ha-replicate=some"], "Invalid replication value: some"),
        (["--port=70000"], "port 70000 is above 65535"),
        (["--ha-cluster", "--mgmt-enable=no"], "Cannot start HA: management is disabled"),
        (["--auth=yes"], "auth=yes needs a password-file"),
        (["--require-encryption"], "require-encryption"),
        (["--link-maintenance-interval=0"], "link-maintenance-interval"),
        (["--ha-backup-timeout=0"], "ha-backup-timeout"),
        (["--max-negotiate-time=0"], "max-negotiate-time"),
    ],
)
def test_what_cannot_work_is_refused(words, text):
    with pytest.raises(BrokerError) as caught:
        options(*words).validate()
    assert text in caught.value.text


def test_queue_replication_needs_management_but_does_not_stop_the_broker():
    words = ["--ha-queue-replication", "--mgmt-enable=no"]
    got = options(*words)
    got.validate()
    assert not got.ha.queue_replication
    lines = list(announce(from_arguments(words), got))
    assert ("warning", "HA", "Cannot start HA: management is disabled") in lines
    assert options("--ha-queue-replication").ha.queue_replication


def test_every_given_option_is_announced_with_its_effect_or_the_reason():
    words = ["--port=0", "--worker-threads=2", "--acl-file=a", "--ha-password=geheim", "--auth=no"]
    lines = list(announce(from_arguments(words), options(*words)))
    said = {text.split("=")[0].removeprefix("Option "): (level, text) for level, _, text in lines}
    assert said["port"][0] == "notice"
    assert "ignored" not in said["port"][1]
    assert said["worker-threads"][0] == "notice"
    assert "ignored: the broker runs in one thread" in said["worker-threads"][1]
    assert said["acl-file"][0] == "warning"
    assert "geheim" not in str(lines)
    assert any(c == "Security" and "Authentication is off" in text for _, c, text in lines)


def test_log_options_alone():
    got = log_options(from_arguments(["--log-to-stderr=no", "--log-disable=debug+:ha"]))
    assert not got.to_stderr
    assert got.disable == (parse_rule("debug+:ha"),)
