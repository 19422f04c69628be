"""The check of configuration: what was confirmed is there, what was deleted is gone.

Each client owns the things it wishes for. What it may see of a thing is the state that was
confirmed last, or any state that it wished for since without a confirmation.
"""

from __future__ import annotations

from tests.sim.history import Granted, History, Looked, Wished


def configuration(history: History) -> list[str]:
    """Looks that showed neither what was confirmed nor what was asked for since."""
    granted: dict[tuple[str, str], tuple[float, str]] = {}
    open_wishes: dict[tuple[str, str], list[tuple[float, str]]] = {}
    found = []
    for event in history.events:
        if not isinstance(event, Wished | Granted | Looked):
            continue
        key = (event.client, event.thing)
        if isinstance(event, Wished):
            open_wishes.setdefault(key, []).append((event.at, event.state))
        elif isinstance(event, Granted):
            granted[key] = (event.at, event.state)
            open_wishes[key] = []
        else:
            _, state = granted.get(key, (0.0, ""))
            possible = {state, *(wish for _, wish in open_wishes.get(key, []))}
            if event.state not in possible:
                found.append(
                    f"{event.client} saw at {event.at:.3f} that {event.thing} is "
                    f"{event.state or 'not there'}; confirmed is {state or 'not there'}"
                )
    return found
