"""The state machine of RFC 7401 §4.4.3: every packet, right and wrong, in every state, with the greater HIT and the smaller one."""

from __future__ import annotations

import contextlib
import os
from typing import NamedTuple

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.association import State
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, parse
from p2pship.bearer.hip.parameters import Notification
from tests.bearer.hip.hosts import TwoHosts, host, identity, path

I1, R1, I2, R2, UPDATE, NOTIFY, CLOSE, CLOSE_ACK = PacketType
NONE, I1_SENT, I2_SENT, R2_SENT, ESTABLISHED, CLOSING, CLOSED, _ = State

STATES = (NONE, I1_SENT, I2_SENT, R2_SENT, ESTABLISHED, CLOSING, CLOSED)


class Outcome(NamedTuple):
    """What a packet leads to."""

    answers: tuple[PacketType, ...] = ()
    state: State | None = None
    "None for the same as before"


GREATER: dict[tuple[State, PacketType], Outcome] = {
    (NONE, I1): Outcome((R1,)),
    (NONE, I2): Outcome((R2,), R2_SENT),
    (I1_SENT, I1): Outcome((R1,)),
    (I1_SENT, I2): Outcome((R2,), R2_SENT),
    (I1_SENT, R1): Outcome((I2,), I2_SENT),
    (I2_SENT, I1): Outcome((R1,)),
    (I2_SENT, R1): Outcome((I2,)),
    (I2_SENT, I2): Outcome((R2,), R2_SENT),
    (I2_SENT, R2): Outcome((), ESTABLISHED),
    (I2_SENT, CLOSE): Outcome((CLOSE_ACK,), CLOSED),
    (R2_SENT, I1): Outcome((R1,)),
    (R2_SENT, I2): Outcome((R2,)),
    (R2_SENT, UPDATE): Outcome((UPDATE,), ESTABLISHED),
    (R2_SENT, CLOSE): Outcome((CLOSE_ACK,), CLOSED),
    (ESTABLISHED, I1): Outcome((R1,)),
    (ESTABLISHED, I2): Outcome((R2,), R2_SENT),
    (ESTABLISHED, UPDATE): Outcome((UPDATE,)),
    (ESTABLISHED, CLOSE): Outcome((CLOSE_ACK,), CLOSED),
    (CLOSING, I1): Outcome((R1,)),
    (CLOSING, I2): Outcome((R2,), R2_SENT),
    (CLOSING, CLOSE): Outcome((CLOSE_ACK,), CLOSED),
    (CLOSING, CLOSE_ACK): Outcome((), NONE),
    (CLOSED, I1): Outcome((R1,)),
    (CLOSED, I2): Outcome((R2,), R2_SENT),
    (CLOSED, CLOSE): Outcome((CLOSE_ACK,)),
}
"Tables 2 to 8, when the own HIT is the greater one; what is not there is dropped."

SMALLER = {**GREATER, (I1_SENT, I1): Outcome(), (I2_SENT, I2): Outcome()}
"When it is the smaller one, the own exchange goes on."


class Scene:
    """A host that is watched, number 0, in a state, and another one."""

    def __init__(self, state: State, own: OwnHostIdentity, their: OwnHostIdentity) -> None:
        self.own, self.their = own, their
        self.two = TwoHosts(self.fresh(own), self.fresh(their))
        self.early = self.i2() if state in (NONE, I1_SENT, I2_SENT) else b""
        self.state = state
        if state in (I1_SENT, I2_SENT):
            self.two.dial()
            (self.i1,) = self.two.work(0)
        if state is I2_SENT:
            self.two.deliver(1, self.i1)
            self.two.deliver(0, self.two.work(1)[0])
            (self.own_i2,) = self.two.work(0)
        if state is R2_SENT:
            self.two.hosts[1].dial(own.hit, [path(0)], self.two.now)
            self.two.talk()
        if state in (ESTABLISHED, CLOSING, CLOSED):
            self.two.dial()
            self.two.talk()
        if state is CLOSING:
            self.close(0)
        if state is CLOSED:
            self.close(1)
            self.two.deliver(0, self.two.work(1)[0])
        self.two.work(0)

    def fresh(self, own: OwnHostIdentity) -> Host:
        """Make a host that knows nothing yet."""
        return host(own, os.urandom)

    def subject(self) -> Host:
        """Return the host that is watched."""
        return self.two.hosts[0]

    def close(self, number: int) -> None:
        """Have one of the two close the association."""
        self.two.hosts[number].close(self.two.associations()[number], self.two.now, "enough")

    # packets from the other side

    def packet(self, type_: PacketType) -> bytes:
        """Return a valid packet, for this state if there is one, else of another exchange of the same two."""
        if type_ == I1:
            return self.another_i1(self.fresh(self.their), self.own)
        if type_ == I2:
            return self.early or self.i2()
        if type_ == R1:
            return self.r1()
        if type_ == R2:
            return self.r2()
        return self.of_association(type_)

    def another_i1(self, dialling: Host, to: OwnHostIdentity) -> bytes:
        dialling.dial(to.hit, [path(0)], self.two.now)
        return TwoHosts(dialling, dialling).work(0)[0]

    def i2(self) -> bytes:
        """Have the other side, started anew, get as far as its I2."""
        two = TwoHosts(self.fresh(self.their), self.subject())
        two.now = self.two.now
        two.hosts[0].dial(self.own.hit, [path(0)], two.now)
        two.hosts[1].received(parse(two.work(0)[0]), path(1), two.now)
        two.hosts[0].received(parse(two.work(1)[0]), path(0), two.now)
        return two.work(0)[0]

    def r1(self) -> bytes:
        i1 = (
            self.i1 if self.state in (I1_SENT, I2_SENT) else self.another_i1(self.fresh(self.own), self.their)
        )
        if self.state is I2_SENT:
            self.two.hosts[1]._reception._pool._offered.clear()  # the next one has a higher generation
        self.two.deliver(1, i1)
        return self.two.work(1)[0]

    def r2(self) -> bytes:
        if self.state is I2_SENT:
            self.two.deliver(1, self.own_i2)
            return self.two.work(1)[0]
        return next(octets for octets in self.elsewhere() if parse(octets).type == R2)

    def of_association(self, type_: PacketType) -> bytes:
        if self.state in (NONE, I1_SENT) or (type_ == CLOSE_ACK and self.state is not CLOSING):
            return next(octets for octets in self.elsewhere() if parse(octets).type == type_)
        if self.state is CLOSING and type_ == CLOSE_ACK:
            self.two.deliver(
                1, next(octets for number, octets in self.two.said if parse(octets).type == CLOSE)
            )
            return self.two.work(1)[0]
        if self.state is I2_SENT:
            self.two.deliver(1, self.own_i2)
            self.two.work(1)
        association = next(iter(self.two.hosts[1].associations()))
        if self.state is CLOSED and type_ == CLOSE:
            return next(octets for _, octets in self.two.said if parse(octets).type == CLOSE)
        if self.state is CLOSED:
            association.state = ESTABLISHED
        return self.say(association, type_)

    def say(self, association: object, type_: PacketType) -> bytes:
        """Have the other side say something."""
        if type_ == UPDATE:
            association.updates.request([], [path(0)], self.two.now, lambda *_: None, lambda: None)  # type: ignore[attr-defined]
        elif type_ == NOTIFY:
            association.notify(NotifyType.BLOCKED_BY_POLICY)  # type: ignore[attr-defined]
        else:
            association.close(self.two.now, "enough")  # type: ignore[attr-defined]
        return self.two.work(1)[0]

    def elsewhere(self) -> list[bytes]:
        """Return all packets from the other side in a whole life of another association of the same two."""
        two = TwoHosts(self.fresh(self.own), self.fresh(self.their))
        two.dial()
        two.talk()
        association = two.associations()[1]
        for act in (UPDATE, NOTIFY):
            if act == UPDATE:
                association.updates.request([], [path(0)], two.now, lambda *_: None, lambda: None)
            else:
                association.notify(NotifyType.BLOCKED_BY_POLICY)
            two.talk()
        two.hosts[0].close(two.associations()[0], two.now, "enough")
        two.talk()
        found = [octets for number, octets in two.said if number == 1]
        other = TwoHosts(self.fresh(self.own), self.fresh(self.their))
        other.dial()
        other.talk()
        other.hosts[1].close(other.associations()[1], other.now, "enough")
        return found + other.work(1)

    # what comes of it

    def take(self, octets: bytes) -> tuple[tuple[PacketType, ...], State]:
        """Give the host a packet; returns the types of its answers, and its state."""
        self.two.work(0)
        with contextlib.suppress(BadPacket):
            self.two.deliver(0, octets)
        self.answers = [parse(each) for each in self.two.work(0)]
        return tuple(PacketType(each.type) for each in self.answers), self.subject().state(self.their.hit)


def spoiled(octets: bytes, type_: ParameterType) -> bytes:
    """Return a packet with one bit of a parameter changed."""
    found = parse(octets).parameter(type_)
    assert found is not None
    place = found.start + 12
    return octets[:place] + bytes([octets[place] ^ 1]) + octets[place + 1 :]


class TableTests(TestCase):
    """Each pair of state and packet."""

    def setUp(self) -> None:
        both = identity("P-256", "one"), identity("P-256", "other")
        self.smaller, self.greater = sorted(both, key=lambda each: each.hit)

    def scene(self, state: State, greater: bool) -> Scene:
        made = (self.greater, self.smaller) if greater else (self.smaller, self.greater)
        scene = Scene(state, *made)
        self.assertEqual(scene.subject().state(scene.their.hit), state)
        return scene

    def test_valid(self) -> None:
        """A valid packet does what the tables say."""
        for greater, table in ((True, GREATER), (False, SMALLER)):
            for state in STATES:
                for type_ in PacketType:
                    scene = self.scene(state, greater)
                    expected = table.get((state, type_), Outcome())
                    self.assertEqual(
                        scene.take(scene.packet(type_)),
                        (expected.answers, expected.state or state),
                        (greater, state, type_.name),
                    )

    def test_wrong_signature(self) -> None:
        """A packet with a wrong signature changes nothing; who has solved a puzzle, or has an association, is told."""
        for greater in (True, False):
            for state in STATES:
                for type_ in set(PacketType) - {I1}:
                    scene = self.scene(state, greater)
                    kind = ParameterType.HIP_SIGNATURE_2 if type_ == R1 else ParameterType.HIP_SIGNATURE
                    answers, after = scene.take(spoiled(scene.packet(type_), kind))
                    told = (type_ == I2 and (greater or state is not I2_SENT)) or (
                        state in (R2_SENT, ESTABLISHED) and type_ in (UPDATE, CLOSE)
                    )
                    self.assertEqual(
                        (answers, after), ((NOTIFY,) if told else (), state), (state, type_.name)
                    )
                    for answer in scene.answers:
                        notification = Notification.decode(answer.need(ParameterType.NOTIFICATION))
                        self.assertEqual(notification.type, NotifyType.AUTHENTICATION_FAILED)

    def test_wrong_mac(self) -> None:
        """A packet with a wrong MAC changes nothing, and is not answered, unless a puzzle was solved for it."""
        for greater in (True, False):
            for state in STATES:
                for type_ in (I2, R2, UPDATE, CLOSE, CLOSE_ACK):
                    scene = self.scene(state, greater)
                    kind = ParameterType.HIP_MAC_2 if type_ == R2 else ParameterType.HIP_MAC
                    answers, after = scene.take(spoiled(scene.packet(type_), kind))
                    told = type_ == I2 and (greater or state is not I2_SENT)
                    self.assertEqual(
                        (answers, after), ((NOTIFY,) if told else (), state), (state, type_.name)
                    )

    def test_for_others(self) -> None:
        """A packet for another host, or from the host itself, is dropped in every state."""
        for state in STATES:
            for type_ in PacketType:
                scene = self.scene(state, greater=True)
                octets = scene.packet(type_)
                self.assertEqual(scene.take(octets[:24] + bytes(16) + octets[40:]), ((), state))
                self.assertEqual(scene.take(octets[:8] + scene.own.hit + octets[24:]), ((), state))

    def test_unknown_critical(self) -> None:
        """An unknown critical parameter: only who has solved a puzzle, or has an association, is told its number."""
        for state in STATES:
            for type_ in PacketType:
                scene = self.scene(state, greater=True)
                octets = scene.packet(type_) + (65_001).to_bytes(2, "big") + bytes(6)
                octets = octets[:1] + bytes([octets[1] + 1]) + octets[2:]
                told = type_ == I2 or (state in (R2_SENT, ESTABLISHED) and type_ in (UPDATE, CLOSE))
                self.assertEqual(scene.take(octets), ((NOTIFY,) if told else (), state), (state, type_.name))
                for answer in scene.answers:
                    notification = Notification.decode(answer.need(ParameterType.NOTIFICATION))
                    self.assertEqual(notification, (1, (65_001).to_bytes(2, "big")))
