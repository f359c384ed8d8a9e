"""Tests of the dialogs of a test phone."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from p2pship.address import HostPort
from p2pship.errors import RemoteError
from p2pship.sip.message import parse, request, response_to
from p2pship.sip.uri import NameAddr
from p2pship.testing.phonedialog import Dialog, destination
from tests.sip.invite import invite


class DialogTests(SynchronousTestCase):
    """Route sets, targets, tags and numbers."""

    def test_callee(self) -> None:
        """The callee's route set is the record as it came; its From is the caller's To with its own tag."""
        message = invite()
        message.set("Record-Route", "<sip:p2;lr>", "<sip:p1;lr>")
        message.set("Contact", "<sip:alice@192.0.2.5:5070>")
        dialog = Dialog.of_request(message, "7", 10)
        bye = dialog.request("BYE")
        self.assertEqual(
            (bye.uri, bye.lines("Route")), ("sip:alice@192.0.2.5:5070", ["<sip:p2;lr>", "<sip:p1;lr>"])
        )
        self.assertEqual((bye.from_.tag, bye.to.tag, bye.cseq), ("7", "1928301774", (11, "BYE")))

    def test_caller(self) -> None:
        """The caller's route set is the record backwards, in place of its outbound proxy's."""
        local = NameAddr("", "sip:a@example.com").with_parameter("tag", "1")
        dialog = Dialog(
            "c", local, NameAddr("", "sip:b@example.com"), "sip:b@example.com", ["<sip:out;lr>"], 5
        )
        first = dialog.request("INVITE")
        self.assertEqual((first.lines("Route"), first.to.tag), (["<sip:out;lr>"], None))
        answer = response_to(first, 200, to_tag="2")
        answer.set("Record-Route", "<sip:p2;lr>, <sip:p1;lr>")
        answer.set("Contact", "<sip:b@192.0.2.6>")
        dialog.answered(answer)
        ack = dialog.numbered("ACK", 6)
        self.assertEqual((ack.uri, ack.lines("Route")), ("sip:b@192.0.2.6", ["<sip:p1;lr>", "<sip:p2;lr>"]))
        self.assertEqual((ack.to.tag, ack.cseq), ("2", (6, "ACK")))

    def test_target_refresh(self) -> None:
        """A new Contact is the new target; a message without one changes nothing."""
        dialog = Dialog.of_request(invite(), "7", 10)
        dialog.refreshed(parse(b"SIP/2.0 200 OK\r\nm: <sip:new@192.0.2.9>\r\n\r\n"))
        dialog.refreshed(parse(b"SIP/2.0 200 OK\r\n\r\n"))
        self.assertEqual(dialog.target, "sip:new@192.0.2.9")

    def test_destination(self) -> None:
        """A request goes to its first Route, else to its URI; only literal addresses can be reached."""
        for uri, routes, host, port in (
            ("sip:b@192.0.2.1", [], "192.0.2.1", 5060),
            ("sip:b@[2001:db8::1]:5070", [], "2001:db8::1", 5070),
            ("sip:b@example.com", ["<sip:192.0.2.2:6000;lr>, <sip:other;lr>"], "192.0.2.2", 6000),
        ):
            message = request("BYE", uri, [("Route", route) for route in routes])
            self.assertEqual(destination(message), HostPort(host, port))
        for uri in ("sip:b@example.com", "tel:1"):
            self.assertRaises(RemoteError, destination, request("BYE", uri, []))
