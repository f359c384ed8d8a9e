"""A terminal shows the node's answers in columns that line up."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.cli.report import calls_text, doctor_text, find_text, recent_text, status_text, step_text
from p2pship.status import Finding, TraceStep
from tests.statuses import CALLS, FOUND, NOT_FOUND, RECENT, STATUS


class ReportTests(SynchronousTestCase):
    """Each answer as text."""

    def test_status(self) -> None:
        """Where phones register, what is on, who is connected, what is counted."""
        self.assertEqual(
            status_text(STATUS),
            "version             9.9\n"
            "state               /state/of/alice\n"
            "phones register at  udp 127.0.0.1:5060, tcp 127.0.0.1:5060\n"
            "domain              home.p2pship.alt\n"
            "bearers             tls (encrypted) tls:192.0.2.1:5566\n"
            "lookups             lan\n"
            "identities          1\n"
            "phones              2\n"
            "calls               1\n"
            "\n"
            "OWN                PEER             PATH\n"
            "alice@example.com  bob@example.com  tls 192.0.2.2:5566 (encrypted)\n"
            "\n"
            "COUNT\n"
            "dialogs  2\n"
            "relays   1",
        )

    def test_status_of_a_new_node(self) -> None:
        """Nothing on and nobody there is said; empty tables are left out; a changed port stands out."""
        sip = {**STATUS["sip"], "changed": True, "port": 5061}
        text = status_text({**STATUS, "sip": sip, "bearers": [], "lookups": [], "peers": [], "counts": {}})  # type: ignore[typeddict-item]
        self.assertIn("bearers             none\nlookups             none\n", text)
        self.assertIn("THE PORT HAS CHANGED: 5061", text)
        self.assertNotIn("PEER", text)

    def test_phones_elsewhere(self) -> None:
        """Where phones of other machines register is said if they can."""
        text = status_text({**STATUS, "sip": {**STATUS["sip"], "network": "192.0.2.1:5060"}})
        self.assertIn("those elsewhere at  udp 192.0.2.1:5060, tcp 192.0.2.1:5060, with a password\n", text)

    def test_lost_peer(self) -> None:
        """A peer without a link is lost, not unencrypted."""
        text = status_text({**STATUS, "peers": [{**STATUS["peers"][0], "path": "", "encrypted": False}]})
        self.assertIn("bob@example.com  lost\n", text)

    def test_lookup_in_trouble(self) -> None:
        """A lookup through which we may not be found is said, with why."""
        lookups = [{**STATUS["lookups"][0], "trouble": "it does not answer"}]
        text = status_text({**STATUS, "lookups": lookups})  # type: ignore[typeddict-item]
        self.assertIn("lookups             lan\nlookup lan          it does not answer\n", text)

    def test_doctor(self) -> None:
        """What is not well comes first, and stands out."""
        findings: list[Finding] = [
            {"subject": "sip", "well": True, "words": "phones register at 127.0.0.1:5060"},
            {"subject": "clock", "well": False, "words": "it is behind"},
        ]
        text = "clock  NOT WELL  it is behind\nsip    well      phones register at 127.0.0.1:5060"
        self.assertEqual(doctor_text(findings), text)

    def test_find(self) -> None:
        """Each device is a line, then each lookup that was asked."""
        self.assertEqual(
            find_text(FOUND),
            "FINGERPRINT                       NAME      FOUND BY  DEVICE      LOCATORS\n"
            "4oymiquy7qobjgx36tejs35zeqt24qpe  unproven  lan       2001:21::1  "
            "tls:192.0.2.2:5566 tls:[2001:db8::2]:5566\n\n"
            "ASKED  ANSWER     TOOK\nlan    completed  0.25 s",
        )

    def test_nobody_asked(self) -> None:
        """Where no lookup completed the name is not to blame."""
        asked = [one for one in NOT_FOUND["asked"] if one["answer"] != "completed"]
        text = find_text({**NOT_FOUND, "asked": asked})
        self.assertTrue(text.startswith("bob@example.com was not found\n"), text)

    def test_found_nowhere(self) -> None:
        """A device that is found, behind a home router, and can be dialled nowhere is said to be so."""
        devices = [{**device, "locators": []} for device in FOUND["devices"]]
        text = find_text({**FOUND, "devices": devices})  # type: ignore[typeddict-item]
        self.assertIn("2001:21::1  none that can be dialled from here\n", text)

    def test_trace(self) -> None:
        """A step of a search is a line: after how long, which lookup, what, and the words; there need be no words."""
        steps: list[TraceStep] = [
            {
                "at": 0.0123,
                "lookup": "mainline",
                "step": "refused",
                "words": "it was not sealed for this place",
            },
            {"at": 2.8, "lookup": "lan", "step": "completed", "words": ""},
        ]
        lines = [
            "0.012 s  mainline  refused     it was not sealed for this place",
            "2.800 s  lan       completed",
        ]
        self.assertEqual([step_text(step) for step in steps], lines)

    def test_not_found(self) -> None:
        """Whoever was not found is named, with what was asked and why."""
        self.assertEqual(
            find_text(NOT_FOUND),
            "bob@example.com was not found: is it spelt right, capitals too, and does the other node run?\n\nnobody on the local network has that name\n\n"
            "ASKED  ANSWER     TOOK\nlan    completed  1.00 s\ndns    not asked  0.02 s  example.com names nobody",
        )

    def test_calls(self) -> None:
        """Each call is a line; none is said in words."""
        self.assertEqual(
            calls_text(CALLS),
            "FROM               TO               NAME      STATE  FOR   PATH                            MEDIA   SET UP IN"
            "                            ID\n"
            "alice@example.com  bob@example.com  verified  up     61 s  tls 192.0.2.2:5566 (encrypted)  1 line  "
            "85 ms: lookup 50, dial 20, hello 10  k3x7qa",
        )
        self.assertNotIn("ms", calls_text([{**CALLS[0], "stages": None}]))
        self.assertNotIn("NOT ENCRYPTED", calls_text([{**CALLS[0], "path": "", "encrypted": False}]))
        self.assertEqual(calls_text([]), "No call is under way.")

    def test_recent(self) -> None:
        """Each call that is kept is a line, with its id, and why it ended so."""
        lines = recent_text(RECENT).splitlines()
        self.assertIn("k3x7qb", lines[1])
        self.assertIn("failed  65 s  486 Busy Here", lines[1])
        self.assertEqual(recent_text([]), "No calls are kept.")
        cut_off = recent_text([{**RECENT[0], "state": "interrupted", "seconds": 0.0}])
        self.assertRegex(cut_off, r"interrupted +- ")

    def test_long_reason(self) -> None:
        """A reason that is too wide for a list is cut, and that shows."""
        lines = recent_text([{**RECENT[0], "status": 480, "reason": "x" * 200}]).splitlines()
        self.assertTrue(lines[1].endswith("480 " + "x" * 95 + "…"))
