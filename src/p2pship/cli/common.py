"""What every command of ``p2pship`` has: its state folder, and its answer as JSON or as text."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from p2pship.config import default_state

Run = Callable[[argparse.Namespace], int]
"Does a command, and returns its exit code."


def add_verb(verbs: Any, name: str, help: str | None, run: Run) -> argparse.ArgumentParser:
    """Add a command to others, with the options that all have; without ``help`` it stands in no list."""
    described = {} if help is None else {"help": help, "description": f"{help[:1].upper()}{help[1:]}."}
    parser: argparse.ArgumentParser = verbs.add_parser(name, **described)
    # Given again after the verb, they win; not given there, they leave what came before it.
    add_common(parser, state=argparse.SUPPRESS, as_json=argparse.SUPPRESS)
    parser.set_defaults(run=run)
    return parser


def add_common(parser: argparse.ArgumentParser, state: Path | str, as_json: bool | str) -> None:
    """Add the options that all commands have, with these defaults."""
    parser.add_argument(
        "--state",
        metavar="DIR",
        type=folder,
        default=state,
        help=f"the node's state folder [{default_state()}]",
    )
    parser.add_argument("--json", action="store_true", default=as_json, help="print the answer as JSON")


def say(options: argparse.Namespace, result: Any, text: Callable[[Any], str]) -> int:
    """Print a result, and return the exit code of success."""
    print(as_json(result) if options.json else text(result))
    return 0


def as_json(result: Any) -> str:
    """Print a result as one line of JSON."""
    return json.dumps(result, ensure_ascii=False)


def folder(text: str) -> Path:
    """Return the path of a folder as a person writes it."""
    return Path(text).expanduser().absolute()
