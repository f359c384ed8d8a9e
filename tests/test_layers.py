"""The layers hold: a module imports only from its own package and from below, wherever in its text it does so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "p2pship"

LAYERS: list[set[str]] = [
    {"errors"},
    {"address"},
    {"cycles"},
    {"leaps"},
    {"descriptors"},
    {"datagrams"},
    {"interfaces"},
    {"sectionreader"},
    {"config"},
    {"plugins"},
    {"storage"},
    {"neighbours"},
    {"network"},
    {"journal"},
    {"status"},
    {"webclient"},
    {"identity"},
    {"trust"},
    {"lookup", "bearer"},
    {"overlay"},
    {"media", "sip", "relations"},
    {"applications"},
    {"web"},
    {"sections"},
    {"desk"},
    {"circle", "entrance", "telephony"},
    {"checkup"},
    {"standing"},
    {"node"},
    {"commands"},
    {"controlpath"},
    {"control"},
    {"banner"},
    {"exitstatus"},
    {"tap", "rendezvoustap"},
    {"cli"},
    {"testing"},
]
"From the bottom up: a part imports only from those before its own; parts of one layer never import each other."

LEVELS = {part: level for level, parts in enumerate(LAYERS) for part in parts}

WITHOUT_REACTOR = ("wire", "machine")
"Files of these names hold bytes and decisions: they have neither I/O nor a clock."


def part_of(path: Path) -> str:
    """Return the layer's part that a source file belongs to; the package's own ``__init__`` belongs to none."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def sources(*folders: Path) -> list[Path]:
    """Return every Python file below these folders."""
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def is_type_checking(node: ast.AST) -> bool:
    """Tell whether this is ``if TYPE_CHECKING:``."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(path: Path, *, typing: bool = True) -> Iterator[str]:
    """Yield the dotted name of everything a file imports, in functions too; with ``typing`` also for types only."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if is_type_checking(node) and not typing:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)
        waiting.extend(ast.iter_child_nodes(node))


def allowed(part: str, imported: str) -> bool:
    """Tell whether a part of p2pship may import this dotted name."""
    package, _, rest = imported.partition(".")
    other = rest.partition(".")[0]
    if package != "p2pship" or other in ("", part, "__version__"):
        return True
    if other not in LEVELS:
        return imported.startswith("p2pship.__")
    return LEVELS[other] < LEVELS[part]


class LayerTests(SynchronousTestCase):
    """What imports what."""

    def test_every_part_has_a_layer(self) -> None:
        """A new module or package must say where it belongs."""
        parts = {part_of(path) for path in sources(SOURCE)} - {"__init__", "__main__"}
        self.assertEqual(parts - set(LEVELS), set())

    def test_documented(self) -> None:
        """The list that people read is this one."""
        page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
        listed = page.partition("## Layers")[2].partition("`tests/test_layers.py`")[0].partition(":")[2]
        layers = [set(re.findall(r"\w+", layer)) for layer in listed.split("←")]
        self.assertEqual(layers, LAYERS)

    def test_down_only(self) -> None:
        """No part imports from above or beside it; interfaces name types of other parts only for the checker."""
        wrong = [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in sources(SOURCE)
            if part_of(path) in LEVELS
            for name in imports(path, typing=part_of(path) != "interfaces")
            if not allowed(part_of(path), name)
        ]
        self.assertEqual(wrong, [])

    def test_no_relative_imports(self) -> None:
        """Imports are written whole, so that the rule above sees them all."""
        wrong = [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for path in sources(SOURCE)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom) and node.level
        ]
        self.assertEqual(wrong, [])

    def test_without_reactor(self) -> None:
        """Wire and machine files never import twisted.internet."""
        wrong = [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in sources(SOURCE)
            if path.stem.endswith(WITHOUT_REACTOR)
            for name in imports(path)
            if name.startswith("twisted.internet")
        ]
        self.assertEqual(wrong, [])

    def test_no_global_reactor(self) -> None:
        """The reactor is handed in: only the twistd services, and a command that does its work itself, take the global one."""
        wrong = [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in sources(SOURCE)
            if path.relative_to(SOURCE).as_posix() not in ("tap.py", "rendezvoustap.py", "cli/verbs.py")
            for name in imports(path)
            if name == "twisted.internet.reactor"
        ]
        self.assertEqual(wrong, [])

    def test_testing(self) -> None:
        """What is made for tests is imported by tests, benchmarks and the demo, by nothing that a node needs."""
        wrong = [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in sources(SOURCE, ROOT / "twisted", ROOT / "examples")
            if SOURCE / "testing" not in path.parents
            for name in imports(path)
            if name.startswith("p2pship.testing")
        ]
        self.assertEqual(wrong, [])

    def test_cards(self) -> None:
        """A card imports only what a card is made of: listing plug-ins imports none of them."""
        cards = ROOT / "twisted" / "plugins" / "p2pship_dropins.py"
        self.assertEqual({name.rpartition(".")[0] for name in imports(cards)}, {"p2pship.plugins"})
