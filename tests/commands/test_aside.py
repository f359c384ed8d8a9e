"""What takes long for a passphrase keeps nothing else of a running node waiting."""

from __future__ import annotations

import threading
from typing import Any
from unittest.mock import MagicMock

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from p2pship.errors import LocalError
from p2pship.storage import wrapping
from tests.commands.desks import DeskTestCase
from tests.commands.test_identity import ALICE, file


class RunningTests(DeskTestCase, TestCase):
    """Commands at the desk of a node that runs."""

    def setUp(self) -> None:
        super().setUp()
        self.give("identity create", aor=ALICE)
        self.desk.clock = reactor
        self.desk.node = MagicMock()
        self.threads: list[threading.Thread] = []
        derive = Scrypt

        def noted(*parameters: Any) -> Any:
            self.threads.append(threading.current_thread())
            return derive(*parameters)

        self.patch(wrapping, "COST", 4)
        self.patch(wrapping, "Scrypt", noted)

    def begin(self, command: str, **arguments: Any) -> Deferred[Any]:
        """Give a command whose answer comes later."""
        answer = self.give(command, **arguments)
        assert isinstance(answer, Deferred)
        return answer

    async def test_threads(self) -> None:
        """No key of a passphrase is made in the thread that carries the calls."""
        self.assertEqual(await self.begin("passphrase set", passphrase="one"), {"passphrase": True})
        await self.begin("passphrase change", current="one", passphrase="two")
        with self.assertRaises(LocalError):
            await self.begin("passphrase remove", current="one")
        self.assertEqual(await self.begin("passphrase remove", current="two"), {"passphrase": False})
        backup = await self.begin("identity export", aor=ALICE, encrypt=True, passphrase="p")
        given = {"file": file(backup["content"]), "passphrase": "p", "replace": True}
        self.assertEqual((await self.begin("identity restore", **given))["identity"]["aor"], ALICE)
        self.assertEqual(len(self.threads), 7)
        self.assertNotIn(threading.main_thread(), self.threads)

    async def test_faster(self) -> None:
        """Of two commands at once one is done, so that neither skips the other's proof."""
        first = self.begin("passphrase set", passphrase="one")
        second = self.begin("passphrase set", passphrase="two")
        await first
        with self.assertRaises(LocalError) as caught:
            await second
        self.assertIn("meanwhile", str(caught.exception))
        self.assertTrue(self.desk.vault.is_passphrase(b"one"))

    async def test_one_at_a_time(self) -> None:
        """However many come at once, one key is made at a time: a file from elsewhere may ask for 128 MiB for its own."""
        backup = await self.begin("identity export", aor=ALICE, encrypt=True, passphrase="p")
        given = {"file": file(backup["content"]), "passphrase": "wrong"}
        at_once: list[int] = []
        derive, busy = wrapping.PassphraseKey.of, threading.Semaphore(10)

        def noted(*parameters: Any) -> Any:
            with busy:
                at_once.append(10 - busy._value)
                return derive(*parameters)

        self.patch(wrapping.PassphraseKey, "of", noted)
        for answer in [self.begin("identity restore", **given) for _ in range(10)]:
            with self.assertRaises(LocalError):
                await answer
        self.assertEqual(at_once, [1] * 10)

    async def test_rotated(self) -> None:
        """A backup of a key that is no longer the identity's does not pass for one."""
        export = self.begin("identity export", aor=ALICE, encrypt=True, passphrase="p")
        self.desk.keyring.rotate(ALICE)
        with self.assertRaises(LocalError) as caught:
            await export
        self.assertIn("new key", str(caught.exception))
        identity = self.desk.keyring.identity(ALICE)
        assert identity is not None
        self.assertFalse(identity.about.exported)

    async def test_gone(self) -> None:
        """Whoever goes away before the answer has changed nothing."""
        answer = self.begin("passphrase set", passphrase="one")
        answer.addErrback(lambda _: None)
        answer.cancel()
        self.assertEqual(await self.begin("passphrase set", passphrase="two"), {"passphrase": True})
        self.assertTrue(self.desk.vault.is_passphrase(b"two"))
