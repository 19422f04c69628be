"""What can be played against brokers that a profile describes, and what of it can be judged.

A scenario is taken as it is, but for what makes it one of ours: the number of brokers, their
options, and checkers that ask for a promise which only our brokers give. What cannot be judged is
said in the report of the run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tanist_interop.hosts.external import question
from tanist_interop.hosts.profile import Profile
from tanist_interop.scenarios.scenario import STREAMS, Scenario

KILLS: Final = ("kill", "start")
HANGS: Final = ("suspend", "resume")
STOPS: Final = ("stop", "start")

FAULTS: Final[dict[str, tuple[str, ...]]] = {
    "": (),
    "kill": KILLS,
    "suspend": HANGS,
    "restart": STOPS,
    "none": (),
    "kill-primary": KILLS,
    "kill-backup": KILLS,
    "hang-primary": (*HANGS, *KILLS),
    "hang-backup": HANGS,
    "stop-primary": STOPS,
    "stop-backup": STOPS,
    "restart-primary": KILLS,
    "kill-in-transaction": KILLS,
    "kill-in-large-message": KILLS,
    "kill-client": (),
    "pause-client": (),
}
"""The commands that each fault needs; what is not here is no affair of commands, or hits more
brokers at once than a cluster that decides by majority can miss."""

OURS: Final = {
    "stall": "that nothing is confirmed while a backup hangs is a promise of our brokers",
    "replicas": "what each broker holds only ours tell",
}
"""Checkers that only our brokers can be judged by, and why."""


def missing(profile: Profile, scenario: Scenario) -> str:
    """Why a scenario cannot be played against such brokers, empty if it can. Raises: OSError."""
    lacks = without(profile)
    if lacks:
        return lacks
    if scenario.course not in STREAMS or scenario.change_urls or scenario.failover == "exchange":
        return "it asks for what only our own brokers have"
    if scenario.course == "subscriptions":
        return "topics have addresses of their own there, which no profile knows"
    if scenario.soak_s:
        return "a soak asks our own brokers who is in sync"
    if scenario.links not in ("", "nodes") or scenario.clock:
        return "it needs proxies before the brokers, or their clocks"
    if scenario.fault not in FAULTS:
        return f"the commands of a profile cannot make {scenario.fault}"
    wanted = [*FAULTS[scenario.fault], *(HANGS if scenario.course == "proofs" else ())]
    absent = profile.lacks(*dict.fromkeys(wanted))
    if absent:
        return f"the profile {profile.called} has no command {', '.join(absent)}"
    if scenario.promote and profile.lacks("promote") and profile.lacks("leader"):
        return f"the profile {profile.called} has neither leader nor promote: whom is it to hit?"
    if (scenario.fault or scenario.course == "proofs") and len(profile.brokers) < 2:
        return f"the profile {profile.called} has one broker only"
    return ""


def without(profile: Profile) -> str:
    """What this machine lacks of what the profile needs, empty if nothing. Raises: OSError."""
    if not profile.command("needs"):
        return ""
    code, text = question(profile, "needs")
    if code == 0:
        return ""
    reason = text.splitlines()[-1] if text else f"its command needs failed ({code})"
    return f"{reason}; to get it: {profile.remedy}" if profile.remedy else reason


def adapted(profile: Profile, scenario: Scenario) -> Scenario:
    """The scenario as it is played against these brokers."""
    return replace(
        scenario,
        nodes=len(profile.brokers),
        durable=scenario.durable or profile.durable,
        broker_options=(),
        checks=tuple(name for name in scenario.checks if name not in OURS),
    )


def unjudged(profile: Profile, scenario: Scenario) -> list[str]:
    """What of the scenario nobody can judge here, a text each."""
    out = [f"{name}: {why}" for name, why in OURS.items() if name in scenario.checks]
    if "brokers" in scenario.checks:
        out.append("brokers: memory (how much others may take is not for the drill to say)")
        if not profile.bad_lines or not any(broker.logs for broker in profile.brokers):
            out.append("brokers: logs (the profile does not say which lines are bad)")
        if profile.lacks("pid"):
            out.append("brokers: whether one ended by itself (the profile has no pid)")
    if "rejoin" in scenario.checks and profile.lacks("ready"):
        out.append("rejoin: more than that a broker takes connections (the profile has no ready)")
    return out


def version(profile: Profile) -> str:
    """Product and version, as reports show it; without a version if that is not known. Raises:
    OSError."""
    if not profile.command("version"):
        return profile.name
    code, text = question(profile, "version")
    return f"{profile.name} {text.splitlines()[-1]}" if code == 0 and text else profile.name
