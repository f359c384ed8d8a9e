"""The sections ``[sip]`` and ``[sip.network]`` of the configuration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from p2pship.address import is_loopback
from p2pship.config import check_aor_domain, check_host, check_port_or_any, each, option
from p2pship.errors import ConfigError
from p2pship.identity.aor import canonical_aor
from p2pship.sectionreader import Check
from p2pship.sip.digest import ALGORITHMS

ANY = "any"
"Whatever name a phone registers: it gets an identity where it has none yet."
EXISTING = "existing"
"The names of this node's own identities."
LISTED = "listed"
"Those of them that the section names."


def _one_of(*choices: str) -> Check:
    def check(value: str) -> None:
        if value not in choices:
            raise ValueError(f"give one of {', '.join(choices)}")

    return check


def _check_host_or_none(value: str) -> None:
    if value:
        check_host(value)


def _check_name(value: str) -> None:
    canonical = canonical_aor(value)
    if value != canonical:
        raise ValueError(f"write {value} as {canonical}")


def _check_digest(values: Sequence[str]) -> None:
    if not values or len(set(values)) < len(values) or not set(values) <= set(ALGORITHMS):
        raise ValueError(f"give one or more of {', '.join(ALGORITHMS)}, each once")


def _check_listed(register: str, names: Iterable[str]) -> None:
    if register == LISTED and not names:
        raise ValueError(
            'register = "listed" needs names = ["alice@example.com", …]: the names that may register'
        )


@dataclass(frozen=True)
class SIPSettings:
    """Where the phones of this machine register, and which names they get."""

    listen: str = option(
        "127.0.0.1",
        "The address at which phones register, by UDP and TCP. Those on loopback need no password. For phones of other "
        "machines there is [sip.network].",
        check=check_host,
    )
    port: int = option(
        5060,
        "The port at which phones register. If it is taken, the next free one is chosen, kept and said. 0 takes any.",
        check=check_port_or_any,
    )
    register: str = option(
        ANY,
        'Which names phones may register: "any" (a new name gets an identity; on loopback only), "existing" (the '
        'identities of this node) or "listed" (those in names).',
        check=_one_of(ANY, EXISTING, LISTED),
    )
    names: tuple[str, ...] = option([], 'The names for register = "listed".', check=each(_check_name))
    domain: str = option(
        "home.p2pship.alt",
        "The domain of a phone that registers at this node's own address or host name: alice@127.0.0.1 becomes "
        "alice@DOMAIN.",
        check=check_aor_domain,
    )
    anonymous: bool = option(
        True,
        "Whether calls of people who do not show their name (RFC 3323) are taken; otherwise they hear 433. The node knows "
        "who they are either way.",
    )
    digest: tuple[str, ...] = option(
        list(ALGORITHMS),
        "The algorithms with which phones may prove themselves, in the order in which they are offered (RFC 8760). Leave MD5 "
        "out if all your phones know SHA-256. Old phones that give up at an offer that they do not know are offered MD5 alone "
        "when they try anew.",
        check=_check_digest,
    )

    def __post_init__(self) -> None:
        _check_listed(self.register, self.names)
        if self.register == ANY and not is_loopback(self.listen):
            raise ValueError(
                f'register = "any" is for loopback only: at {self.listen} anybody could take any name; '
                'write register = "existing", or listen = "127.0.0.1" and a [sip.network] for the others'
            )


@dataclass(frozen=True)
class SIPNetworkSettings:
    """Where phones of other machines register. Each needs a password: p2pship phone password NAME."""

    listen: str = option(
        "",
        'The address at which they register, by UDP and TCP, such as "192.168.1.2", or "0.0.0.0" for every one. Empty: '
        "none are served. Nothing is encrypted between phone and node: use it in networks that you trust to that extent.",
        check=_check_host_or_none,
    )
    port: int = option(
        5060,
        "The port at which they register. If it is taken, the next free one is chosen, kept and said. 0 takes any.",
        check=check_port_or_any,
    )
    register: str = option(
        EXISTING,
        'Which names they may register: "existing" (the identities of this node that have a phone password) or "listed" '
        "(those in names).",
        check=_one_of(EXISTING, LISTED),
    )
    names: tuple[str, ...] = option([], 'The names for register = "listed".', check=each(_check_name))

    def __post_init__(self) -> None:
        _check_listed(self.register, self.names)


def check_listeners(sip: SIPSettings, network: SIPNetworkSettings) -> None:
    """Look that each phone has one place to register at.

    :raises ConfigError: if phones of other machines would have two.
    """
    if network.listen and not is_loopback(sip.listen):
        raise ConfigError(
            f"[sip] listens at {sip.listen} and [sip.network] at {network.listen}, both for phones of other machines: "
            'write listen = "127.0.0.1" in [sip], or leave listen of [sip.network] empty'
        )
