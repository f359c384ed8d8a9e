"""The ``p2pship`` command: asks the running node, keeps its identities, or prints what there is to configure."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from p2pship import __version__
from p2pship.cli.client import NoNode, ask
from p2pship.cli.common import Parser, WrongUsage, add_common, add_verb, as_json, say
from p2pship.cli.report import calls_text, doctor_text, find_text, recent_text, status_text, step_text
from p2pship.cli.story import story_text
from p2pship.cli.verbs import FAILED, add_nouns
from p2pship.config import default_state, print_documented
from p2pship.errors import P2PShipError
from p2pship.status import TraceStep

USAGE = 2
"The exit code of a wrong command line, as argparse has it."

NO_NODE = 3
"The exit code when no node is running."

LIVE = ("trying", "ringing", "up")
"States of calls that are listed as under way."

INTERRUPTED = 130
"The exit code after Ctrl-C, as shells have it: 128 and the number of SIGINT."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; the console script ``p2pship``."""
    given = sys.argv[1:] if arguments is None else arguments
    in_json = "--json" in given
    try:
        options, rest = make_parser().parse_known_args(given)
        options.parser.refuse_rest(rest)
        code: int = options.run(options)
        sys.stdout.flush()
    except WrongUsage as error:
        if not in_json:
            sys.stderr.write(error.usage)
        return _complain(str(error), USAGE, in_json)
    except NoNode as error:
        return _complain(str(error), NO_NODE, in_json)
    except P2PShipError as error:
        return _complain(str(error), FAILED, in_json)
    except BrokenPipeError:
        # Whoever read has enough, as head(1) does; Python must not try again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def _complain(words: str, code: int, in_json: bool) -> int:
    """Say what is wrong: on standard error, or as the JSON that was asked for, on standard output."""
    if in_json:
        print(as_json({"error": words}))
    else:
        print(f"p2pship: {words}", file=sys.stderr)
    return code


def _status(options: argparse.Namespace) -> int:
    return say(options, ask(options.state, "status"), status_text)


def _find(options: argparse.Namespace) -> int:
    follow = options.trace and not options.json
    arguments = {"aor": options.aor, "trace": options.trace, "follow": follow}
    found = ask(options.state, "find", arguments, heard=_print_step)
    if follow:
        print()
    say(options, found, find_text)
    return 0 if found["devices"] else FAILED


def _print_step(step: TraceStep) -> None:
    print(step_text(step), flush=True)


def _doctor(options: argparse.Namespace) -> int:
    findings = ask(options.state, "doctor")
    say(options, findings, doctor_text)
    return 0 if all(finding["well"] for finding in findings) else FAILED


def _calls(options: argparse.Namespace) -> int:
    if options.why is not None:
        return say(options, ask(options.state, "calls why", {"id": options.why}), story_text)
    if options.recent is not None:
        recent = ask(options.state, "calls recent", {"number": options.recent})
        return say(options, recent, recent_text)
    live = ask(options.state, "calls")
    if options.json:
        return say(options, live, calls_text)
    recent = [call for call in ask(options.state, "calls recent") if call["state"] not in LIVE]
    print(f"{calls_text(live)}\n\n{recent_text(recent)}" if recent else calls_text(live))
    return 0


def _config(options: argparse.Namespace) -> int:
    from p2pship.sections import documented_sections

    text = print_documented(documented_sections())
    print(as_json({"content": text}) if options.json else text, end="\n" if options.json else "")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; what it parses has ``run``, which does it and returns the exit code."""
    parser = Parser(
        prog="p2pship",
        description="Ask a running p2pship node, or keep its identities while none is running.",
        epilog=f"Exit codes: 0 done; {FAILED} refused, or nobody found; {USAGE} wrong usage; {NO_NODE} no node is running.",
    )
    parser.add_argument("--version", action="version", version=f"p2pship {__version__}")
    add_common(parser, state=default_state(), config=None, as_json=False)
    nouns = parser.add_subparsers(required=True, metavar="COMMAND")
    add_verb(nouns, "status", "what the node is doing", _status)
    add_verb(nouns, "doctor", "what of the node is well, what is not, and the way out", _doctor)
    find = add_verb(nouns, "find", "search every lookup for a person", _find)
    find.add_argument("aor", metavar="AOR", help="the person's name, such as bob@example.com")
    find.add_argument(
        "--trace",
        action="store_true",
        help="tell each step: who was asked, who answered what after how long, why it was believed or refused",
    )
    _add_calls(nouns)
    add_nouns(nouns)
    add_verb(nouns, "config", "print the configuration file with every option and its default", _config)
    return parser


def _how_many(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text[:9]) < 1:
        raise argparse.ArgumentTypeError(f"{text!r:.40}: give how many calls, 1 or more")
    return int(text[:9])


def _add_calls(nouns: Any) -> None:
    calls = add_verb(
        nouns, "calls", "the calls under way and the latest ones; with --why the story of one", _calls
    )
    which = calls.add_mutually_exclusive_group()
    which.add_argument(
        "--why",
        metavar="ID",
        nargs="?",
        const="",
        help="tell the story of a call: who was asked, what was tried, how long it took; ID may be cut short, or a Call-ID; "
        "without it the latest call that failed or was refused",
    )
    which.add_argument(
        "--recent",
        metavar="NUMBER",
        type=_how_many,
        nargs="?",
        const=20,
        help="only the latest calls that are kept: so many, or 20",
    )
