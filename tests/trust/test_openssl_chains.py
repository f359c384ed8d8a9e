"""Path validation on certificates and revocation lists that another program made: OpenSSL."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path

from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from p2pship.trust.certificates import BadChain
from p2pship.trust.chain import verify_path
from p2pship.trust.revocation import BadRevocationList, RevocationList, read_list

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "openssl-chains.json").read_text("utf-8"))
NOW = VECTORS["time"]
ROOT = x509.load_der_x509_certificate(b64decode(VECTORS["root"]))


def chain(names: list[str]) -> list[bytes]:
    """Return certificates, DER, by their names in the file."""
    return [b64decode(VECTORS["certificates"][name]) for name in names]


class OpenSSLTests(SynchronousTestCase):
    """Each fault that a certificate can have, made with a tool that shares nothing with this program."""

    def verify(self, names: list[str]) -> None:
        """Verify a chain for the person's name and key."""
        verify_path(chain(names), VECTORS["aor"], b64decode(VECTORS["key"]), [ROOT], NOW)

    def believes(self, names: list[str]) -> bool:
        """Tell whether a chain proves the name."""
        try:
            self.verify(names)
        except BadChain:
            return False
        return True

    def test_good(self) -> None:
        """What is in order is believed, so that the others are refused for their one fault."""
        for names in VECTORS["good"].values():
            self.verify(names)

    def test_bad(self) -> None:
        """Attack: another name, dates, zero octets, look-alikes, flags, lengths, weak keys and hashes, and more: all refused."""
        believed = [what for what, names in VECTORS["bad"].items() if self.believes(names)]
        self.assertEqual((believed, len(VECTORS["bad"])), ([], 32))

    def test_lists(self) -> None:
        """A list of the authority's revokes what it names and nothing else; those of others are none of it."""
        good, between = (x509.load_der_x509_certificate(chain([name])[0]) for name in ("good", "inter"))
        revoked = {
            name: [one for one in (good, between) if self.read(name).revokes(one.serial_number)]
            for name in ("empty", "revgood", "revinter")
        }
        self.assertEqual(revoked, {"empty": [], "revgood": [good], "revinter": [between]})
        for name in ("byother", "byfake"):
            self.assertRaises(BadRevocationList, self.read, name)

    def read(self, name: str) -> RevocationList:
        """Read a list that the root has to have signed."""
        return read_list(b64decode(VECTORS["lists"][name]), [ROOT], NOW)
