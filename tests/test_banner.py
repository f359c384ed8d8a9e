"""The first thing that a person reads must be enough to make a first call."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.banner import banner
from p2pship.status import SIPStatus, Status
from tests.statuses import STATUS


class BannerTests(SynchronousTestCase):
    """What the banner says."""

    def test_everything(self) -> None:
        """It names the registrar, what a phone needs, what is on, where state is, and how to ask."""
        text = banner(STATUS)
        self.assertEqual(
            [" ".join(line.split()) for line in text.splitlines() if "  " in line.strip()],
            [
                "registrar and outbound proxy 127.0.0.1:5060",
                "transport UDP or TCP",
                "AOR, for example sip:alice@example.com",
                "user name, password alice, anything",
                "People are found by lan",
                "Links run over tls (encrypted)",
                "Strangers may call and write to you: [screen] strangers can forbid it",
                "Keys and state /state/of/alice",
                "What is going on p2pship status --state /state/of/alice",
            ],
        )
        self.assertIn("any password", text)
        self.assertIn("home.p2pship.alt", text)
        self.assertNotIn("***", text)

    def test_said(self) -> None:
        """What a start has to say besides stands at the end, in lines that fit, and a path in it can be copied."""
        path = "/a/long/path/with-hyphens/" + "x" * 60
        shown = banner(STATUS, said=f"It is off. Write it into {path} to have it on.")
        self.assertTrue(shown.startswith(banner(STATUS)))
        self.assertEqual(
            shown.removeprefix(banner(STATUS)), f"\nIt is off. Write it into\n{path}\nto have it on.\n"
        )

    def test_strangers(self) -> None:
        """Who keeps strangers out can see that it is so."""
        self.assertIn("may neither call nor write to you", banner({**STATUS, "strangers": "refuse"}))
        self.assertIn("may write to you, and not call", banner({**STATUS, "strangers": "messages"}))

    def test_another_port(self) -> None:
        """A port that is not the usual one is no news where it was asked for, or is the same as last time."""
        self.assertNotIn("***", banner(at(5070, wanted=5070, changed=False)))
        self.assertNotIn("***", banner(at(5061, wanted=5060, changed=False)))

    def test_changed_port(self) -> None:
        """A port that is another than last time is shouted, and why, if the configured one is taken."""
        shown = banner(at(5060, wanted=5060, changed=True))
        self.assertIn("*** THE SIP PORT HAS CHANGED: IT IS 5060 NOW. ", shown)
        shown = banner(at(5071, wanted=5070, changed=True))
        self.assertIn("*** THE SIP PORT HAS CHANGED: IT IS 5071 NOW, BECAUSE 5070 IS TAKEN. ", shown)

    def test_two_ports(self) -> None:
        """Where TCP is elsewhere, that is said."""
        sip: SIPStatus = {**STATUS["sip"], "tcp": "127.0.0.1:5061"}
        self.assertIn("UDP, or TCP at 127.0.0.1:5061", banner({**STATUS, "sip": sip}))

    def test_phones_elsewhere(self) -> None:
        """Where phones of other machines can register, it says so, and that they need a password."""
        self.assertNotIn("other machines", banner(STATUS))
        sip: SIPStatus = {**STATUS["sip"], "network": "192.0.2.1:5060"}
        shown = banner({**STATUS, "sip": sip})
        self.assertIn("phones on other machines      192.0.2.1:5060, with a password", shown)

    def test_nothing_on(self) -> None:
        """Nobody can be reached when all is off, or read along when nothing is encrypted: that stands out."""
        status: Status = {**STATUS, "lookups": [], "bearers": []}
        self.assertIn("NOWHERE: every lookup is off", banner(status))
        self.assertIn("NOTHING: every bearer is off", banner(status))
        status["bearers"] = [{"name": "tcp", "encrypted": False, "locators": []}]
        self.assertIn("tcp (NOT ENCRYPTED)", banner(status))


def at(port: int, wanted: int, changed: bool) -> Status:
    """Return a status with this SIP port."""
    address = f"127.0.0.1:{port}"
    sip: SIPStatus = {
        **STATUS["sip"],
        "udp": address,
        "tcp": address,
        "port": port,
        "wanted": wanted,
        "changed": changed,
    }
    return {**STATUS, "sip": sip}
