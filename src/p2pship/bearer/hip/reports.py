"""What is said of the bearer ``hip`` when somebody asks: dictionaries as they go over the control socket. HITs are text."""

from __future__ import annotations

from collections import Counter
from statistics import mean
from typing import TypedDict

from p2pship.address import HostPort
from p2pship.bearer.hip.association import Association
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.hostidentity import HostIdentity, OwnHostIdentity
from p2pship.bearer.hip.hosts import Hosts
from p2pship.bearer.hip.link import HIPLink
from p2pship.bearer.hip.numbers import Algorithm, Cipher, DHGroup, ECDSACurve, ESPSuite, HITSuite
from p2pship.bearer.hip.packet import BadPacket, BadVersion, UnknownCritical
from p2pship.bearer.hip.path import Path
from p2pship.bearer.hip.peerlocator import PeerLocator, Status
from p2pship.bearer.hip.pinging import Pinged
from p2pship.bearer.hip.r1pool import Repeated, Stale
from p2pship.bearer.hip.settings import HIPSettings
from p2pship.bearer.hip.sockets import Sockets
from p2pship.bearer.hip.suites import hit_suite
from p2pship.identity.hit import format_hit


class OwnHITReport(TypedDict):
    """One Host Identity of ours."""

    hit: str
    algorithm: str
    hit_suite: str
    device: bool
    "whether it is that of the node's own device"
    links: bool
    "whether it is that of a device of ours, and so carries links"
    since: float
    "since when it answers (Unix time)"
    associations: int


class HostReport(TypedDict):
    """How the bearer stands, in the answer to ``hip show``."""

    identities: list[OwnHITReport]
    listening: list[str]
    "addresses and UDP ports"
    raw: list[str]
    "addresses at which HIP and ESP are spoken in IP itself"
    raw_wanted: bool
    opportunistic: bool
    difficulty: int
    "#K of the puzzles that are given out now"
    i1s: int
    r1s_limited: int
    "I1s that were not answered, as too many came from there"
    refused: dict[str, int]
    "control packets that were refused, by cause"


class AssociationReport(TypedDict):
    """One association, in the answer to ``hip associations``."""

    own: str
    peer: str
    people: list[str]
    "those whom a link of this device with that one serves; filled in by who knows them"
    state: str
    carries: str
    "``link`` for calls, ``echo`` for one that carries nothing but pings, or has carried nothing else yet"
    dialled: bool
    "whether we began the base exchange"
    since: float
    own_address: str
    peer_address: str
    encapsulated: bool
    "whether in UDP; else in IP itself"
    moves: int
    "how often it went on along another path"
    moved: float
    "when it did last; 0 if never"
    round_trip: float | None
    "seconds there and back, as measured last; null if nothing has measured them"
    locators: list[str]
    "the addresses of the other side that it says are its own, or somebody else says"
    peer_algorithm: str
    hit_suite: str
    dh_group: str
    cipher: str
    esp_suite: str
    spi_in: str
    "the SPI of what comes now, as programs that look at packets print it: 0x and eight hexadecimal digits"
    spi_out: str
    "that of what leaves"
    packets_sent: int
    octets_sent: int
    packets_received: int
    octets_received: int
    lost: int
    "gaps in the sequence numbers of what came"
    replayed: int
    forged: int
    rekeys: int


class PingReport(TypedDict):
    """The answer to ``hip ping``."""

    own: str
    peer: str
    address: str
    encapsulated: bool
    made: bool
    "whether a base exchange was needed"
    base_exchange: float
    "how long that took, in seconds; 0 if none was"
    algorithms: str
    sent: int
    received: int
    times: list[float]
    "round trips, in seconds"
    least: float
    average: float
    most: float


_DH_GROUPS = {
    DHGroup.MODP_1536: "MODP 1536",
    DHGroup.MODP_3072: "MODP 3072",
    DHGroup.P256: "NIST P-256",
    DHGroup.P384: "NIST P-384",
}
_CIPHERS = {Cipher.AES_128_CBC: "AES-128-CBC", Cipher.AES_256_CBC: "AES-256-CBC"}
_ESP_SUITES = {
    ESPSuite.AES_GCM_16: "AES-GCM-16",
    ESPSuite.AES_128_CBC_HMAC_SHA256: "AES-128-CBC, HMAC-SHA-256",
    ESPSuite.AES_256_CBC_HMAC_SHA256: "AES-256-CBC, HMAC-SHA-256",
}
_HIT_SUITES = {HITSuite.RSA_DSA_SHA256: "RSA/SHA-256", HITSuite.ECDSA_SHA384: "ECDSA/SHA-384"}
_CURVES = {ECDSACurve.P256: "P-256", ECDSACurve.P384: "P-384"}


def host_report(
    now: float, settings: HIPSettings, hosts: Hosts, sockets: Sockets, refusals: Counter[str]
) -> HostReport:
    """Say how the bearer stands."""
    return {
        "identities": [_own_hit(hosts, host) for host in hosts],
        "listening": [str(HostPort(host, sockets.number)) for host in sockets.hosts],
        "raw": sockets.raw_hosts,
        "raw_wanted": settings.raw,
        "opportunistic": settings.opportunistic,
        "difficulty": hosts.load.difficulty(now),
        "i1s": hosts.load.i1s,
        "r1s_limited": hosts.limit.limited,
        "refused": dict(refusals),
    }


def _own_hit(hosts: Hosts, host: Host) -> OwnHITReport:
    hit = host.own.hit
    return {
        "hit": format_hit(hit),
        "algorithm": algorithm(host.own),
        "hit_suite": _suite(hit),
        "device": host is hosts.device,
        "links": hit in hosts.carrying,
        "since": hosts.since(hit),
        "associations": sum(1 for _ in host.associations()),
    }


def algorithm(identity: OwnHostIdentity | HostIdentity) -> str:
    """Return what kind of key a Host Identity is, for people."""
    host_id = identity.host_id
    if host_id.algorithm == Algorithm.RSA:
        return "RSA"
    curve = int.from_bytes(host_id.identity[:2], "big")
    return f"ECDSA {_CURVES.get(ECDSACurve(curve), curve)}"


def _suite(hit: bytes) -> str:
    return _HIT_SUITES[HITSuite(hit_suite(hit))]


def association_report(association: Association, link: HIPLink, carries: bool) -> AssociationReport:
    """Describe an association and what has passed over it; ``carries`` says whether it may carry more than echoes."""
    agreement, path, traffic = association.agreement, association.path, link.traffic
    is_link = carries and (link.dialled or link.has_spoken)
    return {
        "own": format_hit(agreement.own.hit),
        "peer": format_hit(agreement.peer.hit),
        "people": [],
        "state": association.state.value,
        "carries": "link" if is_link else "echo",
        "dialled": link.dialled,
        "since": association.made_at,
        "own_address": path.own_host,
        "peer_address": _address(path),
        "encapsulated": path.is_encapsulated,
        "moves": traffic.moves,
        "moved": traffic.moved_at,
        "round_trip": link.round_trip,
        "locators": [one.host for one in association.paths.locators() if _is_theirs(one)],
        "peer_algorithm": algorithm(agreement.peer),
        "hit_suite": _suite(agreement.peer.hit),
        "dh_group": _DH_GROUPS[DHGroup(agreement.group)],
        "cipher": _CIPHERS[agreement.cipher],
        "esp_suite": _ESP_SUITES[agreement.suite],
        "spi_in": f"0x{association.inbound.spi:08x}",
        "spi_out": f"0x{association.outbound.spi:08x}",
        "packets_sent": traffic.sent,
        "octets_sent": link.octets_sent,
        "packets_received": traffic.received,
        "octets_received": link.octets_received,
        "lost": traffic.lost,
        "replayed": traffic.replayed,
        "forged": traffic.forged,
        "rekeys": association.rekey.count,
    }


def _is_theirs(locator: PeerLocator) -> bool:
    """Tell whether an address is the other side's: anybody can make something seem to come from one."""
    return locator.is_verified or (locator.is_named and locator.status is not Status.DEPRECATED)


def _address(path: Path) -> str:
    return str(HostPort(path.host, path.port)) if path.port else path.host


def ping_report(pinged: Pinged) -> PingReport:
    """Say how a ping went."""
    agreement, path, times = pinged.association.agreement, pinged.association.path, pinged.times
    algorithms = (
        _DH_GROUPS[DHGroup(agreement.group)],
        algorithm(agreement.peer),
        _ESP_SUITES[agreement.suite],
    )
    return {
        "own": format_hit(agreement.own.hit),
        "peer": format_hit(agreement.peer.hit),
        "address": _address(path),
        "encapsulated": path.is_encapsulated,
        "made": pinged.made,
        "base_exchange": pinged.base_exchange,
        "algorithms": "; ".join(algorithms),
        "sent": pinged.sent,
        "received": len(times),
        "times": list(times),
        "least": min(times, default=0.0),
        "average": mean(times) if times else 0.0,
        "most": max(times, default=0.0),
    }


def refusal(error: BadPacket) -> str:
    """Return the cause for which a control packet was refused: one of a few words."""
    if isinstance(error, Stale):
        return "stale"
    if isinstance(error, Repeated):
        return "repeated"
    if isinstance(error, UnknownCritical):
        return "unknown_critical_parameter"
    if isinstance(error, BadVersion):
        return "other_version"
    return error.notify.name.lower()
