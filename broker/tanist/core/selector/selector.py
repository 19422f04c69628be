"""``Selector``: a message selector of Jakarta Messaging, ready to be asked about messages."""

from __future__ import annotations

from tanist.core.selector.nodes import OR, Literal, Node
from tanist.core.selector.parser import parse
from tanist.core.selector.values import Lookup


class Selector:
    """A condition on messages (Jakarta Messaging 3.1, 3.8), made by ``Selector.parse``.

    ``text`` is what the client gave, ``identifiers`` are the names that ``matches`` may look up:
    what the caller need not decode if it is not among them. ``str()`` is the condition in its
    shortest regular form. Immutable; one selector may serve any number of subscriptions.
    """

    __slots__ = ("_program", "_tree", "identifiers", "text")

    def __init__(self, text: str, tree: Node | None) -> None:
        """``tree``: the parsed ``text``, None to let everything pass."""
        self.text = text
        self._tree = tree
        self._program: Node = Literal(True) if tree is None else tree.folded()
        found: set[str] = set()
        self._program.identify(found)
        self.identifiers = frozenset(found)

    @classmethod
    def parse(cls, text: str) -> Selector:
        """The selector that ``text`` is. An empty one, or one of white space, matches everything.

        Raises: BrokerError (INVALID_ARGUMENT) that says at which character what was expected. The
        caller refuses the subscription with it (0-10: 542; 1.0: ``amqp:invalid-field``).
        """
        return cls(text, parse(text))

    def matches(self, lookup: Lookup) -> bool:
        """Whether the condition is true for the message that ``lookup`` looks into.

        False and unknown are both False. ``lookup(name)`` gives the value of an identifier, None
        if the message has none; it is called in no particular order, perhaps more than once for a
        name, and only for names in ``identifiers``. Raises only what ``lookup`` raises.
        """
        return self._program.evaluate(lookup) is True

    def evaluate(self, lookup: Lookup) -> bool | None:
        """As ``matches``, but unknown is None. What is no condition (``size + 1``) is unknown."""
        value = self._program.evaluate(lookup)
        return value if isinstance(value, bool) else None

    def __str__(self) -> str:
        if self._tree is None:
            return ""
        out: list[str] = []
        self._tree.write(out, OR)
        return "".join(out)
