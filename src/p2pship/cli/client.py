"""Asks a running node over its control socket, and waits for the answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from p2pship.controlpath import ControlPath
from p2pship.errors import P2PShipError, RemoteError

LONGEST_ANSWER = 16_000_000
"Octets of an answer: a busy node lists thousands of calls; more is not from a node."

SECONDS = 30.0
"How long an answer may take: a search for a person takes 5 s."


class NoNode(P2PShipError):
    """No node is running."""


class Refused(RemoteError):
    """The node did not do it: the message is its own."""


def ask(
    state: Path,
    command: str,
    arguments: dict[str, Any] | None = None,
    seconds: float = SECONDS,
    heard: Callable[[Any], object] = lambda news: None,
) -> Any:
    """Return the result of a command of the node with this state folder; ``heard`` is told the news that comes before it.

    :raises NoNode: if none is running there.
    :raises Refused: if it answers with an error.
    :raises RemoteError: if its answer does not come or is none.
    """
    request = json.dumps({"command": command, "arguments": arguments or {}}).encode() + b"\n"
    answers = _answers(state, request, seconds)
    while "news" in (answer := next(answers)):
        heard(answer["news"])
    if answer.get("ok") is True:
        return answer.get("result")
    raise Refused(str(answer.get("error")))


def _answers(state: Path, request: bytes, seconds: float) -> Iterator[dict[str, Any]]:
    """Give each line of the answer; what goes wrong with whoever takes them is not the node's."""
    path = ControlPath(state).find()
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(seconds)
        try:
            if not path.exists():
                raise NoNode(_no_node(state))
            control.connect(str(path))
            control.sendall(request)
            lines = control.makefile("rb")
            while True:
                yield _read(lines.readline(LONGEST_ANSWER))
        except ConnectionRefusedError:
            raise NoNode(_no_node(state)) from None
        except TimeoutError:
            raise RemoteError(f"the node does not answer on {path} within {seconds:.0f} s") from None
        except ConnectionError:
            raise RemoteError(
                "the node hung up: it is being stopped, or is asked too much at once, so ask it again"
            ) from None
        except PermissionError:
            raise RemoteError(
                f"the control socket {path} is another user's: ask as the user who runs the node, or name your own with --state"
            ) from None
        except OSError as error:
            raise RemoteError(
                f"the control socket {path} cannot be used: {error.strerror or error}"
            ) from None


def _no_node(state: Path) -> str:
    return (
        f"no node is running with state {state}: start one with `make run` or "
        f"`twistd -n --pidfile= p2pship --state {state}`, or name another folder with --state"
    )


def _read(line: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise RemoteError(
            "the node closed the connection without an answer" if not line else "the answer is not JSON"
        )
    return answer
