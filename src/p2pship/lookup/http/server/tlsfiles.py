"""TLS with a certificate from files, which are read again when they change: certificates of today live for weeks."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.logger import Logger
from zope.interface import implementer

from p2pship.errors import ConfigError

ALPN = b"http/1.1"


@implementer(IOpenSSLServerConnectionCreator)
class CertificateFiles:
    """Makes the server's side of TLS connections, version 1.2 or 1.3, with what the files hold now.

    :raises ConfigError: if they cannot be used at the start. Later the last good ones stay in use.
    """

    log = Logger()

    def __init__(self, certificate: Path, key: Path) -> None:
        self._certificate = certificate
        self._key = key
        self._seen = self._state()
        try:
            self._context = self._read()
        except (SSL.Error, OSError) as error:
            raise ConfigError(
                f"the TLS certificate {certificate} with the key {key} cannot be used: {_reason(error)}"
            ) from None

    def serverConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        """Return a new connection."""
        state = self._state()
        if state != self._seen:
            self._seen = state
            self._renew()
        return SSL.Connection(self._context, None)

    def _renew(self) -> None:
        try:
            self._context = self._read()
        except (SSL.Error, OSError) as error:
            text = "the new TLS certificate {file} cannot be used, the last one stays: {reason}"
            self.log.error(text, file=str(self._certificate), reason=_reason(error))
        else:
            self.log.info("the TLS certificate {file} was read again", file=str(self._certificate))

    def _state(self) -> tuple[Any, ...]:
        return tuple(map(_written, (self._certificate, self._key)))

    def _read(self) -> SSL.Context:
        for path in (self._certificate, self._key):
            path.open("rb").close()  # OpenSSL would not say which one it cannot read
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        context.use_certificate_chain_file(os.fspath(self._certificate))
        context.use_privatekey_file(os.fspath(self._key))
        context.check_privatekey()
        context.set_alpn_select_callback(
            lambda _, offered: ALPN if ALPN in offered else SSL.NO_OVERLAPPING_PROTOCOLS
        )
        return context


def _written(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename}: {error.strerror}"
    reasons = error.args[0] if error.args else ()
    return "; ".join(str(each[-1]) for each in reasons) or "it is not PEM"
