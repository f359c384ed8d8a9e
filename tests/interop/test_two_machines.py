"""A call between two machines on one cable, in network namespaces: nothing but multicast tells the nodes of each other."""

from __future__ import annotations

from pathlib import Path

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program
from tests.interop.together import as_it_should_be

SCRIPT = Path(__file__).with_name("namespace_call.py")


class TwoMachinesTests(TestCase):
    """Real interfaces, real multicast, and nothing shared between the machines."""

    timeout = 90

    async def test_call(self) -> None:
        """They find each other by IPv4 multicast, and hear each other over IPv4; by IPv6 both, on a cable without IPv4.

        The script looks at what both have heard; both cables are there at a time.
        """
        require_program("baresip")
        folder = Path(self.mktemp()).absolute()
        versions = ("4", "6")
        await as_it_should_be(
            *(run_in_namespace(reactor, SCRIPT, str(folder / each), each, "call") for each in versions)
        )
