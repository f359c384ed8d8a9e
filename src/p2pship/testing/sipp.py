"""SIPp, a generator of SIP calls, run with a scenario and a time limit, and what its statistics say."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from p2pship.address import HostPort
from p2pship.testing.programs import GRACE, Program, ProgramFailed, free_ports, is_listening, require_program

HOST = "127.0.0.1"

PORTS = 8
"Ports of one SIPp: SIP at the first, RTP and RTCP from the third, its remote control at the last."

START = 20.0
"Seconds for it to listen."

TRANSPORTS = {"udp": "u1", "tcp": "t1"}
"What SIPp calls one socket for all calls."


@dataclass(frozen=True)
class Load:
    """How many calls, and how fast."""

    calls: int = 1
    rate: int = 10
    "new calls a second; of no meaning to a scenario that is called"
    hold: float = 0.0
    "seconds of each ``<pause/>`` and ``<timewait/>`` of the scenario that has no time of its own"
    limit: float = 60.0
    "seconds after which it ends, however many calls are left"


@dataclass(frozen=True)
class Statistics:
    """What SIPp counted until it ended."""

    exit_code: int
    "0 when every call succeeded; see EXIT CODES in its manual"
    calls: int = 0
    succeeded: int = 0
    failed: int = 0
    unfinished: int = 0
    "calls that were under way when it ended"
    retransmissions: int = 0
    unexpected: int = 0
    "messages that the scenario had no place for, or that belonged to no call"
    failures: Mapping[str, int] = field(default_factory=dict)
    "why calls failed, such as ``UnexpectedMessage`` or ``MaxUDPRetrans``"
    response_times: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    "for each timer of the scenario, how many times lay where: ``{'ring': {'<10': 48, '<20': 2, …}}``, in ms"
    errors: str = ""
    "what it wrote of each unexpected message and other errors"


def available() -> bool:
    """Tell whether SIPp is installed."""
    return shutil.which("sipp") is not None


class SIPp:
    """One SIP user at one port; each of its runs is a process. Runs at the same port come one after the other."""

    def __init__(
        self, reactor: Any, folder: Path, aor: str, *, transport: str = "udp", host: str = HOST
    ) -> None:
        """Describe the user.

        Scenarios know it by the keywords ``[aor]``, ``[user]`` and ``[domain]``.

        :param reactor: provides IReactorProcess and IReactorTime
        :param folder: a folder of its own, which is made; everything that SIPp writes goes there
        :param aor: the address of record, ``alice@example.com``
        :param transport: ``udp`` or ``tcp``
        :param host: this machine's address that it uses
        """
        self.port = free_ports(PORTS, host)
        "where it listens for SIP"
        user, _, domain = aor.partition("@")
        self._keys = {"aor": aor, "user": user, "domain": domain}
        self._reactor = reactor
        self._folder = folder
        self._host = host
        self._transport = transport
        self._runs = count(1)

    def run(
        self, scenario: Path, remote: HostPort | None = None, load: Load | None = None, **keys: str
    ) -> SIPpRun:
        """Start a run of a scenario.

        Raises what :func:`~p2pship.testing.programs.require_program` raises if SIPp is not installed.

        :param remote: where it sends; None if the scenario begins with a request that it receives
        :param keys: more keywords of the scenario, such as ``peer="bob@example.com"``
        """
        load = load or Load()
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{scenario.stem}-{next(self._runs)}"
        arguments = [require_program("sipp"), "-sf", str(scenario.absolute()), "-nostdin"]
        arguments += [str(remote)] if remote else []
        arguments += self._addresses() + _limits(load) + _files(name)
        for key, value in {**self._keys, **keys}.items():
            arguments += ["-key", key, value]
        program = Program(self._reactor, arguments, self._folder, name)
        return SIPpRun(self._reactor, program, (self._transport, self.port), load.limit)

    def _addresses(self) -> list[str]:
        port = self.port
        sip = ["-t", TRANSPORTS[self._transport], "-i", self._host, "-p", str(port)]
        return [*sip, "-mi", self._host, "-mp", str(port + 2), "-cp", str(port + PORTS - 1)]


class SIPpRun:
    """One run of a scenario."""

    def __init__(self, reactor: Any, program: Program, listens_at: tuple[str, int], limit: float) -> None:
        self._reactor = reactor
        self._program = program
        self._listens_at = listens_at
        self._limit = limit

    def listening(self) -> Deferred[None]:
        """Fire when its port is open, or fail with ProgramFailed."""
        return Deferred.fromCoroutine(self._until_listening())

    def ended(self) -> Deferred[Statistics]:
        """Fire with what was counted when it has ended, be it for its limit; fails with ProgramFailed if it counted nothing."""
        return Deferred.fromCoroutine(self._until_ended())

    def stop(self) -> Deferred[int]:
        """End it, by force if it lingers; fires with its exit code."""
        return self._program.stop()

    async def _until_listening(self) -> None:
        begun = self._reactor.seconds()
        while not is_listening(*self._listens_at):
            late = self._reactor.seconds() - begun > START
            if late or self._program.exit_code is not None:
                raise ProgramFailed(f"SIPp does not listen\n{self._program.tail()}")
            await deferLater(self._reactor, 0.02)

    async def _until_ended(self) -> Statistics:
        try:
            exit_code = await self._program.when_ended(self._limit + GRACE)
        except ProgramFailed:
            exit_code = await self._program.stop()
        log = self._program.log
        errors = log.with_suffix(".err")
        try:
            table = log.with_suffix(".csv").read_text()
        except FileNotFoundError:
            raise ProgramFailed(
                f"SIPp ended with {exit_code} and counted nothing\n{self._program.tail()}"
            ) from None
        return read_statistics(
            table, exit_code, errors.read_text("utf-8", "replace") if errors.exists() else ""
        )


def _limits(load: Load) -> list[str]:
    milliseconds = str(round(load.hold * 1000))
    return ["-m", str(load.calls), "-r", str(load.rate), "-d", milliseconds, "-timeout", f"{load.limit:.0f}s"]


def _files(name: str) -> list[str]:
    """Name the files of a run; they lie in the folder in which SIPp runs."""
    return ["-trace_stat", "-stf", f"{name}.csv", "-fd", "1", "-trace_err", "-error_file", f"{name}.err"]


def read_statistics(table: str, exit_code: int, errors: str) -> Statistics:
    """Read the last line of the table that SIPp writes: columns end with ``(C)`` for the whole run, ``(P)`` since the last line.

    :raises ProgramFailed: if it is not such a table.
    """
    lines = list(csv.reader(table.splitlines(), delimiter=";"))
    if len(lines) < 2:
        raise ProgramFailed("SIPp counted nothing")
    last = dict(zip(lines[0], lines[-1], strict=False))
    try:
        return _statistics(last, exit_code, errors)
    except (KeyError, ValueError) as error:
        raise ProgramFailed(f"this is not a table of SIPp's: {error}") from None


def _statistics(last: Mapping[str, str], exit_code: int, errors: str) -> Statistics:
    reasons = {
        name[6:-3]: int(last[name]) for name in last if name.startswith("Failed") and name.endswith("(C)")
    }
    failed = reasons.pop("Call")
    return Statistics(
        exit_code=exit_code,
        calls=int(last["TotalCallCreated"]),
        succeeded=int(last["SuccessfulCall(C)"]),
        failed=failed,
        unfinished=int(last["CurrentCall"]),
        retransmissions=int(last["Retransmissions(C)"]),
        unexpected=reasons["UnexpectedMessage"]
        + int(last["OutOfCallMsgs(C)"])
        + int(last["DeadCallMsgs(C)"]),
        failures={name: number for name, number in reasons.items() if number},
        response_times=_response_times(last),
        errors=errors,
    )


def _response_times(last: Mapping[str, str]) -> dict[str, dict[str, int]]:
    prefix = "ResponseTimeRepartition"
    times: dict[str, dict[str, int]] = {}
    for column, number in last.items():
        timer, underscore, where = column.removeprefix(prefix).rpartition("_")
        if column.startswith(prefix) and underscore:
            times.setdefault(timer, {})[where] = int(number)
    return times
