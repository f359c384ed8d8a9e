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
    network: str
    "the address and port at which phones of other machines register, by UDP and TCP; empty where none are served"


class BearerStatus(TypedDict):
    """One bearer that is on."""

    name: str
    encrypted: bool
    locators: list[str]
    "where other nodes can dial it"


class ServerStatus(TypedDict):
    """One server that a lookup uses."""

    name: str
    "its address"
    trouble: str
    "why it is of no use, in words; empty while it is, or was not asked"
    since: float
    "since when there is trouble, Unix time; 0: there is none"


class LookupStatus(TypedDict):
    """One lookup that is on."""

    name: str
    wide_area: bool
    "whether others than our own networks can ask it"
    trouble: str
    "why publishing there fails, or what is published is not found there; empty while there is nothing to say"
    read_back: float
    "when what we publish was last found there by this node itself, Unix time; 0: not yet"
    servers: list[ServerStatus]
    "those that it uses, where it uses some"


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
    strangers: str
    "what people may do whom nobody here knows: allow, messages or refuse"
    bearers: list[BearerStatus]
    lookups: list[LookupStatus]
    identities: int
    phones: int
    "registered bindings"
    peers: list[PeerStatus]
    calls: int
    counts: dict[str, int]
    "how many of each thing are held or happened: relays, transactions, dialogs, descriptors, and the journal's counts"


class Finding(TypedDict):
    """One thing that ``doctor`` looked at."""

    subject: str
    "such as clock, or lookup lan"
    well: bool
    words: str
    "how it is; where it is not well, also what to do"


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
    "completed, not asked, timed out or failed"
    seconds: float
    reason: str
    "why it failed or was not asked, or which of its servers are of no use though it completed, in words; else empty"


class TraceStep(TypedDict):
    """One step of a search, in the answer to ``find`` with ``trace``."""

    at: float
    "seconds after the search began"
    lookup: str
    "which one; empty where it is of none"
    step: str
    """asked, on the way, answered, refused, fetched, judged, left out, found, ambiguous, or how the lookup ended: completed, not asked,
    timed out or failed"""
    words: str


class FindStatus(TypedDict):
    """The answer to ``find``, whose argument ``aor`` is the person's name; ``trace``, if true, asks for each step."""

    aor: str
    devices: list[FoundStatus]
    asked: list[AskedStatus]
    reason: str
    "why nobody was found, or not everybody; empty when there is nothing to say"
    trace: list[TraceStep]
    "what happened, in order; empty unless it was asked for"


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
    name_grade: str
    "how true the other person's name is: verified, known, unproven or changed; empty where it is not known"
    media: str
    "what flows, in words"
    stages: StagesStatus | None
    "how its set-up went; None until it is answered, and where it came from a peer"
    id: str
    "names the call's story, for ``calls why``; empty where there is none"


class AskedStory(TypedDict):
    """What became of asking one lookup for the person called, or for one to whom the call was forwarded."""

    aor: str
    "for whom it was asked"
    lookup: str
    answer: str
    "completed, not asked, timed out, failed, or not answered yet"
    seconds: float
    reason: str
    "why it failed or was not asked, or which of its servers are of no use though it completed; else empty"


class TriedStory(TypedDict):
    """What became of one device of a person who was searched for."""

    aor: str
    "whose device it is"
    hit: str
    "the device's HIT, as an IPv6 address"
    lookup: str
    "where it was found; ``link`` when a link to it was up already, ``local`` when it is this node itself"
    locators: list[str]
    "where it was dialled; empty when it was connected already"
    reached: bool
    lookup_seconds: float
    dial_seconds: float
    hello_seconds: float
    reason: str
    "why it was not reached, with each locator's own reason"


class HeardStory(TypedDict):
    """One answer of a phone or of a peer's node."""

    status: int
    reason: str
    "the answer's own words"
    at: float
    "seconds after the call began"


class BranchStory(TypedDict):
    """One phone of ours, or one device of the person called, that was sent the call."""

    to: str
    "what it is: ``phone udp 127.0.0.1:5070``, or ``peer bob@example.com``"
    at: float
    "when it was sent the call, in seconds after the call began"
    heard: list[HeardStory]
    "what it answered, each status once"
    error: str
    "why no final answer came from it; empty when one did or may still"


class CallStory(TypedDict):
    """Everything that is kept of one call. Times but ``began`` are seconds after it; texts of others are made printable."""

    id: str
    "six letters and digits that name this story on this node"
    call_id: str
    "the SIP Call-ID: a call between two phones of one node has two stories with the same one"
    direction: str
    "``outgoing`` from one of our phones, ``incoming`` to them"
    caller: str
    "the AOR; of an incoming call the one that the link has proven to be the peer's"
    callee: str
    began: float
    "Unix time"
    state: str
    """trying, ringing, up, ended, failed, refused, cancelled, missed, elsewhere (answered on another phone or device),
    redirected or interrupted"""
    name_grade: str
    "how true the other person's name is; empty as long as nobody was reached"
    acquaintance: str
    verdict: str
    "why both are so, in words"
    encrypted: bool | None
    "whether the link is that carries it; None as long as there is none"
    path: str
    "which way it runs"
    rule: str
    "the rule of this node that refused it; empty if none did"
    asked: list[AskedStory]
    "the lookups that were asked"
    refused: list[str]
    "why answers of lookups were not believed"
    tried: list[TriedStory]
    "the devices that were found"
    met: bool
    "whether this node had met the person before"
    branches: list[BranchStory]
    "who was sent the call, in order"
    stages: StagesStatus | None
    "where the time went until an outgoing call rang; None until it is answered"
    rang: float | None
    "when the first phone rang"
    answered: float | None
    ended: float | None
    ended_by: str
    "our phone, the other side, or this node; empty as long as nobody did"
    status: int
    "the final SIP status; 0 as long as there is none"
    reason: str
    "why it ended or failed, in words"
    notes: list[str]
    "what else happened, such as a transfer"


class CallLine(TypedDict):
    """One call in the answer to ``calls recent``: the beginning of its story."""

    id: str
    direction: str
    caller: str
    callee: str
    began: float
    state: str
    seconds: float
    "how long it was up, or until it had failed; 0 of one that was interrupted, as that is not known"
    status: int
    reason: str
