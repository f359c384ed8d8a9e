"""Answers REGISTER (RFC 3261 §10.3): phones on this machine, and those of others that have proven who they are."""

from __future__ import annotations

import re
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from p2pship.address import HostPort
from p2pship.errors import LocalError
from p2pship.identity.aor import BadAOR
from p2pship.identity.naming import NameRefused
from p2pship.interfaces import IKeyring
from p2pship.journal import Journal, PhoneRegistered, RequestRefused, printable
from p2pship.sip.admission import OPEN, Admission
from p2pship.sip.bindings import LONGEST_EXPIRES, Binding, Bindings
from p2pship.sip.message import LONGEST_SHOWN, BadMessage, Request, Response, response_to
from p2pship.sip.names import OwnNames
from p2pship.sip.refusal import LONGEST_REASON, add_warning
from p2pship.sip.transactions import ServerTransaction
from p2pship.sip.uri import BadURI, NameAddr, Parameters, parse_uri, scheme_of

DEFAULT_EXPIRES = 3600
"Seconds, where the phone asks for none (RFC 3261 §10.2.1.1 lets the registrar choose)."

SHORTEST_EXPIRES = 10
"Seconds; below it a phone is told 423 (RFC 3261 §10.3 item 7)."

MOST_BINDINGS = 16
"Phones of one name, the latest ones; each rings at once, so more would only amplify (RFC 5393)."

MOST_NAMES = 1_000
"Names that have an identity here: far more than a household has, few enough that a runaway program fills no disk."


class Registrar:
    """Registers phones, and makes the identity of a name that is registered for the first time."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        names: OwnNames,
        bindings: Bindings,
        keyring: IKeyring,
        journal: Journal,
        random: Callable[[int], bytes],
        admission: Admission = OPEN,
    ) -> None:
        """``admission`` says which names may register where."""
        self._reactor = reactor
        self._names = names
        self._bindings = bindings
        self._keyring = keyring
        self._journal = journal
        self._random = random
        self._admission = admission
        self._sweep = LoopingCall(self._expire)
        self._sweep.clock = reactor

    def start(self) -> None:
        """Read what was kept, and begin to end what runs out."""
        self._bindings.load()
        self._sweep.start(5.0, now=False).addErrback(lambda f: self.log.failure("ending bindings failed", f))

    def stop(self) -> None:
        """Keep what there is."""
        if self._sweep.running:
            self._sweep.stop()
        self._bindings.close()

    def register(self, transaction: ServerTransaction, source: HostPort) -> None:
        """Answer a REGISTER that came from ``source``.

        :raises BadMessage: if it cannot be read; nothing is changed then.
        :raises BadURI: likewise.
        """
        request = transaction.request
        try:
            aor = self._names.aor(request.to.uri)
        except (BadAOR, BadURI) as error:  # 400 also for another scheme (RFC 4475 §3.3.4)
            raise BadMessage(400, str(error), request) from None
        self._update(transaction, aor, source)

    def end_phone(self, aor: str, username: str) -> None:
        """End the registrations of a phone whose password was removed or is another: it has to prove itself anew."""
        before = self._bindings.of(aor)
        after = [binding for binding in before if binding.username != username]
        if len(after) < len(before):
            self._bindings.replace(aor, after)
            self._tell(before, after)

    def identity_changed(self, aor: str) -> None:
        """End the registrations of a name whose identity is gone."""
        before = self._bindings.of(aor)
        if before and self._keyring.identity(aor) is None:
            self._bindings.replace(aor, [])
            self._tell(before, [])

    def _update(self, transaction: ServerTransaction, aor: str, source: HostPort) -> None:
        request, trusted = transaction.request, transaction.origin.trusted
        refusal = self._admission.refusal(aor, trusted, self._keyring.identity(aor) is not None)
        if refusal is not None:
            self._refuse(transaction, 403, refusal)
            return
        before = self._bindings.of(aor)
        # Of too many the one refreshed longest ago goes: phones come back with another port.
        after = self._after(transaction, aor, before, source)[-MOST_BINDINGS:]
        if after and self._keyring.identity(aor) is None and not self._create(transaction, aor):
            return
        if request.values("Contact"):
            self._bindings.replace(aor, after)
            self._tell(before, after)
        transaction.respond(self._accepted(request, after))

    def _create(self, transaction: ServerTransaction, aor: str) -> bool:
        """Make the identity of a new name; False if that is refused, which has been answered then."""
        if len(self._keyring.identities()) >= MOST_NAMES:
            self._refuse(transaction, 403, f"{MOST_NAMES} names are registered here: no more are taken")
            return False
        if self._keyring.removed(aor):
            reason = f"{aor} was removed from this node: p2pship identity create {aor} makes it again"
            self._refuse(transaction, 403, reason, phrase=reason[:LONGEST_REASON])
            return False
        try:
            self._keyring.create(aor)
        except NameRefused as error:
            self._refuse(transaction, 403, str(error), phrase=str(error)[:LONGEST_REASON])
            return False
        except LocalError as error:
            self._refuse(transaction, 500, f"no identity could be made for {aor}: {error}")
            return False
        return True

    def _after(
        self, transaction: ServerTransaction, aor: str, before: list[Binding], source: HostPort
    ) -> list[Binding]:
        """Return the bindings of a name as a REGISTER wants them (§10.3 items 6 and 7)."""
        request = transaction.request
        contacts = request.values("Contact")
        if "*" in contacts:
            self._check_star(request, contacts, before)
            return []
        if len(contacts) > MOST_BINDINGS:  # each is compared with each other: thousands would take minutes
            raise BadMessage(403, f"there are more than {MOST_BINDINGS} Contacts", request)
        path = tuple(request.values("Path"))
        fresh: list[Binding] = []
        after = list(before)
        for contact in contacts:
            address = NameAddr.parse(contact)
            _check_scheme(address, request)
            same = self._same(after, fresh, address)
            self._in_order(request, same)
            after = [binding for binding in after if binding not in same]
            lifetime = self._lifetime(request, address)
            if lifetime:
                token = same[0].token if same else self._random(8).hex()
                fresh.append(
                    Binding(
                        aor=aor,
                        contact=address.uri,
                        parameters=address.parameters.drop("expires"),
                        expires=self._reactor.seconds() + lifetime,
                        call_id=request.call_id,
                        cseq=request.cseq[0],
                        path=path,
                        source=source,
                        transport=transaction.origin.transport,
                        token=token,
                        username=transaction.username,
                    )
                )
        return after + fresh

    def _check_star(self, request: Request, contacts: list[str], before: list[Binding]) -> None:
        """Look that a REGISTER may remove all bindings (§10.3 item 6)."""
        if len(contacts) > 1 or _number(request.first("Expires")) != 0:
            raise BadMessage(400, "Contact: * needs Expires: 0 and no other Contact", request)
        self._in_order(request, before)

    def _same(self, known: list[Binding], fresh: list[Binding], address: NameAddr) -> list[Binding]:
        """Return the known bindings that a Contact is about: its URI, or the same instance (RFC 5626 §6)."""
        uri = parse_uri(address.uri)
        instance = address.parameters.get("+sip.instance")
        flow = (instance, address.parameters.get("reg-id"))
        if any(binding.has_contact(str(uri)) for binding in fresh):
            raise BadMessage(400, "the same Contact comes twice")
        return [
            binding
            for binding in known
            if binding.has_contact(address.uri) or (instance is not None and binding.instance == flow)
        ]

    def _in_order(self, request: Request, bindings: list[Binding]) -> None:
        """Refuse a REGISTER that is older than the one that made a binding (§10.3 item 7)."""
        for binding in bindings:
            if binding.call_id == request.call_id and request.cseq[0] <= binding.cseq:
                raise BadMessage(500, "an older REGISTER came after a newer one", request)

    def _lifetime(self, request: Request, address: NameAddr) -> int:
        """Return for how many seconds a Contact is wanted; 0 removes it."""
        asked = _number(address.parameters.get("expires"))
        if asked is None:
            asked = _number(request.first("Expires"))
        if asked is None:
            return DEFAULT_EXPIRES
        if 0 < asked < SHORTEST_EXPIRES:
            raise BadMessage(423, "Interval Too Brief", request, [("Min-Expires", str(SHORTEST_EXPIRES))])
        return min(asked, LONGEST_EXPIRES)

    def _accepted(self, request: Request, bindings: list[Binding]) -> Response:
        response = response_to(request, 200, to_tag=self._random(8).hex())
        now = self._reactor.seconds()
        for binding in bindings:
            left = max(1, round(binding.expires - now))
            value = NameAddr("", binding.contact, Parameters((*binding.parameters, ("expires", str(left)))))
            response.append("Contact", str(value))
        for path in request.values("Path"):
            response.append("Path", path)
        return response

    def _refuse(
        self, transaction: ServerTransaction, status: int, reason: str, phrase: str | None = None
    ) -> None:
        request = transaction.request
        response = response_to(request, status, phrase, to_tag=self._random(8).hex())
        add_warning(response, reason)
        transaction.respond(response)
        sender, target = (printable(uri, LONGEST_SHOWN) for uri in (request.from_.uri, request.to.uri))
        self._journal.tell(RequestRefused("REGISTER", sender, target, status, reason))

    def _tell(self, before: list[Binding], after: list[Binding]) -> None:
        tokens = {binding.token for binding in before}
        for binding in after:
            if binding.token not in tokens:
                seconds = round(binding.expires - self._reactor.seconds())
                self._journal.tell(PhoneRegistered(binding.aor, binding.contact, seconds))
        left = {binding.token for binding in after}
        self._tell_gone([binding for binding in before if binding.token not in left])

    def _tell_gone(self, gone: list[Binding]) -> None:
        for binding in gone:
            self._journal.tell(PhoneRegistered(binding.aor, binding.contact, 0))

    def _expire(self) -> None:
        self._tell_gone(self._bindings.expired())


def _check_scheme(address: NameAddr, request: Request) -> None:
    """Refuse a Contact that may only be called over TLS (RFC 5630 §3.2): this node has no TLS towards phones."""
    if scheme_of(address.uri) == "sips":
        raise BadMessage(
            403, "this node has no TLS for phones: register with sip: over UDP or TCP, not sips:", request
        )


def _number(text: str | None) -> int | None:
    """Read delta-seconds; None if there are none or they cannot be read (§10.3: treated as 3600, our default)."""
    if text is None or not re.fullmatch("[0-9]{1,10}", text.strip()):
        return None
    return int(text)
