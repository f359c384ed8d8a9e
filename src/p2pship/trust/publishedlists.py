"""The revocation lists that domains publish for the authorities of their names."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.python.failure import Failure

from p2pship.trust.authorities import Authorities
from p2pship.trust.certificates import UNREADABLE
from p2pship.trust.pages import Page, PageFailed, Pages
from p2pship.trust.revocation import BadRevocationList
from p2pship.trust.specialuse import asked_of_nobody
from p2pship.trust.wellknown import REVOCATIONS_FILE

_BEGIN, _END = b"-----BEGIN X509 CRL-----", b"-----END X509 CRL-----"

MOST_LISTS = 8
"Lists in one file: a domain has an authority or two."


def read_lists(text: bytes) -> list[bytes]:
    """Return the lists (DER) that a PEM file has; those that cannot be read are left out."""
    found = []
    for part in text.split(_BEGIN)[1 : 1 + MOST_LISTS]:
        try:
            pem = _BEGIN + part.partition(_END)[0] + _END + b"\n"
            found.append(x509.load_pem_x509_crl(pem).public_bytes(Encoding.DER))
        except UNREADABLE:
            continue
    return found


class PublishedLists:
    """Looks whether a domain has newer lists of the authorities that the user trusts; nobody waits for it."""

    def __init__(self, pages: Pages, authorities: Authorities) -> None:
        self._pages = pages
        self._authorities = authorities

    def look(self, domain: str) -> None:
        """Fetch the lists of a canonical domain, unless they were a short while ago, and keep what is newer."""
        if asked_of_nobody(domain):
            return
        self._pages.fetch(domain, REVOCATIONS_FILE).addCallbacks(self._take, self._without)

    def _take(self, page: Page) -> None:
        for octets in read_lists(page.body):
            try:
                self._authorities.take_crl(octets)
            except BadRevocationList:
                continue  # of an authority that is not trusted here

    def _without(self, failure: Failure) -> None:
        failure.trap(PageFailed)
