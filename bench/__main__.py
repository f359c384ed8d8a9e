"""``python -m bench`` lists the benchmarks; ``python -m bench NAME [--quick] [--json]`` runs one.

A benchmark is a module of this folder with ``run(quick: bool) -> list[Figure]``; the first line of its docstring says what
it measures.
"""

from __future__ import annotations

import argparse
import ast
import json
import sys
from importlib import import_module
from pathlib import Path

from bench import end_as_a_whole
from bench.figures import Figure

FOLDER = Path(__file__).parent


def benchmarks() -> dict[str, str]:
    """Return what each benchmark measures, by its name, without importing any."""
    trees = {path.stem: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.py"))}
    return {
        name: (ast.get_docstring(tree) or "").partition("\n")[0]
        for name, tree in trees.items()
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body)
    }


def show(name: str, figures: list[Figure], as_json: bool) -> None:
    """Print the figures for people, unless only programs read them, and at the end as one line of JSON."""
    if not as_json:
        print(f"{name}: {benchmarks()[name]}")
        for figure in figures:
            print(f"  {figure}")
    print(json.dumps({"bench": name, "figures": [figure.as_json() for figure in figures]}))


def main() -> int:
    """Run the command."""
    end_as_a_whole()
    known = benchmarks()
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Without a name: list the benchmarks."
    )
    parser.add_argument("name", nargs="?", choices=known, metavar="NAME")
    parser.add_argument(
        "--quick", action="store_true", help="fewer rounds: shows that it works, not how fast"
    )
    parser.add_argument("--json", action="store_true", help="print the line of JSON alone")
    options = parser.parse_args()
    if options.name is None:
        print("\n".join(f"{name:12} {words}" for name, words in known.items()))
        return 0
    show(options.name, import_module(f"bench.{options.name}").run(options.quick), options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
