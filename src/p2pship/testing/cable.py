"""A cable between two network namespaces that loses, delays, repeats, reorders and limits what runs over it.

Each end is a TAP device, an Ethernet interface whose frames a program reads and writes. Between the two is this file, run
as a program of its own, so that what the tests do does not disturb it. It needs no more rights than a namespace of one's own
has, and no module of the kernel (``tc netem`` is often missing). The conditions may be changed while it is in use.

Here is a cable between a script, run with :func:`~p2pship.testing.namespace.run_in_namespace`, and its neighbour:

    cable = Cable("end0", "end1", Conditions(loss=0.1, delay=0.1))
    neighbour.take("end1")
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from p2pship.testing.line import Conditions, Line
from p2pship.testing.namespace import cannot_run, require_namespaces

LARGEST_FRAME = 65_535
"Octets that are read at once: more than any frame has."

BATCH = 64
"Frames taken from one end before the other has its turn."

PAUSE = 0.005
"Seconds until an end is looked at again whose interface is down."

ENDS_WITHIN = 20.0
"Seconds for the program to end."

SEED = 1
"What both directions' fates are drawn from, if nothing else is said."

_TUN = "/dev/net/tun"
_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_TAP_WITHOUT_HEADER = 0x0002 | 0x1000
_REQUEST = struct.Struct("16sH22x")  # struct ifreq: a name and flags


@dataclass(frozen=True)
class Carried:
    """What became of the frames, in both directions together."""

    lost: int
    "at random, or too long"
    overflowed: int
    "because the queue was full"


class Cable:
    """A cable whose ends are the interfaces of two names, both in this network: one is then taken elsewhere."""

    def __init__(self, near: str, far: str, conditions: Conditions, seed: int = SEED) -> None:
        """Make it; the interfaces are there when this returns.

        :raises OSError: if TAP devices cannot be made here.
        """
        command = [sys.executable, "-m", __name__, near, far, json.dumps(asdict(conditions)), str(seed)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._answer() != "ready":
            raise OSError("the cable could not be made")

    def change(self, conditions: Conditions) -> None:
        """Have other conditions for what is sent from now on; they hold when this returns."""
        self._tell(json.dumps(asdict(conditions)))

    def close(self) -> Carried:
        """Take the cable away, and both interfaces with it; returns what became of the frames."""
        self._tell("")
        carried = Carried(**json.loads(self._answer()))
        self._process.communicate(timeout=ENDS_WITHIN)
        return carried

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        if line:
            self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


def require_cables() -> None:
    """Return if cables can be made on this machine, in a namespace of one's own; else raises as
    :func:`~p2pship.testing.namespace.cannot_run`."""
    require_namespaces()
    if not os.access(_TUN, os.R_OK | os.W_OK):
        cannot_run(f"{_TUN} cannot be opened")


def _tap(name: str) -> int:
    """Make an interface and return what reads and writes its frames."""
    device = os.open(_TUN, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, _REQUEST.pack(name.encode(), _TAP_WITHOUT_HEADER))
    Path("/proc/sys/net/ipv6/conf", name, "accept_dad").write_text("0")  # an address can be used at once
    return device


class _Program:
    """What carries the frames from one end to the other."""

    def __init__(self, names: Sequence[str], conditions: Conditions, seed: int) -> None:
        self._ends = [_tap(name) for name in names]
        self._lines = [Line(conditions, seed + number) for number in range(len(names))]
        self._running = True

    def run(self) -> None:
        """Carry frames until an empty line is read."""
        print("ready", flush=True)
        while self._running:
            ready, _, _ = select.select([*self._ends, sys.stdin], [], [], self._patience())
            for number, end in enumerate(self._ends):
                if end in ready:
                    self._take_from(end, self._lines[number])
                self._deliver(self._lines[number], self._ends[1 - number])
            if sys.stdin in ready:
                self._listen()
        lost, overflowed = (
            sum(getattr(line, name) for line in self._lines) for name in ("lost", "overflowed")
        )
        print(json.dumps(asdict(Carried(lost, overflowed))), flush=True)

    def _patience(self) -> float | None:
        due = [moment for moment in (line.due() for line in self._lines) if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _take_from(self, end: int, line: Line) -> None:
        for _ in range(BATCH):
            try:
                frame = os.read(end, LARGEST_FRAME)
            except BlockingIOError:
                return
            except OSError:  # the interface is down, and a read says so at once, again and again
                time.sleep(PAUSE)
                return
            line.put(frame, time.monotonic())

    def _deliver(self, line: Line, end: int) -> None:
        for frame in line.take(time.monotonic()):
            try:
                os.write(end, frame)
            except OSError:  # the interface is down: nobody is there to hear it
                line.lost += 1

    def _listen(self) -> None:
        said = sys.stdin.readline().strip()
        if not said:
            self._running = False
            return
        for line in self._lines:
            line.conditions = Conditions(**json.loads(said))
        print("changed", flush=True)


if __name__ == "__main__":
    _Program(sys.argv[1:3], Conditions(**json.loads(sys.argv[3])), int(sys.argv[4])).run()
