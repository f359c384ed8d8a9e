"""What the doctor says of a node."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from p2pship.checkup import checkup
from p2pship.status import BearerStatus, Status
from tests.statuses import STATUS


class CheckupTests(SynchronousTestCase):
    """By what a node says of itself."""

    def ill(self, clock: str = "", **changes: Any) -> dict[str, str]:
        """Return what is not well, by subject, when a node's status is other than usual."""
        status: Status = {**STATUS, **changes}  # type: ignore[typeddict-item]
        return {one["subject"]: one["words"] for one in checkup(status, clock, 3) if not one["well"]}

    def test_well(self) -> None:
        """A node that works is well in each point, and that is said of each."""
        self.assertEqual(self.ill(), {})
        findings = {one["subject"]: one["words"] for one in checkup(STATUS, "", 0)}
        self.assertEqual(list(findings), ["clock", "sip", "lookup lan", "bearer tls"])
        self.assertIn("what is published was found there at", findings["lookup lan"])

    def test_clock(self) -> None:
        """A wrong clock is named, with what follows of it, and how it is set."""
        words = self.ill(clock="it is behind by about 25 minutes")["clock"]
        self.assertIn("it is behind by about 25 minutes; set it, or nobody believes", words)
        self.assertIn("no other clock", checkup(STATUS, "", 0)[0]["words"])

    def test_port(self) -> None:
        """A port that is another than before is told, with both."""
        words = self.ill(sip={**STATUS["sip"], "changed": True, "port": 5061})["sip"]
        self.assertIn("port 5061 now, not 5060", words)

    def test_lookups(self) -> None:
        """None that is on, and one that swallows what it gets."""
        self.assertIn("nobody can be found", self.ill(lookups=[])["lookups"])
        lookup = {**STATUS["lookups"][0], "trouble": "it does not tell it"}
        self.assertEqual(self.ill(lookups=[lookup]), {"lookup lan": "it does not tell it"})
        new = {**STATUS["lookups"][0], "read_back": 0.0}
        self.assertEqual(self.ill(lookups=[new]), {})

    def test_bearers(self) -> None:
        """None that is on, one that has no address, and one that has this machine's own only, as when the network is down."""
        self.assertIn("nobody can be reached", self.ill(bearers=[])["bearers"])
        nowhere = {**STATUS["bearers"][0], "locators": []}
        self.assertIn("is the network up?", self.ill(bearers=[nowhere])["bearer tls"])
        here: BearerStatus = {**STATUS["bearers"][0], "locators": ["tls:127.0.0.1:5566", "tls:[::1]:5566"]}
        self.assertIn("from this machine alone", self.words(here))
        here["locators"] += ["tls:192.0.2.1:5566"]
        self.assertIn("can be dialled at tls:127", self.words(here))

    def words(self, bearer: BearerStatus) -> str:
        """Return what is said of a bearer that has addresses."""
        status: Status = {**STATUS, "bearers": [bearer]}
        (words,) = [one["words"] for one in checkup(status, "", 3) if one["subject"] == "bearer tls"]
        return words

    def test_identities(self) -> None:
        """Without an identity nobody can be called."""
        self.assertIn("p2pship identity create", self.ill(identities=0)["identities"])
