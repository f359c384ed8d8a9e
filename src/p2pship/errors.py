"""The two kinds of error at every edge: ours and theirs.

The docstring of a class is the text that a person reads when nothing more exact is known.
"""


class P2PShipError(Exception):
    """Something went wrong."""

    def __str__(self) -> str:
        return super().__str__() or (type(self).__doc__ or "").strip()


class LocalError(P2PShipError):
    """This node was used wrongly: a bug of ours, or of the code that calls us."""


class RemoteError(P2PShipError):
    """The other side broke a rule: count it, drop it or answer it, and go on."""


class ConfigError(P2PShipError):
    """The configuration cannot be used: the message names the file, the key, the value and the way out."""


class LinkLost(RemoteError):
    """The link to the other device was lost."""


class PeerLost(RemoteError):
    """The other node is gone, or was restarted, and what was under way with it has ended."""


class PeerRestarted(PeerLost):
    """The other node was restarted and is the same person's; it has not confirmed that it took this before."""


class NotReached(RemoteError):
    """None of the device's addresses could be reached."""


class HelloRefused(RemoteError):
    """The other device would not talk to us."""


class PayloadRefused(RemoteError):
    """The other node did not take the payload."""


class BadPapers(RemoteError):
    """A statement or record is not valid: forged, expired, stale or not for this person or device."""
