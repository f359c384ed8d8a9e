"""R1 packets made beforehand, so that an I1 costs a hash and leaves no trace (RFC 7401 §4.1.1, §6.7.1, Appendix A).

Theory of operation. An R1 is signed without receiver, #I and opaque octets, which are put in when it is sent: the signature does
not cover them. Each has a generation counter of its own, which comes back in the I2 and says which Diffie-Hellman key it is for. #I is
a keyed hash of the generation, the difficulty, both HITs and the Initiator's address; the opaque octets say with which secret. So an
I2 can be judged without anything having been kept of its I1.

A Diffie-Hellman key is *offered* until a first valid I2 has come for it (or, while many I1s come, until it is five minutes old, so that a
storm of good I2s cannot make us make keys all the time). An R1 is *answered* as long as a puzzle that was given out with it lasts, and
then its key is forgotten. What was accepted once is never accepted again: the same I2 would make the same keys.

#I also covers the *incarnation*: the number of the association that stands with that Initiator, 0 if none does. So an I2 that is older than
an association, late or replayed, cannot take its place, of which the other side would know nothing (RFC 7401 §6.9, step 7).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from p2pship.bearer.hip.authentication import add_signature_2
from p2pship.bearer.hip.diffiehellman import KeyPair, new_key_pair
from p2pship.bearer.hip.hostidentity import OwnHostIdentity
from p2pship.bearer.hip.natparameters import encode_modes
from p2pship.bearer.hip.numbers import (
    DHGroup,
    NATTraversalMode,
    NotifyType,
    PacketType,
    ParameterType,
    TransportFormat,
)
from p2pship.bearer.hip.packet import HEADER_SIZE, HIT_SIZE, BadPacket, Builder, Packet, padded
from p2pship.bearer.hip.parameters import (
    DiffieHellman,
    Puzzle,
    Solution,
    decode_counter,
    decode_list,
    encode_counter,
    encode_esp_transform,
    encode_hit_suites,
    encode_list,
)
from p2pship.bearer.hip.puzzle import SECRET_SIZE, is_solved, random_of
from p2pship.bearer.hip.suites import OFFERED_CIPHERS, OFFERED_ESP, OFFERED_HIT_SUITES, rhash_of

LIFETIME = 37
"Of a puzzle: 2^(37 - 32) = 32 s (RFC 7401 §5.2.4)."

LIFETIME_SECONDS = 32.0

LONGEST_OFFERED = 300.0
"Seconds for which one Diffie-Hellman key is offered at most."

SECRET_TIME = 64.0
"Seconds after which #I is made from a new secret; the one before is known for one puzzle's life."

MOST_BAD = 3
"I2s that may be wrong with one and the same #I: another one costs their sender an I1."

MOST_GOOD = 8
"I2s that are accepted with one and the same #I: who begins anew more often has to ask for another one."

MOST_TURNS = 32
"""Times that who asks again gets another #I because the one before is used up. Else whoever spoils three I2s on their way, or is behind
the same address, would keep an Initiator out for as long as #I stays the same; without end each I1 would cost as many hashes."""

MOST_PUZZLES = 4096
"Puzzles remembered for one R1, as something came for them: it is then no longer answered, so that no memory is eaten up."

GENERATION_OCTETS = 7
"How far apart two Host Identities count generations: up to 2^56, which leaves room in the 64 bits for ever."

STARTS_A_SECOND = 8
"Starts that generations tell apart; a node takes longer than that to begin anew."

CHANCE_OCTETS = 3
"Of a generation, below the time of the start: no millisecond is seen, by which two would be known that are begun anew together."


class Stale(BadPacket):
    """An I2 answers no R1 that is known."""


class Repeated(BadPacket):
    """An I2 has a solution that was used before."""


@dataclass(slots=True, eq=False)
class R1:
    """One R1 made beforehand."""

    octets: bytes
    "without receiver, #I and opaque octets"
    generation: int
    difficulty: int
    key_pair: KeyPair
    host_id: bytes
    "its HOST_ID, with type and padding, which HIP_MAC_2 covers"
    made_at: float
    offered_until: float = 0.0
    "when the last puzzle that was given out with it ends"
    is_offered: bool = True
    wrong: dict[bytes, int] = field(default_factory=dict)
    "how often what came for a #I was wrong"
    accepted: dict[bytes, set[bytes]] = field(default_factory=dict)
    "each #J that was accepted, by #I"

    @property
    def is_full(self) -> bool:
        """Whether it has been answered so often that no more is remembered of it."""
        return len(self.wrong) + len(self.accepted) >= MOST_PUZZLES


class R1Pool:
    """All R1s of one Host Identity. ``groups`` are the Diffie-Hellman groups, most preferred first."""

    def __init__(
        self,
        own: OwnHostIdentity,
        groups: Sequence[DHGroup],
        random: Callable[[int], bytes],
        difficulty: Callable[[float], int],
        now: float,
    ) -> None:
        """Begin; ``difficulty`` says #K at a time, and ``now`` begins the count of generations, so that none comes twice after a restart.

        Where it begins differs from one Host Identity to the next, and from one start to the next it grows by another number,
        or their R1s would show that they were begun in the same millisecond, and so are of one node.
        """
        self._own = own
        self._groups = tuple(groups)
        self._random = random
        self._difficulty = difficulty
        self._rhash = rhash_of(own.hit)
        start = int(now * STARTS_A_SECOND) << 8 * CHANCE_OCTETS | int.from_bytes(random(CHANCE_OCTETS), "big")
        self._generation = start + int.from_bytes(own.secret[:GENERATION_OCTETS], "big")
        self._offered: dict[tuple[DHGroup, bool], R1] = {}
        self._answered: dict[int, R1] = {}
        self._secrets: dict[int, bytes] = {}
        self._secret = 0
        self._secret_until = 0.0
        puzzle = HEADER_SIZE + padded(len(encode_counter(0)))
        self._opaque = puzzle + 6
        "where the opaque octets of the PUZZLE are, and behind them #I"

    # what is sent

    def answer(self, i1: Packet, host: str, encapsulated: bool, incarnation: int, now: float) -> bytes:
        """Return the R1 for an I1 that came from an IP address; ``encapsulated`` tells whether it came in UDP.

        ``incarnation`` is the number of the association that stands with its sender, 0 if none does.

        :raises BadPacket: if the I1 is not valid.
        """
        offered = decode_list(ParameterType.DH_GROUP_LIST, i1.need(ParameterType.DH_GROUP_LIST))
        group = next((group for group in self._groups if group in offered), self._groups[0])
        r1 = self._r1(group, encapsulated, now)
        r1.offered_until = now + LIFETIME_SECONDS
        number = self._current_secret(now)
        random = self._puzzle_random(self._secrets[number], r1, i1.sender, host, incarnation)
        octets, opaque = r1.octets, self._opaque
        return b"".join((
            octets[:24], i1.sender, octets[40:opaque], number.to_bytes(2, "big"), random, octets[opaque + 2 + len(random) :]
        ))  # fmt: skip

    def _r1(self, group: DHGroup, encapsulated: bool, now: float) -> R1:
        r1 = self._offered.get((group, encapsulated))
        difficulty = self._difficulty(now)
        if r1 is None or not _is_offered(r1, now):
            r1 = self._make(group, encapsulated, difficulty, new_key_pair(group), now)
        elif r1.difficulty != difficulty:
            r1 = self._make(group, encapsulated, difficulty, r1.key_pair, r1.made_at)
        return r1

    def _make(
        self, group: DHGroup, encapsulated: bool, difficulty: int, key_pair: KeyPair, made_at: float
    ) -> R1:
        self._generation += 1
        size = self._rhash.size
        builder = Builder(PacketType.R1, self._own.hit, bytes(HIT_SIZE))
        builder.add(ParameterType.R1_COUNTER, encode_counter(self._generation))
        builder.add(ParameterType.PUZZLE, Puzzle(difficulty, LIFETIME, 0, bytes(size)).encode())
        builder.add(ParameterType.DH_GROUP_LIST, encode_list(ParameterType.DH_GROUP_LIST, self._groups))
        builder.add(ParameterType.DIFFIE_HELLMAN, DiffieHellman(group, key_pair.public).encode())
        builder.add(ParameterType.HIP_CIPHER, encode_list(ParameterType.HIP_CIPHER, OFFERED_CIPHERS))
        if encapsulated:
            builder.add(ParameterType.NAT_TRAVERSAL_MODE, encode_modes((NATTraversalMode.UDP_ENCAPSULATION,)))
        before = len(builder.octets())
        builder.add(ParameterType.HOST_ID, self._own.host_id.encode())
        host_id = builder.octets()[before:]
        builder.add(ParameterType.HIT_SUITE_LIST, encode_hit_suites(OFFERED_HIT_SUITES))
        builder.add(
            ParameterType.TRANSPORT_FORMAT_LIST,
            encode_list(ParameterType.TRANSPORT_FORMAT_LIST, (TransportFormat.ESP,)),
        )
        builder.add(ParameterType.ESP_TRANSFORM, encode_esp_transform(OFFERED_ESP))
        add_signature_2(builder, self._own)
        r1 = R1(builder.octets(), self._generation, difficulty, key_pair, host_id, made_at)
        self._offered[group, encapsulated] = r1
        self._answered[self._generation] = r1
        return r1

    def _current_secret(self, now: float) -> int:
        if now >= self._secret_until:
            self._secret = (self._secret + 1) & 0xFFFF
            self._secrets[self._secret] = self._random(SECRET_SIZE)
            self._secret_until = now + SECRET_TIME
            self._secrets.pop((self._secret - 2) & 0xFFFF, None)
            self.forget_old(now)
        return self._secret

    def _puzzle_random(self, secret: bytes, r1: R1, initiator: bytes, host: str, incarnation: int) -> bytes:
        """Return #I: the first of those for this Initiator that is not used up."""
        said = b"%d %d %d %b %b" % (
            r1.generation,
            r1.difficulty,
            incarnation,
            initiator,
            host.encode("ascii"),
        )
        random = random_of(secret, said, self._rhash)
        for turn in range(MOST_TURNS):
            if not _is_used_up(r1, random):
                break
            random = random_of(secret, b"%d %b" % (turn, said), self._rhash)
        return random

    # what comes back

    def solved(self, i2: Packet, host: str, incarnation: int, now: float) -> tuple[R1, Solution]:
        """Return the R1 that an I2 from an IP address answers, whose puzzle it has solved, and the solution.

        :raises Stale: if there is no such R1 any more.
        :raises Repeated: if the solution was accepted before, or what came for this puzzle was wrong too often.
        :raises BadPacket: if it solves nothing.
        """
        r1 = self._answered.get(decode_counter(i2.need(ParameterType.R1_COUNTER)))
        solution = Solution.decode(i2.need(ParameterType.SOLUTION))
        secret = self._secrets.get(solution.opaque)
        if r1 is None or secret is None or r1.offered_until < now:
            raise Stale()
        if solution.difficulty != r1.difficulty or len(solution.solution) != self._rhash.size:
            raise BadPacket("the solution is of another puzzle")
        if _is_used(r1, solution):
            raise Repeated()
        if solution.random != self._puzzle_random(secret, r1, i2.sender, host, incarnation):
            raise Stale("the puzzle was given to somebody else, or before another association was made")
        puzzle = solution.random, i2.sender, self._own.hit
        if not is_solved(self._rhash, puzzle, solution.solution, r1.difficulty):
            raise BadPacket("the puzzle is not solved")
        return r1, solution

    def was_wrong(self, r1: R1, solution: Solution) -> None:
        """Hear that an I2 with this solution was not valid otherwise."""
        r1.wrong[solution.random] = r1.wrong.get(solution.random, 0) + 1
        r1.is_offered = r1.is_offered and not r1.is_full

    def accepted(self, r1: R1, solution: Solution, is_loaded: bool) -> None:
        """Hear that an I2 with this solution was valid; ``is_loaded`` tells whether very many I1s come."""
        r1.accepted.setdefault(solution.random, set()).add(solution.solution)
        if is_loaded and not r1.is_full:
            return
        for each in self._offered.values():
            if each.key_pair is r1.key_pair:
                each.is_offered = False

    @property
    def answers_any(self) -> bool:
        """Whether there are keys that :meth:`forget_old` will have to forget."""
        return bool(self._answered)

    def forget_old(self, now: float) -> None:
        """Forget the keys that no puzzle given out is for; those that may be offered again stay."""
        self._offered = {kind: r1 for kind, r1 in self._offered.items() if _is_offered(r1, now)}
        offered = set(map(id, self._offered.values()))
        for generation, r1 in tuple(self._answered.items()):
            if r1.offered_until < now and id(r1) not in offered:
                del self._answered[generation]


def _is_offered(r1: R1, now: float) -> bool:
    return r1.is_offered and now <= r1.made_at + LONGEST_OFFERED


def _is_used(r1: R1, solution: Solution) -> bool:
    """Tell whether a solution was accepted, or its #I was answered too often."""
    accepted = r1.accepted.get(solution.random, ())
    return solution.solution in accepted or _is_used_up(r1, solution.random) or r1.is_full


def _is_used_up(r1: R1, random: bytes) -> bool:
    """Tell whether a #I was answered too often."""
    return len(r1.accepted.get(random, ())) >= MOST_GOOD or r1.wrong.get(random, 0) >= MOST_BAD


def check_group(r1: R1, chosen: DiffieHellman) -> None:
    """Check that an I2's public value is of the group of its R1.

    :raises BadPacket: if it is of another one.
    """
    if chosen.group != r1.key_pair.group:
        raise BadPacket("the Diffie-Hellman group is not the one of the R1", NotifyType.INVALID_DH_CHOSEN)
