"""A request to a CA and its answer, as they travel between people: PEM files, and ``p2pship:`` URIs for messages and QR codes.

Nothing of what is inside is believed here: who issues looks at the request, who installs at the answer
(docs/reference/invitations.md).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode

from p2pship.errors import RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.identity.compact import BadCompact, compact, expand
from p2pship.identity.ownchain import MOST_CERTIFICATES

SCHEME = "p2pship:"

_ANSWER = "P2PSHIP:ANSWER:"
"An answer as a URI begins so, in letters of any case: a QR code has capitals alone in its alphanumeric mode."

LONGEST = 200_000
"Octets of a file: four certificates and a revocation list with thousands of entries."

# Without a dash inside: a file of beginnings without ends is read once, not once for each.
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,40})-----\s([^-]*)-----END \1-----")
_REQUEST_LABELS = (
    b"CERTIFICATE REQUEST",
    b"NEW CERTIFICATE REQUEST",
)  # RFC 7468 §7, and what older tools write
_CERTIFICATE_LABEL = b"CERTIFICATE"
_REVOCATION_LABEL = b"X509 CRL"


class BadRequest(RemoteError):
    """This is not a request for a certificate: `p2pship identity request` makes one."""


class BadAnswer(RemoteError):
    """This is not the answer of a CA: `p2pship ca issue` makes one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a CA gives to a member."""

    chain: tuple[bytes, ...]
    "DER certificates, the member's first, the root last"
    revocations: bytes = b""
    "the CA's revocation list, DER; empty if there is none"


def request_pem(request: bytes) -> str:
    """Print a PKCS#10 request, DER, as a file (RFC 7468 §7)."""
    return _block("CERTIFICATE REQUEST", request)


def request_uri(request: bytes) -> str:
    """Print a PKCS#10 request, DER, as a URI."""
    return f"{SCHEME}request?{urlencode({'pkcs10': _base64url(request)})}"


def read_request(data: bytes) -> bytes:
    """Return the PKCS#10 request, DER, from a file, PEM or DER, or a URI.

    :raises BadRequest: if there is not one in it.
    """
    if len(data) > LONGEST:
        raise BadRequest()
    if data.lstrip().startswith(f"{SCHEME}request?".encode()):
        found = _from_uri(data).get("pkcs10", [])
    elif data[:1] == b"\x30":
        found = [data]
    else:
        found = [der for label, der in _blocks(data) if label in _REQUEST_LABELS]
    if len(found) != 1 or not found[0]:
        raise BadRequest()
    return found[0]


def answer_pem(answer: Answer) -> str:
    """Print an answer as a file: the certificates in their order, then the revocation list."""
    blocks = [_block("CERTIFICATE", certificate) for certificate in answer.chain]
    return "".join([*blocks, *([_block("X509 CRL", answer.revocations)] if answer.revocations else [])])


def answer_uri(answer: Answer) -> str:
    """Print an answer as a URI, in as few letters as a QR code needs to fit a terminal."""
    return _ANSWER + compact(encode([*answer.chain, answer.revocations]))


def is_answer(data: bytes) -> bool:
    """Tell whether this looks like an answer, and is nothing else that can be imported."""
    return _is_answer_uri(data) or b"-----BEGIN CERTIFICATE-----" in data


def read_answer(data: bytes) -> Answer:
    """Return the answer in a file or URI.

    :raises BadAnswer: if there is none in it, or more of it than there can be.
    """
    if len(data) > LONGEST:
        raise BadAnswer()
    if _is_answer_uri(data):
        *chain, revocations = _expanded(data)
        lists = [revocations] if revocations else []
    else:
        blocks = _blocks(data)
        chain = [der for label, der in blocks if label == _CERTIFICATE_LABEL]
        lists = [der for label, der in blocks if label == _REVOCATION_LABEL]
    if not 1 <= len(chain) <= MOST_CERTIFICATES or len(lists) > 1 or not all([*chain, *lists]):
        raise BadAnswer()
    return Answer(tuple(chain), lists[0] if lists else b"")


def _is_answer_uri(data: bytes) -> bool:
    return data.lstrip()[: len(_ANSWER)].upper() == _ANSWER.encode()


def _expanded(data: bytes) -> list[bytes]:
    """Return the certificates of an answer's URI and, as the last, its revocation list."""
    try:
        parts = decode(expand(data.strip()[len(_ANSWER) :].decode("ascii"), LONGEST))
    except (BadCBOR, BadCompact, UnicodeDecodeError):
        raise BadAnswer() from None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, bytes) for part in parts):
        raise BadAnswer()
    return parts


def _block(label: str, der: bytes) -> str:
    text = base64.b64encode(der).decode("ascii")
    lines = [text[place : place + 64] for place in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])


def _blocks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return the label and content of each PEM block; one whose base64 is broken is empty."""
    return [(label, _decoded(body.translate(None, b" \t\r\n"))) for label, body in _PEM.findall(data)]


def _from_uri(data: bytes) -> dict[str, list[bytes]]:
    """Return what a URI says, by name; what cannot be read is left out. Parameters of later versions are no error."""
    try:
        query = data.strip().decode("ascii").partition("?")[2]
        said = parse_qs(query, strict_parsing=True, max_num_fields=16)
    except ValueError:
        return {}
    return {name: [_decoded(_padded(text)) for text in texts] for name, texts in said.items()}


def _padded(text: str) -> bytes:
    padded = text + "=" * (-len(text) % 4)
    return padded.encode("utf-8").translate(bytes.maketrans(b"-_", b"+/"))


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return b""


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
