"""What a node says of itself: the shapes of its answers on the control socket, and of the page and commands made of them.

Every value is one that JSON has. Times are Unix time in seconds, durations are seconds.
"""

from __future__ import annotations

from typing import TypedDict


class SIPStatus(TypedDict):
    """Where phones register."""

    udp: str
    "the address and port, such as ``127.0.0.1:5060``"
    tcp: str
    "the address and port"
    port: int
    wanted: int
    "the configured port; 0 is any"
    changed: bool
    "whether this start has another port than the last one had or, the first time, than the configured one"


class BearerStatus(TypedDict):
    """One bearer that is on."""

    name: str
    encrypted: bool
    locators: list[str]
    "where other nodes can dial it"


class LookupStatus(TypedDict):
    """One lookup that is on."""

    name: str


class PeerStatus(TypedDict):
    """A person's device to which there is a pipe."""

    own: str
    "our own identity's AOR"
    aor: str
    "the other person's AOR"
    path: str
    "which way it runs; empty while it is lost"
    encrypted: bool


class Status(TypedDict):
    """The answer to ``status``."""

    version: str
    state: str
    "the state folder"
    sip: SIPStatus
    domain: str
    "the domain of phones that register at an address of this machine"
    bearers: list[BearerStatus]
    lookups: list[LookupStatus]
    identities: int
    phones: int
    "registered bindings"
    peers: list[PeerStatus]
    calls: int
    counts: dict[str, int]
    "how many of each thing are held or happened: relays, transactions, dialogs, descriptors, and the journal's counts"


class IdentityStatus(TypedDict):
    """One own identity, in the answer to ``identity list``."""

    aor: str
    fingerprint: str
    "of the identity key, for people to compare"
    phones: list[str]
    "the contacts of the phones that are registered"
    created: float


class FoundStatus(TypedDict):
    """One device of the person, in the answer to ``find``."""

    hit: str
    "the device's HIT, as an IPv6 address"
    locators: list[str]
    lookup: str
    "where it was found"
    name_grade: str
    "how true the name is: verified, known, unproven or changed"
    fingerprint: str
    "of the person's identity key, to compare with what their own node says"


class AskedStatus(TypedDict):
    """What became of asking one lookup, in the answer to ``find``."""

    lookup: str
    answer: str
    "completed, timed out or failed"
    seconds: float


class FindStatus(TypedDict):
    """The answer to ``find``, whose argument ``aor`` is the person's name."""

    aor: str
    devices: list[FoundStatus]
    asked: list[AskedStatus]
    reason: str
    "why nobody was found, or not everybody; empty when there is nothing to say"


class StagesStatus(TypedDict):
    """Where the time until a call rang went."""

    lookup: float
    dial: float
    hello: float
    remote: float
    total: float


class CallStatus(TypedDict):
    """One call, in the answer to ``calls``."""

    call_id: str
    caller: str
    callee: str
    state: str
    "such as ringing, up or ending"
    since: float
    seconds: float
    path: str
    encrypted: bool
    media: str
    "what flows, in words"
    stages: StagesStatus | None
    "how its set-up went; None until it is answered, and where it came from a peer"
