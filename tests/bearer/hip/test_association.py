"""Tests for p2pship.bearer.hip.association: its end, its silence, and what is told (RFC 7401 §4.4.3, §6.11 to §6.15)."""

from __future__ import annotations

import os

from twisted.trial.unittest import TestCase

from p2pship.bearer.hip.association import (
    CLOSED_TIME,
    CLOSING_TIME,
    MOST_NOTICES,
    UNUSED_TIME,
    Association,
    Ended,
    Noticed,
    State,
    notify_packet,
)
from p2pship.bearer.hip.esp import LAST
from p2pship.bearer.hip.host import Host
from p2pship.bearer.hip.numbers import NotifyType, PacketType, ParameterType
from p2pship.bearer.hip.packet import BadPacket, parse
from p2pship.bearer.hip.parameters import ESPInfo, Notification
from p2pship.bearer.hip.path import Send
from tests.bearer.hip.hosts import BEGIN, TwoHosts, host, identity, path
from tests.bearer.hip.test_states import spoiled


class AssociationCase(TestCase):
    """An association of two hosts."""

    def setUp(self) -> None:
        self.two = TwoHosts(
            host(identity("P-256", "one"), os.urandom), host(identity("P-256", "other"), os.urandom)
        )
        self.two.dial()
        self.two.talk()
        self.near: Association
        self.far: Association
        self.near, self.far = self.two.associations()
        self.two.done.clear()
        self.two.said.clear()
        self.sent: list[tuple[float, PacketType]] = []

    def pass_time(self, seconds: float, number: int = 0) -> None:
        """Let time pass for one of them, whose packets are all lost."""
        each: Host = self.two.hosts[number]
        until = self.two.now + seconds
        while True:
            for thing in each.take():
                if isinstance(thing, Send):
                    self.sent.append((round(self.two.now - BEGIN, 3), PacketType(parse(thing.octets).type)))
                else:
                    self.two.done.append((number, thing))
            due = each.due()
            if due is None or due > until:
                break
            self.two.now = max(self.two.now, due)
            each.timer_fired(self.two.now)
        self.two.now = until

    def ended(self) -> list[tuple[int, str]]:
        return [(number, thing.reason) for number, thing in self.two.done if isinstance(thing, Ended)]

    def states(self) -> tuple[State, State]:
        one, other = self.two.hosts
        return one.state(other.own.hit), other.state(one.own.hit)


class CloseTests(AssociationCase):
    """How it ends."""

    def test_closed(self) -> None:
        """CLOSE and CLOSE_ACK: both hear of it once, and nothing is left in the end."""
        self.two.hosts[0].close(self.near, self.two.now, "enough")
        self.two.talk()
        self.assertEqual(self.ended(), [(0, "enough"), (1, "the other side closed the link")])
        self.assertEqual(self.states(), (State.UNASSOCIATED, State.CLOSED))
        self.pass_time(CLOSED_TIME, 1)
        self.assertEqual(self.states(), (State.UNASSOCIATED, State.UNASSOCIATED))
        for each in self.two.hosts:
            self.assertEqual(list(each.associations()), [])

    def test_lost(self) -> None:
        """A CLOSE that is not acknowledged is sent again, ever more slowly, for some seconds."""
        self.two.hosts[0].close(self.near, self.two.now, "enough")
        self.pass_time(CLOSING_TIME + 1)
        self.assertEqual(self.sent, [(time, PacketType.CLOSE) for time in (0, 0.5, 1.5, 3.5)])
        self.assertEqual(self.states()[0], State.UNASSOCIATED)

    def test_crossing(self) -> None:
        """Both close at once: both end, by the other's acknowledgement."""
        for number, association in enumerate((self.near, self.far)):
            self.two.hosts[number].close(association, self.two.now, "enough")
        self.two.talk()
        self.assertEqual(self.ended(), [(0, "enough"), (1, "enough")])
        self.assertEqual(self.states(), (State.UNASSOCIATED, State.UNASSOCIATED))

    def test_again(self) -> None:
        """A CLOSE that comes again is acknowledged again with the same octets, without another signature."""
        self.two.hosts[0].close(self.near, self.two.now, "enough")
        (close,) = self.two.work(0)
        answers = []
        for _ in range(3):
            self.two.deliver(1, close)
            answers += self.two.work(1)
        self.assertEqual((len(answers), len(set(answers))), (3, 1))

    def test_nothing_else(self) -> None:
        """Nobody is looked for any more, nor told our addresses."""
        self.two.hosts[0].close(self.near, self.two.now, "enough")
        self.two.work(0)
        host = self.two.hosts[0]
        host.silent(self.near, self.two.now)
        host.learn(self.near, [(path(1).host, 4000)], self.two.now)
        host.heard_elsewhere(self.near, path(1)._replace(port=4000), self.two.now)
        host.announce(self.near, ["192.0.2.9"], self.two.now)
        self.assertEqual(self.two.work(0), [])

    def test_other_nonce(self) -> None:
        """A CLOSE_ACK for another CLOSE ends nothing."""
        self.two.hosts[0].close(self.near, self.two.now, "enough")
        self.two.deliver(1, self.two.work(0)[0])
        (ack,) = self.two.work(1)
        self.near._nonce = os.urandom(16)
        self.assertRaises(BadPacket, self.two.deliver, 0, ack)
        self.assertEqual(self.states()[0], State.CLOSING)

    def test_no_data_after_it(self) -> None:
        """Nothing is done any more with an association that is being closed."""
        self.two.hosts[0].close(self.near, self.two.now, "enough")
        self.two.work(0)
        one = self.two.hosts[0]
        one.rekey(self.near, self.two.now)
        one.close(self.near, self.two.now, "again")
        self.assertEqual(self.two.work(0), [])
        self.assertIsNone(one.association(self.far.agreement.own.hit))


class SilenceTests(AssociationCase):
    """Nobody uses it, or nobody answers."""

    def test_unused(self) -> None:
        """An association that nothing passes is closed after a while (UAL)."""
        self.pass_time(2 * UNUSED_TIME + 1)
        self.assertEqual(self.ended(), [(0, "nobody used it")])
        self.assertEqual(self.sent[0][1], PacketType.CLOSE)

    def test_used(self) -> None:
        """One that something passes now and then is not, in either direction, nor one that is only asked."""
        passes = (
            lambda: self.near.outbound.seal(59, b""),
            lambda: self.near.inbound.open(self.far.outbound.seal(59, b"")),
            self.ask,
        )
        for number in range(12):
            passes[number % 3]()
            self.pass_time(UNUSED_TIME * 0.9)
        self.assertEqual(self.ended(), [])

    def test_other_keeps_its_keys(self) -> None:
        """Attack: what the other side sent with a number of 32 bits is sent again when those have come round: the keys are changed before that."""
        self.far.outbound._limit = 1 << 33  # type: ignore[attr-defined]
        for sent in (LAST // 2, LAST):
            self.far.outbound.sequence = sent
            self.near.inbound.open(self.far.outbound.seal(59, b""))
        old = self.near.inbound
        self.pass_time(UNUSED_TIME - 1)
        self.two.now += 2
        for each in self.two.hosts:
            each.timer_fired(self.two.now)
        self.two.talk()
        self.assertIsNot(self.near.inbound, old)
        self.assertEqual(self.near.inbound.newest, 0)

    def ask(self) -> None:
        self.far.updates.request([], [path(0)], self.two.now, lambda *_: None, lambda: None)
        self.two.deliver(0, self.two.work(1)[0])
        self.two.work(0)

    def test_broken(self) -> None:
        """An UPDATE that is never acknowledged ends it (RFC 7401 §6.11)."""
        self.two.hosts[0].rekey(self.near, self.two.now)
        self.pass_time(40)
        updates = [time for time, sent in self.sent if sent == PacketType.UPDATE]
        self.assertEqual(len(updates), 8)
        self.assertLess(updates[-1], 25)
        self.assertEqual(self.ended(), [(0, "the other side does not answer")])
        self.assertEqual([sent for _, sent in self.sent[8:9]], [PacketType.CLOSE])

    def test_probes(self) -> None:
        """A question along a path that may not be there ends nothing."""
        self.near.paths.ask(self.two.now, [path(1)])
        self.two.hosts[0]._settle(self.near, self.two.now)
        self.pass_time(60)
        self.assertEqual(self.ended(), [])

    def test_given_up_by_the_other(self) -> None:
        """The other side takes nothing any more at its SPI, and names no other: it is over (RFC 8046 §5.3)."""
        info = ESPInfo(0, self.far.inbound.spi, 0)
        self.far.updates.request(
            [(ParameterType.ESP_INFO, info.encode())], [path(0)], self.two.now, lambda *_: None, lambda: None
        )
        self.two.talk()
        self.assertEqual(self.ended()[0], (0, "the other side takes nothing any more"))


class NotifyTests(AssociationCase):
    """What is told of errors."""

    def update(self) -> bytes:
        """Return an UPDATE that the far one sends."""
        self.far.updates.request([], [path(0)], self.two.now, lambda *_: None, lambda: None)
        return self.two.work(1)[0]

    def test_told(self) -> None:
        """The other side is told of a wrong signature in a packet whose MAC is right, once a second."""
        for _ in range(5):
            self.assertRaises(
                BadPacket, self.two.deliver, 0, spoiled(self.update(), ParameterType.HIP_SIGNATURE)
            )
        (octets,) = self.two.work(0)
        self.two.deliver(1, octets)
        self.two.work(1)
        (noticed,) = (thing for _, thing in self.two.done if isinstance(thing, Noticed))
        self.assertEqual(noticed.notification.name, "AUTHENTICATION_FAILED")
        self.assertEqual(self.states(), (State.ESTABLISHED, State.R2_SENT))

    def test_unsupported_locator(self) -> None:
        """It is told of a preferred locator of a type that is not known here, and gets its acknowledgement (RFC 8046 §5.3)."""
        locator = bytes([0, 9, 1, 1]) + bytes(4) + b"what"
        self.far.updates.request(
            [(ParameterType.LOCATOR_SET, locator)], [path(0)], self.two.now, lambda *_: None, lambda: None
        )
        self.two.talk()
        (noticed,) = (thing for _, thing in self.two.done if isinstance(thing, Noticed))
        self.assertEqual(noticed.notification, Notification(NotifyType.LOCATOR_TYPE_UNSUPPORTED, locator))
        self.assertEqual(self.far.updates.waiting, 0)

    def test_not_told(self) -> None:
        """Nobody is told of a wrong MAC: anybody may have sent it."""
        self.assertRaises(BadPacket, self.two.deliver, 0, spoiled(self.update(), ParameterType.HIP_MAC))
        self.assertEqual(self.two.work(0), [])

    def test_heard_once(self) -> None:
        """The same error is told to people once; a state is told to nobody."""
        kinds = (
            NotifyType.BLOCKED_BY_POLICY,
            NotifyType.BLOCKED_BY_POLICY,
            NotifyType.I2_ACKNOWLEDGEMENT,
            NotifyType.BLOCKED_BY_POLICY,
        )
        for kind in kinds:
            self.far.notify(kind)
            self.two.talk()
            self.two.now += 1
        noticed = [thing.notification for _, thing in self.two.done if isinstance(thing, Noticed)]
        self.assertEqual(noticed, [Notification(NotifyType.BLOCKED_BY_POLICY)])

    def test_unknown(self) -> None:
        """An error that is not known is told as its number (RFC 7401 §5.2.19)."""
        self.assertEqual(Notification(9999).name, "error 9999")
        self.assertTrue(Notification(16383).is_error)
        self.assertFalse(Notification(16384).is_error)

    def test_many(self) -> None:
        """Of NOTIFYs, which carry no MAC, a few are verified in a second."""
        own = self.far.agreement.own
        forged = spoiled(
            notify_packet(own, self.near.agreement.own.hit, NotifyType.BLOCKED_BY_POLICY),
            ParameterType.HIP_SIGNATURE,
        )
        refused = 0
        for _ in range(100):
            try:
                self.two.deliver(0, forged)
            except BadPacket:
                refused += 1
        self.assertEqual(refused, MOST_NOTICES)
        self.two.now += 1.1
        self.assertRaises(BadPacket, self.two.deliver, 0, forged)
