"""Signatures: the published vectors, our own where the published ones are wrong, and what must not verify."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.binance.signing import (
    HmacKey,
    KeyFault,
    read_signer,
    read_verifier,
    rest_payload,
    ws_payload,
)

VECTORS = "data/vectors/request_signing.json"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
API_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
ED25519 = """-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----
"""

LTCBTC = (
    "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
)
BTCUSDT = {
    "symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01000000",
    "price": "52000.00", "recvWindow": 100, "timestamp": 1645423376532, "apiKey": API_KEY,
}  # fmt: skip
LOGON = {"timestamp": 1649729878532, "apiKey": API_KEY}

HMAC_VECTORS = [
    (LTCBTC, "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"),
    (
        LTCBTC.replace("LTCBTC", quote("１２３４５６")),
        "e1353ec6b14d888f1164ae9af8228a3dbd508bc82eb867db8ab6046442f33ef3",
    ),
    (ws_payload(BTCUSDT), "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"),
    (
        ws_payload(
            BTCUSDT
            | {
                "price": "0.10000000",
                "quantity": "1.00000000",
                "recvWindow": 5000,
                "side": "BUY",
                "symbol": "１２３４５６",
            }
        ),
        "b33892ae8e687c939f4468c6268ddd4c40ac1af18ad19a064864c47bae0752cd",
    ),
    (ws_payload(LOGON), "1cf54395b336b0a9727ef27d5d98987962bc47aca6e13fe978612d0adee066ed"),
]
ED25519_VECTORS = [
    (LTCBTC, "3fhuDZ9nYMviDQ5OEtJBJS11jUZDTRzRQ+TQMarm+LErFiJvUiVPQjTzDoWZQe4miPX+yHk1v/Z7TWLYjIbmCA=="),
    (ws_payload(BTCUSDT), "/RNKbCSA6iS23rmPP+v/A6061Gd8Cq3H5fR1YlWyOYP0CZ6Oq/+spQodx1F1B63EIhUSP2QmDaMDAMBFCTI+CQ=="),
    (ws_payload(LOGON), "763GJeFgG09B/06V/dq24cLu6f0R57whgDMyOCubDex4CTTElmDgPSIQqLdOsvW5TBxyaaFotVCI8tUmQMChAA=="),
]


def _public(private: str) -> str:
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization", reason="no cryptography")
    key = serialization.load_pem_private_key(private.encode(), None).public_key()
    text: bytes = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


@pytest.mark.parametrize(("payload", "signature"), HMAC_VECTORS)
def test_hmac_signs_as_published(payload: str, signature: str) -> None:
    key = read_signer(SECRET)
    assert (key.kind, key.sign(payload)) == ("hmac", signature)
    assert HmacKey(SECRET).verify(payload, signature.upper())


@pytest.mark.parametrize(("payload", "signature"), ED25519_VECTORS)
def test_ed25519_signs_as_recomputed(payload: str, signature: str) -> None:
    public = read_verifier(_public(ED25519))
    key = read_signer(ED25519)
    assert (key.kind, key.sign(payload)) == ("ed25519", signature)
    assert public.verify(payload, signature)
    assert not public.verify(payload + "0", signature)
    assert not public.verify(payload, signature.swapcase())
    assert not public.verify(payload, "no base64")


def test_the_vectors_beside_the_project_agree(shared: Path) -> None:
    path = shared / VECTORS
    if not path.exists():
        pytest.skip(f"no recorded data: {VECTORS} is missing")
    found = [each for each in json.loads(path.read_text()) if each["venue"] == "binance" and "secret" in each]
    assert len(found) == 2
    for each in found:
        assert read_signer(each["secret"]).sign(each["payload"]) == each["signature"], each["name"]


def test_rsa_verifies_what_it_signed() -> None:
    rsa = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.rsa", reason="no cryptography")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    private = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key, public = read_signer(private.decode()), read_verifier(_public(private.decode()))
    signature = key.sign(LTCBTC)
    assert (key.kind, public.kind) == ("rsa", "rsa")
    assert public.verify(LTCBTC, signature)
    assert not public.verify(LTCBTC + "0", signature)
    assert not public.verify(LTCBTC, signature.swapcase())


def test_query_and_body_are_joined_without_a_sign() -> None:
    assert rest_payload("a=1&b=2", "c=3") == "a=1&b=2c=3"
    assert rest_payload("a=1&signature=00&b=2", "c=3&signature=11") == "a=1&b=2c=3"
    assert rest_payload("mysignature=1") == "mysignature=1"


@given(st.dictionaries(st.text("abcXYZ", min_size=1), st.text(max_size=5) | st.integers() | st.booleans(), max_size=5))
def test_the_order_of_ws_parameters_does_not_matter(params: dict[str, object]) -> None:
    backwards = dict(reversed(params.items()))
    assert ws_payload(params) == ws_payload(backwards) == ws_payload(params | {"signature": "x"})


@given(st.text(), st.text())
def test_hmac_verifies_its_own_signature_of_nothing_else(payload: str, other: str) -> None:
    key = HmacKey("secret")
    assert key.verify(payload, key.sign(other)) is (payload == other)


def test_a_key_is_never_shown() -> None:
    assert SECRET not in repr(HmacKey(SECRET))
    broken = "-----BEGIN PRIVATE KEY-----\nnothing to see\n-----END PRIVATE KEY-----"
    pytest.importorskip("cryptography", reason="no cryptography")
    for read in (read_signer, read_verifier):
        with pytest.raises(KeyFault) as raised:
            read(broken)
        assert "nothing" not in str(raised.value)
