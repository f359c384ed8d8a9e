"""What survives ``kill -9`` at any point of a change: the state folder always opens, with the old or the new state.

A child process opens the desk, as a node does, gives one command, and is killed: by itself before or after a chosen call
that writes, or from outside at a random moment. Then the desk is opened again and compared, item by item, with what it was.
"""

from __future__ import annotations

import os
import signal
import sys
from random import Random
from time import monotonic, sleep
from types import FrameType
from typing import Any, NoReturn

from p2pship.config import load
from p2pship.desk import Desk
from p2pship.errors import ConfigError, LocalError
from p2pship.identity.identity import Identity
from p2pship.identity.keys import spki
from p2pship.identity.statement import verify_statement
from p2pship.sections import sections
from p2pship.storage.vault import Vault
from p2pship.trust.ledger import CONTACT
from tests.commands.changes import DOMAIN, OWNS, PASSPHRASES, PEOPLE, Change, Changes, facts_of, give
from tests.commands.desks import NOW, DeskTestCase
from tests.commands.test_ca import file
from tests.forked import be_silent
from tests.scale import SEED, scaled

ALICE, BOB = OWNS[0], PEOPLE[0]

WRITES = frozenset(
    ("open", "write", "fsync", "rename", "replace", "mkdir", "rmdir", "unlink", "execute", "executemany")
)
"The functions written in C, by their names, that change what is on the disk."

AT_FIRST = 30
"How many of them a command is taken to call before one was done."


class _KilledAt:
    """A profile function that kills its process at one of the calls that write, before or after it."""

    def __init__(self, at: int | None) -> None:
        self.number = 0
        self._at = at

    def __call__(self, frame: FrameType, event: str, function: Any) -> None:
        """Count a call and a return."""
        if event in ("c_call", "c_return") and function.__name__ in WRITES:
            self.number += 1
            if self.number == self._at:
                os.kill(os.getpid(), signal.SIGKILL)


class LeftBehindTests(DeskTestCase):
    """What a change that was interrupted, or failed, may leave."""

    def test_gone(self) -> None:
        """What was kept for an identity that is not there is forgotten at the start: the next one of that name has none of it."""
        self.desk.ledger.put(ALICE, CONTACT, BOB, {"name": "Bob"})
        self.desk.phones.set_password(ALICE, "hall", "correct horse")
        self.desk.close()
        desk = self.open_desk("state")
        self.assertEqual((desk.ledger.owners(), desk.phones.list()), ((), []))

    def test_removed(self) -> None:
        """Nor has the next one of its name the contacts and telephones of an identity that was removed."""
        self.give("identity create", aor=ALICE)
        self.give("contact add", aor=BOB)
        self.give("phone password", aor=ALICE, password="correct horse")
        self.give("identity remove", aor=ALICE)
        self.assertEqual((self.desk.ledger.owners(), self.desk.phones.list()), ((), []))

    def test_not_restored(self) -> None:
        """A backup that is refused brings no contacts either."""
        self.give("identity create", aor=ALICE)
        self.give("contact add", aor=BOB)
        backup = self.give("identity export", aor=ALICE)["content"]
        self.give("contact forget", aor=BOB)
        self.give("contact add", aor="erin@example.org")
        contacts = self.give("contact list")["contacts"]
        self.assertRaises(LocalError, self.give, "identity restore", file=file(backup))
        self.assertEqual(self.give("contact list")["contacts"], contacts)


class KilledChangesTests(DeskTestCase):
    """One state folder, through which commands go of which most are killed."""

    def setUp(self) -> None:
        super().setUp()
        self.random = Random(SEED)
        self.writes: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        elsewhere = self.open_desk("elsewhere")
        give(elsewhere, "ca create", domain=DOMAIN)
        self.changes = Changes(self.random, elsewhere)
        self.desk.close()

    def test_killed(self) -> None:
        """The desk opens, each command has been done or not, nothing is half, and the next one works on what is there."""
        done = [self._killed() for _ in range(scaled(100, 1000))]
        self.assertGreater(done.count(False), len(done) // 5)
        self.assertGreater(done.count(True), len(done) // 5)

    def _killed(self) -> bool:
        """Kill one command, and tell whether it has been done."""
        desk, passphrase = self._open()
        name, change = self.changes.choose(desk)
        before = facts_of(desk, passphrase)
        desk.close()
        self._interrupt(name, change)
        desk, passphrase = self._open()
        after = facts_of(desk, passphrase)
        self._check_whole(desk)
        desk.close()
        changed = frozenset(
            item for item in before.keys() | after.keys() if before.get(item) != after.get(item)
        )
        self.assertIn(changed, (frozenset(), *change.wholes), name)
        return bool(changed)

    def _open(self) -> tuple[Desk, str]:
        """Open the desk as the next run does; returns the passphrase that opens it, empty for none."""
        state = self.folder / "state"
        for passphrase in PASSPHRASES if Vault.needs_passphrase(state) else ("",):
            try:
                desk = Desk(self.clock, load(None, sections()), state, unlock=passphrase.encode)
            except ConfigError as error:
                if "passphrase" not in str(error):
                    raise
            else:
                self.addCleanup(desk.close)
                return desk, passphrase
        raise AssertionError("no passphrase opens the desk")

    # What belongs together.

    def _check_whole(self, desk: Desk) -> None:
        identities = desk.keyring.identities()
        for identity in identities:
            self._check_identity(desk, identity)
        self._check_authorities(desk)
        self.assertLessEqual(set(desk.ledger.owners()), {identity.aor for identity in identities})
        folders = [path.name for path in (self.folder / "state").glob("*/*") if path.is_dir()]
        self.assertEqual([name for name in folders if name.endswith((".new", ".next", ".old"))], [])

    def _check_identity(self, desk: Desk, identity: Identity) -> None:
        """Look that key, statement and certificates are each other's, and who vouches for them is trusted."""
        statement = verify_statement(identity.statement, NOW)
        self.assertEqual((statement.key, spki(identity.private_key())), (identity.key, identity.key))
        self.assertIn(identity.device.listed, statement.devices)
        self.assertEqual(desk.keyring.device.listed in statement.devices, not identity.separate)
        if statement.authority:
            desk.authorities.verify(identity.chain, identity.aor, identity.key, identity.revocations)

    def _check_authorities(self, desk: Desk) -> None:
        """Look that each is trusted for its domain, and its list has whatever it revoked."""
        for own in desk.authorities.owned():
            self.assertEqual(desk.authorities.domains(own.fingerprint), [DOMAIN])
            listed = desk.authorities._lists.of(own.fingerprint, NOW)
            assert listed is not None
            for one in desk.authorities.issued(own):
                self.assertEqual(listed.revokes(one.serial), bool(one.revoked), one.aor)

    # The child.

    def _interrupt(self, name: str, change: Change) -> None:
        """Give a command in a child that is killed at a moment or at a call, or is done before."""
        outside = self.random.random() < 0.3
        at = None if outside else self.random.randint(1, self.writes.get(name, AT_FIRST) + 2)
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            be_silent()
            self._do(change, at, writer)
        os.close(writer)
        with open(reader, "rb", buffering=0) as told:
            told.read(1)  # it is at its desk
            if outside:
                sleep(self.random.uniform(0, self.seconds.get(name, 0.05)))
                os.kill(child, signal.SIGKILL)
            rest = told.read()
        os.waitpid(child, 0)
        self._learn(name, rest.decode())

    def _learn(self, name: str, told: str) -> None:
        """Note how many calls that write a command has, and how long it takes, from a child that did it all."""
        self.assertNotIn("failed", told, name)
        if told:
            calls, seconds = told.split()
            self.writes[name], self.seconds[name] = int(calls), float(seconds)

    def _do(self, change: Change, at: int | None, writer: int) -> NoReturn:
        """Give the command, and tell of it."""
        killed, told = _KilledAt(at), ""
        try:
            desk, _ = self._open()
            os.write(writer, b"!")
            began = monotonic()
            sys.setprofile(killed)
            change.give(desk)
            sys.setprofile(None)
            told = f"{killed.number} {monotonic() - began}"
        except BaseException as error:  # noqa: BLE001 (nothing of the parent may run in the child)
            sys.setprofile(None)
            told = f"!failed: {error!r}"
        finally:
            os.write(writer, told.encode())
            os._exit(0)
