"""``p2pship hip record`` at a desk."""

from __future__ import annotations

import dns.rdata

from p2pship.commands.hiprecord import RECORD
from p2pship.identity.hit import format_hit
from p2pship.lookup.dns.wire import HIPRecord
from tests.commands.desks import DeskTestCase

ALICE = "alice@example.com"


class HIPRecordTests(DeskTestCase):
    """What is shown can be pasted into a zone."""

    def test_own_device(self) -> None:
        """The record is that of the node's own device, or of an identity's, and another implementation reads it."""
        for own in (None, ALICE):
            if own is not None:
                self.desk.keyring.create(own, separate=True)
            result = self.give("hip record", own=own) if own else self.give("hip record")
            text = result["record"]
            self.assertEqual(RECORD.text(result), f"IN HIP ( {text} )")
            record = HIPRecord.parse(dns.rdata.from_text("IN", "HIP", text).to_wire() or b"")
            record.check()
            device = self.desk.keyring.device if own is None else self.desk.keyring.identities()[0].device
            self.assertEqual((record.hit, result["hit"]), (device.hit, format_hit(device.hit)))
        self.assertNotEqual(device.hit, self.desk.keyring.device.hit)
