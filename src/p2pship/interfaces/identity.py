"""The seams of ``p2pship.identity``: this node as a device, our own identities, and the ring that keeps them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from p2pship.address import Locator
    from p2pship.identity.hostkeys import HostKey
    from p2pship.identity.papers import ListedDevice, Papers, Statement


class IDevice(Interface):
    """A device of ours: the Host Identity and the two keys that go with it (RFC 7401 §3).

    A node is one device, and one more for each of its identities that has a device of its own, so that nobody can tell which
    identities are on one node.
    """

    hit = Attribute("bytes: the 16 octets of the Host Identity Tag (RFC 7343), the device's name")
    key = Attribute("bytes: the Host Identity, a DER SubjectPublicKeyInfo")
    private_key = Attribute("EllipticCurvePrivateKey: for the bearers' own handshakes")
    publication_key = Attribute("bytes: the 32 octets of the Ed25519 key under which records are published")
    publication_private_key = Attribute("Ed25519PrivateKey: for lookups whose slots are signed")
    sealing_key = Attribute("bytes: the 32 octets of the X25519 key to which others can seal")

    def sign(data: bytes) -> bytes:
        """Sign with the Host Identity: ECDSA P-256 with SHA-256 as r ‖ s, 64 octets (RFC 9053 §2.1), s being the lower one."""


class IHostKeys(Interface):
    """This node's Host Identities beside that of the device, which are for HIP alone."""

    def all() -> Sequence[HostKey]:
        """Return them."""

    def watch(changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` when one was added or removed; returns a call that ends it."""


class IIdentity(Interface):
    """A person whose phone may register here: a name, its key pair and what it states."""

    aor = Attribute("str: the canonical address of record, such as ``alice@example.com``")
    key = Attribute("bytes: the identity key, a DER SubjectPublicKeyInfo")
    device = Attribute("IDevice: what it is used on here: the node's own, or one that nobody else here has")
    owner = Attribute("bool: whether this device holds the identity key, and so may sign statements")
    certificate = Attribute("bytes: the X.509 certificate, DER; empty where it is not known")
    chain = Attribute(
        "tuple[bytes, ...]: the certificates of which the statement has the hash, DER, end entity first, root last; "
        "one that is self-signed says nothing and is not sent; () where they are not known. Reading it raises LocalError where the disk "
        "does not give it, as reading the certificate and the revocations does"
    )
    revocations = Attribute(
        "bytes: the newest revocation list of who issued the certificate, DER; empty if there is none"
    )
    statement = Attribute("bytes: the current signed statement, COSE_Sign1")

    def sign(data: bytes) -> bytes:
        """Sign with the identity key: ECDSA P-256 with SHA-256 as r ‖ s, 64 octets.

        :raises LocalError: if this device does not hold it.
        """


class IKeyring(Interface):
    """The node's own device and identities, and what it remembers of the people it met."""

    device = Attribute("IDevice: this node, for whatever is of no identity")
    host_keys = Attribute("IHostKeys: further Host Identities of this node")
    default = Attribute(
        "IIdentity | None: the one for whom nobody says which; None when there is none at all"
    )

    def identities() -> Sequence[IIdentity]:
        """Return this node's own identities, oldest first; each with a statement that is valid now."""

    def identity(aor: str) -> IIdentity | None:
        """Return the own identity of a canonical AOR, or None."""

    def devices() -> Sequence[IDevice]:
        """Return our devices: the node's own, then each that an identity here has for itself."""

    def device_of(hit: bytes) -> IDevice | None:
        """Return the one of :meth:`devices` with a HIT, or None."""

    def create(aor: str, separate: bool | None = None) -> IIdentity:
        """Make the identity of a canonical AOR, keep it on disk and tell the watchers.

        ``separate``: whether it gets a device of its own; None: as it is configured.

        :raises LocalError: if there is one already, or it cannot be written; NameRefused if it may not have that name.
        """

    def create_self_certifying(
        named: Callable[[str], None] | None = None, separate: bool | None = None
    ) -> IIdentity:
        """Make an identity whose name is the fingerprint of its key, ``<fingerprint>@p2pship.alt``, as :meth:`create`.

        ``named`` hears the name before there is such an identity.
        """

    def remove(aor: str) -> None:
        """Delete an own identity from this device for ever, and tell the watchers.

        :raises LocalError: if there is none, or it cannot be deleted.
        """

    def removed(aor: str) -> bool:
        """Tell whether the identity of a canonical AOR was removed, and not made again: only its owner may do that."""

    def private_key(aor: str) -> bytes:
        """Return an own identity's key, DER (PKCS #8).

        :raises LocalError: if there is no such identity, or this device does not hold its key.
        """

    def install_chain(aor: str, chain: Sequence[bytes], revocations: bytes = b"") -> None:
        """Take the certificates that a CA issued, DER, the person's first and the CA's own last, and its revocation list.

        :raises BadCertificate: if they are not for this name and key, do not hold now, or were revoked.
        :raises LocalError: if there is no such identity with its key here, or they cannot be kept.
        """

    def request(aor: str) -> bytes:
        """Return an own identity's request for a certificate (PKCS #10, DER).

        :raises LocalError: if there is no such identity with its key here.
        """

    def add_device(aor: str, device: ListedDevice) -> None:
        """List another device of the person in a new statement; one that is listed already changes nothing.

        :raises LocalError: if it was revoked, there are too many, or the identity key is not held here.
        """

    def revoke_device(aor: str, digest: bytes) -> None:
        """Revoke a device of the person for ever; it is named by the SHA-256 of its Host Identity.

        :raises LocalError: if it is this very device, or the identity key is not held here.
        """

    def adopt_statement(aor: str, raw: bytes, chain: Sequence[bytes] = (), revocations: bytes = b"") -> bool:
        """Take a statement that another device of the person signed; returns whether anything here changed by it.

        Where the identity key is held, what both say is kept, and signed anew if need be. One that revokes this device, or no
        longer lists it, ends the use of the identity here. ``chain`` are the certificates of which it has the hash.

        :raises BadPapers: if it is not valid, or not signed by the same key or one to which that gave way.
        :raises LocalError: if there is no such identity here, or it cannot be kept.
        """

    def adopt_identity(
        aor: str,
        statement: bytes,
        chain: Sequence[bytes],
        revocations: bytes,
        private_key: bytes | None,
        device: IDevice,
    ) -> IIdentity:
        """Make an identity of what another device of the person handed over to ``device``, ours, and tell the watchers.

        With the key, DER (PKCS #8), the device lists itself in a new statement; without, the statement has to list it.

        :raises LocalError: if there is one of that AOR, this device was revoked, or it cannot be kept.
        :raises BadPapers: if its parts do not belong together, or it comes without the key and its statement does not hold now
            or does not list this device.
        """

    def watch(changed: Callable[[str], None]) -> Callable[[], None]:
        """Call ``changed`` with the AOR of each own identity that is made, changed or removed; returns a call that ends it.

        Changed is one whose statement, key, certificates or status text is another. One that was removed, or that may no
        longer be used here as the person has revoked this device, is None in :meth:`identity`.
        """

    def accept(papers: Papers, now: float, keep: bool) -> None:
        """Remember a person's papers, once a hello has proven them.

        Who is not to be kept is forgotten when many others have come since: a stranger whom nobody here has called.

        :raises BadPapers: if a higher record sequence of the device was seen before, or a higher statement version of the same
            identity key that does not list the device, or it is one that the person has revoked.
        """

    def accept_statement(statement: Statement, now: float, keep: bool) -> None:
        """Remember a person's newer statement that came without a record, as :meth:`accept` does.

        :raises BadPapers: if a higher version of the same identity key was seen before.
        """

    def check(papers: Papers) -> None:
        """Raise what :meth:`accept` would, and remember nothing."""

    def lists(key: bytes, device_key: bytes) -> bool:
        """Tell whether the newest statement that was remembered of an identity key lists a device, and none has revoked it.

        Both keys are DER SubjectPublicKeyInfo.
        """

    def met(aor: str) -> bool:
        """Tell whether a hello of a device of this AOR was ever accepted."""

    def publication_keys(aor: str) -> Sequence[bytes]:
        """Return those under which devices of a canonical AOR publish, as its statements that were remembered last said.

        They are 32 octets each, and no more than 16: those of people whom we looked for first.
        """

    def mark_encrypted(hit: bytes) -> None:
        """Remember for good that a hello of the device of this HIT was accepted over an encrypted link."""

    def must_be_encrypted(hit: bytes) -> bool:
        """Tell whether the device of this HIT may only be talked to over encrypted links, because it once was."""

    def record_for(
        identity: IIdentity,
        locators: Sequence[Locator],
        now: float,
        parameters: Sequence[tuple[str, str]] = (),
    ) -> bytes:
        """Sign a record of this device for one of our own identities, valid for an hour from ``now``.

        Of the locators, most preferred first, as many are named as a record holds. Its sequence number is higher than
        that of any other, and is on disk when this returns.

        :raises LocalError: if the identity is not this keyring's, or the parameters are too many or too long.
        """
