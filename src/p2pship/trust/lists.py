"""The newest revocation list of each issuer that was seen, on the disk: nobody can bring an older one back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cryptography import x509

from p2pship.storage.database import Database
from p2pship.trust.certificates import der, key_fingerprint, load
from p2pship.trust.revocation import BadRevocationList, RevocationList, read_list


class RevocationLists:
    """The lists by their issuer (the SHA-256 of its key)."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._read: dict[bytes, RevocationList] = {}

    def of(self, issuer: bytes, now: float) -> RevocationList | None:
        """Return the newest list of an issuer, or None if none was seen."""
        if issuer not in self._read:
            rows = self._database.query("SELECT signer, list FROM authority_list WHERE issuer = ?", issuer)
            if not rows:
                return None
            self._read[issuer] = _kept(rows[0][0], rows[0][1], now)
        return self._read[issuer]

    def take(self, octets: bytes, issuers: Sequence[x509.Certificate], now: float) -> RevocationList | None:
        """Keep a list (DER) if it is newer than the one that is kept, and return it; None if it is not newer.

        ``issuers`` are the certificates that may have signed it, all of which are trusted.

        :raises BadRevocationList: if none of them has, or it cannot be read.
        """
        for issuer in issuers:
            kept = self.of(key_fingerprint(issuer), now)
            if kept is not None and kept.raw == octets:
                return None
        new = read_list(octets, issuers, now)
        old = self.of(new.issuer, now)
        if old is not None and new.number <= old.number:
            return None
        signer = next(der(one) for one in issuers if key_fingerprint(one) == new.issuer)
        row = (new.issuer, f"{new.number:x}", signer, octets)
        self._database.write("INSERT OR REPLACE INTO authority_list VALUES (?, ?, ?, ?)", *row)
        self._read[new.issuer] = new
        return new


def passing_lists(
    lists: Iterable[bytes], issuers: Sequence[x509.Certificate], now: float
) -> dict[bytes, RevocationList]:
    """Return the newest of some lists (DER) by issuer, the SHA-256 of its key; what none of ``issuers`` signed is left out."""
    found: dict[bytes, RevocationList] = {}
    for octets in lists:
        try:
            one = read_list(octets, issuers, now)
        except BadRevocationList:
            continue
        if one.issuer not in found or one.number > found[one.issuer].number:
            found[one.issuer] = one
    return found


def _kept(signer: bytes, octets: bytes, now: float) -> RevocationList:
    """Read a list that was checked when it was kept; the clock may have been set back since."""
    certificate = load(signer)
    issued = x509.load_der_x509_crl(octets).last_update_utc.timestamp()
    return read_list(octets, [certificate], max(now, issued))
