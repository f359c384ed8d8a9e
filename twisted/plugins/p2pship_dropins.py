"""The cards of the lookups, bearers and applications that come with p2pship, one line each."""

from p2pship.plugins import ApplicationMaker, BearerMaker, LookupMaker

dns = LookupMaker("dns", "p2pship.lookup.dns.protocol", "whom the domain of a name names in the DNS")
http = LookupMaker("http", "p2pship.lookup.http.card", "rendezvous servers, which anybody can run")
lan = LookupMaker("lan", "p2pship.lookup.lan.protocol", "multicast on the local network")
mainline = LookupMaker(
    "mainline", "p2pship.lookup.mainline.protocol", "the BitTorrent Mainline DHT, everywhere"
)
hip = BearerMaker(
    "hip",
    "p2pship.bearer.hip.bearer",
    "HIPv2 and ESP in UDP: encrypted, and it moves along when addresses change",
)
tls = BearerMaker("tls", "p2pship.bearer.tls", "TCP and TLS 1.3, where each device proves its key")
tcp = BearerMaker("tcp", "p2pship.bearer.tcp", "TCP, where each device proves its key, NOT ENCRYPTED")
udp = BearerMaker("udp", "p2pship.bearer.udp", "UDP, where each device proves its key, NOT ENCRYPTED")
rendezvous = ApplicationMaker(
    "rendezvous", "p2pship.applications.rendezvous", "a rendezvous server, where others publish and search"
)
