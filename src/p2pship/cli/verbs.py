"""The verbs of the table on the command line: their options, what they are asked with, and their answers.

A verb is asked of the running node. Where none runs and the verb can do without, it is done here, under the lock of
the state folder, so that no node starts meanwhile.
"""

from __future__ import annotations

import argparse
import base64
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from p2pship.cli.client import NoNode, ask
from p2pship.cli.common import absolute, add_verb, as_json
from p2pship.cli.secret import read_secret
from p2pship.commands.table import NOUNS, verbs
from p2pship.commands.verb import LONGEST_FILE, Argument, Kind, Verb
from p2pship.errors import LocalError, P2PShipError

FAILED = 1
"The exit code when it was not done, or found nobody."

URI = "p2pship:"
"What can be given in place of a file: the whole content in one line, as a QR code has it."


class NotDone(P2PShipError):
    """It was not done."""


def add_nouns(nouns: Any) -> None:
    """Add every noun of the table, and its verbs."""
    for noun, help in NOUNS.items():
        there = verbs(noun)
        shown = ", ".join(verb.name for verb in there if not verb.hidden)
        parser = nouns.add_parser(noun, help=f"{help}: {shown}", description=f"{help[:1].upper()}{help[1:]}.")
        _add_verbs(parser.add_subparsers(required=True, metavar="VERB"), there)


def _add_verbs(below: Any, there: Sequence[Verb]) -> None:
    """Add verbs; one of two words, such as ``key create``, is below that of its first word, which can be given alone, too."""
    further: dict[str, Any] = {}
    for verb in there:
        first, _, second = verb.name.partition(" ")
        if verb.hidden:
            continue
        if second:
            _add(further[first], verb, second)
            continue
        parser = _add(below, verb, first)
        if any(other.name.startswith(f"{first} ") for other in there):
            further[first] = parser.add_subparsers(metavar="WHAT")


def _add(below: Any, verb: Verb, name: str) -> argparse.ArgumentParser:
    parser = add_verb(below, name, verb.help, lambda options: _run(options, verb))
    for argument in verb.arguments:
        _add_argument(parser, argument)
    if verb.writes:
        parser.add_argument(
            "--out", metavar="FILE", type=absolute, help="write it to this file, not to standard output"
        )
        parser.add_argument("--force", action="store_true", help="write over a file that is there")
    if verb.warning is not None:
        parser.add_argument("--yes", action="store_true", help="do not ask whether it is meant")
    if verb.offline:
        parser.add_argument(
            "--unlock-fd",
            metavar="NUMBER",
            type=int,
            help="where no node is running and the keys have a passphrase: the file descriptor to read it from",
        )
    return parser


def _add_argument(parser: argparse.ArgumentParser, argument: Argument) -> None:
    name = argument.name.replace("_", "-")
    if argument.kind is Kind.FLAG:
        parser.add_argument(f"--{name}", dest=argument.name, action="store_true", help=argument.help)
        return
    if argument.kind is Kind.SECRET:
        help = f"read it from this file descriptor: {argument.help}"
        parser.add_argument(f"--{name}-fd", dest=argument.name, metavar="NUMBER", type=int, help=help)
        return
    shown = "AOR" if argument.option and argument.kind is Kind.AOR else name.upper()
    more: dict[str, Any] = {"help": argument.help, "metavar": argument.shown or shown}
    if argument.kind is Kind.NUMBER:
        more["type"] = int
    if argument.choices:
        more |= {"choices": argument.choices, "metavar": "|".join(argument.choices)}
    if argument.option:
        parser.add_argument(f"--{name}", dest=argument.name, required=not argument.optional, **more)
    else:
        parser.add_argument(argument.name, nargs="?" if argument.optional else None, **more)


def _run(options: argparse.Namespace, verb: Verb) -> int:
    given = _gathered(options, verb)
    if verb.warning is not None and not options.yes:
        if verb.check is not None:
            _done(options, verb.checking, given)
        _confirm(verb.warning(given))
    if verb.writes:
        _check_place(options)
    return _say(options, verb, _done(options, verb, given))


def _say(options: argparse.Namespace, verb: Verb, result: Any) -> int:
    _show(options, verb, result)
    if verb.failed is not None and verb.failed(result):
        return FAILED
    following = verb.then(result) if verb.then is not None else None
    if following is None:
        return 0
    sys.stdout.flush()
    next_verb, given = following
    return _say(options, next_verb, _done(options, next_verb, given))


# What is given.


def _gathered(options: argparse.Namespace, verb: Verb) -> dict[str, Any]:
    """Return the arguments: files are bytes, and what was not given is left out."""
    given: dict[str, Any] = {}
    secrets = [argument for argument in verb.arguments if argument.kind is Kind.SECRET]
    for argument in verb.arguments:
        value = getattr(options, argument.name)
        if argument.kind is Kind.FILE and value is not None:
            value = _read(value)
        if argument not in secrets and value is not None:
            given[argument.name] = value
    for argument in secrets:
        descriptor = getattr(options, argument.name)
        if descriptor is None and not _wanted(argument, given):
            continue
        option = f"--{argument.name.replace('_', '-')}-fd"
        given[argument.name] = read_secret(argument.help, option, descriptor, argument.twice)
    return given


def _wanted(argument: Argument, given: Mapping[str, Any]) -> bool:
    return argument.wanted(given) if argument.wanted is not None else not argument.optional


def _read(name: str) -> bytes:
    if name[: len(URI)].lower() == URI:  # QR codes have capitals
        return name.encode()
    try:
        with open(0 if name == "-" else Path(name).expanduser(), "rb", closefd=name != "-") as file:
            data = file.read(LONGEST_FILE + 1)
    except OSError as error:
        raise LocalError(f"{name} cannot be read: {error.strerror}") from None
    if not data or len(data) > LONGEST_FILE:
        raise LocalError(
            f"{name} is {'too large' if data else 'empty'}: {LONGEST_FILE:,} octets can be given"
        )
    return data


def _confirm(warning: str) -> None:
    if not sys.stdin.isatty():
        raise NotDone(f"{warning} Give --yes if that is meant")
    try:
        answer = input(f"{warning} Write yes if that is meant: ")
    except EOFError:
        answer = ""
    if answer.strip().lower() != "yes":
        raise NotDone("nothing was done")


# Doing it.


def _done(options: argparse.Namespace, verb: Verb, given: Mapping[str, Any]) -> Any:
    request = {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for name, value in given.items()
    }
    try:
        return ask(options.state, verb.command, request, verb.seconds)
    except NoNode:
        if not verb.offline:
            raise
    return _done_here(options, verb, request)


def _done_here(options: argparse.Namespace, verb: Verb, request: dict[str, Any]) -> Any:
    from twisted.internet import reactor
    from twisted.internet.defer import maybeDeferred
    from twisted.internet.interfaces import IReactorTime

    from p2pship.desk import Desk
    from p2pship.storage.state import check_there

    taken = verb.taken(request)
    if not verb.founds:
        check_there(options.state)
    desk = Desk.open(IReactorTime(reactor), options.state, lambda: _passphrase(options), options.config)
    try:
        outcome: list[Any] = []
        maybeDeferred(verb.run, desk, taken).addBoth(outcome.append)
        return _at_once(verb, outcome)
    finally:
        desk.close()


def _passphrase(options: argparse.Namespace) -> bytes:
    """Return the passphrase of the keys, which is read once: what is asked before a warning needs it, too."""
    if "passphrase_read" not in options:
        secret = read_secret("passphrase of the keys", "--unlock-fd", options.unlock_fd)
        options.passphrase_read = secret.encode(errors="surrogateescape")
    read: bytes = options.passphrase_read
    return read


def _at_once(verb: Verb, outcome: list[Any]) -> Any:
    from twisted.python.failure import Failure

    if not outcome:
        raise LocalError(f"{verb.command} needs a running node: start it, and give the command again")
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    return outcome[0]


# What comes of it.


def _show(options: argparse.Namespace, verb: Verb, result: Any) -> None:
    if not verb.writes:
        print(as_json(result) if options.json else verb.text(result))
        return
    out: Path | None = options.out
    if out is None:
        print(as_json(result) if options.json else result["content"].removesuffix("\n"))
    else:
        _write(out, result["content"], options.force)
    rest = {name: value for name, value in result.items() if name != "content"}
    if out is not None and options.json:
        print(as_json({**rest, "file": str(out)}))
    elif not options.json:
        print(verb.text(rest), file=sys.stdout if out is not None else sys.stderr)


def _check_place(options: argparse.Namespace) -> None:
    """Find out before anything is done that its result could not be kept."""
    out: Path | None = options.out
    if out is None:
        return
    if out.exists() and not out.is_file():
        raise LocalError(f"{out} is no ordinary file, and would be replaced by one: name another")
    if out.exists() and not options.force:
        raise LocalError(f"{out} is there already: name another file, or give --force")
    if not os.access(out.parent, os.W_OK):
        raise LocalError(f"{out} cannot be written: {out.parent} is not a folder that you may write to")


def _write(path: Path, content: str, force: bool) -> None:
    from p2pship.storage.files import write_file

    if path.exists() and not force:
        raise LocalError(f"{path} is there already: name another file, or give --force")
    try:
        write_file(path, content.encode())
    except OSError as error:
        raise LocalError(f"{path} cannot be written: {error.strerror}") from None
