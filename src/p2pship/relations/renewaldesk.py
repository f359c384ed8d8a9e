"""Where our own authorities renew the certificates of their members, and refuse everybody else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from p2pship.errors import BadPapers, PayloadRefused, RemoteError
from p2pship.identity.papers import Statement
from p2pship.identity.statement import host_identity_hash, verify_statement
from p2pship.identity.succession import predecessors
from p2pship.interfaces import IPeer, ISubprotocol
from p2pship.journal import Journal
from p2pship.relations.allowance import Allowance
from p2pship.relations.payloadsonly import PayloadsOnly
from p2pship.relations.renewalwire import RenewalAnswer, RenewalQuestion, print_answer, read_question
from p2pship.trust.authorities import Authorities
from p2pship.trust.authority import Authority, CertificateRequest, read_request
from p2pship.trust.authorityfacts import RenewalRefused
from p2pship.trust.certificates import operator_of
from p2pship.trust.issued import Issued

NAME = "renew"
"The subprotocol."

NOT_BEFORE = 45 * 24 * 3600
"Seconds that the last certificate still holds from which on there is another: members ask at 30 days."


MOST_HELD = 8
"""Certificates of one name whose time is not over: one for the key of today, and those of keys that gave way lately. A member who makes
new keys all day would fill the revocation list, and one that is too long nobody reads."""

AT_ONCE, A_MINUTE = 8, 6.0
"Questions taken of one device: each may cost three signature checks and a signature."


class NotAMember(RemoteError):
    """This person has no certificate that could be renewed."""


def is_member(authorities: Authorities, called: str, statement: Statement) -> bool:
    """Tell whether who made a statement is a member of an authority of our own that ``called``, a canonical AOR, runs.

    That is where members ask for renewal; see :func:`check_member`.
    """
    for own in authorities.owned():
        if operator_of(own.certificate) != called:
            continue
        try:
            _last_issued(authorities.issued(own, statement.aor), statement)
        except NotAMember:
            continue
        return True
    return False


def check_member(authorities: Authorities, own: Authority, statement: Statement, now: float) -> None:
    """Check that who made a statement may have a new certificate of an authority of our own.

    The last certificate that was issued for the name must be for this identity key, or for one that gave way to it, and
    must not have been revoked; it may have expired.

    :raises NotAMember: if not.
    """
    issued = authorities.issued(own, statement.aor)
    last = _last_issued(issued, statement)
    if last.key == hashlib.sha256(statement.key).digest():
        if last.expires - now > NOT_BEFORE:
            raise NotAMember(f"the certificate of {statement.aor} holds for long enough")
        return
    if sum(one.expires > now for one in issued) >= MOST_HELD:
        raise NotAMember(
            f"{statement.aor} has had {MOST_HELD} certificates lately: ask the operator for more"
        )


def _last_issued(issued: Sequence[Issued], statement: Statement) -> Issued:
    if not issued:
        raise NotAMember(f"{statement.aor} has no certificate of this authority")
    last = issued[-1]
    if last.revoked:
        raise NotAMember(f"the certificate of {statement.aor} was revoked")
    keys = (statement.key, *predecessors(statement))
    if last.key not in {hashlib.sha256(key).digest() for key in keys}:
        raise NotAMember(f"the certificate of {statement.aor} is for another key")
    return last


@implementer(ISubprotocol)
class RenewalDesk(PayloadsOnly):
    """Serves the subprotocol: new certificates for members, and the revocation list for everybody.

    Only who has called the person that runs an authority hears that it is here: our other identities may not want to be known
    as that person's.
    """

    name = NAME

    def __init__(self, authorities: Authorities, clock: IReactorTime, journal: Journal) -> None:
        self._authorities = authorities
        self._clock = clock
        self._journal = journal
        self._allowance = Allowance(AT_ONCE, A_MINUTE)

    def payload_received(self, peer: IPeer, payload: bytes) -> bytes | Deferred[bytes] | None:
        """Answer a question; what is refused raises, and is in the journal."""
        if not self._allowance.take((peer.own_hit, peer.hit), self._clock.seconds()):
            raise PayloadRefused("it has been asked too often")
        question = read_question(payload)
        own = self._authorities.own(question.root)
        if own is None or operator_of(own.certificate) != peer.identity.aor:
            raise NotAMember("this node does not have that authority")
        chain: tuple[bytes, ...] = ()
        if question.request:
            try:
                chain = self._issued(own, peer, question)
            except RemoteError as error:
                self._journal.tell(RenewalRefused(peer.aor, str(error)))
                raise
        return print_answer(RenewalAnswer(chain, self._authorities.crl(question.root)))

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
