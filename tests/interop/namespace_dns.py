"""Runs alone in a network namespace: a call over HIP to somebody of whom the caller's node knows nothing but the name.

Arguments: a folder and a way; with a name after them, it is that person's machine. This machine is a router with a cable to each of them, and
the domain's own, with its DNS and its web server, which says whose keys are true, and with the way ``server`` a rendezvous server. With ``node``
the DNS names the machine that is called, by its HIP record. The caller's node has no configuration: the DNS and the authorities that vouch
for web servers are the system's.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater, react
from twisted.web.server import Site
from twisted.web.static import File

from p2pship.address import HostPort
from p2pship.commands.hiprecord import RECORD
from p2pship.lookup.http.server.service import RendezvousServer, make_server
from p2pship.lookup.http.server.settings import ServerSettings
from p2pship.testing.dnsserver import DNSServer, Zone
from p2pship.testing.namespace import ip
from tests.interop.callmachine import STEP, CallMachine, Machine, serve
from tests.interop.intime import Late
from tests.interop.routed import NETWORKS, OWN, RoutedScene
from tests.trust.webserver import KEY, listen_with, web_certificate

DOMAIN = "p2pship-test.net"
BOB = f"bob@{DOMAIN}"

SERVICES, WEB = "55.5.0.53", "55.5.0.80"
"The addresses of the domain's machine."

HTTPS, DNS_PORT, NODE_PORT = 443, 53, 5568

PUBLISHED = 3
"Slots of one node that are published: for three days."

NEWCOMER = ("lookup.dns.enabled=true", "trust.domains=true", "trust.dnssec=true")
"A node's defaults, which node processes of tests do not use."

ZONE = {
    "server": f"""\
_p2pship-rendezvous._tcp IN SRV 0 0 {HTTPS} rendezvous.{DOMAIN}.
rendezvous               IN A   {SERVICES}
""",
    "node": f"""\
_p2pship._udp            IN SRV 0 0 {NODE_PORT} node.{DOMAIN}.
node                     IN A   {NETWORKS["bob"].format(OWN)}
""",
}

CALLED = {
    "server": (f'lookup.http.servers=["https://rendezvous.{DOMAIN}"]',),
    "node": ("lookup.dns.enabled=true", f"lookup.dns.port={NODE_PORT}"),
}


def machine(reactor: Any, folder: Path, name: str, way: str) -> CallMachine:
    """Describe a machine."""
    if name == "alice":
        return CallMachine(reactor, folder, name, settings=NEWCOMER)
    return CallMachine(reactor, folder, name, settings=CALLED[way], domain=DOMAIN, answer="auto")


def use_system(folder: Path) -> None:
    """Have this system, as everybody on it sees it, use the DNS of the domain, and trust who vouches for its web servers."""
    resolvers = folder / "resolv.conf"
    resolvers.write_text(f"nameserver {SERVICES}\n")
    subprocess.run(["mount", "--bind", resolvers, "/etc/resolv.conf"], check=True)
    roots = folder / "roots.pem"
    roots.write_bytes(web_certificate((), authority=True).public_bytes(Encoding.PEM))
    os.environ["SSL_CERT_FILE"] = str(roots)


class Domain:
    """What the domain runs on its machine."""

    def __init__(self, reactor: Any, folder: Path) -> None:
        for address in (SERVICES, WEB):
            ip(f"addr add {address}/32 dev lo")
        self.zone = Zone(DOMAIN)
        self.zone.paste(f"@ IN A {WEB}\n")
        self.dns = DNSServer(reactor, self.zone, at=HostPort(SERVICES, DNS_PORT))
        self.pages = folder / "pages"
        self.pages.mkdir()
        listen_with(reactor, Site(File(str(self.pages))), [DOMAIN], HTTPS, WEB)
        self.rendezvous = self._rendezvous(reactor, folder)

    def _rendezvous(self, reactor: Any, folder: Path) -> RendezvousServer:
        certificate, key, state = (folder / name for name in ("certificate.pem", "key.pem", "server"))
        certificate.write_bytes(web_certificate([f"rendezvous.{DOMAIN}"]).public_bytes(Encoding.PEM))
        key.write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        state.mkdir()
        settings = ServerSettings(listen=(SERVICES,), port=HTTPS, certificate=str(certificate), key=str(key))
        return make_server(reactor, settings, state, os.urandom)

    def publish(self, script: str) -> None:
        """Put on the web server what an administrator was told to."""
        subprocess.run(["sh", "-c", script], cwd=self.pages, check=True)


async def vouch(far: Machine, domain: Domain) -> None:
    """Have the authority of the domain, which is kept on the machine that is called, vouch for its person, and publish that."""
    await far.do("ask", "ca create", {"domain": DOMAIN})
    request = await far.do("ask", "identity request", {"aor": BOB})
    issued = await far.do("ask", "ca issue", {"request": as_file(request["content"])})
    await far.do("ask", "identity import", {"file": as_file(issued["content"])})
    domain.publish((await far.do("ask", "ca publish", {"domain": DOMAIN}))["content"])


def as_file(text: str) -> str:
    """Return a file as it stands in a request."""
    return base64.b64encode(text.encode()).decode("ascii")


async def play(reactor: Any, folder: Path, way: str) -> None:
    """Be the domain's machine, and tell the two others what to do."""
    use_system(folder)
    domain = Domain(reactor, folder)
    domain.rendezvous.startService()
    await domain.rendezvous.when_started()
    scene = RoutedScene(reactor, __file__, *sys.argv[1:])
    domain.zone.paste(ZONE[way])
    await scene.begin()
    await vouch(scene.far, domain)
    if way == "node":
        domain.zone.paste("node " + RECORD.text(await scene.far.do("ask", "hip record", {})))
    while way == "server" and await domain.rendezvous._store.held() < PUBLISHED:
        await deferLater(reactor, STEP)
    story = await scene.call_over_hip("dns", BOB)
    if story["name_grade"] != "verified":
        raise Late(f"the domain was not heard in time: {story}")
    await scene.end()
    await domain.rendezvous.stopService()
    print("as it should be")


def main(reactor: Any, arguments: Sequence[str]) -> Deferred[None]:
    """Be one of the machines."""
    folder, way, *role = arguments
    ip("link set lo up")
    if not role:
        return Deferred.fromCoroutine(play(reactor, Path(folder), way))
    return Deferred.fromCoroutine(serve(machine(reactor, Path(folder), role[0], way)))


react(main, [sys.argv[1:]])
