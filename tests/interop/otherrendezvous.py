"""A rendezvous server that is not ours, of the standard library: slots in memory, over TLS, without events. It imports nothing of p2pship."""

from __future__ import annotations

import hashlib
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cbor2

from tests.interop.otherlookup import checked


class OtherRendezvous:
    """Serves slots under a folder; ``slots`` are by lookup and publication key."""

    def __init__(self, at: tuple[str, int], folder: str, certificate: Path) -> None:
        """``certificate`` is a file with a key, too."""
        self.slots: dict[str, dict[str, list[Any]]] = {}
        self.asked: list[str] = []
        server = ThreadingHTTPServer(at, type("Answering", (Answering,), {"mine": self, "folder": folder}))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        Thread(target=server.serve_forever, daemon=True).start()


class Answering(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    mine: OtherRendezvous
    folder: str

    def do_PUT(self) -> None:
        """Take a slot."""
        lookup, publication = self.keys()
        slot = cbor2.loads(self.rfile.read(int(self.headers["Content-Length"])))
        checked(slot, bytes.fromhex(lookup))
        assert slot[2].hex() == publication
        kept = self.mine.slots.setdefault(lookup, {})
        if publication in kept and kept[publication][3] >= slot[3]:
            return self.say(409, b'{"error": "stale", "sequence": %d}' % kept[publication][3])
        kept[publication] = slot
        return self.say(200, b'{"outcome": "stored", "listed": true}', "application/json")

    def do_GET(self) -> None:
        """Tell slots."""
        lookup, *publication = self.keys()
        kept = self.mine.slots.get(lookup, {})
        if publication[1:]:
            return self.say(404, b'{"error": "unknown"}', "application/json")
        if not publication:
            return self.say(200, cbor2.dumps([slot for slot in kept.values() if slot[5]]))
        slot = kept.get(publication[0])
        return self.say(404 if slot is None else 200 if slot[5] else 410, cbor2.dumps(slot))

    def keys(self) -> list[str]:
        """Return what the path names."""
        self.mine.asked.append(f"{self.command} {self.path}")
        assert self.path.startswith(f"{self.folder}/v1/slots/"), self.path
        return self.path.removeprefix(f"{self.folder}/v1/slots/").split("/")

    def say(self, status: int, body: bytes, kind: str = "application/cbor") -> None:
        """Answer."""
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        if self.headers["If-None-Match"] == tag:
            status, body = 304, b""
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("ETag", tag)):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
