"""Options from the command line, the environment and the file: syntax and precedence."""

from __future__ import annotations

import pytest

from tanist.service.sources import (
    CONFIG_BYTES_MAX,
    BadLine,
    UsageError,
    from_arguments,
    from_environment,
    from_file,
    gather,
    help_text,
)


def texts(settings):
    return {name: setting.texts for name, setting in settings.items()}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--port=1"], {"port": ("1",)}),
        (["--port", "1"], {"port": ("1",)}),
        (["-p", "1"], {"port": ("1",)}),
        (["-p1"], {"port": ("1",)}),
        (["-p=1"], {"port": ("1",)}),
        (["--port=1", "--port=2"], {"port": ("2",)}),
        (["--auth=no"], {"auth": ("no",)}),
        (["--auth", "no", "--daemon"], {"auth": ("no",), "daemon": ("yes",)}),
        (["--daemon", "--port", "0"], {"daemon": ("yes",), "port": ("0",)}),
        (["-dt"], {"daemon": ("yes",), "trace": ("yes",)}),
        (["-dp0"], {"daemon": ("yes",), "port": ("0",)}),
        (["-mno"], {"mgmt-enable": ("no",)}),
        (["-m", "no"], {"mgmt-enable": ("no",)}),
        (["--ha-brokers-url=a=b"], {"ha-brokers-url": ("a=b",)}),
        (["--ha-brokers-url="], {"ha-brokers-url": ("",)}),
        (["--log-prefix", "--x"], {"log-prefix": ("--x",)}),
        (["--socket-fd=3", "--socket-fd", "4"], {"socket-fd": ("3", "4")}),
        ([], {}),
    ],
)
def test_command_line(words, expected):
    assert texts(from_arguments(words)) == expected


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--nope"], "Unknown option '--nope'"),
        (["--nope=1"], "Unknown option '--nope'"),
        (["-x"], "Unknown option '-x'"),
        (["-dx"], "Unknown option '-x' in '-dx'"),
        (["--port"], "'--port' needs a value"),
        (["-p"], "'-p' needs a value"),
        (["5672"], "Unexpected argument '5672'"),
        (["-"], "Unexpected argument '-'"),
        (["--por=1"], "Unknown option '--por'"),
    ],
)
def test_wrong_command_lines(words, text):
    with pytest.raises(UsageError) as caught:
        from_arguments(words)
    assert text in caught.value.text


def test_environment_ignores_unknown_and_empty_variables():
    environment = {
        "QPID_HA_CLUSTER": "True",
        "QPID_LOG_ENABLE": "info+",
        "QPID_PY_NO_SWIG": "1",
        "QPID_PORT": "",
        "PORT": "9",
    }
    settings = from_environment(environment)
    assert texts(settings) == {"ha-cluster": ("True",), "log-enable": ("info+",)}
    assert settings["ha-cluster"].source == "environment"


def test_file_with_comments_blanks_and_repeated_keys():
    text = "# comment\n\nport=1\n  # another\nlog-enable=info+\nlog-enable=debug+:ha::\nport = 2 \n"
    assert texts(from_file(text, "f")) == {
        "port": ("2",),
        "log-enable": ("info+", "debug+:ha::"),
    }


@pytest.mark.parametrize("line", ["nope=1", "port", "daemon", "=1", "por t=1"])
def test_a_bad_line_is_shown_between_bars(line):
    with pytest.raises(BadLine) as caught:
        from_file(f"auth=no\n{line}\n", "f")
    assert caught.value.text == f"Bad argument: |{line}|"


def test_precedence_and_no_merging(tmp_path):
    file = tmp_path / "qpidd.conf"
    file.write_text("port=1\nrealm=FILE\nwait=5\nlog-enable=error+\nlog-enable=info\n")
    settings = gather(
        ["--port=3", "--config", str(file), "--socket-fd=7"],
        {"QPID_PORT": "2", "QPID_REALM": "ENV", "QPID_LOG_ENABLE": "debug+"},
        tmp_path / "absent",
    )
    assert settings["port"].texts == ("3",)
    assert settings["realm"].texts == ("ENV",)
    assert settings["wait"].texts == ("5",)
    assert settings["wait"].source == str(file)
    assert settings["log-enable"].texts == ("debug+",)


def test_which_file_is_read(tmp_path):
    for name in ("default", "variable", "flag"):
        (tmp_path / name).write_text(f"realm={name}\n")
    default = tmp_path / "default"
    variable = {"QPID_CONFIG": str(tmp_path / "variable")}
    flag = [f"--config={tmp_path / 'flag'}"]
    assert gather([], {}, default)["realm"].texts == ("default",)
    assert gather([], variable, default)["realm"].texts == ("variable",)
    assert gather(flag, variable, default)["realm"].texts == ("flag",)


def test_a_missing_default_file_is_fine_a_named_one_is_not(tmp_path):
    assert gather([], {}, tmp_path / "absent") == {}
    with pytest.raises(UsageError, match="Cannot read config file"):
        gather([f"--config={tmp_path / 'absent'}"], {}, tmp_path / "absent")
    with pytest.raises(UsageError, match="Cannot read config file"):
        gather([], {"QPID_CONFIG": str(tmp_path)}, tmp_path / "absent")


def test_a_huge_file_is_refused(tmp_path):
    file = tmp_path / "huge"
    file.write_bytes(b"#" * (CONFIG_BYTES_MAX + 1))
    with pytest.raises(UsageError, match="more than"):
        gather([], {}, file)


def test_help_names_every_group_and_what_is_ignored():
    text = help_text()
    assert "Usage: qpidd" in text
    assert "-p, --port N" in text
    assert "High availability options:" in text
    assert "ignored: modules are built in" in text
