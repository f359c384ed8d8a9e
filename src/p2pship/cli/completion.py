"""The completion of ``p2pship`` for bash, made from the parser: ``python -m p2pship.cli.completion > etc/p2pship.bash``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from p2pship.cli.command import make_parser

_HEAD = """# Completion of p2pship for bash: source this file, or copy it to /usr/share/bash-completion/completions/p2pship.

_p2pship() {
    local words
    case "${COMP_WORDS[*]:1:3} " in"""

_MIDDLE = """    esac
    case "${COMP_WORDS[COMP_CWORD-1]}" in"""

_FOOT = """    esac
    if [[ $COMP_CWORD -eq 1 || "${COMP_WORDS[COMP_CWORD]}" == -* || -n $words && $COMP_CWORD -eq 2 ||
        $COMP_CWORD -eq 3 && $words == [a-z]* ]]; then
        COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
    fi
}
complete -o default -F _p2pship p2pship"""


def completion_text() -> str:
    """Return the script."""
    parser = make_parser()
    cases = [*_cases(parser, ""), f'        *) words="{" ".join(_subparsers(parser))}" ;;']
    values = [f"        {option}) {_offer(choices)} ;;" for option, choices in _choices(parser)]
    return "\n".join([_HEAD, *cases, _MIDDLE, *values, _FOOT, ""])


def _cases(parser: argparse.ArgumentParser, before: str) -> Iterator[str]:
    """Yield a case for each command: those of more words first, as they are more exact."""
    for name, below in _subparsers(parser).items():
        verbs = list(_subparsers(below))
        yield from _cases(below, f"{before}{name} ")
        words = " ".join(verbs if verbs and not before else verbs + _options(below))
        yield f'        "{before}{name} "*) words="{words}" ;;'


def _offer(choices: Iterable[str]) -> str:
    return f'COMPREPLY=($(compgen -W "{" ".join(choices)}" -- "${{COMP_WORDS[COMP_CWORD]}}")); return'


def _choices(parser: argparse.ArgumentParser) -> Iterator[tuple[str, Iterable[str]]]:
    """Yield each option that has but some values, with those."""
    for action in parser._actions:
        if action.option_strings and action.choices:
            yield action.option_strings[-1], action.choices
    for below in _subparsers(parser).values():
        yield from _choices(below)


def _subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:  # argparse says it in no other way
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [text for action in parser._actions for text in action.option_strings if text.startswith("--")]


if __name__ == "__main__":
    print(completion_text(), end="")
