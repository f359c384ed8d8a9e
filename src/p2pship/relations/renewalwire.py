"""The payloads of the subprotocol "renew": a member asks the authority's operator, who answers (docs/reference/renewal.md)."""

from __future__ import annotations

from dataclasses import dataclass

from p2pship.errors import RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.identity.ownchain import MOST_CERTIFICATES
from p2pship.trust.authority import LONGEST_REQUEST
from p2pship.trust.certificates import FINGERPRINT_LENGTH, LONGEST_CERTIFICATE

LONGEST_LIST_SENT = 48_000
"Octets of a revocation list that travels: with a chain it must fit a payload of 65,536."

_VERSION = 1


class BadRenewal(RemoteError):
    """This is not a payload of the subprotocol that renews certificates."""


@dataclass(frozen=True, slots=True)
class RenewalQuestion:
    """What a member asks."""

    root: bytes
    "the SHA-256 of the authority's key"
    request: bytes = b""
    "the certificate request, PKCS #10, DER; empty if only the revocation list is wanted"
    statement: bytes = b""
    "the member's signed statement; empty as well then"


@dataclass(frozen=True, slots=True)
class RenewalAnswer:
    """What the operator answers."""

    chain: tuple[bytes, ...] = ()
    "the new certificate and the authority's, DER; none if none was asked for"
    revocations: bytes = b""
    "the newest revocation list, DER; empty if it is too long to be sent"


def print_question(question: RenewalQuestion) -> bytes:
    """Return the payload of a question."""
    return encode({0: _VERSION, 1: question.root, 2: question.request, 3: question.statement})


def read_question(payload: bytes) -> RenewalQuestion:
    """Read a question.

    :raises BadRenewal: if it is none.
    """
    fields = _fields(payload)
    root, request, statement = fields.get(1), fields.get(2), fields.get(3)
    if not isinstance(root, bytes) or len(root) != FINGERPRINT_LENGTH:
        raise BadRenewal("it does not name an authority")
    if not isinstance(request, bytes) or len(request) > LONGEST_REQUEST or not isinstance(statement, bytes):
        raise BadRenewal("it has no request")
    return RenewalQuestion(root, request, statement)


def print_answer(answer: RenewalAnswer) -> bytes:
    """Return the payload of an answer; a list that is too long for it is left out."""
    revocations = answer.revocations if len(answer.revocations) <= LONGEST_LIST_SENT else b""
    return encode({0: _VERSION, 1: list(answer.chain), 2: revocations})


def read_answer(payload: bytes) -> RenewalAnswer:
    """Read an answer; what is in it is still to be verified.

    :raises BadRenewal: if it is none.
    """
    fields = _fields(payload)
    chain, revocations = fields.get(1), fields.get(2)
    if not isinstance(chain, list) or len(chain) > MOST_CERTIFICATES or not isinstance(revocations, bytes):
        raise BadRenewal("it has no certificates")
    if not all(isinstance(one, bytes) and len(one) <= LONGEST_CERTIFICATE for one in chain):
        raise BadRenewal("it has something else than certificates")
    return RenewalAnswer(tuple(chain), revocations)


def _fields(payload: bytes) -> dict[object, object]:
    try:
        fields = decode(payload)
    except BadCBOR as error:
        raise BadRenewal(f"it cannot be read: {error}") from None
    if not isinstance(fields, dict) or fields.get(0) != _VERSION:
        raise BadRenewal(f"it is not of version {_VERSION}")
    return fields
