"""rtpengine, a media proxy in C, without its kernel module: it is told of calls over its control protocol."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench.nodes import HOST, Served, program, wait_for
from bench.talk import description, media_address
from bench.voice import Voice
from p2pship.testing.programs import free_ports, is_listening

FIRST_PORT, LAST_PORT = 40_000, 44_000
"Where it has its media: above the nodes' ports."


def available() -> bool:
    """Tell whether it is installed."""
    return shutil.which("rtpengine") is not None


@contextmanager
def rtpengine(calls: Sequence[tuple[Voice, Voice]]) -> Iterator[Served]:
    """Run it meanwhile for calls between these phones, each of which is then told where to send."""
    port = free_ports(1)
    media = [f"--interface={HOST}", "-m", str(FIRST_PORT), "-M", str(LAST_PORT)]
    control = [f"--listen-ng={HOST}:{port}", "--table=-1", "--num-threads=1", "-f", "-E", "-L", "3"]
    with tempfile.TemporaryDirectory(), program(["rtpengine", *media, *control]) as process:
        wait_for(lambda: is_listening("udp", port), "rtpengine does not listen")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.connect((HOST, port))
            for voices in calls:
                _connect(asking, *voices)
        yield Served(process)


def _connect(asking: socket.socket, caller: Voice, callee: Voice) -> None:
    name = os.urandom(8).hex().encode()
    common = {b"call-id": name, b"from-tag": b"a"}
    offer = {**common, b"command": b"offer", b"sdp": description(caller)}
    callee.to = media_address(_asked(asking, offer))
    answer = {**common, b"command": b"answer", b"to-tag": b"b", b"sdp": description(callee)}
    caller.to = media_address(_asked(asking, answer))


def _asked(asking: socket.socket, question: dict[bytes, bytes]) -> bytes:
    """Ask in bencoding, and return the answer, in which the description stands as it is."""
    items = b"".join(_string(name) + _string(question[name]) for name in sorted(question))
    asking.send(os.urandom(4).hex().encode() + b" d" + items + b"e")
    return asking.recv(65535)


def _string(text: bytes) -> bytes:
    return b"%d:%s" % (len(text), text)
