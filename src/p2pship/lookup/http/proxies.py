"""The proxies through which the web is reached, from the environment, where other programs look for them as well.

``https_proxy``, ``http_proxy`` and ``all_proxy`` name a proxy for an address of that kind, or of either; ``no_proxy`` lists, with commas
between them, the hosts that are asked without one: names, each with everything below it, IP addresses, networks, or ``*``. Upper
case will do too, but not for ``http_proxy``: in a web server's environment ``HTTP_PROXY`` is a header field that anybody can send.
"""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from p2pship.lookup.http.address import BadServer, ServerAddress


@dataclass(frozen=True, slots=True)
class Proxy:
    """A web proxy that is asked in the clear."""

    host: str
    port: int
    credentials: bytes = b""
    "the value of Proxy-Authorization (RFC 7617); empty if it wants none"

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """Read ``http://user:password@host:port``, of which host and port may do.

        :raises BadServer: if it is no address of a web proxy.
        """
        try:
            parts = urlsplit(text if "://" in text else f"http://{text}")
        except ValueError:  # it is not shown: there may be a password in it
            raise BadServer("what the environment names is no address of a proxy") from None
        before, at, rest = parts.netloc.rpartition("@")
        address = ServerAddress.parse(f"{parts.scheme}://{rest}")
        if address.encrypted:
            raise BadServer(f"a proxy is asked in the clear: http://{address.authority}, not https")
        credentials = b"Basic " + b64encode(unquote(before).encode("utf-8", "replace")) if at else b""
        return cls(address.host, address.port, credentials)


def proxy_for(server: ServerAddress, environment: Mapping[str, str]) -> Proxy | None:
    """Return the proxy through which a server is asked; None if it is asked directly.

    :raises BadServer: if the environment names something else than a web proxy.
    """
    names = [f"{server.scheme}_proxy", "all_proxy", "ALL_PROXY"]
    if server.encrypted:
        names.insert(1, "HTTPS_PROXY")
    named = next((environment[name] for name in names if environment.get(name)), "")
    without = environment.get("no_proxy", environment.get("NO_PROXY", ""))
    if not named or any(_covers(entry.strip().lower(), server.host) for entry in without.split(",")):
        return None
    return Proxy.parse(named)


def _covers(entry: str, host: str) -> bool:
    """Tell whether an entry of ``no_proxy`` means a host."""
    if entry == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # one of them is a name
        name = entry.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
