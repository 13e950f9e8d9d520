"""The house stays as drawn (design.md section 8): who may import whom, and who may not look at a clock.

The tables below are the drawing.  A module that none of them knows fails: put it where it belongs.
"""

from __future__ import annotations

import ast
import fnmatch
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "bigchaindb"
ROOT = Path(__file__).parent.parent / PACKAGE

# What stands directly beneath each part of the package.  A part may import that, and all that is beneath it in turn.
BENEATH: dict[str, list[str]] = {
    "version": [],
    "exceptions": [],
    "canonical": ["exceptions"],
    "crypto": ["exceptions"],
    "config": ["canonical", "crypto"],
    "logs": ["config"],
    "orders": [],
    "cryptoconditions": ["canonical", "crypto"],
    "model": ["cryptoconditions"],
    "consensus": ["model"],
    "storage": ["model", "config"],
    "node": ["consensus", "storage", "config"],
    "client": ["model", "version"],
    "core": ["node"],
    "pipeline": ["node", "logs", "orders"],
    "web": ["node", "logs", "orders", "version"],
    "util": ["core"],
    "cli": ["client", "core", "pipeline", "web"],
    "__main__": ["cli"],
    "__init__": ["core", "version"],
}

# Libraries, and the modules that may import them.  Any other is the web's own business.
LIBRARIES: dict[str, list[str]] = {
    "Crypto": ["crypto"],
    "base58": ["crypto", "cryptoconditions.*"],
    "click": ["cli.*"],
    "httpx": ["client.*"],
    "nacl": ["crypto"],
    "rapidjson": ["canonical", "storage.rethinkdb_driver"],
    "rethinkdb": ["storage.rethinkdb*"],
    "sqlite3": ["storage.sqlite*"],
}
WEB_LIBRARIES = ["web", "web.*"]

# What these parts use must be handed to them: no clock, no chance, no environment.
GIVEN_FROM_OUTSIDE: dict[str, list[str]] = {
    "cryptoconditions": ["time"],
    "model": ["time"],
    "consensus": ["time"],
    # A backend may measure how long it has been waiting.
    "storage": ["time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime"],
}
NEVER_INSIDE = [
    "datetime.date.today",
    "datetime.datetime.now",
    "datetime.datetime.today",
    "datetime.datetime.utcnow",
    "random",
    "secrets",
    "uuid.uuid1",
    "uuid.uuid4",
    "os.urandom",
    "os.getrandom",
    "nacl.utils.random",
    f"{PACKAGE}.crypto.generate_key_pair",
    "os.environ",
    "os.environb",
    "os.getenv",
    f"{PACKAGE}.config.load",
    f"{PACKAGE}.config.file",
]


@dataclass(frozen=True)
class Module:
    """A module of the package, parsed.

    Attributes:
        name: without the package's name, as in `storage.memory`; a package's own file is `storage.__init__`.
        names: what each name that it imports stands for, as in `{"now": "time.time"}`.
        used: dotted names that it uses, with imported names in full, as in `datetime.datetime.now`.
        imports: modules that it imports, in full.
        typing_only: those of them that are imported for type checkers only.
    """

    name: str
    used: frozenset[str]
    imports: frozenset[str]
    typing_only: frozenset[str]

    @property
    def part(self) -> str:
        return self.name.partition(".")[0]


def parse(name: str, source: str, modules: frozenset[str] = frozenset()) -> Module:
    """Parse a module; `modules` are all of the package, to tell an imported module from an imported name."""
    tree = ast.parse(source)
    for_typing = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    names: dict[str, str] = {}
    at_runtime: set[str] = set()
    for_checkers: set[str] = set()
    for node in ast.walk(tree):
        found = for_checkers if id(node) in for_typing else at_runtime
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.add(alias.name)
                names[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: import {node.module} in full"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                found.add(whole if whole in modules else node.module)
                names[alias.asname or alias.name] = whole
    used = frozenset(in_full(node, names) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute))
    return Module(
        name,
        used | frozenset(names.values()),
        frozenset(at_runtime | for_checkers),
        frozenset(for_checkers - at_runtime),
    )


def in_full(node: ast.AST, names: dict[str, str]) -> str:
    """Return a dotted name with the imported one that it begins with in full, or nothing if it begins otherwise."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or node.id not in names:
        return ""
    return ".".join([names[node.id], *reversed(parts)])


def read_package() -> dict[str, Module]:
    paths = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.rglob("*.py")}
    full = frozenset(f"{PACKAGE}.{name}".removesuffix(".__init__") for name in paths)
    return {name: parse(name, path.read_text(encoding="utf-8"), full) for name, path in sorted(paths.items())}


MODULES = read_package()
each_module = pytest.mark.parametrize("module", MODULES.values(), ids=lambda module: module.name)


def all_beneath(part: str) -> set[str]:
    return {below for direct in BENEATH[part] for below in {direct, *all_beneath(direct)}}


def part_of(imported: str) -> str:
    """Return the part of the package that an imported module of it belongs to."""
    return imported.removeprefix(PACKAGE).lstrip(".").partition(".")[0] or "__init__"


def is_ours(imported: str) -> bool:
    return imported.partition(".")[0] == PACKAGE


def misplaced_imports(module: Module) -> list[str]:
    allowed = {module.part, *all_beneath(module.part)}
    return [imported for imported in sorted(module.imports) if is_ours(imported) and part_of(imported) not in allowed]


def misplaced_libraries(module: Module) -> list[str]:
    libraries = {imported.partition(".")[0] for imported in module.imports if not is_ours(imported)}
    known = {name for name in libraries if name in LIBRARIES or name not in sys.stdlib_module_names}
    return sorted(
        name
        for name in known
        if not any(fnmatch.fnmatch(module.name, pattern) for pattern in LIBRARIES.get(name, WEB_LIBRARIES))
    )


def taken_from_outside(module: Module) -> list[str]:
    if module.part not in GIVEN_FROM_OUTSIDE:
        return []
    forbidden = [*GIVEN_FROM_OUTSIDE[module.part], *NEVER_INSIDE]
    return sorted(name for name in module.used if any(f"{name}.".startswith(f"{bad}.") for bad in forbidden))


def find_circle(modules: dict[str, Module]) -> list[str]:
    """Return modules that import each other at run time, each the next, or nothing."""
    named = {f"{PACKAGE}.{name}".removesuffix(".__init__"): module for name, module in modules.items()}
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        module = named[name]
        for imported in sorted(module.imports - module.typing_only):
            circle = visit(imported, [*path, name]) if imported in named else []
            if circle:
                return circle
        done.add(name)
        return []

    return next((circle for name in named if (circle := visit(name, []))), [])


# --- the drawing holds -------------------------------------------------------------------------------------


@each_module
def test_every_module_has_its_place(module: Module) -> None:
    assert module.part in BENEATH, "put it where it belongs in BENEATH"


@each_module
def test_imports_go_down(module: Module) -> None:
    assert misplaced_imports(module) == []


@each_module
def test_each_library_has_its_door(module: Module) -> None:
    assert misplaced_libraries(module) == []


@each_module
def test_clock_chance_and_environment_come_from_outside(module: Module) -> None:
    assert taken_from_outside(module) == []


def test_no_modules_import_each_other() -> None:
    assert find_circle(MODULES) == []


def test_rules_and_databases_do_not_know_each_other() -> None:
    assert "storage" not in all_beneath("consensus")
    assert "consensus" not in all_beneath("storage")


# --- these tests would see it ------------------------------------------------------------------------------

ALL = frozenset({PACKAGE, *(f"{PACKAGE}.{name}".removesuffix(".__init__") for name in MODULES)})


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("model.block", "from bigchaindb.storage.memory import MemoryStorage"),
        ("model.block", "import bigchaindb.storage.memory"),
        ("model.block", "from bigchaindb import storage"),
        ("consensus.rules", "from bigchaindb import storage as kept"),
        ("storage.sqlite", "def later():\n    import bigchaindb.consensus.tally"),
        ("crypto", "if TYPE_CHECKING:\n    from bigchaindb.model.block import Block"),
        ("config.file", "from bigchaindb.model import timestamp"),
        ("pipeline.builder", "from bigchaindb.web.views import x"),
        ("web.app", "from bigchaindb.pipeline import worker"),
        ("web.app", "from bigchaindb.core import Bigchain"),
        ("client.client", "from bigchaindb.node.queries import Status"),
        ("client.client", "from bigchaindb.node.queries import Queries"),
        ("client.api", "from bigchaindb.storage import interface"),
        ("client.client", "from bigchaindb.core import Bigchain"),
        ("canonical", "from bigchaindb import Bigchain"),
        ("canonical", "import bigchaindb"),
    ],
)
def test_an_import_that_goes_up_is_seen(name: str, source: str) -> None:
    assert len(misplaced_imports(parse(name, source, ALL))) == 1


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("storage.memory", "import rethinkdb"),
        ("storage.memory", "import sqlite3"),
        ("node.node", "from rethinkdb import r"),
        ("model.block", "import nacl.bindings"),
        ("pipeline.supervisor", "from starlette.applications import Starlette"),
        ("web.app", "import httpx"),
        ("client.client", "import fastapi"),
        ("config.file", "import platformdirs"),
        ("cli.tx", "import httpx"),
    ],
)
def test_a_library_elsewhere_is_seen(name: str, source: str) -> None:
    assert len(misplaced_libraries(parse(name, source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.time()",
        "import time as t\nt.time_ns()",
        "from time import time",
        "from time import time as now\nnow()",
        "def f(clock=None):\n    import time\n    return (clock or time.time)()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime\ndatetime.datetime.now(datetime.UTC)",
        "import datetime as dt\ndt.datetime.utcnow()",
        "import random",
        "from secrets import token_hex",
        "import uuid\nuuid.uuid4()",
        "import os\nos.urandom(8)",
        "import os\nos.environ['HOME']",
        "from os import getenv",
        "from bigchaindb import crypto\ncrypto.generate_key_pair()",
        "from bigchaindb import config\nconfig.load(None, {})",
        "from bigchaindb.config import load",
        "from bigchaindb.config.file import load",
    ],
)
@pytest.mark.parametrize("part", GIVEN_FROM_OUTSIDE)
def test_a_look_outside_is_seen(part: str, source: str) -> None:
    assert taken_from_outside(parse(f"{part}.somewhere", source, ALL))
    assert not taken_from_outside(parse("node.somewhere", source, ALL))


def test_a_name_that_was_not_imported_is_its_own() -> None:
    assert not taken_from_outside(parse("model.building", "def sign(secrets, random, time):\n    return secrets.x"))


def test_a_backend_may_measure_a_wait_and_the_rules_may_not() -> None:
    source = "import time\ntime.monotonic()"
    assert not taken_from_outside(parse("storage.memory", source))
    assert taken_from_outside(parse("consensus.tally", source))


def test_a_circle_is_seen_unless_only_type_checkers_walk_it() -> None:
    one = parse("a", "from bigchaindb.b import x")
    other = "from bigchaindb.a import y"
    assert find_circle({"a": one, "b": parse("b", other)}) == ["bigchaindb.a", "bigchaindb.b", "bigchaindb.a"]
    assert find_circle({"a": one, "b": parse("b", f"if TYPE_CHECKING:\n    {other}")}) == []
