"""Where phones of other machines prove who they are before anything that they ask is served (RFC 3261 §22, RFC 8760).

A request outside a dialog needs a proof of its own, and so does one within a dialog that comes from elsewhere than the
dialog's phone. Requests for this node itself are challenged with 401, as a registrar does, all others with 407, as a
proxy does (§22.2, §22.3); ACK and CANCEL cannot be (§22.1). Whoever is challenged learns nothing: a name that is not
here, a user name that is not known and a wrong password look the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.logger import Logger

from p2pship.errors import P2PShipError
from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.interfaces import ISIPHop
from p2pship.journal import Journal, printable
from p2pship.sip.answers import Answers
from p2pship.sip.bindings import Binding
from p2pship.sip.challenges import Challenges
from p2pship.sip.dialog import Dialog
from p2pship.sip.digest import ALGORITHMS, BadCredentials, Credentials, challenge
from p2pship.sip.facts import PhoneRefused
from p2pship.sip.guesses import Guesses
from p2pship.sip.hops import source_of
from p2pship.sip.message import LONGEST_SHOWN, Request
from p2pship.sip.names import OwnNames
from p2pship.sip.nonces import Nonces
from p2pship.sip.phones import realm_of
from p2pship.sip.sameness import same_uri
from p2pship.sip.senders import Senders
from p2pship.sip.transactions import ServerTransaction
from p2pship.sip.uri import BadURI, parse_uri

NOBODY = "0" * 64
"HA1 of whom we do not know: checking it takes as long as checking one that we do."

WRONG = "the password or the user name is wrong"
"What the log says of either."


class Secrets(Protocol):
    """Who knows what proves each phone: :class:`~p2pship.sip.phones.Phones`."""

    def secret(self, aor: str, username: str, algorithm: str) -> str | None:
        """Return HA1 of a phone for an algorithm, None if there is no such phone."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """The two kinds of challenge."""

    status: int
    ask: str
    answer: str


_FOR_NODE = _Kind(401, "WWW-Authenticate", "Authorization")
_TO_PASS = _Kind(407, "Proxy-Authenticate", "Proxy-Authorization")


class PhoneGate:
    """Lets the requests of phones pass that have proven themselves, and challenges the others."""

    log = Logger()

    def __init__(
        self,
        seconds: Callable[[], float],
        *,
        secrets: Secrets,
        names: OwnNames,
        senders: Senders,
        answers: Answers,
        journal: Journal,
        random: Callable[[int], bytes],
        digest: Sequence[str] = tuple(ALGORITHMS),
    ) -> None:
        """``digest`` names the algorithms that are allowed, in the order in which they are offered."""
        self._seconds = seconds
        self._secrets = secrets
        self._names = names
        self._senders = senders
        self._answers = answers
        self._journal = journal
        self._algorithms = tuple(digest)
        self._challenges = Challenges(digest)
        self._nonces = Nonces(random)
        self._guesses = Guesses()

    def remember(self, bindings: Iterable[Binding]) -> None:
        """Take it that phones which are registered have proven themselves: no guessing keeps them away."""
        for binding in bindings:
            self._guesses.proven(binding.source, binding.aor)

    def admits(self, transaction: ServerTransaction, dialog: Dialog | None, for_node: bool) -> bool:
        """Tell whether a phone's request may be served; if not, it has been answered.

        ``dialog`` is the one that it is in: only whose it is may send in it. ``for_node`` says that it asks this node itself.

        :raises BadMessage: if it cannot be read so far as this needs.
        """
        if for_node:
            dialog = None  # whatever tags it has: a REGISTER for somebody else's name would need no proof in a call of one's own
        if dialog is not None and is_of_phone(dialog, transaction.origin):
            return True
        aor = self._claimed(transaction) if dialog is None else dialog.peer.identity.aor
        kind = _FOR_NODE if for_node else _TO_PASS
        try:
            given = self._given(transaction.request, kind, realm_of(aor))
        except BadCredentials as error:
            self._ask(transaction, kind, aor, None, False, str(error))
            return False
        if given is None:
            self._ask(transaction, kind, aor, None, False, "")
            return False
        return self._weigh(transaction, kind, aor, given)

    def _claimed(self, transaction: ServerTransaction) -> str:
        """Return the name that a request has to prove: its To if it registers, or else who sends it."""
        request, nobody = transaction.request, canonical_aor(f"nobody@{self._names.domain}")
        if request.method != "REGISTER":
            return self._senders.claimed(transaction) or nobody
        try:
            return self._names.aor(request.to.uri)
        except (BadAOR, BadURI):
            return nobody

    def _given(self, request: Request, kind: _Kind, realm: str) -> Credentials | None:
        """Return the answer to a challenge of ours, None if there is none; what is for other realms does not matter (§22.3).

        :raises BadCredentials: if there is one that cannot be read, and it may be ours.
        """
        unreadable: BadCredentials | None = None
        for line in request.lines(kind.answer):
            try:
                given = Credentials.parse(line)
            except BadCredentials as error:
                unreadable = error
                continue
            if given is not None and given.realm == realm:
                return given
        if unreadable is not None:
            raise unreadable
        return None

    def _weigh(self, transaction: ServerTransaction, kind: _Kind, aor: str, given: Credentials) -> bool:
        """Look at an answer: in this order, so that nothing is to be learnt by what is not looked at."""
        request, source, now = transaction.request, source_of(transaction.origin), self._seconds()
        if given.algorithm not in self._algorithms or not self._is_for(given.uri, request.uri, kind):
            reason = "the answer is for another address or of another algorithm"
            self._ask(transaction, kind, aor, given, False, reason)
            return False
        if not self._nonces.is_fresh(given.nonce, source.host, now):
            self._ask(transaction, kind, aor, given, True, "")
            return False
        wait = 0.0 if self._nonces.is_proven(given.nonce, aor) else self._guesses.wait(source, aor, now)
        if wait:
            self._hold_off(transaction, wait)
            return False
        if not given.proves(request.method, self._secret(aor, given)):
            self._failed(transaction, aor, given)
            self._ask(transaction, kind, aor, given, False, WRONG)
            return False
        if not self._nonces.take(given.nonce, aor, given.count, now):
            self._journal.count("phones.replayed")
            self._ask(transaction, kind, aor, given, True, "")
            return False
        self._guesses.proven(source, aor)
        self._challenges.proven(source.host, aor, given.algorithm, now)
        transaction.username = given.username
        return True

    def _is_for(self, signed: str, asked: str, kind: _Kind) -> bool:
        """Tell whether what was signed is the Request-URI, maybe in another spelling (RFC 7616 §3.4.6, RFC 3261 §22.4).

        Some phones sign the address that they send to in place of the domain. What is for this node itself may as well be
        at its address: no more can be made of it.
        """
        if signed == asked:
            return True
        try:
            uri = parse_uri(signed)
            at_node = kind is _FOR_NODE and not uri.user and self._names.is_own(uri.host)
            return at_node or same_uri(uri, parse_uri(asked))
        except BadURI:
            return False

    def _secret(self, aor: str, given: Credentials) -> str:
        try:
            return self._secrets.secret(aor, given.username, given.algorithm) or NOBODY
        except P2PShipError:
            self.log.failure(
                "the password of the phone {username} of {aor} cannot be read",
                username=given.username,
                aor=aor,
            )
            return NOBODY

    def _failed(self, transaction: ServerTransaction, aor: str, given: Credentials) -> None:
        source = source_of(transaction.origin)
        self._nonces.failed(given.nonce)
        failures = self._guesses.failed(source, aor, self._seconds())
        username = printable(given.username, LONGEST_SHOWN)
        self._journal.tell(PhoneRefused(aor, username, str(source), transaction.request.method, failures))

    def _ask(
        self,
        transaction: ServerTransaction,
        kind: _Kind,
        aor: str,
        given: Credentials | None,
        stale: bool,
        reason: str,
    ) -> None:
        """Challenge, with one value for each algorithm that the phone is offered, in their order (RFC 8760 §2.4)."""
        self._journal.count("phones.challenged")
        realm, host, now = realm_of(aor), source_of(transaction.origin).host, self._seconds()
        answered = None if given is None else given.algorithm
        offered = self._challenges.offered(transaction.request, host, aor, answered, now)
        nonce = self._nonces.make(host, now)
        asked = [challenge(each, realm, nonce, self._nonces.opaque, stale) for each in offered]
        self._answers.answer(transaction, kind.status, reason, [(kind.ask, each) for each in asked])

    def _hold_off(self, transaction: ServerTransaction, wait: float) -> None:
        """Refuse to look at an answer for a while: 503, as nothing is broken that a phone should report (§21.5.4)."""
        self._journal.count("phones.held_off")
        seconds = str(int(wait) + 1)
        reason = f"too many wrong passwords: try again in {seconds} s"
        self._answers.answer(transaction, 503, reason, [("Retry-After", seconds)])


def is_of_phone(dialog: Dialog, origin: ISIPHop) -> bool:
    """Tell whether a phone that sends within a dialog is where the dialog's phone is, or on this machine."""
    if origin.trusted:
        return True
    return dialog.hop.address is not None and dialog.hop.address.host == source_of(origin).host
