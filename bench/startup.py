"""How long from the command to an answer on the SIP port, and how much memory an idle node holds.

The peer is baresip, a SIP phone in C, started and asked in the same way, where it is installed.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, median
from p2pship.testing.nodeprocess import arguments
from p2pship.testing.programs import free_ports

HOST = "127.0.0.1"

PATIENCE = 30.0
"Seconds for the port to answer."

ASK_EVERY = 0.01
"Seconds between two questions: the resolution of the figure."

SETTLE = 1.0
"Seconds of idling before memory is read."

MODULES = Path("/usr/lib/baresip/modules")
"Where Debian puts baresip's modules."

Command = Callable[[Path, int], list[str]]
"Writes what the program needs into a folder, and returns how to start it on this SIP port."


@dataclass(frozen=True)
class Start:
    """What one start took."""

    seconds: float
    megabytes: float


def run(quick: bool) -> list[Figure]:
    """Start the node and the peer several times, in turn."""
    own, peer = [], []
    for _ in range(1 if quick else 5):
        own.append(measure(node_command))
        if shutil.which("baresip") and MODULES.is_dir():
            peer.append(measure(baresip_command))
    return [
        figure("listening_s", "s", [start.seconds for start in own], [start.seconds for start in peer]),
        figure("idle_rss_mb", "MB", [start.megabytes for start in own], [start.megabytes for start in peer]),
    ]


def figure(name: str, unit: str, own: list[float], peer: list[float]) -> Figure:
    """Return the medians as a figure; an empty list is a peer that is not there."""
    value = round(median(own), 3)
    if not peer:
        return Figure(name, value, unit, "lower")
    return Figure(name, value, unit, "lower", "baresip", round(median(peer), 3))


def node_command(folder: Path, port: int) -> list[str]:
    """Start a node that nobody else on this machine hears."""
    return arguments(folder / "state", free_ports(1), [f"sip.port={port}"])


def baresip_command(folder: Path, port: int) -> list[str]:
    """Start a phone with one codec and one account that registers nowhere."""
    config = f"sip_listen {HOST}:{port}\nnet_interface {HOST}\nmodule_path {MODULES}\nmodule g711.so\nmodule_tmp account.so\n"
    (folder / "config").write_text(config)
    (folder / "accounts").write_text(f"<sip:bench@{HOST}:{port}>;regint=0\n")
    return ["baresip", "-f", str(folder)]


def measure(command: Command) -> Start:
    """Start a program, wait for its answer, let it idle, and stop it."""
    port = free_ports(2)  # baresip has TLS at the second
    with tempfile.TemporaryDirectory() as folder:
        started = command(Path(folder), port)
        began = time.monotonic()
        with running(started) as pid:
            seconds = answered(port) - began
            time.sleep(SETTLE)
            return Start(seconds, resident(pid))


@contextmanager
def running(command: list[str]) -> Iterator[int]:
    """Run a program meanwhile; gives its process number."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def answered(port: int) -> float:
    """Ask with OPTIONS until an answer comes, whatever it is, and return when it came."""
    give_up = time.monotonic() + PATIENCE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((HOST, 0))
        phone.connect((HOST, port))
        phone.settimeout(ASK_EVERY)
        question = options(port, phone.getsockname()[1])
        while time.monotonic() < give_up:
            try:
                phone.send(question)
                if phone.recv(65536).startswith(b"SIP/2.0 "):
                    return time.monotonic()
            except TimeoutError:
                continue
            except ConnectionRefusedError:
                time.sleep(ASK_EVERY)
    raise SystemExit(f"nothing answered on port {port} within {PATIENCE:.0f} s")


def options(port: int, own: int) -> bytes:
    """Return an OPTIONS request (RFC 3261 §11)."""
    lines = (
        f"OPTIONS sip:bench@{HOST}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {HOST}:{own};branch=z9hG4bK{os.urandom(8).hex()}",
        "Max-Forwards: 70",
        f"From: <sip:bench@{HOST}:{own}>;tag={os.urandom(4).hex()}",
        f"To: <sip:bench@{HOST}:{port}>",
        f"Call-ID: {os.urandom(8).hex()}@{HOST}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:bench@{HOST}:{own}>",
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


def resident(pid: int) -> float:
    """Return the memory that a process holds, in MB (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
