"""Reads ``identities.xml`` of the original p2pship: names, certificate authorities and contacts come over, keys never do.

Its keys were RSA, mostly of 1024 bits with SHA-1; identities here sign with P-256. What matters is who the person was and whom
they knew: people who met the old key have to be told about the new one anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from warnings import catch_warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from p2pship.errors import RemoteError
from p2pship.identity.aor import BadAOR, canonical_aor
from p2pship.identity.naming import has_unseen_character

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

LONGEST_FILE = 16 * 1024 * 1024
"Octets: thousands of buddies, each with a certificate and a Bloom filter."

MOST_ENTRIES = 10_000
"Identities, authorities, or contacts that are read."

LONGEST_NAME = 128
"Characters of a name for people; the rest is cut off."

WEAKEST_RSA = 2048
"Bits below which an RSA key has not been good enough since 2013 (NIST SP 800-131A)."

_ROOT = "p2pship-ident"
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)


class BadIdentities(RemoteError):
    """This is not an identities.xml of the original p2pship."""


@dataclass(frozen=True, slots=True)
class OldIdentity:
    """One of the user's own names."""

    aor: str
    "the canonical AOR"
    name: str
    "the name for people"
    weakness: str
    "what is weak about its key or certificate, in words; empty if nothing is"


@dataclass(frozen=True, slots=True)
class OldAuthority:
    """A CA that was trusted, then for every name."""

    name: str
    certificate: bytes
    "DER"
    weakness: str
    "what is weak about it, in words; empty if nothing is"


@dataclass(frozen=True, slots=True)
class OldContact:
    """Somebody whom the user knew: a contact, or a buddy of one of the identities."""

    aor: str
    "the canonical AOR"
    name: str
    own: str = ""
    "the canonical AOR of the identity whose buddy it was; empty of a contact, which was everybody's"


@dataclass(frozen=True, slots=True)
class OldIdentities:
    """All that is of use in the file."""

    identities: tuple[OldIdentity, ...]
    authorities: tuple[OldAuthority, ...]
    contacts: tuple[OldContact, ...]
    skipped: tuple[str, ...]
    "what could not be read, in words"


def read_identities(data: bytes) -> OldIdentities:
    """Read the file. What cannot be read in it is skipped and said; nothing in it is believed.

    :raises BadIdentities: if it is too long, not XML, has a document type or entities, or is another document.
    """
    root = _root(data)
    skipped: list[str] = []
    identities = {one.aor: one for one in _identities(root, skipped)}
    authorities = {one.certificate: one for one in _authorities(root, skipped)}
    people = [one for one in _people(root, skipped) if one.aor not in identities]
    return OldIdentities(
        tuple(identities.values()), tuple(authorities.values()), tuple(_once(people)), tuple(skipped)
    )


def _root(data: bytes) -> Element:
    from defusedxml.common import DefusedXmlException  # who starts a node needs no XML
    from defusedxml.ElementTree import ParseError, fromstring

    if len(data) > LONGEST_FILE:
        raise BadIdentities(f"a file of {len(data)} octets is no identities.xml")
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise BadIdentities(f"the file cannot be read as identities.xml: {error}") from None
    if root.tag != _ROOT:
        raise BadIdentities(f"the file begins with <{root.tag[:40]}>, not with <{_ROOT}>")
    return root


def _identities(root: Element, skipped: list[str]) -> Iterator[OldIdentity]:
    for element in root.findall("identities/identity")[:MOST_ENTRIES]:
        aor = _aor(element, "identity", skipped)
        if aor is not None:
            weaknesses = (_weak_key(_text(element, "private-key")), _weak_pem(_text(element, "certificate")))
            yield OldIdentity(aor, _name(element, "username"), "; ".join(filter(None, weaknesses)))


def _authorities(root: Element, skipped: list[str]) -> Iterator[OldAuthority]:
    for element in root.findall("trusted-ca/ca")[:MOST_ENTRIES]:
        name = _name(element, "name")
        try:
            certificate = _certificate(_text(element, "certificate"))
        except _UNREADABLE:
            skipped.append(f"the CA {name}: its certificate cannot be read")
            continue
        yield OldAuthority(name, certificate.public_bytes(Encoding.DER), _weakness(certificate))


def _people(root: Element, skipped: list[str]) -> Iterator[OldContact]:
    contacts = [*root.findall("contacts/contact"), *root.findall("contact")]
    for element, own in [*_buddies(root), *((each, "") for each in contacts)][:MOST_ENTRIES]:
        aor = _aor(element, element.tag, skipped)
        if aor is not None:
            yield OldContact(aor, _name(element, "name"), own)


def _buddies(root: Element) -> Iterator[tuple[Element, str]]:
    for identity in root.findall("identities/identity"):
        own = _aor(identity, "identity", []) or ""  # what is wrong with it is said elsewhere
        for buddy in identity.findall("buddies/buddy"):
            yield buddy, own


def _once(people: Iterable[OldContact]) -> Iterator[OldContact]:
    """Yield each once for each identity, by the name that the contact has: people wrote that themselves."""
    names = {one.aor: one.name for one in people if one.name and not one.own}
    whose = {(one.own, one.aor): one for one in people}
    with_own = {aor for own, aor in whose if own}
    for (own, aor), one in whose.items():
        if own or aor not in with_own:
            yield replace(one, name=names.get(aor, one.name))


def _aor(element: Element, what: str, skipped: list[str]) -> str | None:
    text = _text(element, "sip-aor")
    try:
        aor = canonical_aor(text)
    except BadAOR as error:
        skipped.append(f"the {what}: {error}")
        return None
    if has_unseen_character(aor):
        skipped.append(f"the {what} {aor}: it has a character in its name that cannot be seen")
        return None
    return aor


def _text(element: Element, tag: str) -> str:
    return (element.findtext(tag) or "").strip()


def _name(element: Element, tag: str) -> str:
    name = _text(element, tag)[:LONGEST_NAME]
    return "".join(each if each.isprintable() else "?" for each in name)


def _certificate(pem: str) -> x509.Certificate:
    with catch_warnings(action="ignore"):  # the original gave all of its own the serial number 0
        return x509.load_pem_x509_certificate(pem.encode("utf-8"))


def _weak_pem(pem: str) -> str:
    try:
        return _weakness(_certificate(pem)) if pem else ""
    except _UNREADABLE:
        return "its certificate cannot be read"


def _weak_key(pem: str) -> str:
    try:
        key = load_pem_private_key(pem.encode("utf-8"), None)
    except _UNREADABLE:
        return "its key cannot be read"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < WEAKEST_RSA:
        return f"its key is RSA of {key.key_size} bits, which is too weak"
    return ""


def _weakness(certificate: x509.Certificate) -> str:
    try:
        key, algorithm = certificate.public_key(), certificate.signature_hash_algorithm
    except _UNREADABLE:
        return "its certificate has a key that cannot be used"
    found = []
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < WEAKEST_RSA:
        found.append(f"its certificate is for an RSA key of {key.key_size} bits, which is too weak")
    if algorithm is not None and algorithm.name in ("md5", "sha1"):
        found.append(f"its certificate is signed with {algorithm.name.upper()}, which can be forged")
    return "; ".join(found)
