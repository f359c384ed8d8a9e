"""Runs a node, as ``python -m twisted`` does, that writes down every frame of its links: the first argument names the file.

A line has ``>`` or ``<``, for sent or received, and the frame in hexadecimal.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

from p2pship.bearer.datagramlink import DatagramLink
from p2pship.interfaces import ILinkReceiver

BOOK = Path(sys.argv.pop(1))

send, start = DatagramLink.send, DatagramLink.start


def note(way: str, frame: bytes) -> None:
    """Write a frame down."""
    with BOOK.open("a") as book:
        book.write(f"{way} {frame.hex()}\n")


class Listener:
    """Hears what the overlay hears."""

    def __init__(self, receiver: Any) -> None:
        self._receiver = receiver

    def frame_received(self, frame: bytes) -> None:
        """Write down what came."""
        note("<", frame)
        self._receiver.frame_received(frame)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._receiver, name)


def _send(self: DatagramLink, frame: bytes) -> None:
    note(">", frame)
    send(self, frame)


def _start(self: DatagramLink, receiver: ILinkReceiver) -> None:
    start(self, Listener(receiver))  # type: ignore[arg-type]


DatagramLink.send = _send  # type: ignore[method-assign]
DatagramLink.start = _start  # type: ignore[method-assign]

runpy.run_module("twisted", run_name="__main__")
