"""What a put, a question, and a push cost a rendezvous server with a file, and what it needs to keep a slot and an open stream."""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.rendezvous import HOST, ITEM, PATIENCE, asks, cpu, puts, request, serve, server, wait_for
from bench.startup import running
from p2pship.lookup.candidate import Slot
from p2pship.lookup.http.wire import events_path, signed, slot_path
from p2pship.testing.programs import free_ports

STREAMS = 100
"Followers at a time: as many as one address may have."

PUSHED = 20
"Publications that each of them is told in a round; their sockets hold as many."


@dataclass(frozen=True)
class ServerCosts:
    """For each of them."""

    put_cpu: float
    "seconds of processor time"
    get_cpu: float
    push_cpu: float
    put_octets: float
    "on the line, both ways, without TLS and below"
    get_octets: float
    push_octets: float
    slot_octets: float
    "of the file"
    stream_octets: float
    "of memory"


@dataclass(frozen=True)
class RedisCosts:
    """What Redis has to do for a front end that keeps its slots there; 0 where it is not installed."""

    put_cpu: float = 0.0
    "seconds of processor time, of which Redis has but one core's"
    get_cpu: float = 0.0


def measured(slots: int, rounds: int) -> ServerCosts:
    """Return the costs with so many slots, and so many rounds of pushes, 16 at most: no more slots are listed."""
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (port, pid):
        put = serve(port, pid, puts(slots))
        got = serve(port, pid, asks(slots, slots))
        file = sum(each.stat().st_size for each in (Path(folder) / "state").iterdir())
        question, following = asks(1, slots)[0], b"\xff" * 32
        answer = _one_by_one(port, [question])
        before = _memory(pid)
        with _streams(port, following) as streams:
            memory = (_memory(pid) - before) / STREAMS
            spent, octets = 0.0, 0
            for _ in range(rounds):
                news, began = _news(following), cpu(pid)
                _one_by_one(port, news)  # at the same time, an older one might come last, and be refused
                octets += _drained(streams, len(news))
                spent += cpu(pid) - began
    pushes = rounds * PUSHED * STREAMS
    plain = rounds * PUSHED / put.each_core
    return ServerCosts(
        put_cpu=1 / put.each_core,
        get_cpu=1 / got.each_core,
        push_cpu=max(0.0, spent - plain) / pushes,
        put_octets=len(puts(1)[0]) + answer - len(ITEM),
        get_octets=len(question) + answer,
        push_octets=octets / pushes,
        slot_octets=file / slots,
        stream_octets=memory,
    )


def measured_redis(slots: int) -> RedisCosts:
    """Return what Redis spends on so many puts and as many questions, safe as rendezvous servers want it."""
    program = shutil.which("redis-server")
    if program is None:
        return RedisCosts()
    at = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        options = ["--bind", HOST, "--port", str(at), "--dir", folder, "--appendonly", "yes"]
        with running([program, *options, "--appendfsync", "always", "--save", ""]) as redis:
            wait_for(at)
            with server(Path(folder), f'storage="redis://{HOST}:{at}/0"') as (port, _):
                return RedisCosts(
                    *(1 / serve(port, redis, each).each_core for each in (puts(slots), asks(slots, slots)))
                )


def _one_by_one(port: int, requests: list[bytes]) -> int:
    """Send requests, each when the last is answered, and return the octets of the last answer."""
    length = 0
    with socket.create_connection((HOST, port)) as connection:
        connection.settimeout(PATIENCE)
        for each in requests:
            connection.sendall(each)
            length = len(connection.recv(65536))
    return length


@contextmanager
def _streams(port: int, lookup_key: bytes) -> Iterator[list[socket.socket]]:
    """Follow a lookup key, so many times."""
    with ExitStack() as stack:
        streams = [stack.enter_context(socket.create_connection((HOST, port))) for _ in range(STREAMS)]
        for stream in streams:
            stream.settimeout(PATIENCE)
            stream.sendall(request("GET", events_path(lookup_key)))
        for stream in streams:
            stream.recv(65536)
        yield streams


def _news(lookup_key: bytes) -> list[bytes]:
    """Return requests that put one item after the other into one slot."""
    key = Ed25519PrivateKey.generate()
    public, now = key.public_key().public_bytes_raw(), time.time()
    slot, path = Slot(lookup_key, public, key), slot_path(lookup_key, public)
    sequence = int(now * 1000)
    made = (signed(slot, ITEM, sequence + each, int(now) + 3600) for each in range(PUSHED))
    return [request("PUT", path, each.print()) for each in made]


def _drained(streams: list[socket.socket], events: int) -> int:
    """Read so many events from each stream, and return how many octets there were in all."""
    total = 0
    for stream in streams:
        read = b""
        while read.count(b"\nevent:") + read.startswith(b"event:") < events:
            read += stream.recv(65536)
        total += len(read)
    return total


def _memory(pid: int) -> int:
    """Return the octets of memory that a process has (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) * 1024
