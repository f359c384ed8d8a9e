"""Attacks with what was Bob's once: a stolen device after it was revoked, and statements of before."""

from __future__ import annotations

from p2pship.journal import PapersRefused
from tests.node.calling import ALICE, BOB, NodeTestCase, refusal, requests

RISES = 3
"How often the stolen device publishes a record with a higher sequence number."


class ThiefTests(NodeTestCase):
    """Bob's laptop is stolen while its node has a link to Alice's; Bob revokes it at home."""

    names = ("alice", "bob", "laptop")

    async def _set_up(self) -> None:
        home, laptop = self.node("bob").keyring, self.node("laptop").keyring
        home.create(BOB)
        home.add_device(BOB, laptop.device.listed)
        bundle = home.bundle(BOB, with_key=False)
        laptop.adopt_identity(BOB, bundle.raw, bundle.chain, bundle.revocations, None, laptop.device)
        self.alice = await self.phone(ALICE)
        self.home, self.stolen = await self.phone(BOB), await self.phone(BOB, node="laptop")
        # The thief's program believes no statement that takes the device out.
        self.patch(laptop, "adopt_statement", lambda *_: False)

    def _revoke(self) -> None:
        laptop = self.node("laptop").keyring.device.listed.host_identity_hash
        self.node("bob").keyring.revoke_device(BOB, laptop)

    async def _is_heard(self) -> None:
        """Revoke the device, and wait until Alice's node has heard of it, which has a link with both."""
        await self.have_talked(self.alice, self.home)
        self._revoke()
        await self.eventually(lambda: self._hit("laptop") not in self._hits("alice"))
        self.rung = len(requests(self.stolen, "INVITE"))

    async def _is_published_anew(self) -> None:
        before = dict(self.nodes.directory.items)
        self._rises()
        await self.eventually(lambda: self.nodes.directory.items != before)

    def _hits(self, node: str) -> set[bytes]:
        """Return the devices with which a node has a link."""
        return {peer.hit for peer in self.node(node).overlay.peers() if peer.path}

    def _hit(self, node: str) -> bytes:
        return self.node(node).keyring.device.hit

    async def _call_reaches_home_only(self) -> None:
        await self.have_talked(self.alice, self.home)
        self.assertEqual(len(requests(self.stolen, "INVITE")), self.rung)

    async def _thief_reaches_nobody(self) -> None:
        heard = len(self.alice.calls), len(self.alice.texts)
        self.assertEqual((await refusal(self.stolen.call(self.alice.aor))).status, 480)
        self.assertEqual((await self.stolen.message(self.alice.aor, "it is me")).status, 480)
        self.assertEqual((len(self.alice.calls), len(self.alice.texts)), heard)

    def _rises(self) -> None:
        """Let the stolen device move, and so publish a newer record than ever."""
        self.nodes.bearers["laptop"].move()

    async def test_live_link(self) -> None:
        """Attack: the thief's call is up. It ends when the device is revoked, and so does every link of the device."""
        await self._set_up()
        await self.have_talked(self.alice, self.home)
        call, answered = await self.up(self.stolen, self.alice)
        await self.talk(call, answered)
        self._revoke()
        await answered.ended
        await self.eventually(lambda: self._hit("laptop") not in self._hits("alice") | self._hits("bob"))
        await self._thief_reaches_nobody()

    async def test_rising_sequences(self) -> None:
        """Attack: afterwards it signs records with ever higher sequence numbers. It rings no more, and calls nobody."""
        await self._set_up()
        await self._is_heard()
        for _ in range(RISES):
            self._rises()
            await self._call_reaches_home_only()
            await self._thief_reaches_nobody()

    async def test_statement_rollback(self) -> None:
        """Attack: the old statement, which lists it, is all that is to be found, and Alice's node was restarted. It is refused."""
        await self._set_up()
        await self._is_heard()
        await self.nodes.stop_one("bob")
        await self.alice.stop()
        await self.nodes.restart("alice")
        self.alice = await self.phone(ALICE)
        await self._is_published_anew()
        self.assertEqual((await refusal(self.alice.call(self.home.aor))).status, 480)
        self.assertEqual(self.rung, len(requests(self.stolen, "INVITE")))
        self.assertIn("version", self.told("alice", PapersRefused)[-1].reason)
        await self._thief_reaches_nobody()
