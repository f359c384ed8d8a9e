"""An authority of our own with all that it has issued and revoked, as it rides along in its operator's backup."""

from __future__ import annotations

from dataclasses import dataclass, field

from p2pship.errors import LocalError, RemoteError
from p2pship.identity.cbor import BadCBOR, decode, encode
from p2pship.identity.keys import BadKey, private_from_der, spki
from p2pship.trust.authority import NAME
from p2pship.trust.certificates import BadAuthority, BadChain, check_authority, key_octets, load
from p2pship.trust.issued import Issued
from p2pship.trust.trusted import canonical_domain


class BadCopy(RemoteError):
    """The authority in the backup cannot be read."""


@dataclass(frozen=True, slots=True)
class AuthorityCopy:
    """What makes the authority anew on another machine."""

    name: str
    domain: str
    "the canonical domain that it was made for"
    trusted: tuple[str, ...]
    "the canonical domains that it is trusted for"
    certificate: bytes
    "DER"
    key: bytes = field(repr=False)
    "its key pair, DER (PKCS #8)"
    issued: tuple[Issued, ...]
    "what it has issued and is not long expired: else nothing of it could be revoked, and the next list would forget what was"

    def encode(self) -> bytes:
        """Return its octets: deterministic CBOR."""
        issued = [
            [f"{one.serial:x}", one.aor, one.key, one.issued, one.expires, one.revoked] for one in self.issued
        ]
        return encode([self.name, self.domain, list(self.trusted), self.certificate, self.key, issued])

    @classmethod
    def read(cls, octets: object) -> AuthorityCopy:
        """Read it, and check that its parts belong together.

        :raises BadCopy: if it is not of its form, or they do not.
        """
        if not isinstance(octets, bytes):
            raise BadCopy()
        try:
            match decode(octets):
                case [str(name), str(domain), list(trusted), bytes(certificate), bytes(key), list(rows)]:
                    domains = tuple(canonical_domain(_text(each)) for each in trusted)
                    issued = tuple(_issued(row) for row in rows)
                    one = cls(name, canonical_domain(domain), domains, certificate, key, issued)
                    owned = check_authority(load(certificate))
                    if NAME.fullmatch(name) and key_octets(owned) == spki(private_from_der(key)):
                        return one
        except (BadCBOR, BadAuthority, BadChain, BadKey, LocalError, ValueError) as error:
            raise BadCopy() from error
        raise BadCopy()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadCopy()
    return value


def _issued(row: object) -> Issued:
    match row:
        case [str(serial), str(aor), bytes(key), int(issued), int(expires), int(revoked)]:
            return Issued(int(serial, 16), aor, key, issued, expires, revoked)
    raise BadCopy()
