"""How many puts and questions a second a rendezvous server with a file takes, each core, and how long the slowest hundredth waits.

The peer is Twisted's own web server with files of the same size: what HTTP costs by itself, without keeping or looking up anything.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bench.figures import Figure
from bench.startup import running
from p2pship.lookup.candidate import Slot
from p2pship.lookup.http.wire import signed, slot_path, slots_path
from p2pship.testing.programs import free_ports, is_listening

HOST = "127.0.0.1"

CONNECTIONS = 32
"Clients that ask at a time, each when it has its answer."

ITEM = bytes(960)

PATIENCE = 30.0

TICK = 1 / os.sysconf("SC_CLK_TCK")
"Seconds of processor time that the kernel counts by."

FREELY = ("puts=1000000.0", "questions=1000000.0", "slots_each=10000000", "slots=10000000")
"Lets one address do what it can."


@dataclass
class Client:
    """A connection with a request under way."""

    connection: socket.socket
    began: float = 0.0
    answer: bytearray = field(default_factory=bytearray)


@dataclass(frozen=True)
class Served:
    """What came of some requests."""

    each_second: float
    each_core: float
    "a second of the server's own CPU time"
    p99: float
    "seconds"


def run(quick: bool) -> list[Figure]:
    """Fill a server, then ask it, and the peer."""
    slots = 2_000 if quick else 100_000
    questions = 2_000 if quick else 30_000
    with tempfile.TemporaryDirectory() as folder, server(Path(folder)) as (port, pid):
        put = serve(port, pid, puts(slots))
        asked = serve(port, pid, asks(questions, slots))
    with tempfile.TemporaryDirectory() as folder, web(Path(folder)) as (port, pid):
        bare = serve(port, pid, [request("GET", "/item")] * questions)
    return [
        Figure("puts_s", round(put.each_second), "1/s", "higher"),
        Figure("puts_core_s", round(put.each_core), "1/s", "higher"),
        Figure("puts_p99_ms", round(put.p99 * 1000, 1), "ms", "lower"),
        Figure("asked_s", round(asked.each_second), "1/s", "higher", "twisted web", round(bare.each_second)),
        Figure("asked_core_s", round(asked.each_core), "1/s", "higher", "twisted web", round(bare.each_core)),
        Figure(
            "asked_p99_ms",
            round(asked.p99 * 1000, 1),
            "ms",
            "lower",
            "twisted web",
            round(bare.p99 * 1000, 1),
        ),
    ]


@contextmanager
def server(folder: Path, *more: str) -> Iterator[tuple[int, int]]:
    """Run a rendezvous server meanwhile, with ``more`` settings; gives its port and process number."""
    port = free_ports(1)
    settings = (f'listen=["{HOST}"]', f"port={port}", *FREELY, *more)
    options = [part for setting in settings for part in ("--set", f"rendezvous.{setting}")]
    command = [sys.executable, "-m", "twisted", "p2pship-rendezvous", "--state", str(folder / "state")]
    with running([*command, *options]) as pid:
        wait_for(port)
        yield port, pid


@contextmanager
def web(folder: Path) -> Iterator[tuple[int, int]]:
    """Run Twisted's web server meanwhile, with one file."""
    port = free_ports(1)
    (folder / "item").write_bytes(ITEM)
    listen = f"tcp:{port}:interface={HOST}"
    command = [sys.executable, "-m", "twisted", "web", "--listen", listen, "--path", str(folder)]
    # Not os.devnull: Twisted's log would be rotated, and whoever is root would rename the device.
    with running([*command, "--logfile", str(folder / "requests.log")]) as pid:
        wait_for(port)
        yield port, pid


def wait_for(port: int) -> None:
    """Return when somebody listens there."""
    give_up = time.monotonic() + PATIENCE
    while not is_listening("tcp", port):
        if time.monotonic() > give_up:
            raise SystemExit(f"nobody listens on port {port} within {PATIENCE:.0f} s")
        time.sleep(0.05)


def puts(number: int) -> list[bytes]:
    """Return the requests that put so many slots, each under another lookup key."""
    key, now = Ed25519PrivateKey.generate(), time.time()
    public = key.public_key().public_bytes_raw()
    requests = []
    for each in range(number):
        lookup_key = each.to_bytes(32, "big")
        slot = signed(Slot(lookup_key, public, key), ITEM, int(now * 1000), int(now) + 3600)
        requests.append(request("PUT", slot_path(lookup_key, public), slot.print()))
    return requests


def asks(number: int, slots: int) -> list[bytes]:
    """Return so many questions, spread at random over the slots."""
    chosen = random.Random(1)
    return [request("GET", slots_path(chosen.randrange(slots).to_bytes(32, "big"))) for _ in range(number)]


def request(method: str, path: str, body: bytes = b"") -> bytes:
    """Return a request."""
    return f"{method} {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def serve(port: int, pid: int, requests: Iterable[bytes]) -> Served:
    """Send all requests, and return how they were answered."""
    waiting, times = iter(requests), list[float]()
    with selectors.DefaultSelector() as selector:
        spent, began = cpu(pid), time.perf_counter()
        for _ in range(CONNECTIONS):
            client = Client(socket.create_connection((HOST, port)))
            selector.register(client.connection, selectors.EVENT_READ, client)
            send(client, waiting, selector)
        while selector.get_map():
            for ready, _ in selector.select(PATIENCE):
                receive(ready.data, waiting, selector, times)
        took, spent = time.perf_counter() - began, max(cpu(pid) - spent, TICK)
    times.sort()
    return Served(len(times) / took, len(times) / spent, times[len(times) * 99 // 100])


def send(client: Client, waiting: Iterator[bytes], selector: selectors.BaseSelector) -> None:
    """Send the next request, or close the connection when there is none."""
    following = next(waiting, None)
    if following is None:
        selector.unregister(client.connection)
        client.connection.close()
        return
    client.began = time.perf_counter()
    client.answer.clear()
    client.connection.sendall(following)


def receive(
    client: Client, waiting: Iterator[bytes], selector: selectors.BaseSelector, times: list[float]
) -> None:
    """Take what came, and go on when the answer is whole."""
    client.answer += client.connection.recv(65536)
    head, found, body = bytes(client.answer).partition(b"\r\n\r\n")
    if not found:
        return
    fields = head.lower().split(b"\r\n")
    length = next(int(line[15:]) for line in fields if line.startswith(b"content-length:"))
    if len(body) < length:
        return
    if b" 200 " not in fields[0]:
        raise SystemExit(f"a request was refused: {head.decode()} {body.decode('latin-1')}")
    times.append(time.perf_counter() - client.began)
    send(client, waiting, selector)


def cpu(pid: int) -> float:
    """Return the seconds of CPU time that a process has had (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK
