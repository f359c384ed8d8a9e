"""The Initiator's side of a base exchange: I1, R1, the puzzle, I2, R2 (RFC 7401 §6.6, §6.8, §6.10).

Packets are checked and made here; when they are sent again, and where to, is :mod:`p2pship.bearer.hip.dialling`'s.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence

from p2pship.bearer.hip.agreement import Agreement, esp_index
from p2pship.bearer.hip.authentication import (
    add_mac,
    add_signature,
    check_mac_2,
    check_signature,
    check_signature_2,
)
from p2pship.bearer.hip.contest import Contest, key_of
from p2pship.bearer.hip.diffiehellman import new_key_pair
from p2pship.bearer.hip.encrypted import encrypt
from p2pship.bearer.hip.esp import SMALLEST_SPI
from p2pship.bearer.hip.generations import Generations
from p2pship.bearer.hip.hostidentity import HostIdentity, OwnHostIdentity, hit_in, read_host_identity
from p2pship.bearer.hip.keymat import Keymat
from p2pship.bearer.hip.natparameters import decode_modes, encode_modes
from p2pship.bearer.hip.numbers import (
    Cipher,
    DHGroup,
    ESPSuite,
    NATTraversalMode,
    NotifyType,
    PacketType,
    ParameterType,
    TransportFormat,
)
from p2pship.bearer.hip.packet import HIT_SIZE, BadPacket, Builder, Packet, tlv
from p2pship.bearer.hip.parameters import (
    DiffieHellman,
    ESPInfo,
    Puzzle,
    Solution,
    decode_ciphers,
    decode_counter,
    decode_esp_transform,
    decode_hit_suites,
    decode_list,
    encode_esp_transform,
    encode_list,
)
from p2pship.bearer.hip.puzzle import Solver
from p2pship.bearer.hip.suites import (
    CIPHER_KEY,
    OFFERED_CIPHERS,
    OFFERED_ESP,
    hit_suite,
    rhash_of,
)

MOST_DIFFICULT = 18
"#K of a puzzle that is solved: a quarter of a million hashes. Who asks for more wants to keep us busy."

OLDER_AFTER = 1.0
"""Seconds after an R1 that is older than it should be until such a one is answered that has not come before: who has lost count may
make each R1 anew, and then none ever comes again (RFC 7401 §4.1.4)."""

MOST_ANSWERED = 16
"I2s of one attempt whose R2 is still taken: each is to another R1, of which only one is the Responder's."


class Refused(BadPacket):
    """The Responder is who it should be, and there is no way to agree with it."""


class Initiator:
    """One base exchange that we began. ``peer_hit`` is zero in opportunistic mode (RFC 7401 §4.1.8)."""

    def __init__(
        self,
        own: OwnHostIdentity,
        peer_hit: bytes,
        groups: Sequence[DHGroup],
        random: Callable[[int], bytes],
        new_spi: Callable[[], int],
        generations: Generations,
    ) -> None:
        """Begin; an R1 that is older than ``generations`` knows has to come again to be answered, or after :data:`OLDER_AFTER`."""
        self.own = own
        self.peer_hit = peer_hit
        self._groups = tuple(groups)
        self._random = random
        self._new_spi = new_spi
        self._generations = generations
        self._oldest = generations.oldest(peer_hit)
        self.contest = Contest(int.from_bytes(random(2), "big") / 0x10000)
        self._older_until = math.inf
        self._answered: deque[tuple[Agreement, bytes]] = deque(maxlen=MOST_ANSWERED)
        self._r1: Packet | None = None
        self.generation = -1
        "the counter of the R1 that is being answered; -1 if none is"
        self._peer: HostIdentity | None = None
        self._agreement: Agreement | None = None
        self.solver: Solver | None = None
        "what is to be worked on now"
        self.solve_until = 0.0
        "when the solution would come too late"
        self.i2: bytes | None = None

    def i1(self) -> bytes:
        """Return the I1."""
        builder = Builder(PacketType.I1, self.own.hit, self.peer_hit)
        builder.add(ParameterType.DH_GROUP_LIST, encode_list(ParameterType.DH_GROUP_LIST, self._groups))
        return builder.octets()

    @property
    def has_answered(self) -> bool:
        """Whether an I2 was made to which an R2 may come."""
        return bool(self._answered)

    @property
    def agreement(self) -> Agreement | None:
        """What will be agreed on when the R2 comes; None as long as no I2 was made."""
        return self._agreement

    def begin_anew(self) -> None:
        """Take any R1 again: what was answered has led nowhere."""
        self._r1 = self._peer = self._agreement = self.solver = self.i2 = None
        self.generation = -1
        self.contest.forgive()

    def forget_answered(self) -> None:
        """Take no R2 to any I2 that was made."""
        self._answered.clear()

    # R1

    def r1(self, packet: Packet, now: float, is_expected: bool, may_change: bool) -> bool:
        """Take an R1; returns whether it is used, and its puzzle is now :attr:`solver`'s.

        ``is_expected`` tells whether it came from where an I1 was sent to, ``may_change`` whether it may be used in place of another one of
        which nothing has come.

        :raises Refused: if it is from the right host, and there is nothing to agree on.
        :raises BadPacket: if it is not valid: another one may be.
        """
        if self.peer_hit not in (packet.sender, bytes(HIT_SIZE)):
            return False
        counter = packet.find(ParameterType.R1_COUNTER)
        generation = decode_counter(counter) if counter is not None else 0
        contest, key = self.contest, key_of(packet)
        contest.r1_came()
        if contest.is_judged(key) or not self._is_wanted(generation, key, may_change, is_expected, now):
            return False
        contest.judge(key)
        try:
            self._use(packet, generation, now)
        except BadPacket:
            contest.look()
            raise
        return True

    def _is_wanted(
        self, generation: int, key: bytes, may_change: bool, is_expected: bool, now: float
    ) -> bool:
        """Tell whether an R1 that was not seen before may be the one to be answered, and is to be verified now."""
        came_before = self.contest.came_before(key)
        is_newer = generation > self.generation and self._is_current(generation, now)
        may_be = is_newer or (came_before and (may_change or self.generation < 0))
        wanted = may_be and self.contest.admits(not came_before, is_expected, now)
        if not wanted:
            self.contest.look()
        return wanted

    def _is_current(self, generation: int, now: float) -> bool:
        """Tell whether an R1 is not older than it should be, or has to do as no other is answered."""
        if generation >= self._oldest:
            return True
        self.contest.is_on = True
        self._older_until = min(self._older_until, now + OLDER_AFTER)
        return self.generation < 0 and now >= self._older_until

    def _use(self, packet: Packet, generation: int, now: float) -> None:
        """Answer an R1 from now on, if it is right."""
        host_id = packet.need(ParameterType.HOST_ID)
        if hit_in(host_id) != packet.sender:
            raise BadPacket("the HIT is not that of the Host Identity", NotifyType.INVALID_HIT)
        peer = read_host_identity(host_id)
        check_signature_2(packet, peer)
        self._check(packet)
        self._generations.note(peer.hit, generation)
        puzzle = Puzzle.decode(packet.need(ParameterType.PUZZLE))
        rhash = rhash_of(peer.hit)
        if len(puzzle.random) != rhash.size:
            raise BadPacket(f"the #I of a puzzle has {len(puzzle.random)} octets, not {rhash.size}")
        if puzzle.difficulty > MOST_DIFFICULT:
            raise Refused(
                f"the puzzle has a difficulty of {puzzle.difficulty}; more than {MOST_DIFFICULT} is not solved"
            )
        self._r1, self.generation, self._peer, self._agreement = packet, generation, peer, None
        self.solver = Solver(rhash, (puzzle.random, self.own.hit, peer.hit), puzzle.difficulty, self._random)
        self.solve_until = now + puzzle.seconds

    def _check(self, packet: Packet) -> None:
        """Check that we can agree, and that nobody has changed what we offered (RFC 7401 §4.1.7, §6.8)."""
        if hit_suite(self.own.hit) not in decode_hit_suites(packet.need(ParameterType.HIT_SUITE_LIST)):
            raise Refused("the other side does not take our kind of HIT", NotifyType.UNSUPPORTED_HIT_SUITE)
        groups = decode_list(ParameterType.DH_GROUP_LIST, packet.need(ParameterType.DH_GROUP_LIST))
        best = next((group for group in groups if group in self._groups), None)
        if best is None:
            raise Refused("there is no common Diffie-Hellman group", NotifyType.NO_DH_PROPOSAL_CHOSEN)
        if DiffieHellman.decode(packet.need(ParameterType.DIFFIE_HELLMAN)).group != best:
            raise BadPacket(
                "the Diffie-Hellman group is not the best: somebody has changed the I1 on its way"
            )
        if _first(OFFERED_CIPHERS, decode_ciphers(packet.need(ParameterType.HIP_CIPHER))) is None:
            raise Refused("there is no common cipher", NotifyType.NO_HIP_PROPOSAL_CHOSEN)
        formats = decode_list(
            ParameterType.TRANSPORT_FORMAT_LIST, packet.need(ParameterType.TRANSPORT_FORMAT_LIST)
        )
        if TransportFormat.ESP not in formats:
            raise Refused("there is no common transport format", NotifyType.NO_ESP_PROPOSAL_CHOSEN)
        if _first(OFFERED_ESP, decode_esp_transform(packet.need(ParameterType.ESP_TRANSFORM))) is None:
            raise Refused("there is no common ESP suite", NotifyType.NO_ESP_PROPOSAL_CHOSEN)

    # I2

    def solved(self, solution: bytes) -> bytes:
        """Take the #J that :attr:`solver` found, and return the I2."""
        assert self._r1 is not None and self._peer is not None
        self.solver = None
        r1, peer = self._r1, self._peer
        puzzle = Puzzle.decode(r1.need(ParameterType.PUZZLE))
        their = DiffieHellman.decode(r1.need(ParameterType.DIFFIE_HELLMAN))
        pair = new_key_pair(their.group)
        rhash = rhash_of(peer.hit)
        cipher = _first(OFFERED_CIPHERS, decode_ciphers(r1.need(ParameterType.HIP_CIPHER)))
        suite = _first(OFFERED_ESP, decode_esp_transform(r1.need(ParameterType.ESP_TRANSFORM)))
        assert cipher is not None and suite is not None
        secret = pair.secret(their.public)
        keymat = Keymat(rhash, puzzle.random, solution, secret, self.own.hit, peer.hit)
        sizes = CIPHER_KEY[Cipher(cipher)], rhash.size
        own_keys, peer_keys = keymat.draw(0, sizes, self.own.hit > peer.hit)
        self._agreement = Agreement(
            self.own,
            peer,
            rhash,
            Cipher(cipher),
            ESPSuite(suite),
            their.group,
            their.public,
            keymat,
            own_keys,
            peer_keys,
            self._new_spi(),
            0,
        )
        host_id = r1.parameter(ParameterType.HOST_ID)
        assert host_id is not None
        self._answered.append((self._agreement, r1.raw[host_id.start : host_id.end]))
        answer = Solution(puzzle.difficulty, puzzle.opaque, puzzle.random, solution)
        self.i2 = self._i2(r1, self._agreement, answer, DiffieHellman(their.group, pair.public))
        return self.i2

    def _i2(self, r1: Packet, agreement: Agreement, solution: Solution, public: DiffieHellman) -> bytes:
        builder = Builder(PacketType.I2, self.own.hit, agreement.peer.hit)
        index = esp_index(agreement.rhash, agreement.cipher)
        builder.add(ParameterType.ESP_INFO, ESPInfo(index, 0, agreement.own_spi).encode())
        counter = r1.find(ParameterType.R1_COUNTER)
        if counter is not None:
            builder.add(ParameterType.R1_COUNTER, counter)
        builder.add(ParameterType.SOLUTION, solution.encode())
        builder.add(ParameterType.DIFFIE_HELLMAN, public.encode())
        builder.add(ParameterType.HIP_CIPHER, encode_list(ParameterType.HIP_CIPHER, (agreement.cipher,)))
        modes = r1.find(ParameterType.NAT_TRAVERSAL_MODE)
        if modes is not None and NATTraversalMode.UDP_ENCAPSULATION in decode_modes(modes):
            builder.add(ParameterType.NAT_TRAVERSAL_MODE, encode_modes((NATTraversalMode.UDP_ENCAPSULATION,)))
        host_id = tlv(ParameterType.HOST_ID, self.own.host_id.encode())
        hidden = encrypt(agreement.own_keys.encryption, host_id, self._random)
        builder.add(ParameterType.ENCRYPTED, hidden)
        for asked in r1.all(ParameterType.ECHO_REQUEST_SIGNED):
            builder.add(ParameterType.ECHO_RESPONSE_SIGNED, asked)
        formats = encode_list(ParameterType.TRANSPORT_FORMAT_LIST, (TransportFormat.ESP,))
        builder.add(ParameterType.TRANSPORT_FORMAT_LIST, formats)
        builder.add(ParameterType.ESP_TRANSFORM, encode_esp_transform((agreement.suite,)))
        add_mac(builder, agreement.rhash, agreement.own_keys.mac)
        add_signature(builder, self.own)
        for asked in r1.all(ParameterType.ECHO_REQUEST_UNSIGNED):
            builder.add(ParameterType.ECHO_RESPONSE_UNSIGNED, asked)
        return builder.octets()

    # what else comes

    def notified(self, packet: Packet) -> None:
        """Check that a NOTIFY is from whom the I2 was sent to (RFC 7401 §5.3.6).

        :raises BadPacket: if it is not.
        """
        if self._peer is None or packet.sender != self._peer.hit:
            raise BadPacket("no NOTIFY is expected")
        check_signature(packet, self._peer)

    # R2

    def r2(self, packet: Packet) -> Agreement:
        """Take an R2, and return what is agreed on.

        :raises BadPacket: if it is not valid: another one may be.
        """
        agreement = self._answers(packet)
        check_signature(packet, agreement.peer)
        info = ESPInfo.decode(packet.need(ParameterType.ESP_INFO))
        if info.new_spi < SMALLEST_SPI or info.keymat_index != esp_index(agreement.rhash, agreement.cipher):
            raise BadPacket("ESP_INFO is not that of a new association")
        return agreement.with_peer_spi(info.new_spi)

    def _answers(self, packet: Packet) -> Agreement:
        """Return what an R2 agrees to; the I2 that was sent last is the first that is looked at."""
        error = BadPacket("no R2 is waited for")
        for agreement, host_id in reversed(self._answered):
            if packet.sender != agreement.peer.hit:
                continue
            try:
                check_mac_2(packet, agreement.rhash, agreement.peer_keys.mac, host_id)
            except BadPacket as found:
                error = found
            else:
                return agreement
        raise error


def _first(preferred: Sequence[int], offered: Sequence[int]) -> int | None:
    """Return what we like best of what is offered."""
    return next((each for each in preferred if each in offered), None)
