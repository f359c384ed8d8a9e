"""Where our own authorities renew the certificates of their members, and refuse everybody else."""

from __future__ import annotations

import hashlib

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IReactorTime
from zope.interface import implementer

from p2pship.errors import BadPapers, RemoteError
from p2pship.identity.papers import Statement
from p2pship.identity.statement import host_identity_hash, verify_statement
from p2pship.identity.succession import predecessors
from p2pship.interfaces import IPeer, IStream, ISubprotocol
from p2pship.journal import Journal
from p2pship.relations.renewalwire import RenewalAnswer, RenewalQuestion, print_answer, read_question
from p2pship.trust.authorities import Authorities
from p2pship.trust.authority import Authority, CertificateRequest, read_request
from p2pship.trust.authorityfacts import RenewalRefused

NAME = "renew"
"The subprotocol."

NOT_BEFORE = 45 * 24 * 3600
"Seconds that the last certificate still holds from which on there is another: members ask at 30 days."


class NotAMember(RemoteError):
    """This person has no certificate that could be renewed."""


def check_member(authorities: Authorities, own: Authority, statement: Statement, now: float) -> None:
    """Check that who made a statement may have a new certificate of an authority of our own.

    The last certificate that was issued for the name must be for this identity key, or for one that gave way to it, and
    must not have been revoked; it may have expired.

    :raises NotAMember: if not.
    """
    issued = authorities.issued(own, statement.aor)
    if not issued:
        raise NotAMember(f"{statement.aor} has no certificate of this authority")
    last = issued[-1]
    if last.revoked:
        raise NotAMember(f"the certificate of {statement.aor} was revoked")
    if last.key == hashlib.sha256(statement.key).digest():
        if last.expires - now > NOT_BEFORE:
            raise NotAMember(f"the certificate of {statement.aor} holds for long enough")
        return
    if last.key not in {hashlib.sha256(key).digest() for key in predecessors(statement)}:
        raise NotAMember(f"the certificate of {statement.aor} is for another key")


@implementer(ISubprotocol)
class RenewalDesk:
    """Serves the subprotocol: new certificates for members, and the revocation list for everybody."""

    name = NAME

    def __init__(self, authorities: Authorities, clock: IReactorTime, journal: Journal) -> None:
        self._authorities = authorities
        self._clock = clock
        self._journal = journal

    def payload_received(self, peer: IPeer, payload: bytes) -> bytes | Deferred[bytes] | None:
        """Answer a question; what is refused raises, and is in the journal."""
        question = read_question(payload)
        own = self._authorities.own(question.root)
        if own is None:
            raise NotAMember("this node does not have that authority")
        chain: tuple[bytes, ...] = ()
        if question.request:
            try:
                chain = self._issued(own, peer, question)
            except RemoteError as error:
                self._journal.tell(RenewalRefused(peer.aor, str(error)))
                raise
        return print_answer(RenewalAnswer(chain, self._authorities.crl(question.root)))

    def handed_over(self, peer: IPeer, thing: object, octets: int) -> None:
        """Refuse: nothing is handed over here."""
        raise NotAMember("nothing is handed over")

    def stream_opened(self, peer: IPeer, stream: IStream) -> IProtocol | None:
        """Refuse every stream."""
        return None

    def peer_lost(self, peer: IPeer, reason: str) -> None:
        """Nothing is under way with a peer."""

    def _issued(self, own: Authority, peer: IPeer, question: RenewalQuestion) -> tuple[bytes, ...]:
        request, now = read_request(question.request), self._clock.seconds()
        statement = verify_statement(question.statement, now)
        self._check_asker(request, statement, peer)
        check_member(self._authorities, own, statement, now)
        return self._authorities.issue(request, name=own.name, replace=True)

    def _check_asker(self, request: CertificateRequest, statement: Statement, peer: IPeer) -> None:
        """Check that the peer is who the request is from: its link has proven a device key, and the person lists that."""
        if not request.aor == statement.aor == peer.aor:
            raise NotAMember(f"{peer.aor} asks for a certificate for {request.aor}")
        if request.key != statement.key:
            raise NotAMember("the request is for another key than the statement's")
        digest = host_identity_hash(peer.device_key)
        if digest in statement.revoked or all(one.host_identity_hash != digest for one in statement.devices):
            raise BadPapers("the statement does not list the device that asks")
