"""
The house itself: which module may import which, and how large one may grow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

import xtls

#: The layers in reading order.  A module imports from its own layer and from those above it in this list.
#: A name is a folder of C{xtls}, or a module beside them.
LAYERS = (
    "__init__",
    "errors",
    "config",
    "trust",
    "wire",
    "port",
    "sessions",
    "endpoints",
    "programs",
    "__main__",
    "testing",
)

#: Modules that no test file carries the name of, and why.
WITHOUT_TEST_FILE = {
    "xtls.__main__": "two lines; tests/real runs it",
}

#: How long a module may be, in lines; and those which are longer, with the reason.
LONGEST = 400
LONGER: dict[str, str] = {}

ROOT = Path(xtls.__file__).parent
TESTS = Path(__file__).parent


def moduleName(path: Path) -> str:
    """
    The dotted name under which a file of C{xtls} is imported.
    """
    parts = ("xtls", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {moduleName(path): path for path in sorted(ROOT.rglob("*.py"))}


def layerOf(name: str) -> str:
    """
    The layer of a module, whether or not the list has it.
    """
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def isTypeChecking(node: ast.AST) -> bool:
    """
    Whether this is C{if TYPE_CHECKING:}, under which nothing is imported when the program runs.
    """
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def running(node: ast.AST) -> Iterator[ast.AST]:
    """
    Everything below a node that can run.
    """
    for child in ast.iter_child_nodes(node):
        if isTypeChecking(child):
            assert isinstance(child, ast.If)
            for statement in child.orelse:
                yield statement
                yield from running(statement)
            continue
        yield child
        yield from running(child)


def imports(source: str, modules: dict[str, Path]) -> set[str]:
    """
    The modules among C{modules} that a source imports, at its top or in a function.
    """
    found = set()
    for node in running(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in modules else node.module)
    return {name for name in found if name == "xtls" or name.startswith("xtls.")}


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """
    The modules of an import graph that lead back to themselves.
    """

    def reachable(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(graph.get(start, ()))
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(graph.get(name, ()))
        return seen

    return sorted(name for name in graph if name in reachable(name))


class LayersTests(SynchronousTestCase):
    """
    Imports point one way.
    """

    def setUp(self) -> None:
        self.graph = {name: imports(path.read_text("utf-8"), MODULES) for name, path in MODULES.items()}

    def test_everyModuleInALayer(self) -> None:
        """
        There is no module outside the layers.
        """
        self.assertEqual([name for name in MODULES if layerOf(name) not in LAYERS], [])

    def test_importsPointUp(self) -> None:
        """
        A module imports from its own layer and from those above it, never from one below.
        """
        wrong = [
            f"{name} imports {imported}"
            for name, importeds in self.graph.items()
            for imported in sorted(importeds)
            if LAYERS.index(layerOf(imported)) > LAYERS.index(layerOf(name))
        ]
        self.assertEqual(wrong, [])

    def test_importedModulesExist(self) -> None:
        """
        What is imported from xtls is there, so that no import escapes these tests.
        """
        missing = {imported for importeds in self.graph.values() for imported in importeds} - set(MODULES)
        self.assertEqual(missing, set())

    def test_noCycles(self) -> None:
        """
        No module leads back to itself through what it imports.
        """
        self.assertEqual(cycles(self.graph), [])

    def test_folders(self) -> None:
        """
        A folder's C{__init__} is one docstring and imports nothing.
        """
        for name, path in MODULES.items():
            if path.name == "__init__.py" and name != "xtls":
                body = ast.parse(path.read_text("utf-8")).body
                self.assertTrue(len(body) == 1 and isinstance(body[0], ast.Expr), name)


class HouseTests(SynchronousTestCase):
    """
    Where things are, and how large.
    """

    def test_everyModuleHasItsTests(self) -> None:
        """
        Each module is tested by the file that has its name, or a reason is given here.
        """
        missing = [
            name
            for name, path in MODULES.items()
            if path.name != "__init__.py"
            and name not in WITHOUT_TEST_FILE
            and not (TESTS / f"test_{path.stem}.py").exists()
        ]
        self.assertEqual(missing, [])

    def test_everyTestSaysWhat(self) -> None:
        """
        Each test has a docstring that states the behaviour.
        """
        silent = [
            f"{path.relative_to(TESTS)}: {node.name}"
            for path in sorted(TESTS.rglob("*.py"))
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.FunctionDef)
            and node.name.startswith("test_")
            and ast.get_docstring(node) is None
        ]
        self.assertEqual(silent, [])

    def test_namesAreUnique(self) -> None:
        """
        No two modules have one name, since their test files could not.
        """
        stems = [path.stem for path in MODULES.values() if path.name != "__init__.py"]
        self.assertEqual(sorted(stems), sorted(set(stems)))

    def test_exceptionsAreNeeded(self) -> None:
        """
        An exception is for a module that exists and needs it.
        """
        for name in WITHOUT_TEST_FILE:
            stem = name.rpartition(".")[2]
            self.assertFalse((TESTS / f"test_{stem}.py").exists(), name)
        for name in LONGER:
            self.assertGreater(len(MODULES[name].read_text("utf-8").splitlines()), LONGEST, name)

    def test_length(self) -> None:
        """
        A module that is longer than can be read at one sitting has a reason.
        """
        long = {
            name: lines
            for name, path in MODULES.items()
            if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST and name not in LONGER
        }
        self.assertEqual(long, {})


class ImportsTests(SynchronousTestCase):
    """
    The reading of imports, on which the tests above stand.
    """

    modules = {"xtls": Path(), "xtls.errors": Path(), "xtls.wire": Path(), "xtls.wire.engine": Path()}

    def test_forms(self) -> None:
        """
        Each form of an import statement is seen, wherever it stands; other packages are left out.
        """
        source = (
            "import os, xtls.errors\n"
            "from xtls.wire import engine, Other\n"
            "def f():\n"
            "    from xtls import __version__\n"
        )
        self.assertEqual(
            imports(source, self.modules), {"xtls.errors", "xtls.wire.engine", "xtls.wire", "xtls"}
        )

    def test_typeChecking(self) -> None:
        """
        What is imported for the type checker alone does not count; the other branch does.
        """
        source = "if TYPE_CHECKING:\n    import xtls.wire\nelse:\n    import xtls.errors\n"
        self.assertEqual(imports(source, self.modules), {"xtls.errors"})

    def test_cycles(self) -> None:
        """
        A cycle is found however long; what only leads to one is not in it.
        """
        graph = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}
        self.assertEqual(cycles(graph), ["b", "c"])
