"""baresip, a SIP phone in C, driven as a person would: register, dial, answer, hold, press keys, write messages.

It has no sound card here: it speaks a WAV file and records what it hears. Commands and events go over its ``ctrl_tcp`` (JSON
in netstrings); a text that it receives is shown only on its console, ``cons``. What was found with baresip 1.0.0:

- it binds its SIP port for UDP and TCP, and the next one for TLS;
- a call ends when the WAV file ends, so the file is to be longer than the call;
- the recording of what is heard ends with the first re-INVITE (such as a hold), while :meth:`Baresip.packets` goes on;
- it is to be stopped before its registrar, because it unregisters first, and lingers while nobody answers.
"""

from __future__ import annotations

import re
import shutil
import wave
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar
from zlib import crc32

from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from p2pship.address import HostPort
from p2pship.testing.audio import RATE, Sound, read_wav, resampled, speech, write_wav
from p2pship.testing.baresipcontrol import Console, Control, Event, Text
from p2pship.testing.programs import Program, ProgramFailed, free_ports, require_program

T = TypeVar("T")

HOST = "127.0.0.1"
"baresip uses one address for everything; on loopback it must be told, or it finds none."

PATIENCE = 30.0
"Seconds for anything that it is asked to do, where nothing else is said: a busy machine takes some of them."

LIFETIME = 900
"Seconds after which it ends by itself, so that a test that was killed leaves none behind."

RTP_PORTS = 32
"Ports for its media: it tries them at random, and two calls need eight."

KEY_PRESS = 0.1
"Seconds for which a key is held down."

KEY_RELEASED = "\x04"
"The code that ends a key press."

UNFINISHED_READS = 40
UNFINISHED_PAUSE = 0.05
"How often, and how many seconds apart, a recording is read that has no head yet: a busy machine closes it late."

MODULE_FOLDERS = ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules")
"Where Debian and baresip's own makefile put its modules."

# It runs in its folder and names files from there, because it cuts the path of a recording after 128 octets.
CONFIG = """\
poll_method epoll
sip_listen {host}:{sip}
net_interface {host}
audio_source aufile,voice.wav
ausrc_srate {rate}
ausrc_channels {channels}
audio_srate 8000-48000
audio_channels 1-2
audio_buffer 20-160
rtp_ports {rtp}-{rtp_end}
rtp_stats yes
call_local_timeout 60
statmode_default off
call_max_calls 4
snd_path .
ctrl_tcp_listen {host}:{control}
cons_listen {host}:{console}
module_path {modules}
module g711.so
module opus.so
module aufile.so
module sndfile.so
module srtp.so
module cons.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app contact.so
module ctrl_tcp.so
"""

VIDEO = """\
video_source fakevideo,nil
video_display fakevideo,nil
video_size 640x480
video_bitrate 1000000
video_fps 25
module vp8.so
module fakevideo.so
"""

RECEIVED = re.compile(r"psent=\d+ rcvd=(\d+)")
"How ``audio_debug`` shows the packets that came from one sender."

SENT = re.compile(r"TX: packets=(\d+)")
"How it shows the packets that were sent."


def available() -> bool:
    """Tell whether baresip is installed."""
    return shutil.which("baresip") is not None


class Baresip:
    """One baresip process with one account."""

    def __init__(
        self,
        reactor: Any,
        folder: Path,
        aor: str,
        proxy: HostPort | None,
        *,
        voice: Sound | None = None,
        codec: str = "pcmu/8000/1",
        transport: str = "udp",
        answer: str = "manual",
        contacts: Sequence[str] = (),
        parameters: Sequence[str] = (),
        host: str = HOST,
        password: str = "none",
        video: bool = False,
    ) -> None:
        """Describe the phone; :meth:`start` starts it.

        :param reactor: provides IReactorProcess, IReactorTCP and IReactorTime
        :param folder: a folder of its own, which is made; everything that it writes goes there
        :param aor: whom it registers as, ``alice@example.com``
        :param proxy: where it registers and sends all that it sends; None: nowhere, it is called at :attr:`uri`
        :param voice: what it says in each call; 60 s of speech, another for each AOR, where nothing is given
        :param codec: name, rate and channels as baresip writes them: ``pcmu/8000/1`` or ``opus/48000/2``
        :param transport: to the proxy: ``udp`` or ``tcp``
        :param answer: ``manual`` or ``auto``
        :param contacts: AORs to which it is going to write messages
        :param host: this machine's address that it uses for everything
        :param password: what it proves itself with where it is asked, with the user part of ``aor`` as user name
        :param video: whether it sends and takes video too, a picture that nobody drew
        :param parameters: more of the account, such as ``mediaenc=srtp-mand`` or ``rtcp_mux=yes``
        """
        self.port = free_ports(4 + RTP_PORTS, host)
        "where it listens for SIP"
        self.uri = f"sip:{aor}" if proxy else f"sip:{aor.partition('@')[0]}@{host}:{self.port}"
        "how to call it"
        self.voice = voice or speech(60, crc32(aor.encode()))
        "what it says in each call"
        self.events: list[Event] = []
        "everything that has happened, oldest first"
        self._reactor = reactor
        self._folder = folder
        self._host = host
        self._codec = codec
        self._contacts = contacts
        self._video = video
        self._registers = proxy is not None
        outbound = [f'outbound="sip:{proxy};transport={transport}"', "regint=600"] if proxy else ["regint=0"]
        own = [f"auth_pass={password}", f"audio_codecs={codec}", f"answermode={answer}", *parameters]
        self._account = ";".join([f"<{self.uri}>", *outbound, *own])
        self._registered: Deferred[None] = Deferred()
        self._queues: defaultdict[str, DeferredQueue[Event]] = defaultdict(DeferredQueue)
        self._texts: DeferredQueue[Text] = DeferredQueue()
        self._program: Program | None = None
        self._control = Control(self._happened)

    def start(self) -> Deferred[None]:
        """Start it; fires when it has registered, or is ready if it has no proxy.

        Fails with ProgramFailed if it does not in 10 s, or is refused. Raises what
        :func:`~p2pship.testing.programs.require_program` raises if it is not installed.
        """
        path = require_program("baresip")
        self._write_files()
        arguments = [path, "-f", ".", "-s", "-t", str(LIFETIME)]
        self._program = Program(self._reactor, arguments, self._folder, "baresip")
        return self._limited(Deferred.fromCoroutine(self._begin()), PATIENCE, "did not start and register")

    def stop(self) -> Deferred[int]:
        """End it, by force if it lingers; fires with its exit code, 0 if it was never started."""
        if self._program is None:
            idle: Deferred[int] = Deferred()
            idle.callback(0)
            return idle
        return self._program.stop()

    def when(self, event_type: str, seconds: float = PATIENCE) -> Deferred[Event]:
        """Return a Deferred of the oldest event of a type that nobody has taken yet; it may be still to come.

        The types: ``REGISTER_OK REGISTER_FAIL CALL_INCOMING CALL_RINGING CALL_PROGRESS CALL_ESTABLISHED CALL_CLOSED
        CALL_LOCAL_SDP CALL_REMOTE_SDP CALL_DTMF_START CALL_DTMF_END CALL_RTPESTAB CALL_TRANSFER AUDIO_ERROR``. Fails with
        ProgramFailed if none comes.
        """
        return self._limited(self._queues[event_type].get(), seconds, f"did not say {event_type}")

    def when_text(self, seconds: float = PATIENCE) -> Deferred[Text]:
        """Return a Deferred of the oldest text received that nobody has taken yet. A text is one line."""
        return self._limited(self._texts.get(), seconds, "received no text")

    def dial(self, uri: str) -> Deferred[None]:
        """Call somebody; fires when the INVITE is on its way. Then wait for CALL_ESTABLISHED or CALL_CLOSED."""
        return self._done("dial", uri)

    def accept(self) -> Deferred[None]:
        """Answer the call that rings."""
        return self._done("accept")

    def hangup(self) -> Deferred[None]:
        """End, reject or give up the current call."""
        return self._done("hangup")

    def transfer(self, uri: str) -> Deferred[None]:
        """Ask the other side of the current call to call somebody else instead (REFER)."""
        return self._done("transfer", uri)

    def hold(self) -> Deferred[None]:
        """Put the current call on hold; fires when the other side has answered the re-INVITE."""
        return Deferred.fromCoroutine(self._renegotiate("hold"))

    def resume(self) -> Deferred[None]:
        """Take the current call off hold; fires when the other side has answered the re-INVITE."""
        return Deferred.fromCoroutine(self._renegotiate("resume"))

    def dtmf(self, digits: str) -> Deferred[None]:
        """Press keys one after the other, as telephone events (RFC 4733)."""
        return Deferred.fromCoroutine(self._press(digits))

    def message(self, aor: str, text: str) -> Deferred[None]:
        """Write to one of the contacts; fires when the MESSAGE is on its way."""
        return Deferred.fromCoroutine(self._write(aor, text))

    def packets(self) -> Deferred[tuple[int, int]]:
        """Return a Deferred of the RTP packets that the current call has sent and received."""
        return Deferred.fromCoroutine(self._count_packets())

    def heard(self) -> Deferred[Sound]:
        """Return a Deferred of what was heard in the last call that has ended."""
        return Deferred.fromCoroutine(self._recorded("dec"))

    def spoken(self) -> Deferred[Sound]:
        """Return a Deferred of what was said in the last call that has ended."""
        return Deferred.fromCoroutine(self._recorded("enc"))

    def command(self, name: str, params: str = "") -> Deferred[str]:
        """Give any command of baresip's menu; fires with its output, fails with ProgramFailed if it is refused."""
        return self._limited(self._control.command(name, params), PATIENCE, f"did not answer {name}")

    def log(self) -> str:
        """Return the end of its log, which shows every SIP message."""
        return self._program.tail(20000) if self._program else ""

    def _write_files(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        _, rate, channels = self._codec.split("/")
        write_wav(self._folder / "voice.wav", resampled(self.voice, int(rate)), int(channels))
        rtp = self.port + 4
        config = CONFIG.format(
            host=self._host,
            sip=self.port,
            control=self.port + 2,
            console=self.port + 3,
            rtp=rtp,
            rtp_end=rtp + RTP_PORTS,
            rate=rate,
            channels=channels,
            modules=next((name for name in MODULE_FOLDERS if Path(name).is_dir()), MODULE_FOLDERS[0]),
        )
        (self._folder / "config").write_text(config + VIDEO if self._video else config)
        (self._folder / "accounts").write_text("")  # the account comes with a command, when events are heard
        contacts = (f'"{aor}" <sip:{aor}>\n' for aor in self._contacts)
        (self._folder / "contacts").write_text("".join(contacts))

    async def _begin(self) -> None:
        await self._connect(self._control, self.port + 2)
        await self._connect(Console(self._texts.put), self.port + 3)
        await self.command("uanew", self._account)
        if self._registers:
            await self._registered

    async def _connect(self, protocol: Protocol, port: int) -> None:
        """Connect as soon as it listens."""
        endpoint = HostnameEndpoint(self._reactor, self._host, port)
        while True:
            try:
                await connectProtocol(endpoint, protocol)
                return
            except ConnectError:
                await self._pause(0.05)

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds)

    def _happened(self, event: Event) -> None:
        self.events.append(event)
        self._queues[event.type].put(event)
        if self._registered.called:
            return
        if event.type == "REGISTER_OK":
            self._registered.callback(None)
        if event.type == "REGISTER_FAIL":
            self._registered.errback(ProgramFailed(f"{self.uri} was not registered: {event.param}"))

    def _done(self, name: str, params: str = "") -> Deferred[None]:
        return self.command(name, params).addCallback(lambda shown: None)

    async def _renegotiate(self, name: str) -> None:
        answers: DeferredQueue[Event] = DeferredQueue()
        self._queues["CALL_REMOTE_SDP"] = answers  # what was said before has nothing to do with this
        await self.command(name)
        await self.when("CALL_REMOTE_SDP")

    async def _press(self, digits: str) -> None:
        for digit in digits:
            await self.command("sndcode", digit)
            await self._pause(KEY_PRESS)
            await self.command("sndcode", KEY_RELEASED)

    async def _write(self, aor: str, text: str) -> None:
        steps = len(self._contacts)
        for step in [*["contact_prev"] * steps, *["contact_next"] * steps]:  # neither goes round
            if f"<sip:{aor}>" in await self.command(step):
                await self.command("message", text)
                return
        raise ProgramFailed(f"{aor} is not among the contacts of {self.uri}")

    async def _count_packets(self) -> tuple[int, int]:
        shown = await self.command("audio_debug")
        sent, received = (sum(map(int, pattern.findall(shown))) for pattern in (SENT, RECEIVED))
        return sent, received

    async def _recorded(self, direction: str) -> Sound:
        if self._program is not None and self._program.exit_code is None:
            await self.command("listcalls")  # answered when the file of a call that has ended is closed
        recordings = sorted(self._folder.glob(f"dump-*-{direction}.wav"))
        if not recordings:
            raise ProgramFailed(f"{self.uri} recorded nothing\n{self.log()}")
        for _ in range(UNFINISHED_READS):
            try:
                return resampled(read_wav(recordings[-1]), RATE)
            except (wave.Error, EOFError):  # it is still being closed
                await self._pause(UNFINISHED_PAUSE)
        return resampled(read_wav(recordings[-1]), RATE)

    def _limited(self, waiting: Deferred[T], seconds: float, words: str) -> Deferred[T]:
        def late(cancelled: object, limit: float) -> Failure:
            happened = ", ".join(event.type for event in self.events)
            return Failure(
                ProgramFailed(f"{self.uri} {words} in {limit:.0f} s; it said: {happened}\n{self.log()}")
            )

        return waiting.addTimeout(seconds, self._reactor, late)
