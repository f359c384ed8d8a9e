"""Neighbours of the SIP parts that keep what they are told: hops, peers, relays, an overlay and a keyring."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from p2pship.address import HostPort
from p2pship.identity.verdict import Acquaintance, NameGrade, Verdict
from p2pship.interfaces import (
    IAcquaintances,
    IDevice,
    IIdentity,
    IKeyring,
    IMediaRelay,
    IMediaRelays,
    IOverlay,
    IPeer,
    IPeopleReceiver,
    IReaching,
    IScreening,
    ISIPHop,
)
from p2pship.lookup.candidate import Answer, Asked, FindOutcome
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.sip.digest import secret
from p2pship.sip.message import Message, Request, Response, parse
from p2pship.sip.phones import realm_of
from p2pship.trust.wish import Decision, Wish

HIT = bytes.fromhex("20010020") + bytes(12)
OTHER_HIT = bytes.fromhex("2001002f") + bytes(12)
UNKNOWN = ReachOutcome(FindOutcome((Asked("lan", Answer.COMPLETED, 1.5),), 0), (), False)


def counting() -> Callable[[int], bytes]:
    """Return a source of octets that never repeats: 1, 2, 3 …"""
    numbers = itertools.count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


@implementer(ISIPHop)
class FakeHop:
    """A hop to a phone that keeps what is sent."""

    def __init__(self, port: int = 5070, transport: str = "UDP", host: str = "127.0.0.1") -> None:
        self.address: HostPort | None = HostPort(host, port)
        self.trusted = host == "127.0.0.1"
        self.transport = transport
        self.reliable = transport == "TCP"
        self.sent_by = "127.0.0.1:5060"
        self.description = f"phone {transport.lower()} {host}:{port}"
        self.key: Hashable = (transport, host, port)
        self.sent: list[Message] = []

    def send(self, message: Message) -> Deferred[None]:
        self.sent.append(parse(message.encode()))
        return succeed(None)

    def responses(self) -> list[Response]:
        """Return the responses sent, 100 left out."""
        return [message for message in self.sent if isinstance(message, Response) and message.status > 100]

    def requests(self) -> list[Request]:
        """Return the requests sent."""
        return [message for message in self.sent if isinstance(message, Request)]


class FakeHops:
    """The phone transport: one hop for each address."""

    def __init__(self) -> None:
        self.hops: dict[tuple[str, str, int], FakeHop] = {}
        self.connected: set[HostPort] = set()

    def hop_for(self, host: str, port: int, transport: str) -> FakeHop:
        return self.hops.setdefault((transport, host, port), FakeHop(port, transport, host))

    def is_connected(self, address: HostPort) -> bool:
        return address in self.connected


@implementer(IDevice)
class FakeDevice:
    """A device without keys."""

    hit = HIT
    key = b"own device"
    private_key: Any = None
    publication_key = bytes(32)
    publication_private_key: Any = None
    sealing_key = bytes(32)

    def sign(self, data: bytes) -> bytes:
        return bytes(64)


@implementer(IIdentity)
@dataclass
class FakeIdentity:
    """An own identity without keys."""

    aor: str
    key: bytes = b"key"
    certificate: bytes = b"certificate"
    statement: bytes = b"statement"
    owner: bool = True
    chain: tuple[bytes, ...] = ()
    revocations: bytes = b""
    device: FakeDevice = field(default_factory=FakeDevice)

    def sign(self, data: bytes) -> bytes:
        return bytes(64)


@dataclass(frozen=True)
class FakeStatement:
    """A statement that has nothing but a key."""

    key: bytes


@dataclass(frozen=True)
class FakePapers:
    """Papers that have nothing but the key in their statement."""

    statement: FakeStatement


@implementer(IScreening)
class FakeScreening:
    """Lets everybody in, or decides as it is told; keeps what it was asked."""

    def __init__(self) -> None:
        self.decision: Decision | Deferred[Decision] = Decision(True, "test", "everybody may")
        self.asked: list[tuple[str, str, Wish]] = []

    def decide(self, own: str, aor: str, verdict: Verdict, wish: Wish) -> Decision | Deferred[Decision]:
        self.asked.append((own, aor, wish))
        return self.decision


@implementer(IAcquaintances)
class FakeAcquaintances:
    """Keeps who was talked to."""

    def __init__(self) -> None:
        self.answered: list[tuple[str, str, bytes, bool]] = []

    def call_answered(self, own: str, aor: str, key: bytes, verdict: Verdict, placed: bool) -> None:
        self.answered.append((own, aor, key, placed))


class FakeSecrets:
    """The passwords of phones, by name and user name."""

    def __init__(self) -> None:
        self.passwords: dict[tuple[str, str], str] = {}

    def secret(self, aor: str, username: str, algorithm: str) -> str | None:
        password = self.passwords.get((aor, username))
        return None if password is None else secret(algorithm, username, realm_of(aor), password)


@implementer(IPeer)
class FakePeer:
    """A peer whose link takes everything; what it was sent is in ``sent``."""

    def __init__(self, own: str, aor: str, hit: bytes = OTHER_HIT) -> None:
        self.identity = FakeIdentity(own)
        self.aor = aor
        self.device_key = b"device of " + aor.encode()
        self.hit = hit
        self.own_hit = HIT
        self.verdict = Verdict(NameGrade.UNPROVEN, Acquaintance.STRANGER)
        self.papers: Any = FakePapers(FakeStatement(b"identity key of " + aor.encode()))
        self.encrypted = True
        self.path = "memory"
        self.lost_since: float | None = None
        self.since = 0.0
        self.watched = 0
        self.sent: list[Message] = []
        self.cast_packets: list[tuple[int, bytes]] = []
        self.flows: dict[int, Callable[[int, bytes], None]] = {}

    def send(self, subprotocol: str, payload: bytes) -> Deferred[bytes]:
        self.sent.append(parse(payload))
        return succeed(b"")

    def hand_over(self, subprotocol: str, thing: object, octets: int) -> bool:
        return False

    def open_stream(self, subprotocol: str, header: bytes, protocol: Any) -> Deferred[Any]:
        raise AssertionError("SIP opens no streams")

    def open_flow(self, receiver: Callable[[int, bytes], None]) -> int:
        number = 2 * len(self.flows) + 2
        self.flows[number] = receiver
        return number

    def close_flow(self, flow: int) -> None:
        self.flows.pop(flow, None)

    def cast(self, flow: int, packet: bytes) -> None:
        self.cast_packets.append((flow, packet))

    def watch(self, closely: bool) -> None:
        self.watched += 1 if closely else -1

    def close(self, reason: str) -> None:
        self.lost_since = 0.0

    def requests(self) -> list[Request]:
        """Return the requests sent."""
        return [message for message in self.sent if isinstance(message, Request)]

    def responses(self) -> list[Response]:
        """Return the responses sent, 100 left out."""
        return [message for message in self.sent if isinstance(message, Response) and message.status > 100]


@implementer(IMediaRelay)
class FakeRelay:
    """A relay that keeps what it is told, and what of it took effect."""

    def __init__(self, port: int, flow: int) -> None:
        self.port = port
        self.flow = flow
        self.heard_at = 0.0
        self.staged: dict[str, Any] = {}
        self.effective: dict[str, Any] = {}
        self.closed = False

    def to_phone(self, rtp: HostPort | None, rtcp: HostPort | None) -> None:
        self.staged["phone"] = (rtp, rtcp)

    def to_peer(self, rtp: int | None, rtcp: int | None) -> None:
        self.staged["peer"] = (rtp, rtcp)

    def commit(self) -> None:
        self.effective = dict(self.staged)

    def rollback(self) -> None:
        self.staged = dict(self.effective)

    def close(self) -> None:
        self.closed = True


@implementer(IMediaRelays)
class FakeRelays:
    """Opens relays with ports from 20000 on and flows from 100 on."""

    def __init__(self) -> None:
        self.opened: list[FakeRelay] = []

    def open(self, peer: IPeer, own_host: str, phone_host: str) -> FakeRelay:
        number = 2 * len(self.opened)
        relay = FakeRelay(20000 + number, 100 + number)
        self.opened.append(relay)
        return relay

    def open_beside(self, relay: IMediaRelay, own_ports: bool) -> FakeRelay:
        number = 2 * len(self.opened)
        ports = 20000 + number, relay.flow
        opened = FakeRelay(*(ports if own_ports else (relay.port, 100 + number)))
        self.opened.append(opened)
        return opened

    def live(self) -> list[FakeRelay]:
        """Return those that are not closed."""
        return [relay for relay in self.opened if not relay.closed]


@implementer(IReaching)
@dataclass
class FakeSearch:
    """A search under way, which the test carries on by its receiver."""

    aor: str
    identity: IIdentity
    receiver: IPeopleReceiver
    cancelled: bool = False

    def so_far(self) -> ReachOutcome:
        return UNKNOWN

    def cancel(self) -> None:
        self.cancelled = True

    def reach(self, peer: IPeer) -> None:
        """Reach a device."""
        self.receiver.peer_reached(peer, Tried(peer.hit, True, "lan", 0.01, 0.02, 0.03))

    def end(self, outcome: ReachOutcome = UNKNOWN) -> None:
        """End the search."""
        self.receiver.reach_ended(outcome)


@implementer(IOverlay)
@dataclass
class FakeOverlay:
    """Keeps the searches that were begun."""

    searches: list[FakeSearch] = field(default_factory=list)

    def people(self, aor: str, identity: IIdentity, receiver: IPeopleReceiver) -> IReaching:
        self.searches.append(FakeSearch(aor, identity, receiver))
        return self.searches[-1]

    def peers(self) -> Sequence[IPeer]:
        return ()

    def peer(self, aor: str, identity: IIdentity, hit: bytes) -> Deferred[IPeer]:
        raise AssertionError("SIP reaches people, not devices")

    def offer(self, subprotocol: Any) -> None:
        raise AssertionError("the node offers SIP, not SIP itself")


@implementer(IKeyring)
class FakeKeyring:
    """A keyring that makes identities without keys."""

    host_keys = None

    def __init__(self) -> None:
        self.device = FakeDevice()
        self._identities: dict[str, FakeIdentity] = {}

    def identities(self) -> list[FakeIdentity]:
        return list(self._identities.values())

    @property
    def default(self) -> FakeIdentity | None:
        """The one that was made first."""
        return next(iter(self._identities.values()), None)

    def identity(self, aor: str) -> FakeIdentity | None:
        return self._identities.get(aor)

    def devices(self) -> list[FakeDevice]:
        return [self.device]

    def device_of(self, hit: bytes) -> FakeDevice | None:
        return self.device if hit == self.device.hit else None

    def create(self, aor: str, separate: bool | None = None) -> FakeIdentity:
        return self._identities.setdefault(aor, FakeIdentity(aor))

    def removed(self, aor: str) -> bool:
        return False

    def watch(self, changed: Callable[[str], None]) -> Callable[[], None]:
        raise AssertionError("SIP does not watch the keyring")

    def _changed_by_sip(self, *arguments: Any, **named: Any) -> Any:
        raise AssertionError("SIP does not change identities")

    create_self_certifying = remove = private_key = request = install_chain = _changed_by_sip
    add_device = revoke_device = adopt_statement = adopt_identity = accept_statement = _changed_by_sip

    def accept(self, papers: Any, now: float, keep: bool) -> None:
        raise AssertionError("SIP sees no papers")

    def check(self, papers: Any) -> None:
        raise AssertionError("SIP sees no papers")

    def lists(self, key: bytes, device_key: bytes) -> bool:
        raise AssertionError("SIP sees no papers")

    def publication_keys(self, aor: str) -> list[bytes]:
        return []

    def met(self, aor: str) -> bool:
        return False

    def mark_encrypted(self, hit: bytes) -> None:
        raise AssertionError("SIP makes no links")

    def must_be_encrypted(self, hit: bytes) -> bool:
        raise AssertionError("SIP makes no links")

    def record_for(self, identity: Any, locators: Any, now: float, parameters: Any = ()) -> bytes:
        raise AssertionError("SIP signs no records")
