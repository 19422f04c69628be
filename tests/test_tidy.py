"""Style is a test: the rules of CONTRIBUTING.md that a program can check.

Each rule is a pure function from the root of a tree to the list of its violations, one line each.
Every rule is tried twice: on this repository, which must have none, and on a small tree with one
violation planted, which must be reported.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
PACKAGES = {"broker/tanist": "tests/broker", "interop/tanist_interop": "tests/interop"}

EDGE = {"net", "service", "cli"}
"""The layers that mypyc does not compile."""

UNTESTED: dict[str, str] = {}
"""Sources without a test module of their own, each with the reason."""

EXTRA_TESTS: dict[str, str] = {
    "tests/broker/node/test_hostile10.py": "what would break a primary, whichever layer lets it in",
    "tests/broker/node/test_qmf10.py": "the management agent over the other protocol",
    "tests/broker/sessions/translation/test_genuine.py": "translations and the genuine codecs",
    "tests/broker/sessions/translation/test_mapping.py": "docs/message-mapping.md row by row",
    "tests/broker/sessions/translation/test_mapping_content.py": "likewise: bodies and types",
    "tests/broker/sessions/translation/test_round_trips.py": "both directions, one after the other",
    "tests/broker/wire/amqp10/test_model.py": "all machines of both sides against one model",
    "tests/broker/wire/amqp10/test_proton_peer.py": "all machines against Proton's engine",
}
"""Test modules without a source of their own under the mirrored folders, each with the reason."""

LONG_FILES: dict[str, str] = {
    "broker/tanist/wire/amqp010/spec.py": "the specification as data",
}
"""Files that may be longer than FILE_LINES_MAX, each with the reason."""

FORBIDDEN_NAMES = ("manager", "handler", "helper", "util", "engine")
"""Words that say nothing; no module and no class is called so."""

# In parts, so that this file does not hold what it forbids.
UNFINISHED = "TO" + "DO"
MACHINE = "/" + "work/"
FORBIDDEN_WORDS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b({UNFINISHED}|FIX" + r"ME|X" + r"XX)\b",
        rf"(?<![\w.])({MACHINE}|/roo" + r"t/)",
    )
)
"""Unfinished work and the paths of one machine."""

SKIPPED_FOLDERS = {"__pycache__", "data", "target", "node_modules"}


def files_of(root: Path, suffix: str, *folders: str) -> Iterator[Path]:
    """The files with ``suffix`` in ``folders`` of ``root``, hidden and generated ones left out."""
    for folder in folders:
        for path in sorted((root / folder).rglob(f"*{suffix}")):
            inner = path.relative_to(root).parts
            if not any(part in SKIPPED_FOLDERS or part.startswith(".") for part in inner):
                yield path


def python_files(root: Path) -> Iterator[Path]:
    """All Python 3 sources of the repository."""
    yield from files_of(root, ".py", "broker", "interop", "tests", "bench")
    yield from sorted(root.glob("*.py"))


def source_files(root: Path) -> Iterator[Path]:
    """The modules of both packages."""
    yield from files_of(root, ".py", *PACKAGES)


def document_files(root: Path) -> Iterator[Path]:
    """The Markdown pages of the repository."""
    yield from sorted(root.glob("*.md"))
    yield from files_of(root, ".md", "docs", "clients", "bench")


def name_of(root: Path, path: Path) -> str:
    """The path as people write it."""
    return path.relative_to(root).as_posix()


def parsed(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def modules_have_their_tests(root: Path) -> list[str]:
    """Each module has its test module at the same place, and no test module lost its source."""
    found = []
    expected = set()
    for package, tests in PACKAGES.items():
        for source in files_of(root, ".py", package):
            inner = source.relative_to(root / package)
            test = (root / tests / inner).with_name(f"test_{inner.name}")
            if source.name == "__init__.py":
                continue
            expected.add(test)
            if not test.exists() and name_of(root, source) not in UNTESTED:
                found.append(f"{name_of(root, source)} has no {name_of(root, test)}")
    for test in files_of(root, ".py", *PACKAGES.values()):
        orphan = test.name.startswith("test_") and test not in expected
        if orphan and name_of(root, test) not in EXTRA_TESTS:
            found.append(f"{name_of(root, test)} tests no module of that name")
    return found


def files_are_short(root: Path) -> list[str]:
    """No file is longer than FILE_LINES_MAX lines."""
    found = []
    for path in python_files(root):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > FILE_LINES_MAX and name_of(root, path) not in LONG_FILES:
            found.append(f"{name_of(root, path)} has {lines} lines, more than {FILE_LINES_MAX}")
    return found


def functions_are_short(root: Path) -> list[str]:
    """No function is longer than FUNCTION_LINES_MAX lines, docstring and all."""
    found = []
    for path in python_files(root):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    where = f"{name_of(root, path)}:{node.lineno}"
                    found.append(f"{where} {node.name} has {lines} lines")
    return found


def modules_are_described(root: Path) -> list[str]:
    """Each module and package opens with a docstring; each folder of sources is a package.

    A test module that mirrors a source needs none: the source says what it is about.
    """
    mirrors = set(files_of(root, ".py", *PACKAGES.values()))
    found = [
        f"{name_of(root, path)} has no docstring"
        for path in python_files(root)
        if not ast.get_docstring(parsed(path))
        and not (path in mirrors and path.name.startswith("test_"))
    ]
    folders = {path.parent for path in source_files(root)}
    found += [
        f"{name_of(root, folder)} has no __init__.py"
        for folder in sorted(folders)
        if not (folder / "__init__.py").exists()
    ]
    return found


Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def public_definitions(body: list[ast.stmt], outer: str = "") -> Iterator[tuple[str, Definition]]:
    """Public classes and functions of a module, and public methods of its public classes."""
    for node in body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield f"{outer}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{node.name}.")


def documented_methods(root: Path) -> dict[str, set[str]]:
    """For each class (by its bare name), the methods that it or its bases document."""
    own: dict[str, set[str]] = {}
    bases: dict[str, set[str]] = {}
    for path in source_files(root):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                methods = [m for m in node.body if isinstance(m, Definition)]
                names = {m.name for m in methods if ast.get_docstring(m)}
                own.setdefault(node.name, set()).update(names)
                above = {ast.unparse(base).split("[")[0].rpartition(".")[2] for base in node.bases}
                bases.setdefault(node.name, set()).update(above)
    for _ in range(len(own)):
        before = sum(map(len, own.values()))
        for name, above in bases.items():
            own[name].update(*(own.get(base, set()) for base in above))
        if sum(map(len, own.values())) == before:
            break
    return own


def speaks_for_itself(node: Definition) -> bool:
    """Whether ``node`` is a setter, described by its getter, or a bare line of a Protocol."""
    setter = any(ast.unparse(decorator).endswith(".setter") for decorator in node.decorator_list)
    return setter or [ast.unparse(statement) for statement in node.body] == ["..."]


def public_names_are_described(root: Path) -> list[str]:
    """Public classes, functions and methods have docstrings.

    A method may leave it to the method that it overrides (camelCase ones override Twisted's), and
    one of a Protocol, a bare ``...``, to the docstring of its class.
    """
    found = []
    documented = documented_methods(root)
    for path in source_files(root):
        for name, node in public_definitions(parsed(path).body):
            owner, _, method = name.rpartition(".")
            inherited = method in documented.get(owner, set()) or method != method.lower()
            if ast.get_docstring(node) or speaks_for_itself(node) or (owner and inherited):
                continue
            found.append(f"{name_of(root, path)}:{node.lineno} {name} has no docstring")
    return found


def module_names(root: Path) -> dict[str, Path]:
    """Dotted names of all modules of both packages."""
    names = {}
    for package in PACKAGES:
        for path in files_of(root, ".py", package):
            parts = path.relative_to((root / package).parent).with_suffix("").parts
            names[".".join(part for part in parts if part != "__init__")] = path
    return names


def imported_names(path: Path) -> set[str]:
    """Every dotted name that the module at ``path`` may mean by its imports."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def no_module_is_dead(root: Path) -> list[str]:
    """Each module is imported by another module of the packages, or is an entry point.

    Entry points are the scripts of pyproject.toml and what says ``if __name__ == "__main__"``.
    """
    modules = module_names(root)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    used = {target.partition(":")[0] for target in project["scripts"].values()}
    for name, path in modules.items():
        used.update(imported_names(path) - {name})
        if 'if __name__ == "__main__":' in path.read_text(encoding="utf-8"):
            used.add(name)
    return [
        f"{name_of(root, path)} is imported by nothing"
        for name, path in modules.items()
        if path.name not in {"__init__.py", "__main__.py"} and name not in used
    ]


def names_say_something(root: Path) -> list[str]:
    """No module and no class is called manager, handler, helper, util or engine."""
    found = []
    for path in source_files(root):
        classes = [node.name for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef)]
        for name in [path.stem, *classes]:
            words = re.findall(r"[A-Z]?[a-z]+", name)
            if any(word.lower().removesuffix("s") in FORBIDDEN_NAMES for word in words):
                found.append(f"{name_of(root, path)} {name} says nothing")
    return found


def caught_names_have_one_type(root: Path) -> list[str]:
    """In the pure layers no function catches two kinds of exception under one name.

    mypyc gives the name the type of its first clause, and the compiled second clause then raises
    TypeError where the interpreter goes on.
    """
    found = []
    for path in files_of(root, ".py", "broker/tanist"):
        if path.relative_to(root / "broker/tanist").parts[0] in EDGE:
            continue
        for function in ast.walk(parsed(path)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            kinds: dict[str, set[str]] = {}
            for clause in ast.walk(function):
                if isinstance(clause, ast.ExceptHandler) and clause.name and clause.type:
                    kinds.setdefault(clause.name, set()).add(ast.unparse(clause.type))
            found += [
                f"{name_of(root, path)}:{function.lineno} {name} is one of {sorted(types)}"
                for name, types in kinds.items()
                if len(types) > 1
            ]
    return found


def no_forbidden_word(root: Path) -> list[str]:
    """No unfinished work, no path of one machine, in sources, pages and settings."""
    settings = [root / name for name in ("Makefile", "tox.ini", "pyproject.toml", ".ci/run")]
    clients = [path for path in files_of(root, "", "clients") if path.is_file()]
    found = []
    for path in [*python_files(root), *document_files(root), *settings, *clients]:
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            found += [
                f"{name_of(root, path)}:{number} {word.pattern}"
                for word in FORBIDDEN_WORDS
                if word.search(line)
            ]
    return found


def anchors(page: Path) -> set[str]:
    """The anchors that a page's headings make."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.+?) *$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def links_resolve(root: Path) -> list[str]:
    """Each relative link of a page leads to a file, and its anchor to a heading."""
    found = []
    for page in document_files(root):
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = link.partition("#")
            path = (page.parent / target).resolve() if target else page
            if not path.exists():
                found.append(f"{name_of(root, page)} links to {link}, which does not exist")
            elif anchor and path.suffix == ".md" and anchor not in anchors(path):
                found.append(f"{name_of(root, page)} links to {link}: no such heading")
    return found


Rule = Callable[[Path], list[str]]
RULES: list[Rule] = [
    modules_have_their_tests,
    files_are_short,
    functions_are_short,
    modules_are_described,
    public_names_are_described,
    no_module_is_dead,
    names_say_something,
    caught_names_have_one_type,
    no_forbidden_word,
    links_resolve,
]


@pytest.mark.parametrize("rule", RULES)
def test_this_repository_is_tidy(rule: Rule) -> None:
    found = rule(ROOT)
    assert not found, "\n".join([f"{len(found)} violations:", *found])


def test_exceptions_are_still_needed() -> None:
    listed = [*UNTESTED, *EXTRA_TESTS, *LONG_FILES]
    assert [name for name in listed if not (ROOT / name).exists()] == []


TIDY = {
    "pyproject.toml": '[project]\nscripts = { a = "tanist.a:main" }\n',
    "README.md": "# A page\n\n[this](#a-page) and [that](docs/b.md#part-two-of-it)\n",
    "docs/b.md": "# B\n\n## Part *two*, of it\n\n[up](../README.md) [web](https://a.example/)\n",
    "broker/tanist/__init__.py": '"""Package."""\n',
    "broker/tanist/a.py": '"""A."""\n\nfrom tanist import b\n\ndef main():\n    """M."""\n',
    "broker/tanist/b.py": '"""B."""\n\n\nclass Base:\n    """B."""\n\n'
    '    def run(self):\n        """R."""\n\n\nclass Sub(Base):\n    """S."""\n\n'
    "    def run(self):\n        pass\n",
    "tests/broker/test_a.py": '"""Tests of A."""\n',
    "tests/broker/test_b.py": '"""Tests of B."""\n',
}

CATCHES = """def f():
    try:
        f()
    except KeyError as error:
        print(error)
    except OSError as error:
        print(error)
"""

PLANTED: list[tuple[Rule, str, str, str]] = [
    (
        modules_have_their_tests,
        "broker/tanist/c.py",
        '"""C."""\n',
        "c.py has no tests/broker/test_c.py",
    ),
    (modules_have_their_tests, "tests/broker/test_z.py", '"""Z."""\n', "test_z.py tests no module"),
    (files_are_short, "tests/broker/test_a.py", "\n" * 601, "601 lines"),
    (functions_are_short, "broker/tanist/a.py", "def f():\n" + "    f\n" * 70, "a.py:1 f has 71"),
    (functions_are_short, "bench/run.py", "class A:\n def f():\n" + "  f\n" * 70, "f has 71 lines"),
    (modules_are_described, "broker/tanist/a.py", "import os\n", "a.py has no docstring"),
    (modules_are_described, "broker/tanist/x/y.py", '"""Y."""\n', "tanist/x has no __init__.py"),
    (public_names_are_described, "broker/tanist/a.py", "def f():\n    pass\n", "a.py:1 f has no"),
    (
        public_names_are_described,
        "broker/tanist/a.py",
        "class C:\n    pass\n",
        "C has no docstring",
    ),
    (
        public_names_are_described,
        "broker/tanist/a.py",
        'class C:\n    """C."""\n\n    def run(self):\n        pass\n',
        "C.run has no docstring",
    ),
    (no_module_is_dead, "broker/tanist/c.py", '"""C."""\n', "c.py is imported by nothing"),
    (names_say_something, "broker/tanist/queue_manager.py", '"""M."""\n', "queue_manager says"),
    (names_say_something, "broker/tanist/a.py", "class FrameHandler:\n    pass\n", "FrameHandler"),
    (caught_names_have_one_type, "broker/tanist/core/x.py", CATCHES, "x.py:1 error is one of"),
    (no_forbidden_word, "broker/tanist/a.py", f"# {UNFINISHED} later\n", "a.py:1"),
    (no_forbidden_word, "docs/b.md", f"see {MACHINE}notes\n", "b.md:1"),
    (links_resolve, "docs/b.md", "[x](missing.md)\n", "missing.md, which does not exist"),
    (links_resolve, "docs/b.md", "[x](../README.md#nowhere)\n", "no such heading"),
]


def make_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("rule", RULES)
def test_a_tidy_tree_has_no_violation(rule: Rule, tmp_path: Path) -> None:
    assert rule(make_tree(tmp_path, TIDY)) == []


def test_the_edge_may_catch_as_it_likes(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"broker/tanist/net/x.py": CATCHES})
    assert caught_names_have_one_type(tree) == []


@pytest.mark.parametrize(("rule", "name", "text", "expected"), PLANTED)
def test_a_planted_violation_is_reported(
    rule: Rule, name: str, text: str, expected: str, tmp_path: Path
) -> None:
    found = rule(make_tree(tmp_path, TIDY | {name: text}))
    assert any(expected in line for line in found), found


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, *_ in PLANTED} == set(RULES)
