"""Runs alone in a network namespace: a call over HIP between the real phones of two machines that find each other through a server.

Argument: a folder; with a name after it, it is that person's machine. This machine is a router with a cable to each of them, and runs the
rendezvous server, which speaks TLS with a certificate of its own. The lookup on the local network is on, and hears nobody.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react

from p2pship.lookup.http.server.service import RendezvousServer, make_server
from p2pship.lookup.http.server.settings import PORT, ServerSettings
from tests.interop.callmachine import STEP, CallMachine, serve
from tests.interop.routed import NETWORKS, ROUTER, RoutedScene

SERVER = NETWORKS["alice"].format(ROUTER)
"Where the server is."

PUBLISHED = 6
"Slots of two nodes that are published: each for three days."


def machine(reactor: Any, folder: Path, name: str) -> CallMachine:
    """Describe a machine."""
    settings = (
        f'lookup.http.servers=["https://{SERVER}:{PORT}"]',
        f'lookup.http.ca_file="{folder / "certificate.pem"}"',
    )
    return CallMachine(reactor, folder, name, settings=settings, answer="auto" if name == "bob" else "manual")


def certify(folder: Path) -> ServerSettings:
    """Make a key and a certificate for it, and return the settings of a server with them."""
    key, name = (
        ec.generate_private_key(ec.SECP256R1()),
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "own")]),
    )
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1)
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address(SERVER))])
    certificate = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return ServerSettings(certificate=str(folder / "certificate.pem"), key=str(folder / "key.pem"))


async def start_server(reactor: Any, folder: Path) -> RendezvousServer:
    """Start a server on this machine."""
    state = folder / "server"
    state.mkdir()
    server = make_server(reactor, certify(folder), state, lambda length: bytes(length))
    server.startService()
    await server.when_started()
    return server


async def play(reactor: Any, folder: Path) -> None:
    """Be the machine in between, and tell the two others what to do."""
    scene = RoutedScene(reactor, __file__, *sys.argv[1:])
    server = await start_server(reactor, folder)
    await scene.begin()
    while await server._store.held() < PUBLISHED:
        await deferLater(reactor, STEP)
    await scene.call_over_hip("http")
    await scene.end()
    await server.stopService()
    print("as it should be")


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    folder, *role = arguments
    if not role:
        return Deferred.fromCoroutine(play(reactor, Path(folder)))
    return Deferred.fromCoroutine(serve(machine(reactor, Path(folder), role[0])))


react(main, [sys.argv[1:]])
