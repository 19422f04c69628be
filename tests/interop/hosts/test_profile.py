from __future__ import annotations

from pathlib import Path

import pytest

from tanist_interop.hosts.profile import VERBS, BadProfile, Limits, find, parse, shipped

SMALL = """
name = "Some"
[commands]
leader = "who"
[[brokers]]
address = "one.example:5672"
[[brokers]]
address = "two.example:5672"
commands.leader = "never"
"""


def test_what_is_not_said_has_its_default():
    profile = parse('name = "Some"\nbrokers = [{address = "one.example:5672"}]', Path("x"))
    assert (profile.name, profile.called, profile.address) == ("Some", "x", "{queue}")
    assert (profile.clients, profile.durable, profile.limits) == (("amqp1.0",), False, Limits())
    assert profile.lacks("start", "kill") == ["start", "kill"]


def test_a_whole_profile(standin):
    profile = find(str(standin(more="[limits]\nelect = 3\n[options]\nall = {username = 'me'}")))
    assert [broker.logs for broker in profile.brokers] == [("n1.log",), ("n2.log",), ("n3.log",)]
    assert profile.limits == Limits(elect=3.0)
    assert profile.options == {"all": {"username": "me"}}
    assert profile.lacks(*VERBS) == ["promote"]


def test_a_broker_may_have_commands_of_its_own():
    text = SMALL.replace("commands.leader", "commands.stop").replace("leader = ", "stop = ")
    profile = parse(text, Path("x"))
    assert [profile.command("stop", node) for node in (0, 1)] == ["who", "never"]
    text = text.replace('stop = "who"\n', "")
    assert parse(text, Path("x")).lacks("stop") == ["stop"], "one of them has it"


@pytest.mark.parametrize("name", shipped())
def test_those_that_come_with_the_drill_are_whole(name):
    profile = find(name)
    assert profile.called == name
    assert profile.lacks(*VERBS) in (["promote"], ["promote", "declare"], ["cleanup", "promote",
                                                                          "declare"])  # fmt: skip
    for verb in VERBS:
        words = profile.command(verb).split()
        if words:
            script = words[1].strip('"').replace("$DRILL_PROFILE", str(profile.path.parent))
            assert f"{verb}" in Path(script).read_text("utf-8")


def test_there_are_two():
    assert shipped() == ["artemis", "rabbitmq"]


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [
        ('name = "Some"', "", "name, of the product"),
        ('name = "Some"', "name = 5", "name must be a str"),
        ('name = "Some"', 'name = "Some"\nnmae = 1', "there is no nmae"),
        ('name = "Some"', 'name = "Some"\naddress = "all"', "must hold {queue} once"),
        ('name = "Some"', 'name = "Some"\nclients = ["mqtt"]', "there is no mqtt"),
        ('name = "Some"', 'name = "Some"\nclients = [1]', "must be a list of texts"),
        ('name = "Some"', 'name = "Some"\nports = ["A-1"]', "must be called like amqp"),
        ('name = "Some"', 'name = "Some"\nshared-ports = ["nodes"]', "must be called like amqp"),
        ('name = "Some"', 'name = "Some"\nlimits = {elect = 0}', "number of seconds"),
        ('name = "Some"', 'name = "Some"\nlimits = {wait = 1}', "there is no wait"),
        ('name = "Some"', 'name = "Some"\noptions = {all = {n = 1}}', "a table of texts"),
        ('name = "Some"', "name = ", "Invalid value"),
        ('leader = "who"', 'leader = ""', "must be a line for sh"),
        ('leader = "who"', 'lead = "who"', "there is no lead"),
        ('leader = "who"', 'leader = "who"\npromote = "p"', "either the drill promotes"),
        ('leader = "who"', 'kill = "k"', "kill without start"),
        ('leader = "who"', 'suspend = "k"', "suspend without resume"),
        ('leader = "who"', 'start = "k"', "start without stop"),
        ('"one.example:5672"', '"one.example"', "must be HOST:PORT"),
        ('"one.example:5672"', '"one.example:{amqp}"', "names amqp, not in ports"),
        ('"one.example:5672"', '"one.example:5672"\nlog = []', "there is no log"),
        ("commands.leader", "commands.leader = 'x'\ncommands.stop", "there is no leader"),
    ],
)
def test_what_is_wrong_is_told(old, new, word):
    text = SMALL.replace('commands.leader = "never"', "")
    text = SMALL if old == "commands.leader" else text
    assert text.count(old) == 1
    with pytest.raises(BadProfile) as told:
        parse(text.replace(old, new), Path("some.toml"))
    assert word in str(told.value)
    assert str(told.value).startswith("some.toml")


def test_there_must_be_brokers():
    for brokers in ("[]", "[" + '{address="a:1"},' * 17 + "]"):
        with pytest.raises(BadProfile, match="brokers; must be 1 to 16"):
            parse(f'name = "Some"\nbrokers = {brokers}', Path("x"))
    with pytest.raises(BadProfile, match="must be a table"):
        parse('name = "Some"\nbrokers = [1]', Path("x"))


def test_a_profile_that_is_not_there_is_told():
    with pytest.raises(BadProfile, match=r"no profile pulsar .* there are artemis, rabbitmq"):
        find("pulsar")
