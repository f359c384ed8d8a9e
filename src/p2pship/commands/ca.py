"""``p2pship ca``: who vouches for the names of a domain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from p2pship.commands.catext import (
    AuthorityStatus,
    CreatedStatus,
    IssuedStatus,
    created_text,
    issue_text,
    list_text,
    publish_text,
    remove_text,
    revoke_text,
    trust_text,
)
from p2pship.commands.verb import Argument, Kind, Verb
from p2pship.errors import LocalError

if TYPE_CHECKING:
    from p2pship.desk import Desk
    from p2pship.trust.authority import Authority
    from p2pship.trust.issued import Issued

SHORTEST_FINGERPRINT = 8
"Hexadecimal digits by which an authority can be named."


def _create(desk: Desk, given: dict[str, Any]) -> CreatedStatus:
    domain = given["domain"]
    name = given["name"] or domain.lower().replace(".", "-")[:32].strip("-")
    operator = given["operator"] or _operator(desk, domain)
    own = desk.authorities.create(name, domain, operator)
    created = _status(desk, own.fingerprint)
    others = [one.root for one in desk.authorities.all() if one.domain in created["domains"]]
    return {**created, "others": [root.hex() for root in others if root != own.fingerprint]}


def _operator(desk: Desk, domain: str) -> str:
    """Return who will run it when nobody is named: our identity of that domain, else the default one."""
    there = [one.aor for one in desk.keyring.identities() if one.aor.endswith(f"@{domain.lower()}")]
    default = desk.keyring.default
    if there or default is None:
        return there[0] if there else ""
    return default.aor


def _issue(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    from p2pship.identity.fingerprint import fingerprint
    from p2pship.identity.invitation import Answer, answer_pem, answer_uri, read_request
    from p2pship.trust import authority
    from p2pship.trust.authorities import DAYS
    from p2pship.trust.certificates import key_fingerprint, load

    request = authority.read_request(read_request(given["request"]))
    days = DAYS if given["days"] is None else given["days"]
    chain = desk.authorities.issue(request, days, given["ca"] or "", given["replace"])
    root = key_fingerprint(load(chain[-1]))
    answer = Answer(chain, desk.authorities.crl(root))
    return {
        "aor": request.aor,
        "fingerprint": fingerprint(request.key),
        "expires": int(load(chain[0]).not_valid_after_utc.timestamp()),
        "qr": answer_uri(answer) if given["qr"] else "",
        "uri": given["uri"],
        "content": answer_uri(answer) + "\n" if given["uri"] else answer_pem(answer),
    }


def _revoke(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    found = desk.authorities.revoke(_which(given["which"]), given["ca"] or "")
    return {"revoked": [_issued(one) for one in found]}


def _which(text: str) -> int | str:
    """Return the serial number or the AOR that is meant."""
    if "@" in text:
        return text
    try:
        return int(text, 16)
    except ValueError:
        raise LocalError(
            f"{text!r} is neither a name nor a serial number: `p2pship ca list` shows them"
        ) from None


def _crl(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    from p2pship.trust.publishing import list_pem

    fingerprint = _find(desk, given["ca"])
    octets = desk.authorities.crl(fingerprint)
    if not octets:
        raise LocalError("no revocation list of this authority has been seen")
    return {"fingerprint": fingerprint.hex(), "content": list_pem(octets)}


def _trust(desk: Desk, given: dict[str, Any]) -> AuthorityStatus:
    from p2pship.trust.certificates import load_file

    one = desk.authorities.trust(load_file(given["file"].decode("utf-8", "replace")), given["domain"])
    return _status(desk, one.root)


def _removable(desk: Desk, given: dict[str, Any]) -> tuple[bytes, Authority | None]:
    """Return the fingerprint of the authority that is meant, and the authority if it is our own."""
    fingerprint = _find(desk, given["ca"])
    own = desk.authorities.own(fingerprint)
    if given["key"] and (own is None or given["domain"]):
        raise LocalError("--key deletes an authority of your own for good, for all domains")
    return fingerprint, own


def _remove(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    fingerprint, own = _removable(desk, given)
    if given["key"] and own is not None:
        domains = desk.authorities.domains(fingerprint)
        desk.authorities.delete(own.name)
    else:
        domains = [one.domain for one in desk.authorities.remove(fingerprint, given["domain"])]
    return {"fingerprint": fingerprint.hex(), "domains": domains, "deleted": bool(given["key"])}


def _list(desk: Desk, given: dict[str, Any]) -> dict[str, list[AuthorityStatus]]:
    roots = [one.root for one in desk.authorities.all()]
    roots += [own.fingerprint for own in desk.authorities.owned()]
    return {"authorities": [_status(desk, root) for root in dict.fromkeys(roots)]}


def _publish(desk: Desk, given: dict[str, Any]) -> dict[str, Any]:
    from p2pship.trust.publishing import as_script, as_zone, published_files
    from p2pship.trust.trusted import canonical_domain

    domain = canonical_domain(given["domain"])
    own = [(one.aor, one.key) for one in desk.keyring.identities() if one.aor.endswith(f"@{domain}")]
    files, zone = published_files(desk.authorities, domain, own, desk.clock.seconds())
    if not files:
        raise LocalError(f"nothing to publish: no authority or identity of your own is for {domain}")
    content = as_zone(zone) if given["dns"] else as_script(files)
    return {"domain": domain, "files": sorted(files), "dns": given["dns"], "content": content}


def _find(desk: Desk, text: str | None) -> bytes:
    """Return the fingerprint of the authority that is named by its name or the beginning of its fingerprint."""
    known = {own.fingerprint: own.name for own in desk.authorities.owned()}
    for one in desk.authorities.all():
        known.setdefault(one.root, "")
    if text is None:
        found = [root for root, name in known.items() if name]
    else:
        wanted = text.lower().removeprefix("ca:")
        long_enough = len(wanted) >= SHORTEST_FINGERPRINT
        found = [
            root
            for root, name in known.items()
            if name == text or (long_enough and root.hex().startswith(wanted))
        ]
    if len(found) != 1:
        which = f"called {text}" if text else "of your own"
        number = f"are {len(found)} authorities" if found else "is no authority"
        raise LocalError(f"there {number} {which}: `p2pship ca list` shows them")
    return found[0]


def _status(desk: Desk, root: bytes) -> AuthorityStatus:
    from p2pship.trust.certificates import common_name, operator_of

    own = desk.authorities.own(root)
    trusted = [one for one in desk.authorities.all() if one.root == root]
    certificate = own.certificate if own is not None else trusted[0].certificate
    return {
        "fingerprint": root.hex(),
        "name": own.name if own is not None else "",
        "title": common_name(certificate),
        "operator": operator_of(certificate),
        "domains": [one.domain for one in trusted],
        "own": own is not None,
        "expires": int(certificate.not_valid_after_utc.timestamp()),
        "issued": _all_issued(desk, own) if own is not None else [],
    }


def _all_issued(desk: Desk, own: Authority) -> list[IssuedStatus]:
    return [_issued(one) for one in desk.authorities.issued(own)]


def _issued(one: Issued) -> IssuedStatus:
    return {
        "serial": f"{one.serial:x}",
        "aor": one.aor,
        "key": one.key.hex(),
        "issued": one.issued,
        "expires": one.expires,
        "revoked": one.revoked,
    }


_CA = Argument("ca", "which authority, by its name", option=True, optional=True)
_WHICH = Argument("ca", "its name, or the beginning of its fingerprint")
_DOMAIN = Argument("domain", "the domain of the names, such as example.com")

VERBS = (
    Verb(
        "ca",
        "create",
        "make an authority that vouches for the names of a domain: a family's or a company's",
        run=_create,
        text=created_text,
        arguments=(
            _DOMAIN,
            Argument("name", "what to call it, in place of the domain", option=True, optional=True),
            Argument("operator", "who runs it, if not you", Kind.AOR, option=True, optional=True),
        ),
        founds=True,
        offline=True,
    ),
    Verb(
        "ca",
        "issue",
        "answer a member's request with a certificate",
        run=_issue,
        text=issue_text,
        arguments=(
            Argument("request", "the request: a file, - or its URI", Kind.FILE),
            Argument(
                "days", "how long it holds, in place of 90 days", Kind.NUMBER, option=True, optional=True
            ),
            _CA,
            Argument("replace", "revoke the certificate that the name has for another key", Kind.FLAG),
            Argument("uri", "answer with a URI in place of a file", Kind.FLAG),
            Argument("qr", "show the answer as a QR code, too: some 100 columns wide", Kind.FLAG),
        ),
        offline=True,
        writes=True,
    ),
    Verb(
        "ca",
        "revoke",
        "take back certificates that your authority has issued",
        run=_revoke,
        text=revoke_text,
        arguments=(Argument("which", "a name, or the serial number of one certificate"), _CA),
        offline=True,
        warning=lambda given: f"This revokes the certificate of {given['which']} for good.",
        check=lambda desk, given: desk.authorities.revocable(_which(given["which"]), given["ca"] or ""),
    ),
    Verb(
        "ca",
        "crl",
        "print an authority's revocation list, for its web server",
        run=_crl,
        text=lambda result: f"The revocation list of {result['fingerprint'][:16]}.",
        arguments=(
            Argument(
                "ca", "its name or the beginning of its fingerprint; your own if left out", optional=True
            ),
        ),
        offline=True,
        writes=True,
    ),
    Verb(
        "ca",
        "publish",
        "print a script that makes the files of a domain's web server, or the records of its DNS",
        run=_publish,
        text=publish_text,
        arguments=(_DOMAIN, Argument("dns", "print records for a zone that is signed (DNSSEC)", Kind.FLAG)),
        offline=True,
        writes=True,
    ),
    Verb(
        "ca",
        "trust",
        "believe an authority about the names of one domain",
        run=_trust,
        text=trust_text,
        arguments=(
            Argument("file", "its certificate, in PEM", Kind.FILE),
            Argument("domain", "the domain of the names, such as example.com", option=True),
        ),
        founds=True,
        offline=True,
    ),
    Verb(
        "ca",
        "list",
        "show the authorities and what yours have issued",
        run=_list,
        text=list_text,
        offline=True,
    ),
    Verb(
        "ca",
        "remove",
        "no longer trust an authority",
        run=_remove,
        text=remove_text,
        arguments=(
            _WHICH,
            Argument("domain", "only for this domain", option=True, optional=True),
            Argument("key", "delete the key of an authority of your own, too", Kind.FLAG),
        ),
        offline=True,
        warning=lambda given: (
            f"This deletes the key of {given['ca']}: without a backup nothing that it issued can be renewed or revoked."
            if given.get("key")
            else f"This ends the trust in {given['ca']}."
        ),
        check=_removable,
    ),
)
