"""What a command is: a noun and a verb, what it takes, what it does at the desk, and how its answer reads.

The control socket and the ``p2pship`` command are both made of these, so that a verb is written once. Modules of this
package import nothing heavy when they are imported: the command line does so each time that it is called.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from p2pship.errors import LocalError

if TYPE_CHECKING:
    from p2pship.desk import Desk

LONGEST_FILE = 6 * 1024 * 1024
"Octets of a file that is given to a command: the longest backup."

LONGEST_WORD = 10_000
"Characters of any other argument: a URI with a chain of four certificates is shorter."

ANSWER_SECONDS = 30.0
"How long most answers may take: a search for a person takes 5 s."


class Kind(Enum):
    """What an argument is on the command line, in the request on the control socket, and for the verb."""

    WORD = "word"
    "a str everywhere"
    AOR = "aor"
    "a str; the verb gets the canonical AOR"
    NUMBER = "number"
    "an int"
    FLAG = "flag"
    "a bool: ``--name``"
    CHOICE = "choice"
    "a str, one of ``choices``"
    FILE = "file"
    "the path of a file, ``-`` for standard input, or a ``p2pship:`` URI itself; base64 in the request; bytes for the verb"
    SECRET = "secret"
    "asked on the terminal or read from ``--name-fd``, never on the command line; a str in the request; bytes for the verb"


@dataclass(frozen=True, slots=True)
class Argument:
    """One thing that a verb takes."""

    name: str
    "its key in the arguments; with dashes for underscores it is the option's name"
    help: str
    kind: Kind = Kind.WORD
    option: bool = False
    "whether it is written ``--name VALUE``; a flag and a secret always are options"
    optional: bool = False
    "whether it can be left out: the verb gets None then, and False for a flag"
    choices: tuple[str, ...] = ()
    shown: str = ""
    "what stands for its value in ``--help``, if not its name"
    wanted: Callable[[Mapping[str, Any]], bool] | None = None
    "of a secret: whether it is to be asked for, given the other arguments; always if there is no such question"
    twice: bool = False
    "of a secret: whether a person at a terminal must write it twice, as a new passphrase"

    def taken(self, value: Any) -> Any:
        """Return what the verb gets for what stands in a request.

        :raises P2PShipError: if it is nothing that this argument can be.
        """
        if value is None:
            return self._missing()
        return _TAKE[self.kind](self, value)

    def _missing(self) -> Any:
        if self.kind is Kind.FLAG:
            return False
        if self.optional or self.wanted is not None:
            return None
        raise LocalError(f"{self.name} is missing: {self.help}")


@dataclass(frozen=True, slots=True)
class Verb:
    """One command, such as ``p2pship identity create``."""

    noun: str
    name: str
    help: str
    "what it does, for ``--help``: one sentence without its full stop, in lower case"
    run: Callable[[Desk, dict[str, Any]], Any]
    """Does it: gets the desk and every argument by its name; returns what JSON has, or a Deferred or coroutine of it. A
    P2PShipError is told to the user in its words, so that they say what to do. Of a verb that ``writes``, the result
    is a dict with the file's text in ``content``."""
    text: Callable[[Any], str]
    "prints the result for a terminal, without a newline at its end"
    arguments: tuple[Argument, ...] = ()
    offline: bool = False
    "whether it works when no node is running: ``run`` must then end at once, and ``desk.node`` is None"
    writes: bool = False
    "whether ``--out FILE`` (and ``--force``) is there for the result's ``content``, which else goes to standard output"
    warning: Callable[[Mapping[str, Any]], str] | None = None
    "says what cannot be undone: it is then asked at the terminal, or needs ``--yes``"
    check: Callable[[Desk, dict[str, Any]], object] | None = None
    "of a verb with a warning: raises what ``run`` would of what it is given, and changes nothing; asked before the warning"
    founds: bool = False
    "whether it is done also where nothing is kept yet: it makes the state folder"
    failed: Callable[[Any], bool] | None = None
    "tells whether a result is one for which the command's exit code is 1"
    then: Callable[[Any], tuple[Verb, dict[str, Any]] | None] | None = None
    "what the command line asks next, once it has printed the result: the verb and its arguments, None for nothing more"
    seconds: float = ANSWER_SECONDS
    "how long the command line waits for the answer"
    hidden: bool = False
    "whether it stands in no help: a verb that only ``then`` asks"

    @property
    def command(self) -> str:
        """Its name on the control socket."""
        return f"{self.noun} {self.name}".strip()

    @property
    def checking(self) -> Verb:
        """The verb that only does this one's ``check``; its result is nothing."""

        def run(desk: Desk, given: dict[str, Any]) -> None:
            if self.check is not None:
                self.check(desk, given)

        return replace(self, name=f"{self.name} check", run=run, warning=None, check=None, hidden=True)

    def taken(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments for ``run`` from those of a request.

        :raises P2PShipError: if one is missing, is not one of this verb, or is nothing that it can be.
        """
        known = {argument.name for argument in self.arguments}
        for name in given:
            if name not in known:
                there = ", ".join(sorted(known)) or "none"
                raise LocalError(
                    f"{self.command} has no argument {name[:LONGEST_WORD]!r:.40}: there are {there}"
                )
        return {argument.name: argument.taken(given.get(argument.name)) for argument in self.arguments}


def _word(argument: Argument, value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > LONGEST_WORD:
        raise LocalError(f"{argument.name} must be a text of 1 to {LONGEST_WORD:,} characters")
    return value


def _aor(argument: Argument, value: Any) -> str:
    from p2pship.identity.aor import canonical_aor

    return canonical_aor(_word(argument, value).removeprefix("sip:"))


def _number(argument: Argument, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise LocalError(f"{argument.name} must be a whole number")
    return value


def _flag(argument: Argument, value: Any) -> bool:
    if not isinstance(value, bool):
        raise LocalError(f"{argument.name} must be true or false")
    return value


def _choice(argument: Argument, value: Any) -> str:
    if value not in argument.choices:
        raise LocalError(f"{argument.name} must be one of {', '.join(argument.choices)}")
    return str(value)


def _file(argument: Argument, value: Any) -> bytes:
    try:
        data = base64.b64decode(value, validate=True) if isinstance(value, str) else None
    except (binascii.Error, ValueError):
        data = None
    if not data or len(data) > LONGEST_FILE:
        raise LocalError(f"{argument.name} must be 1 to {LONGEST_FILE:,} octets, in base64")
    return data


def _secret(argument: Argument, value: Any) -> bytes:
    return _word(argument, value).encode(errors="surrogateescape")


_TAKE: dict[Kind, Callable[[Argument, Any], Any]] = {
    Kind.WORD: _word,
    Kind.AOR: _aor,
    Kind.NUMBER: _number,
    Kind.FLAG: _flag,
    Kind.CHOICE: _choice,
    Kind.FILE: _file,
    Kind.SECRET: _secret,
}
