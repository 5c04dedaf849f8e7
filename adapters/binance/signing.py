"""Signatures of Binance requests: what is signed, and how each kind of key signs and verifies it. Pure.

A key's text tells its kind: a PEM private key signs by Ed25519 or RSA, anything else is an HMAC secret. HMAC signatures
are hexadecimal; the others are base64, which REST must percent-encode on its way.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from attrs import field, frozen

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

SIGNATURE = "signature"
_PEM = "-----BEGIN "


class KeyFault(ValueError):
    """A text that looks like a key in PEM and is none that Binance takes. It does not contain the key."""


class Signer(Protocol):
    """What a client holds of a key."""

    @property
    def kind(self) -> str:
        """`hmac`, `ed25519` or `rsa`."""
        ...

    def sign(self, payload: str) -> str:
        """The signature as it stands in a WS API request; percent-encoded it stands in a REST request."""
        ...


class Verifier(Protocol):
    """What the exchange holds of a key."""

    @property
    def kind(self) -> str:
        """`hmac`, `ed25519` or `rsa`."""
        ...

    def verify(self, payload: str, signature: str) -> bool:
        """Was the payload signed by the key that belongs to this?"""
        ...


@frozen
class HmacKey:
    """A secret that both sides know."""

    secret: str = field(repr=False)
    kind: str = "hmac"

    def sign(self, payload: str) -> str:
        """Hexadecimal SHA-256.

        >>> HmacKey("secret").sign("timestamp=1")[:16]
        'c402d7b980cc9eab'
        """
        return hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()

    def verify(self, payload: str, signature: str) -> bool:
        """Upper and lower case are the same."""
        return hmac.compare_digest(self.sign(payload).encode(), signature.lower().encode())


@frozen
class Ed25519Signer:
    """The private half of an Ed25519 key."""

    _key: Ed25519PrivateKey = field(repr=False)
    kind: str = "ed25519"

    def sign(self, payload: str) -> str:
        """Base64 of the signature over the payload's own bytes."""
        return b64encode(self._key.sign(payload.encode())).decode()


@frozen
class Ed25519Verifier:
    """The public half of an Ed25519 key."""

    _key: Ed25519PublicKey = field(repr=False)
    kind: str = "ed25519"

    def verify(self, payload: str, signature: str) -> bool:
        """Case matters, and anything that is not base64 is wrong."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(b64decode(signature, validate=True), payload.encode())
        except (InvalidSignature, NotBase64, ValueError):
            return False
        return True


@frozen
class RsaSigner:
    """The private half of an RSA key."""

    _key: RSAPrivateKey = field(repr=False)
    kind: str = "rsa"

    def sign(self, payload: str) -> str:
        """Base64 of PKCS#1 v1.5 over SHA-256."""
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return b64encode(self._key.sign(payload.encode(), PKCS1v15(), SHA256())).decode()


@frozen
class RsaVerifier:
    """The public half of an RSA key."""

    _key: RSAPublicKey = field(repr=False)
    kind: str = "rsa"

    def verify(self, payload: str, signature: str) -> bool:
        """Case matters, and anything that is not base64 is wrong."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            self._key.verify(b64decode(signature, validate=True), payload.encode(), PKCS1v15(), SHA256())
        except (InvalidSignature, NotBase64, ValueError):
            return False
        return True


def read_signer(text: str) -> Signer:
    """The key of a client's secret; raises `KeyFault` for a PEM text that is no Ed25519 or RSA private key.

    >>> read_signer("secret").kind
    'hmac'
    """
    if not text.lstrip().startswith(_PEM):
        return HmacKey(text)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(text.strip().encode() + b"\n", None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFault("the secret looks like PEM and is not an unencrypted private key") from None
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519Signer(key)
    if isinstance(key, RSAPrivateKey):
        return RsaSigner(key)
    raise KeyFault(f"Binance takes Ed25519 and RSA keys, not {type(key).__name__}")


def read_verifier(text: str) -> Verifier:
    """The exchange's side of a key: an HMAC secret, or a PEM public key; raises `KeyFault` for another PEM text."""
    if not text.lstrip().startswith(_PEM):
        return HmacKey(text)
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(text.strip().encode() + b"\n")
    except (ValueError, UnsupportedAlgorithm):
        raise KeyFault("the text looks like PEM and is not a public key") from None
    if isinstance(key, Ed25519PublicKey):
        return Ed25519Verifier(key)
    if isinstance(key, RSAPublicKey):
        return RsaVerifier(key)
    raise KeyFault(f"Binance takes Ed25519 and RSA keys, not {type(key).__name__}")


def rest_payload(query: str, body: str = "") -> str:
    """What a REST request signs: query string and form body as they travel, joined without a sign, each without its
    `signature`.

    >>> rest_payload("symbol=LTCBTC&side=BUY", "quantity=1&signature=ab")
    'symbol=LTCBTC&side=BUYquantity=1'
    """
    return _unsigned(query) + _unsigned(body)


def _unsigned(text: str) -> str:
    return "&".join(part for part in text.split("&") if not part.startswith(f"{SIGNATURE}="))


def ws_payload(params: Mapping[str, object]) -> str:
    """What a WS API request signs: its parameters but `signature`, `apiKey` among them, sorted by name, not encoded.

    Booleans are written as JSON writes them.

    >>> ws_payload({"timestamp": 1649729878532, "apiKey": "key", "signature": "ab"})
    'apiKey=key&timestamp=1649729878532'
    """
    return "&".join(f"{name}={_text(params[name])}" for name in sorted(params) if name != SIGNATURE)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
