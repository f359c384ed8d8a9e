"""Tests for p2pship.bearer.exchange: two machines, and everybody who might come between them."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pship.bearer.exchange import Dialler, Listener
from p2pship.bearer.exchangewire import BadExchange
from p2pship.errors import LocalError, RemoteError
from p2pship.identity.keys import BadKey, sign
from tests.bearer.fakes import FakeDevice, device

ALICE, BOB, MALLORY = (device(name) for name in ("alice", "bob", "mallory"))


class CountingDevice(FakeDevice):
    """A device that counts how often it signs."""

    signed = 0

    def sign(self, data: bytes) -> bytes:
        self.signed += 1
        return sign(self.private_key, data)


def dialler(owner: FakeDevice = ALICE, expected: FakeDevice = BOB, bearer: str = "tcp") -> Dialler:
    """Return Alice's side."""
    return Dialler(bearer, owner, os.urandom, expected.key)


def listener(owner: FakeDevice = BOB, bearer: str = "tcp") -> Listener:
    """Return Bob's side."""
    return Listener(bearer, owner, os.urandom)


def reply(side: Dialler | Listener, message: bytes) -> bytes:
    """Return what a side answers."""
    answer = side.received(message)
    assert answer is not None
    return answer


class ExchangeTests(SynchronousTestCase):
    """Who does as they should."""

    def run_whole(self, near: Dialler, far: Listener) -> list[bytes]:
        """Exchange all messages, and return them."""
        answer = reply(far, near.opening())
        closing = reply(near, answer)
        self.assertIsNone(far.received(closing))
        return [near.opening(), answer, closing]

    def test_keys(self) -> None:
        """Both prove their keys, and have the same two channel keys the other way round."""
        near, far = dialler(), listener()
        self.run_whole(near, far)
        self.assertTrue(near.done and far.done)
        self.assertEqual((near.proof, far.proof), (BOB.key, ALICE.key))
        self.assertEqual((near.send_key, near.receive_key), (far.receive_key, far.send_key))
        self.assertNotEqual(near.send_key, near.receive_key)
        self.assertEqual(len(near.send_key), 16)

    def test_derivation(self) -> None:
        """The keys are those that the reference page derives, here by another way (RFC 5869 §2.2, §2.3)."""
        near, far = dialler(), listener()
        said = b"".join(self.run_whole(near, far))
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), said[164:][34:67])
        secret = near._ephemeral.exchange(ec.ECDH(), ephemeral)
        extracted = hmac.digest(hashlib.sha256(said).digest(), secret, "sha256")
        keys = hmac.digest(extracted, b"p2pship exchange 1, keys of bearer tcp\0\1", "sha256")
        self.assertEqual((near.send_key, near.receive_key), (keys[:16], keys[16:]))

    def test_fresh(self) -> None:
        """No two exchanges have a key in common, nor a message."""
        seen: set[bytes] = set()
        for _ in range(2):
            near = dialler()
            seen.update(self.run_whole(near, listener()), (near.send_key, near.receive_key))
        self.assertEqual(len(seen), 10)

    def test_nothing_early(self) -> None:
        """There is no proof and no key before the other side has proven its own."""
        near, far = dialler(), listener()
        far.received(near.opening())
        for side in (near, far):
            self.assertEqual((side.done, side.proof, side.send_key, side.receive_key), (False, b"", b"", b""))

    def test_repeated(self) -> None:
        """A message that comes again gets the same reply: over UDP replies are lost."""
        near, far = dialler(), listener()
        opening, answer, closing = near.opening(), reply(far, near.opening()), b""
        self.assertEqual(reply(far, opening), answer)
        closing = reply(near, answer)
        self.assertEqual(reply(near, answer), closing)
        for _ in range(2):
            self.assertIsNone(far.received(closing))

    def test_no_amplification(self) -> None:
        """The answer is no longer than the opening, so that a forged source address gains nothing."""
        near = dialler()
        self.assertLessEqual(len(reply(listener(), near.opening())), len(near.opening()))

    def test_cheap(self) -> None:
        """A listener signs once for an opening that is meant for it, and not at all for anything else."""
        owner = CountingDevice()
        far = listener(owner)
        for message in (dialler().opening(), b"", bytes(164), os.urandom(164)):
            self.assertRaises(BadExchange, far.received, message)
        self.assertEqual(owner.signed, 0)
        opening = dialler(expected=owner).opening()
        for _ in range(3):
            far.received(opening)
        self.assertEqual(owner.signed, 1)

    def test_local_errors(self) -> None:
        """To dial oneself is our bug; a key of another kind is theirs."""
        self.assertRaises(LocalError, dialler, ALICE, ALICE)
        other = ec.generate_private_key(ec.SECP384R1()).public_key()
        key = other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        for wrong in (b"", key, BOB.key[:-1]):
            self.assertRaises(BadKey, Dialler, "tcp", ALICE, os.urandom, wrong)


class AttackTests(SynchronousTestCase):
    """Who does not."""

    def assert_refused(self, side: Dialler | Listener, message: bytes, why: str = "") -> None:
        """Check that a message is refused and changes nothing."""
        error = self.assertRaises(BadExchange, side.received, message)
        self.assertIn(why, str(error))
        self.assertEqual((side.done, side.proof, side.send_key), (False, b"", b""))

    def test_altered(self) -> None:
        """One octet altered anywhere, in any message, and the exchange does not complete; unaltered it still does."""
        near, far = dialler(), listener()
        answer = reply(far, near.opening())
        for at in range(len(answer)):
            self.assert_refused(near, altered(answer, at))
        closing = reply(near, answer)
        for at in range(len(closing)):
            self.assert_refused(far, altered(closing, at))
        self.assertIsNone(far.received(closing))

    def test_respelt_signature(self) -> None:
        """Somebody who turns a signature into the other that is valid, and is faster, does not end the exchange."""
        near, far = dialler(), listener()
        answer = reply(far, near.opening())
        self.assert_refused(near, respelt(answer), "signature")
        closing = reply(near, answer)
        self.assert_refused(far, respelt(closing), "signature")
        far.received(closing)
        self.assertEqual((near.send_key, near.receive_key), (far.receive_key, far.send_key))

    def test_altered_opening(self) -> None:
        """An opening that was altered is refused at once, or leads to an answer that the dialler refuses."""
        near = dialler()
        for at in range(len(near.opening())):
            far = listener()
            try:
                answer = reply(far, altered(near.opening(), at))
            except BadExchange:
                continue
            self.assert_refused(near, answer)

    def test_truncated(self) -> None:
        """A message of any other length is refused."""
        near, far = dialler(), listener()
        answer = reply(far, near.opening())
        for length in range(len(answer)):
            self.assert_refused(near, answer[:length])
            self.assert_refused(listener(), near.opening()[:length])
        self.assert_refused(near, answer + b"\0")
        self.assert_refused(far, reply(near, answer) + b"\0")

    @given(st.binary(max_size=200))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage is a RemoteError, and nothing else."""
        asked = listener()
        asked.received(OPENING)
        for side in (dialler(), listener(), asked):
            for message in (garbage, b"\1\1" + garbage.ljust(162)[:162], b"\3\1" + garbage.ljust(64)[:64]):
                self.assertRaises(RemoteError, side.received, message)

    def test_other_device(self) -> None:
        """Only the device dialled answers; another one's answer is refused, though it is signed well."""
        near = dialler()
        self.assert_refused(listener(MALLORY), near.opening(), "another device is dialled")
        answer = forged_answer(near.opening(), MALLORY, MALLORY)
        self.assert_refused(near, answer, "another device answered")

    def test_stolen_name(self) -> None:
        """To say another's key without having it is refused, on either side."""
        near = dialler()
        self.assert_refused(near, forged_answer(near.opening(), BOB, MALLORY), "signature")
        liar = FakeDevice()
        liar.key = ALICE.key
        thief, far = dialler(liar), listener()
        self.assert_refused(far, reply(thief, reply(far, thief.opening())), "signature")

    def test_own_key(self) -> None:
        """Who has our own key is a thief or a mirror."""
        self.assert_refused(listener(), self.opening_of(BOB), "own key")

    def opening_of(self, owner: FakeDevice) -> bytes:
        """Return an opening to Bob by somebody who may be Bob."""
        opening = dialler().opening()
        mine = Dialler("tcp", owner, os.urandom, ALICE.key).opening()
        return opening[:67] + mine[67:100] + opening[100:]

    def test_mirror(self) -> None:
        """What is sent back as it came is refused: each role has its own messages."""
        near, far = dialler(), listener()
        self.assert_refused(near, near.opening(), "kind")
        answer = reply(far, near.opening())
        self.assert_refused(far, answer)
        self.assert_refused(listener(), answer, "kind")
        self.assert_refused(dialler(BOB, ALICE), answer)

    def test_role_confusion(self) -> None:
        """A signature made in one role does not count in the other, even over the same octets."""
        near, far = dialler(), listener()
        answer = reply(far, near.opening())
        self.assert_refused(far, b"\3\1" + answer[-64:], "signature of the dialler")
        closing = reply(near, answer)
        self.assert_refused(dialler(), answer[:-64] + closing[2:], "signature of the answer")

    def test_replayed(self) -> None:
        """Each message that was recorded is of no use in another exchange."""
        near, far = dialler(), listener()
        answer = reply(far, near.opening())
        closing = reply(near, answer)
        fresh = listener()
        reply(fresh, near.opening())
        self.assert_refused(fresh, closing, "signature")
        self.assert_refused(dialler(), answer, "signature")

    def test_other_bearer(self) -> None:
        """What is said on one bearer is refused on another."""
        near, far = dialler(bearer="tcp"), listener(bearer="udp")
        self.assert_refused(near, reply(far, near.opening()), "signature")
        near, far = dialler(bearer="udp"), listener(bearer="tcp")
        other = listener(bearer="udp")
        self.assert_refused(far, reply(near, reply(other, near.opening())))

    def test_closing_on_other_bearer(self) -> None:
        """Nor does a dialler's signature of one bearer count on another."""
        nonces: Callable[[int], bytes] = bytes
        near = Dialler("udp", ALICE, nonces, BOB.key)
        far = Listener("tcp", BOB, nonces)
        answer = reply(far, near.opening())
        closing = sign(
            ALICE.private_key, b"p2pship exchange 1, dialler of bearer udp\0" + near.opening() + answer
        )
        self.assert_refused(far, b"\3\1" + closing, "signature")
        closing = sign(
            ALICE.private_key, b"p2pship exchange 1, dialler of bearer tcp\0" + near.opening() + answer
        )
        self.assertIsNone(far.received(b"\3\1" + closing))

    def test_other_version(self) -> None:
        """Another version is refused with its number; to write ours over it breaks the signatures."""
        near, far = dialler(), listener()
        newer = near.opening()[:1] + b"\2" + near.opening()[2:]
        self.assert_refused(far, newer, "version 2")
        answer = reply(far, near.opening())
        self.assert_refused(near, answer[:1] + b"\2" + answer[2:], "version 2")
        self.assert_refused(near, answer[:1] + b"\0" + answer[2:], "version 0")

    def test_swapped_keys(self) -> None:
        """Somebody between who puts in ephemeral keys of their own completes with neither side."""
        near, far, mallory = dialler(), listener(), dialler(MALLORY, BOB)
        swapped = near.opening()[:34] + mallory.opening()[34:67] + near.opening()[67:]
        answer = reply(far, swapped)
        self.assert_refused(near, answer, "signature")
        self.assert_refused(far, reply(mallory, reply(listener(), mallory.opening())), "signature")

    def test_between_two(self) -> None:
        """Who relays with a key of their own is that device for the listener, and nobody for the dialler."""
        near, far = dialler(), listener()
        mallory = dialler(MALLORY, BOB)
        answer = reply(far, mallory.opening())
        self.assert_refused(near, answer, "signature")
        far.received(reply(mallory, answer))
        self.assertEqual(far.proof, MALLORY.key)

    def test_bad_point(self) -> None:
        """Octets that are no point of the curve are refused, as device and as ephemeral key."""
        opening = dialler().opening()
        for bad in (bytes(33), b"\2" + b"\xff" * 32, b"\4" + bytes(32), b"\0" + bytes(32)):
            for at in (34, 67):
                self.assert_refused(listener(), opening[:at] + bad + opening[at + 33 :])

    def test_bad_point_of_friend(self) -> None:
        """Nor may the device that was dialled sign an ephemeral key that is none."""
        near = dialler()
        self.assert_refused(near, forged_answer(near.opening(), BOB, BOB, b"\2" + b"\xff" * 32), "point")

    def test_over(self) -> None:
        """When it is over, nothing new is taken."""
        near, far = dialler(), listener()
        answer = reply(far, near.opening())
        far.received(reply(near, answer))
        for side in (near, far):
            keys = side.proof, side.send_key
            for message in (near.opening(), altered(answer, 5)):
                self.assertRaises(BadExchange, side.received, message)
            self.assertEqual((side.proof, side.send_key), keys)


OPENING = dialler().opening()


def altered(message: bytes, at: int) -> bytes:
    """Return a message with one octet changed."""
    return message[:at] + bytes([message[at] ^ 1]) + message[at + 1 :]


def respelt(message: bytes) -> bytes:
    """Return a message with the other signature that is as valid as the one at its end."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    return message[:-32] + (order - int.from_bytes(message[-32:], "big")).to_bytes(32, "big")


def forged_answer(opening: bytes, named: FakeDevice, signer: FakeDevice, ephemeral: bytes = b"") -> bytes:
    """Return an answer that names a device, signed by one."""
    point = Dialler("tcp", named, os.urandom, ALICE.key).opening()[34:100]
    unsigned = b"\2\1" + os.urandom(32) + (ephemeral or point[:33]) + point[33:]
    context = b"p2pship exchange 1, listener of bearer tcp\0"
    return unsigned + sign(signer.private_key, context + opening + unsigned)
