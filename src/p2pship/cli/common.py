"""What every command of ``p2pship`` has: its state folder, and its answer as JSON or as text."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from p2pship.config import CONFIG_FILE, default_state
from p2pship.errors import P2PShipError

Run = Callable[[argparse.Namespace], int]
"Does a command, and returns its exit code."


EVERYWHERE = ("--state", "--config", "--unlock-fd")
"Options of most commands, which are not about what they do."


class WrongUsage(P2PShipError):
    """The command line is wrong; the message says where."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.usage = usage
        "how the command is used, with a newline at its end"


class Parser(argparse.ArgumentParser):
    """A parser that raises what is wrong, so that it can be said as JSON; its subcommands do so, too."""

    def error(self, message: str) -> NoReturn:
        """Raise WrongUsage."""
        raise WrongUsage(f"{message}; `{self.prog} --help` says more", self.format_usage())

    def refuse_rest(self, rest: Sequence[str]) -> None:
        """Raise WrongUsage if words are left of which this command knows nothing; it names the command's own options."""
        if not rest:
            return
        valued = [
            action.option_strings[0] for action in self._actions if action.metavar and action.option_strings
        ]
        own = ", ".join(f"{option} VALUE" for option in valued if option not in EVERYWHERE)
        known = f": there is {own}, with a value of several words in quotes" if own else ""
        self.error(f"{' '.join(rest)!r:.80} is too much{known}")


def add_verb(verbs: Any, name: str, help: str | None, run: Run) -> argparse.ArgumentParser:
    """Add a command to others, with the options that all have; without ``help`` it stands in no list."""
    described = {} if help is None else {"help": help, "description": f"{help[:1].upper()}{help[1:]}."}
    parser: argparse.ArgumentParser = verbs.add_parser(name, **described)
    # Given again after the verb, they win; not given there, they leave what came before it.
    add_common(parser, argparse.SUPPRESS, argparse.SUPPRESS, argparse.SUPPRESS)
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_common(
    parser: argparse.ArgumentParser, state: Path | str, config: str | None, as_json: bool | str
) -> None:
    """Add the options that all commands have, with these defaults."""
    parser.add_argument(
        "--state",
        metavar="DIR",
        type=absolute,
        default=state,
        help=f"the node's state folder [{default_state()}]",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=absolute,
        default=config,
        help=f"the node's configuration file, which counts where none is running [{CONFIG_FILE} in the state folder]",
    )
    parser.add_argument("--json", action="store_true", default=as_json, help="print the answer as JSON")


def say(options: argparse.Namespace, result: Any, text: Callable[[Any], str]) -> int:
    """Print a result, and return the exit code of success."""
    print(as_json(result) if options.json else text(result))
    return 0


def as_json(result: Any) -> str:
    """Print a result as one line of JSON."""
    return json.dumps(result, ensure_ascii=False)


def absolute(text: str) -> Path:
    """Return the path of a file or folder as a person writes it."""
    return Path(text).expanduser().absolute()
