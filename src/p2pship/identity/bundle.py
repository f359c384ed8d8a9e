"""All that makes one identity, in one piece: for a backup, or for another device of the person."""

from __future__ import annotations

from dataclasses import dataclass, field

from p2pship.errors import BadPapers
from p2pship.identity.cbor import encode
from p2pship.identity.certificate import BadCertificate
from p2pship.identity.fields import FORMAT_VERSION, Fields
from p2pship.identity.holdings import About, Holdings
from p2pship.identity.keys import BadKey, private_from_der, spki
from p2pship.identity.ownchain import LONGEST_CHAIN, LONGEST_REVOCATIONS, check_stated, split_chain
from p2pship.identity.papers import Statement
from p2pship.identity.statement import LONGEST_STATEMENT, read_statement

LONGEST_EXTRA = 4_450_000
"Octets of what rides along: a ledger that is full."

LONGEST_KEY = 256
"Octets of a P-256 key pair in DER: 138 as we write it."

_KEY, _CHAIN, _REVOCATIONS, _STATEMENT, _CREATED, _EXTRA = range(1, 7)


@dataclass(frozen=True, slots=True)
class Bundle:
    """An identity on its way; its parts belong together."""

    private_key: bytes = field(repr=False)
    "the identity key, DER (PKCS #8); empty if it is not to be handed over"
    chain: tuple[bytes, ...]
    "certificates, DER, end entity first"
    revocations: bytes
    "the newest revocation list of who issued the certificate, DER, or empty"
    raw: bytes
    "the signed statement; it may have expired"
    created: int
    "when the identity was made, Unix time"
    extra: bytes = field(default=b"", repr=False)
    "what rides along, such as contacts: known only to who put it there"

    @property
    def statement(self) -> Statement:
        """What the statement says."""
        return read_statement(self.raw)

    @property
    def aor(self) -> str:
        """The canonical AOR."""
        return self.statement.aor

    def holdings(self) -> Holdings:
        """Return what the folder of the identity is to hold at first."""
        return Holdings(self.private_key, self.chain, self.revocations, self.raw, About(self.created))


def bundle_of(holdings: Holdings, with_key: bool, extra: bytes = b"") -> Bundle:
    """Return an identity's bundle, with or without the key itself."""
    return Bundle(
        holdings.private_key if with_key else b"",
        holdings.chain,
        holdings.revocations,
        holdings.raw,
        holdings.about.created,
        extra,
    )


def encode_bundle(bundle: Bundle) -> bytes:
    """Return a bundle's octets: deterministic CBOR. What is inside is secret."""
    fields = {
        0: FORMAT_VERSION,
        _KEY: bundle.private_key,
        _CHAIN: b"".join(bundle.chain),
        _REVOCATIONS: bundle.revocations,
        _STATEMENT: bundle.raw,
        _CREATED: bundle.created,
        _EXTRA: bundle.extra,
    }
    return encode(fields)


def decode_bundle(octets: bytes) -> Bundle:
    """Return the bundle of these octets, whose parts were checked to belong together.

    :raises BadPapers: if it cannot be read, or they do not.
    """
    fields = Fields("bundle", octets)
    try:
        chain = split_chain(fields.long_octets(_CHAIN, "certificates", LONGEST_CHAIN))
    except BadCertificate as error:
        raise BadPapers(f"the bundle: {error}") from None
    bundle = Bundle(
        fields.long_octets(_KEY, "key", LONGEST_KEY),
        chain,
        fields.long_octets(_REVOCATIONS, "revocations", LONGEST_REVOCATIONS),
        fields.long_octets(_STATEMENT, "statement", LONGEST_STATEMENT),
        fields.unsigned(_CREATED, "date"),
        fields.long_octets(_EXTRA, "further things", LONGEST_EXTRA),
    )
    check_bundle(bundle)
    return bundle


def check_bundle(bundle: Bundle) -> Statement:
    """Check that the parts of a bundle belong together, and return what its statement says; its dates are not looked at.

    :raises BadPapers: if they do not.
    """
    statement = bundle.statement
    try:
        if bundle.private_key and spki(private_from_der(bundle.private_key)) != statement.key:
            raise BadPapers("the key is not that of the statement beside it")
        if bundle.chain:
            check_stated(bundle.chain, statement)
    except (BadCertificate, BadKey) as error:
        raise BadPapers(str(error)) from None
    return statement
