"""Calls that SIPp makes through something, at a rate, and what became of them."""

from __future__ import annotations

import csv
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bench.nodes import HOST, pin, wait_for
from p2pship.address import HostPort
from p2pship.testing.programs import free_ports, is_listening
from p2pship.testing.sipp import PORTS, Statistics, read_statistics

SCENARIOS = Path(__file__).parent / "sipp"

ALICE, BOB = "alice@example.com", "bob@example.com"

TALK = 100
"Milliseconds from ACK to BYE."

GRACE = 3
"Seconds after the last call in which those that are still under way may end: one that takes longer was not clean."

REGISTERED = 3600
"Seconds for which phones register."


@dataclass(frozen=True)
class Outcome:
    """What a run of calls came to."""

    calls: int
    flaws: int
    "calls that failed, messages that were sent twice or were not expected"
    ringing: list[float]
    "seconds from INVITE to 180 of each call, in order of size"

    @property
    def clean(self) -> bool:
        """Whether all went as it should."""
        return not self.flaws

    @property
    def p99(self) -> float:
        """The seconds from INVITE to 180 that 99 of 100 calls did not exceed."""
        return self.ringing[int(len(self.ringing) * 0.99)] if self.ringing else 0.0


class Phones:
    """Alice, who calls, and Bob, who answers: two SIPp users that have registered somewhere."""

    def __init__(self, folder: Path, alices: HostPort, bobs: HostPort) -> None:
        """Register Alice and Bob, each at an address."""
        self._folder = folder
        self._alices = alices
        self._alice, self._bob = free_ports(PORTS), free_ports(PORTS)
        self._runs = 0
        for aor, port, at in ((ALICE, self._alice, alices), (BOB, self._bob, bobs)):
            with self._sipp(
                "register", aor, port, str(at), "-key", "expires", str(REGISTERED), "-m", "1"
            ) as run:
                run.wait(GRACE)

    def call(self, rate: int, seconds: float) -> Outcome:
        """Make so many calls a second, for so long."""
        calls = max(1, round(rate * seconds))
        load = ("-m", str(calls), "-r", str(rate), "-timeout", f"{seconds + GRACE:.0f}s")
        measuring = ("-trace_rtt", "-rtt_freq", "100", "-d", str(TALK), "-key", "peer", BOB)
        with self._sipp("uas", BOB, self._bob, "-m", str(calls), *load[4:]) as answering:
            wait_for(lambda: is_listening("udp", self._bob), "SIPp does not listen")
            arguments = (ALICE, self._alice, str(self._alices), *load, *measuring)
            # What is not done in time is a flaw.
            with self._sipp("uac", *arguments) as calling, suppress(subprocess.TimeoutExpired):
                calling.wait(seconds + 2 * GRACE)
            answering.terminate()
        return self._outcome(calls)

    @contextmanager
    def _sipp(self, scenario: str, aor: str, port: int, *more: str) -> Iterator[subprocess.Popen[bytes]]:
        user, _, domain = aor.partition("@")
        (self._folder / f"{scenario}.csv").unlink(missing_ok=True)
        command = ["sipp", *more, "-sf", str(SCENARIOS / f"{scenario}.xml"), "-nostdin", "-i", HOST]
        command += ["-p", str(port), "-mi", HOST, "-mp", str(port + 2), "-cp", str(port + PORTS - 1)]
        command += ["-key", "aor", aor, "-key", "user", user, "-key", "domain", domain]
        command += ["-trace_stat", "-stf", f"{scenario}.csv", "-fd", "1"]
        with subprocess.Popen(
            command,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            pin(process.pid, 1)
            try:
                yield process
            finally:
                process.terminate()
                process.wait()

    def _outcome(self, calls: int) -> Outcome:
        found = [
            read_statistics((self._folder / f"{name}.csv").read_text(), 0, "") for name in ("uac", "uas")
        ]
        return Outcome(found[0].succeeded, _flaws(found[0], calls), self._ringing())

    def _ringing(self) -> list[float]:
        times = []
        for path in self._folder.glob("uac_*_rtt.csv"):
            with path.open() as file:
                rows = csv.DictReader(file, delimiter=";")
                times += [float(row["response_time_ms"]) / 1000 for row in rows if row["rtd_no"] == "ring"]
            path.unlink()
        return sorted(times)


def _flaws(found: Statistics, calls: int) -> int:
    return calls - found.succeeded + found.retransmissions + found.unexpected
