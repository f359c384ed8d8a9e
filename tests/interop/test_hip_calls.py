"""Calls over HIP between real phones on two machines: what moves, falls silent or begins anew is the link, and the call goes on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from p2pship.testing.cable import require_cables
from p2pship.testing.namespace import run_in_namespace
from p2pship.testing.programs import require_program
from tests.interop.intime import in_time
from tests.scale import SCALE

SCRIPT = Path(__file__).with_name("namespace_hip_calls.py")


class HIPCallTests(TestCase):
    """Real nodes and phones; the script looks at every RTP packet that reaches a phone."""

    timeout = 300

    async def check(self, *happens: str) -> None:
        """Let things happen to a call, each of them to another one; those with commas between them one after the other."""
        require_program("baresip")
        require_cables()
        for each in happens:
            self.assertIn("as it should be", await in_time(partial(self.play, each)))

    def play(self, happens: str) -> Deferred[str]:
        """Run the script, with another folder each time."""
        return run_in_namespace(reactor, SCRIPT, happens, str(Path(self.mktemp()).absolute()), limit=60)

    async def test_move(self) -> None:
        """Both machines move at the same moment, and only the lookup knows where they are: less than two seconds are lost, and no
        phone is asked for anything."""
        await self.check("both move")
        if SCALE:
            await self.check("move")

    async def test_restarted_and_held(self) -> None:
        """The other node is killed and started again, which nobody here hears of: the next call is up within two seconds. When that is
        held it leaves a dead path within a second, and is heard on the other one when it is resumed."""
        await self.check("killed idle,hold")

    async def test_one_way(self) -> None:
        """A call in which one phone is silent leaves a dead path as soon."""
        if SCALE:
            await self.check("one way")

    async def test_restarted(self) -> None:
        """If the other node is killed and started again in a call, the phone that is left hears of it, and can call again at once; so
        can one whose own node was."""
        if SCALE:
            await self.check("killed", "killed caller")

    async def test_keys_change(self) -> None:
        """No packet is lost when the keys change, also if packets are up to 200 ms late."""
        if SCALE:
            await self.check("rekey", "rekey disordered")

    async def test_video(self) -> None:
        """Packets of 1460 octets arrive over paths of 1500 and of 1280 octets that say nothing of what they lose, before and after a
        move."""
        if SCALE:
            await self.check("video 1500", "video 1280")

    async def test_another_version(self) -> None:
        """When the addresses of one version of IP go, the call goes over to the other one, and back."""
        if SCALE:
            await self.check("another version")
