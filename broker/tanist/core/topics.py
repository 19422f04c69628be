"""Topic matching: patterns of words, ``*`` for one word, ``#`` for any number of them.

All patterns of an exchange are one trie. A key walks it word by word with the set of nodes that are
alive; a node is alive at most once per word, so the cost is at most words times nodes whatever the
patterns look like, without recursion. ``#.#`` means ``#`` and ``#.*`` means ``*.#``: patterns are
kept in that one normal form, so ``#.#.#`` is a single node. Patterns without wildcards are looked
up in a dict and never enter the trie. Keys are at most 255 bytes (str8), hence at most 256 words.
"""

from __future__ import annotations


class Node:
    """One step of patterns. ``loops``: reached by ``#``, stays alive. ``mark``: last walk step."""

    __slots__ = ("hash", "loops", "mark", "parent", "pattern", "star", "word", "words")

    def __init__(self, parent: Node | None, word: str) -> None:
        self.parent = parent
        self.word = word
        self.words: dict[str, Node] = {}
        self.star: Node | None = None
        self.hash: Node | None = None
        self.loops = word == "#"
        self.mark = 0
        self.pattern = ""

    def unused(self) -> bool:
        """Whether nothing ends here and nothing goes on."""
        return not self.pattern and not self.words and self.star is None and self.hash is None


def normal(pattern: str) -> str:
    """``pattern`` in normal form: a run of wildcards is all its ``*``, then at most one ``#``."""
    if "#" not in pattern:
        return pattern
    words: list[str] = []
    pending = False
    for word in pattern.split("."):
        if word == "#":
            pending = True
            continue
        if pending and word != "*":
            words.append("#")
            pending = False
        words.append(word)
    if pending:
        words.append("#")
    return ".".join(words)


def is_plain(pattern: str) -> bool:
    """Whether ``pattern`` has no wildcard word (``a*`` and ``#b`` are plain words)."""
    if "*" not in pattern and "#" not in pattern:
        return True
    words = pattern.split(".")
    return "*" not in words and "#" not in words


class TopicIndex:
    """A set of wildcard patterns in normal form; ``match`` finds those that a key fits."""

    __slots__ = ("_root", "_step")

    def __init__(self) -> None:
        self._root = Node(None, "")
        self._step = 0

    @property
    def empty(self) -> bool:
        """Whether no pattern, and no node of one, is left."""
        return self._root.unused()

    def add(self, pattern: str) -> None:
        """Add a normal-form pattern (adding twice is adding once)."""
        node = self._root
        for word in pattern.split("."):
            node = self._child(node, word)
        node.pattern = pattern

    def _child(self, node: Node, word: str) -> Node:
        if word == "*":
            if node.star is None:
                node.star = Node(node, word)
            return node.star
        if word == "#":
            if node.hash is None:
                node.hash = Node(node, word)
            return node.hash
        child = node.words.get(word)
        if child is None:
            child = node.words[word] = Node(node, word)
        return child

    def remove(self, pattern: str) -> None:
        """Remove a pattern that was added, and the nodes only it needed."""
        node: Node | None = self._root
        for word in pattern.split("."):
            assert node is not None
            if word == "*":
                node = node.star
            elif word == "#":
                node = node.hash
            else:
                node = node.words.get(word)
        assert node is not None
        node.pattern = ""
        while node.parent is not None and node.unused():
            parent = node.parent
            if parent.star is node:
                parent.star = None
            elif parent.hash is node:
                parent.hash = None
            else:
                del parent.words[node.word]
            node = parent

    def match(self, key: str) -> list[str]:
        """The patterns that ``key`` fits, each once."""
        alive: list[Node] = []
        self._step += 1
        self._wake(self._root, alive)
        for word in key.split("."):
            self._step += 1
            before = alive
            alive = []
            for node in before:
                if node.loops:
                    self._wake(node, alive)
                if node.words:
                    child = node.words.get(word)
                    if child is not None:
                        self._wake(child, alive)
                if node.star is not None:
                    self._wake(node.star, alive)
            if not alive:
                return []
        return [node.pattern for node in alive if node.pattern]

    def _wake(self, node: Node, alive: list[Node]) -> None:
        """Make ``node`` alive in this step, with what ``#`` for no word reaches from it."""
        reached: Node | None = node
        while reached is not None and reached.mark != self._step:
            reached.mark = self._step
            alive.append(reached)
            reached = reached.hash
