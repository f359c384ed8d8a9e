"""Renews the certificates of our own identities before they expire, and keeps the revocation lists of who issued them.

Theory of operation. Once a day, and shortly after the start and after a change, each identity whose key is here is looked at.
Where an authority of our own issued its certificate, that issues the next. Else the authority's certificate names its
operator, who is looked for as for a call; each of their devices is asked until one answers. Whoever answers need not be
trusted: the new certificate must lead to the same authority.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from p2pship.errors import NotReached, P2PShipError
from p2pship.identity.aor import split_aor
from p2pship.identity.statement import read_statement
from p2pship.interfaces import IIdentity, IKeyring, IOverlay, IPeer, IPeopleReceiver
from p2pship.journal import Journal
from p2pship.overlay.reach import ReachOutcome, Tried
from p2pship.relations.renewaldesk import NAME, check_member
from p2pship.relations.renewalwire import RenewalQuestion, print_question, read_answer
from p2pship.trust.authorities import Authorities
from p2pship.trust.authority import Authority, read_request
from p2pship.trust.authorityfacts import CertificateRenewed
from p2pship.trust.certificates import key_fingerprint, load, operator_of
from p2pship.trust.revocation import BadRevocationList

RENEW_BELOW = 30 * 24 * 3600
"Seconds that a certificate still holds when it is renewed: a third of its time, in which the operator may be away."

FIRST_CHECK = 20.0
"Seconds from the start to the first check: by then the node is on the network."

SOON = 5.0
"Seconds from a change of an identity to a check."

CHECK_EVERY = 24 * 3600.0


class Renewal:
    """All renewals of a node."""

    log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        keyring: IKeyring,
        authorities: Authorities,
        overlay: IOverlay,
        journal: Journal,
    ) -> None:
        self._reactor = reactor
        self._keyring = keyring
        self._authorities = authorities
        self._overlay = overlay
        self._journal = journal
        self._timer: IDelayedCall | None = None
        self._underway: dict[str, Deferred[None]] = {}
        self._unwatch: list[Callable[[], None]] = []

    def start(self) -> None:
        """Begin to check."""
        self._unwatch = [self._keyring.watch(self._changed), self._authorities.watch(self._changed)]
        self._set(FIRST_CHECK)

    def stop(self) -> None:
        """End every renewal that is under way."""
        for unwatch in self._unwatch:
            unwatch()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for asked in tuple(self._underway.values()):
            asked.cancel()

    def check(self) -> None:
        """Check every identity now; harmless while one is under way."""
        self._set(CHECK_EVERY)
        for identity in self._keyring.identities():
            if identity.owner and identity.aor not in self._underway:
                self._begin(identity)

    def _begin(self, identity: IIdentity) -> None:
        root = self._root(identity)
        if root is None:
            return
        asked: Deferred[None] = Deferred.fromCoroutine(self._renewed(identity, root))
        self._underway[identity.aor] = asked
        asked.addErrback(self._failed, identity)
        asked.addBoth(lambda _: self._underway.pop(identity.aor, None))

    async def _renewed(self, identity: IIdentity, root: x509.Certificate) -> None:
        own = self._authorities.own(key_fingerprint(root))
        if own is not None:
            self._by_own(identity, own)
        elif operator_of(root) not in ("", identity.aor):
            await self._by_operator(identity, root)

    def _by_own(self, identity: IIdentity, own: Authority) -> None:
        chain = identity.chain
        if self._due(identity):
            now = self._reactor.seconds()
            check_member(self._authorities, own, read_statement(identity.statement), now)
            request = read_request(self._keyring.request(identity.aor))
            chain = self._authorities.issue(request, name=own.name, replace=True)
        self._install(identity, chain, self._authorities.crl(own.fingerprint))

    async def _by_operator(self, identity: IIdentity, root: x509.Certificate) -> None:
        due, fingerprint = self._due(identity), key_fingerprint(root)
        request = self._keyring.request(identity.aor) if due else b""
        statement = identity.statement if due else b""
        question = print_question(RenewalQuestion(fingerprint, request, statement))
        answer = read_answer(await _Asking(self._overlay, operator_of(root), identity, question).answer)
        if answer.revocations:
            self._take_list(answer.revocations)
        revocations = self._authorities.crl(fingerprint)
        if due:
            self._authorities.verify_with([root], answer.chain, identity.aor, identity.key)
        self._install(identity, answer.chain if due else identity.chain, revocations)

    def _take_list(self, revocations: bytes) -> None:
        try:
            self._authorities.take_crl(revocations)
        except BadRevocationList as error:
            self.log.info("the operator sent a list that cannot be used: {error}", error=error)

    def _install(self, identity: IIdentity, chain: tuple[bytes, ...], revocations: bytes) -> None:
        if (chain, revocations) == (identity.chain, identity.revocations):
            return
        renewed = chain != identity.chain
        self._keyring.install_chain(identity.aor, chain, revocations)
        if renewed:
            self._journal.tell(CertificateRenewed(identity.aor, _expires(chain)))

    def _failed(self, failure: Failure, identity: IIdentity) -> None:
        if failure.check(CancelledError):
            return
        if not failure.check(P2PShipError):
            self.log.failure("the renewal of {aor} failed", failure, aor=identity.aor)
        elif self._due(identity):
            self._journal.tell(
                CertificateRenewed(identity.aor, _expires(_issued(identity)), failure.getErrorMessage())
            )

    def _due(self, identity: IIdentity) -> bool:
        """Tell whether an identity needs a certificate: the one it has ends soon, or was for a key that gave way to another."""
        return _expires(_issued(identity)) - self._reactor.seconds() < RENEW_BELOW

    def _root(self, identity: IIdentity) -> x509.Certificate | None:
        """Return the authority that vouches for an identity, or did for a key that gave way to the present one."""
        roots = self._authorities.trusted_for(split_aor(identity.aor)[1])
        issued = _issued(identity)
        if issued:
            last = key_fingerprint(load(issued[-1]))
            roots = [root for root in roots if key_fingerprint(root) == last]
        elif not read_statement(identity.statement).succession:
            return None
        return roots[0] if roots else None

    def _changed(self, _what: str) -> None:
        self._set(SOON)

    def _set(self, seconds: float) -> None:
        if self._timer is not None and self._timer.active():
            if self._timer.getTime() <= self._reactor.seconds() + seconds:
                return
            self._timer.cancel()
        self._timer = self._reactor.callLater(seconds, self.check)


def _issued(identity: IIdentity) -> tuple[bytes, ...]:
    """Return the certificates that an authority has issued; none if the identity only has one that it signed itself."""
    chain = identity.chain
    if not chain:
        return ()
    first = load(chain[0])
    return () if first.issuer == first.subject else chain


def _expires(chain: tuple[bytes, ...]) -> float:
    return load(chain[0]).not_valid_after_utc.timestamp() if chain else 0.0


@implementer(IPeopleReceiver)
class _Asking:
    """Asks each device of an operator until one answers; ``answer`` fires with what it said."""

    def __init__(self, overlay: IOverlay, operator: str, identity: IIdentity, question: bytes) -> None:
        self.answer: Deferred[bytes] = Deferred(lambda _: self._reaching.cancel())
        self._question = question
        self._operator = operator
        self._asked = 0
        self._ended = False
        self._why = ""
        self._reaching = overlay.people(operator, identity, self)

    def peer_reached(self, peer: IPeer, tried: Tried) -> None:
        """Ask a device."""
        self._asked += 1
        peer.send(NAME, self._question).addCallbacks(self._answered, self._refused)

    def reach_ended(self, outcome: ReachOutcome) -> None:
        """Give up if nobody is being asked."""
        self._ended = True
        self._give_up()

    def _answered(self, answer: bytes) -> None:
        self._asked -= 1
        if not self.answer.called:
            self.answer.callback(answer)

    def _refused(self, failure: Failure) -> None:
        failure.trap(P2PShipError, CancelledError)
        self._asked -= 1
        self._why = failure.getErrorMessage()
        self._give_up()

    def _give_up(self) -> None:
        if self._ended and not self._asked and not self.answer.called:
            why = f"refused: {self._why}" if self._why else "no device was reached"
            self.answer.errback(NotReached(f"{self._operator}, who runs the authority: {why}"))
