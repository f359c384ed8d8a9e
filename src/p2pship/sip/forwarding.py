"""Whom a call of our phone is for: the person called, and those to whom they forward it (RFC 3261 §16.7 item 4).

Theory of operation. A call begins with one target. A phone that forwards answers 300, 301 or 302 with Contacts; its own
node passes that on, as it calls nobody on behalf of others, and the caller's node asks those whom the Contacts name:
those of the highest q at once, the others when all before them have failed. Nobody is asked twice for one call, which
ends every loop, and no call has more than a few targets. A Contact that names no person, or asks for more than to be
called, is left to the phone, as are 305 and 380, which speak of proxies and other services.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.interfaces import IIdentity, IOverlay, IPeer
from p2pship.journal import CallForwarded, CallSetUp, Journal
from p2pship.sip.fork import Fork
from p2pship.sip.leg import Leg
from p2pship.sip.message import Response
from p2pship.sip.names import OwnNames
from p2pship.sip.notices import Notices
from p2pship.sip.rewrite import gruu_device
from p2pship.sip.routes import PersonRoute
from p2pship.sip.scalars import read_preference
from p2pship.sip.uri import BadURI, NameAddr, parse_uri

FOLLOWED = frozenset({300, 301, 302})
"Statuses that say who else may be asked (RFC 3261 §21.3.1 to §21.3.3)."

MOST_TARGETS = 8
"Persons and phones that one call may be forwarded to: a chain of a secretary, a deputy and their mobiles is half of it."


@dataclass(frozen=True, slots=True)
class Target:
    """One person, or one phone of theirs, to ask."""

    uri: str
    "the Request-URI"
    aor: str
    "the canonical AOR"

    @property
    def device(self) -> bytes | None:
        """The HIT of the one device that a GRUU names; None for all devices of the person."""
        return gruu_device(self.uri)


class Forwarding:
    """All searches for one call of our phone."""

    def __init__(
        self,
        fork: Fork,
        overlay: IOverlay,
        identity: IIdentity,
        leg_for: Callable[[IPeer, Target], Leg],
        names: OwnNames,
        journal: Journal,
        notices: Notices,
    ) -> None:
        """Search on behalf of one of our own; ``leg_for`` makes the branch to one device."""
        self._fork = fork
        self._overlay = overlay
        self._identity = identity
        self._leg_for = leg_for
        self._names = names
        self._journal = journal
        self._notices = notices
        self._asked: set[tuple[str, str | None]] = set()
        self._waiting: deque[list[Target]] = deque()
        self._routes: list[PersonRoute] = []

    def begin(self, target: Target) -> None:
        """Search for the person called."""
        self._asked.add(_key(target))
        self._search(target)

    def cancel(self) -> None:
        """End every search; nobody else is asked."""
        self._waiting.clear()
        for route in self._routes:
            route.cancel()

    def taken(self, response: Response) -> Response | None:
        """Take a failure of a branch; returns what is to count for the answer, None if those whom it names are asked."""
        if response.status not in FOLLOWED or self._fork.transaction.request.method != "INVITE":
            return response
        targets, left = self._targets(response)
        fresh = [(q, target) for q, target in targets if _key(target) not in self._asked]
        if not fresh:
            return response if left else self._fork.own(482, "the call was forwarded in a circle")
        if len(self._asked) + len(fresh) > MOST_TARGETS:
            return self._fork.own(482, f"the call was forwarded to more than {MOST_TARGETS} places")
        self._follow(fresh)
        if not left:
            return None
        response.set("Contact", *left)
        return response

    def next(self) -> bool:
        """Ask the next of those who wait; False if nobody does."""
        if not self._waiting:
            return False
        targets = self._waiting.popleft()
        self._fork.reopen(len(targets))
        for target in targets:
            self._search(target)
        return True

    def stages(self, call_id: str, caller: str, callee: str) -> CallSetUp:
        """Return how long each stage of the set-up took, on the way to who was reached last."""
        reached = [route for route in self._routes if route.has_reached]
        return (reached or self._routes)[-1].stages(call_id, caller, callee)

    def _follow(self, fresh: list[tuple[float, Target]]) -> None:
        request = self._fork.transaction.request
        idle = not self._waiting
        for _q, group in groupby(sorted(fresh, key=lambda each: -each[0]), key=lambda each: each[0]):
            self._waiting.append([target for _, target in group])
        for _, target in fresh:
            self._asked.add(_key(target))
            self._journal.tell(CallForwarded(request.call_id, self._identity.aor, target.aor))
            if self._fork.trail is not None:
                self._fork.trail.note(f"the call was forwarded to {target.aor}")
        if idle:
            self.next()

    def _search(self, target: Target) -> None:
        leg_for = self._leg_for  # a route that held this would be a cycle
        route = PersonRoute(self._fork, lambda peer: leg_for(peer, target), self._notices, target.device)
        self._routes.append(route)
        route.begin(self._overlay, target.aor, self._identity)

    def _targets(self, response: Response) -> tuple[list[tuple[float, Target]], list[str]]:
        """Return the persons that a 3xx names, each with its q, and the Contacts that this node cannot ask."""
        targets: dict[tuple[str, str | None], tuple[float, Target]] = {}
        left = []
        for value in response.values("Contact"):
            found = self._target(value)
            if found is None:
                left.append(value)
            else:
                targets.setdefault(_key(found[1]), found)
        return list(targets.values()), left

    def _target(self, value: str) -> tuple[float, Target] | None:
        try:
            contact = NameAddr.parse(value)
            uri = parse_uri(contact.uri)
            aor = canonical_aor(contact.uri)
        except (BadURI, BadAOR):
            return None
        if uri.scheme != "sip" or uri.headers or self._names.is_own(uri.host):
            return None
        return read_preference(contact.parameters.get("q")), Target(contact.uri, aor)


def _key(target: Target) -> tuple[str, str | None]:
    return target.aor, parse_uri(target.uri).parameters.get("gr")
