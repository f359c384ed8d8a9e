"""The numbers that HIP gives to things, as the registry of its parameters at IANA has them.

Each enumeration names the RFC and section that assigned its values. What is not listed here may still arrive, and is then
a plain int.
"""

from __future__ import annotations

from enum import IntEnum

PROTOCOL = 139
"The IP protocol of HIP packets (RFC 7401 §5.1)."

ESP_PROTOCOL = 50
"The IP protocol of ESP (RFC 4303)."

UDP_PORT = 10500
"Where HIP and ESP are carried in UDP (RFC 9028 §3.2)."

NO_NEXT_HEADER = 59
"Nothing follows a HIP packet (RFC 7401 §5.1, RFC 8200 §4.7)."

HIP_VERSION = 2

ANONYMOUS = 0x0001
"The control bit A: the sender's HI is anonymous, and not to be kept (RFC 7401 §5.1.2)."


class PacketType(IntEnum):
    """RFC 7401 §5.3."""

    I1 = 1
    R1 = 2
    I2 = 3
    R2 = 4
    UPDATE = 16
    NOTIFY = 17
    CLOSE = 18
    CLOSE_ACK = 19


class ParameterType(IntEnum):
    """RFC 7401 §5.2, RFC 7402 §5.1, RFC 8002 §2, RFC 8003 §4, RFC 8004 §4.2, RFC 8046 §4, RFC 9028 §5."""

    ESP_INFO = 65
    R1_COUNTER = 129
    LOCATOR_SET = 193
    PUZZLE = 257
    SOLUTION = 321
    SEQ = 385
    ACK = 449
    DH_GROUP_LIST = 511
    DIFFIE_HELLMAN = 513
    HIP_CIPHER = 579
    NAT_TRAVERSAL_MODE = 608
    TRANSACTION_PACING = 610
    ENCRYPTED = 641
    HOST_ID = 705
    HIT_SUITE_LIST = 715
    CERT = 768
    NOTIFICATION = 832
    ECHO_REQUEST_SIGNED = 897
    REG_INFO = 930
    REG_REQUEST = 932
    REG_RESPONSE = 934
    REG_FAILED = 936
    REG_FROM = 950
    ECHO_RESPONSE_SIGNED = 961
    TRANSPORT_FORMAT_LIST = 2049
    ESP_TRANSFORM = 4095
    RELAYED_ADDRESS = 4650
    MAPPED_ADDRESS = 4660
    PEER_PERMISSION = 4680
    CANDIDATE_PRIORITY = 4700
    NOMINATE = 4710
    HIP_MAC = 61505
    HIP_MAC_2 = 61569
    HIP_SIGNATURE_2 = 61633
    HIP_SIGNATURE = 61697
    ECHO_RESPONSE_UNSIGNED = 63425
    ECHO_REQUEST_UNSIGNED = 63661
    RELAY_FROM = 63998
    RELAY_TO = 64002
    FROM = 65498
    RVS_HMAC = 65500
    VIA_RVS = 65502
    RELAY_HMAC = 65520


class NotifyType(IntEnum):
    """RFC 7401 §5.2.19, RFC 7402 §5.1.3, RFC 8002 §5, RFC 8003 §3.2, RFC 8046 §5.3, RFC 9028 §5.10.

    Values from 16384 on are no errors.
    """

    UNSUPPORTED_CRITICAL_PARAMETER_TYPE = 1
    INVALID_SYNTAX = 7
    NO_DH_PROPOSAL_CHOSEN = 14
    INVALID_DH_CHOSEN = 15
    NO_HIP_PROPOSAL_CHOSEN = 16
    INVALID_HIP_CIPHER_CHOSEN = 17
    NO_ESP_PROPOSAL_CHOSEN = 18
    INVALID_ESP_TRANSFORM_CHOSEN = 19
    UNSUPPORTED_HIT_SUITE = 20
    AUTHENTICATION_FAILED = 24
    CHECKSUM_FAILED = 26
    HIP_MAC_FAILED = 28
    ENCRYPTION_FAILED = 32
    INVALID_HIT = 40
    BLOCKED_BY_POLICY = 42
    RESPONDER_BUSY_PLEASE_RETRY = 44
    LOCATOR_TYPE_UNSUPPORTED = 46
    CREDENTIALS_REQUIRED = 48
    INVALID_CERTIFICATE = 50
    REG_REQUIRED = 51
    NO_VALID_NAT_TRAVERSAL_MODE_PARAMETER = 60
    CONNECTIVITY_CHECKS_FAILED = 61
    MESSAGE_NOT_RELAYED = 62
    SERVER_REFLEXIVE_CANDIDATE_ALLOCATION_FAILED = 63
    RVS_HMAC_PROHIBITED_WITH_RELAY = 64
    I2_ACKNOWLEDGEMENT = 16384
    NAT_KEEPALIVE = 16385


class DHGroup(IntEnum):
    """RFC 7401 §5.2.7."""

    MODP_1536 = 3
    MODP_3072 = 4
    P256 = 7
    P384 = 8
    P521 = 9
    SECP160R1 = 10
    MODP_2048 = 11


class Cipher(IntEnum):
    """RFC 7401 §5.2.8."""

    NULL_ENCRYPT = 1
    AES_128_CBC = 2
    AES_256_CBC = 4


class Algorithm(IntEnum):
    """Of a Host Identity: RFC 7401 §5.2.9, RFC 9374 §3.4.1."""

    DSA = 3
    RSA = 5
    ECDSA = 7
    ECDSA_LOW = 9
    EDDSA = 13


class ECDSACurve(IntEnum):
    """RFC 7401 §5.2.9."""

    P256 = 1
    P384 = 2


class EdDSACurve(IntEnum):
    """RFC 9374 §3.4.1.1."""

    ED25519 = 1
    ED25519PH = 2
    ED448 = 3
    ED448PH = 4


class HITSuite(IntEnum):
    """RFC 7401 §5.2.10, RFC 9374 §3.4.2."""

    RSA_DSA_SHA256 = 1
    ECDSA_SHA384 = 2
    ECDSA_LOW_SHA1 = 3
    EDDSA_CSHAKE128 = 5


class DomainIdentifier(IntEnum):
    """What follows the Host Identity in HOST_ID (RFC 7401 §5.2.9)."""

    NONE = 0
    FQDN = 1
    NAI = 2


class TransportFormat(IntEnum):
    """RFC 7401 §5.2.11: the type of the parameter that describes it."""

    ESP = 4095


class ESPSuite(IntEnum):
    """RFC 7402 §5.1.2."""

    AES_128_CBC_HMAC_SHA1 = 1
    NULL_HMAC_SHA256 = 7
    AES_128_CBC_HMAC_SHA256 = 8
    AES_256_CBC_HMAC_SHA256 = 9
    AES_CCM_8 = 10
    AES_CCM_16 = 11
    AES_GCM_8 = 12
    AES_GCM_16 = 13
    AES_CMAC_96 = 14
    AES_GMAC = 15


class NATTraversalMode(IntEnum):
    """RFC 9028 §5.4."""

    UDP_ENCAPSULATION = 1
    ICE_STUN_UDP = 2
    ICE_HIP_UDP = 3


class RegistrationType(IntEnum):
    """RFC 8004 §4.1, RFC 9028 §5.9."""

    RENDEZVOUS = 1
    RELAY_UDP_HIP = 2
    RELAY_UDP_ESP = 3
    CANDIDATE_DISCOVERY = 4


class RegistrationFailure(IntEnum):
    """RFC 8003 §3.3, §4.5."""

    CREDENTIALS_REQUIRED = 0
    TYPE_UNAVAILABLE = 1
    INSUFFICIENT_RESOURCES = 2
    INVALID_CERTIFICATE = 3
    BAD_CERTIFICATE = 4
    UNSUPPORTED_CERTIFICATE = 5
    CERTIFICATE_EXPIRED = 6
    CERTIFICATE_OTHER = 7
    UNKNOWN_CA = 8


class CertificateType(IntEnum):
    """RFC 8002 §2."""

    X509_V3 = 1
    HASH_AND_URL_X509_V3 = 3
    LDAP_URL_X509_V3 = 5
    DISTINGUISHED_NAME_X509_V3 = 7


class TrafficType(IntEnum):
    """What a locator is for (RFC 8046 §4)."""

    BOTH = 0
    SIGNALLING = 1
    DATA = 2


class LocatorType(IntEnum):
    """RFC 8046 §4.1, RFC 9028 §5.7."""

    ADDRESS = 0
    SPI_AND_ADDRESS = 1
    TRANSPORT_ADDRESS = 2


class CandidateKind(IntEnum):
    """RFC 9028 §5.7."""

    HOST = 0
    SERVER_REFLEXIVE = 1
    PEER_REFLEXIVE = 2
    RELAYED = 3
