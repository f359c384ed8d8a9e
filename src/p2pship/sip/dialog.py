"""The dialogs that pass through this node, each between one of its phones and one peer (RFC 3261 §12).

A dialog is named by Call-ID, the tag of our phone and the tag of the peer. Two phones of one node that talk to each
other make two of them, one for each side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from p2pship.errors import RemoteError
from p2pship.identity.verdict import Acquaintance
from p2pship.interfaces import IPeer, ISIPHop
from p2pship.sip.message import Request, Response
from p2pship.sip.offer import OfferAnswer
from p2pship.sip.rewrite import Parties

DEFAULT_SUBSCRIPTION = 3600
"Seconds that a subscription lives when nothing says how long (RFC 6665 §4.2.1.1 leaves it to the event package)."

MAX_DIALOGS = 10_000
"Live dialogs of the node: 64 times what a busy person's phones hold, and about 40 MB at the most."


Subscription = tuple[bool, int]
"Names the subscription that a REFER makes: whether our phone sent it, and its CSeq number."


MOST_OF_PERSON = MAX_DIALOGS // 4
"Of one person, on all of their devices: five times the calls that they may have, and their subscriptions."

MOST_OF_STRANGERS = MAX_DIALOGS // 2
"""Of all strangers together, who may have as many names as they like: a phone that accepts every SUBSCRIBE must not leave
no room for calls."""


class DialogRefused(RemoteError):
    """There is already a dialog of this name with somebody else, or there are too many: it says which."""


@dataclass(frozen=True, slots=True)
class DialogID:
    """What names a dialog, from the point of view of our phone."""

    call_id: str
    phone_tag: str
    peer_tag: str


@dataclass(slots=True, eq=False)
class Dialog:
    """One dialog, as the node keeps it to route what comes in it, and to end it."""

    id: DialogID
    peer: IPeer
    "the other side"
    hop: ISIPHop
    "where the phone signals from"
    gruu: str
    "the URI that stands for the phone elsewhere (RFC 5627)"
    phone_target: str
    "the phone's own Contact URI: the Request-URI towards it"
    phone_routes: tuple[str, ...]
    "the Route values towards the phone"
    phone_side: Parties
    "From and To as the phone knows them"
    link_side: Parties
    "From and To as the link shows them"
    phone_called: bool
    "whether our phone is the one that was called"
    started: float
    "Unix time"
    chosen: bool = False
    "whether our user called, and chose whom: nobody forwarded the call or referred them"
    media: OfferAnswer | None = None
    "what a call has agreed, and its relays; None in a dialog without media"
    answered: float | None = None
    "when a call was answered (Unix time)"
    expires: float | None = None
    "when a subscription ends unless refreshed (Unix time); None for a call"
    session_ends: float | None = None
    "when a call ends unless refreshed (RFC 4028, Unix time); None without a session timer"
    transfers: dict[Subscription, float] = field(default_factory=dict)
    "when the subscription of each REFER in a call ends unless refreshed (RFC 3515 §2.4.4, Unix time)"
    peer_cseq: int = 0
    "the highest CSeq that the peer has used"
    ended: bool = False

    @property
    def is_call(self) -> bool:
        """Whether it was made by INVITE."""
        return self.expires is None

    @property
    def person(self) -> tuple[str, str]:
        """Between which two persons it is: one of our own, and the other."""
        return self.peer.identity.aor, self.peer.aor

    @property
    def caller(self) -> str:
        """The AOR of who called."""
        aor: str = self.peer.aor if self.phone_called else self.peer.identity.aor
        return aor

    @property
    def callee(self) -> str:
        """The AOR of who was called."""
        aor: str = self.peer.identity.aor if self.phone_called else self.peer.aor
        return aor


class DialogTable:
    """All dialogs of the node, by name."""

    def __init__(self) -> None:
        self._dialogs: dict[DialogID, Dialog] = {}
        self._of_persons: Counter[tuple[str, str]] = Counter()
        self._strange: set[Dialog] = set()

    def __len__(self) -> int:
        return len(self._dialogs)

    def __iter__(self) -> Iterator[Dialog]:
        return iter(tuple(self._dialogs.values()))

    def add(self, dialog: Dialog) -> None:
        """Take up a dialog.

        :raises DialogRefused: if its name is taken, as by a peer that copies another's dialog, or there is no room.
        """
        if dialog.id in self._dialogs:
            raise DialogRefused("there is another dialog with these tags")
        is_strange = dialog.peer.verdict.acquaintance is Acquaintance.STRANGER
        if len(self._dialogs) >= MAX_DIALOGS or (is_strange and len(self._strange) >= MOST_OF_STRANGERS):
            raise DialogRefused("there are too many dialogs")
        if self._of_persons[dialog.person] >= MOST_OF_PERSON:
            raise DialogRefused("there are too many dialogs with this person")
        self._dialogs[dialog.id] = dialog
        self._of_persons[dialog.person] += 1
        if is_strange:
            self._strange.add(dialog)

    def of_phone(self, call_id: str, phone_tag: str, peer_tag: str) -> Dialog | None:
        """Find the dialog in which a phone sends a request."""
        return self._dialogs.get(DialogID(call_id, phone_tag, peer_tag))

    def of_peer(self, peer: IPeer, call_id: str, phone_tag: str, peer_tag: str) -> Dialog | None:
        """Find the dialog in which this very peer sends a request: another's dialog is not found."""
        dialog = self._dialogs.get(DialogID(call_id, phone_tag, peer_tag))
        return dialog if dialog is not None and dialog.peer is peer else None

    def of_sender(self, peer: IPeer | None, call_id: str, from_tag: str, to_tag: str) -> Dialog | None:
        """Find the dialog in which a peer, or one of our phones (None), sends a request with these tags."""
        if peer is None:
            return self.of_phone(call_id, from_tag, to_tag)
        return self.of_peer(peer, call_id, to_tag, from_tag)

    def with_peer(self, peer: IPeer) -> list[Dialog]:
        """Return every dialog with a peer."""
        return [dialog for dialog in self._dialogs.values() if dialog.peer is peer]

    def remove(self, dialog: Dialog) -> None:
        """Forget a dialog; harmless when repeated."""
        if self._dialogs.get(dialog.id) is not dialog:
            return
        del self._dialogs[dialog.id]
        self._strange.discard(dialog)
        self._of_persons[dialog.person] -= 1
        if not self._of_persons[dialog.person]:
            del self._of_persons[dialog.person]


def granted(request: Request, response: Response) -> int:
    """Return for how long a subscription was granted, in seconds."""
    for message in (response, request):
        value = message.first("Expires")
        if value is not None and re.fullmatch("[0-9]{1,9}", value):
            return int(value)
    return DEFAULT_SUBSCRIPTION
