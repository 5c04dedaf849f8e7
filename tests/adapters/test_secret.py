"""A secret shows itself nowhere, and the redactor finds it however it is written."""

from __future__ import annotations

import base64
import copy
import html
import json
import pickle
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus, urlencode

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.redaction import KNOWN_MOST, LEAST, REDACTOR, Redactor, redact
from adapters.secret import MASK, Secret

VALUE = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=LEAST, max_size=80).filter(
    lambda text: text == text.strip()
)


@pytest.fixture(autouse=True)
def _forgetful() -> Iterator[None]:
    yield
    REDACTOR.forget()


@attrs.frozen
class Options:
    """As an adapter has them."""

    name: str
    secret: Secret


@given(PRINTABLE)
def test_no_form_of_it_shows_it(value: str) -> None:
    secret = Secret(value)
    options = Options("binance", secret)
    shown = [
        repr(secret), str(secret), f"{secret}", f"{secret!r:>90}", f"{secret:x}", format(secret),
        f"{secret!s:9}", repr(options), str(options), str(attrs.asdict(options)), str(attrs.astuple(options)),
        str([secret]), str({secret: secret}), json.dumps(attrs.asdict(options), default=str), repr(ValueError(secret)),
    ]  # fmt: skip
    assert secret.reveal() == value
    assert [text for text in shown if value in text] == []
    assert all(MASK in text for text in shown)


def test_it_is_not_stored() -> None:
    options = Options("binance", Secret(VALUE))
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="not stored"):
            pickle.dumps(options, protocol)
    with pytest.raises(TypeError):
        json.dumps(attrs.asdict(options))
    with pytest.raises(TypeError):
        msgspec.json.encode(options.secret)
    assert copy.deepcopy(options) == options
    assert not hasattr(options.secret, "__dict__")


def test_equal_secrets_are_equal() -> None:
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret(VALUE[1:])
    assert Secret(VALUE) != VALUE
    assert hash(Secret(VALUE)) == hash(Secret(VALUE))
    assert hash(Secret(VALUE)) != hash(VALUE)


WRITTEN: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "in a path": quote,
    "in a query": lambda value: quote(value, safe=""),
    "in a form": quote_plus,
    "in hexadecimal": lambda value: value.encode().hex(),
    "in base64": lambda value: b64encode(value.encode()).decode(),
    "in base64, behind another": lambda value: b64encode(f"k:{value}".encode()).decode(),
    "in base64 for URLs": lambda value: urlsafe_b64encode(f"ke{value}".encode()).decode(),
    "in lower case escapes": lambda value: quote(value, safe="").replace("%2B", "%2b").replace("%2F", "%2f"),
    "escaped twice": lambda value: quote(quote(value, safe=""), safe=""),
    "in JSON": json.dumps,
    "in JSON in JSON": lambda value: json.dumps(json.dumps(value)),
    "in JSON with slashes escaped": lambda value: json.dumps(value).replace("/", r"\/"),
    "in HTML": html.escape,
    "shown by Python": repr,
    "as bytes": lambda value: repr(value.encode()),
    "as a query of a mapping": lambda value: urlencode({"x": value, "y": "1"}),
}


@given(
    PRINTABLE, st.sampled_from(sorted(WRITTEN)), st.text("ab c&=?\"'", max_size=9), st.text("ab c&=?\"'", max_size=9)
)
def test_a_known_secret_is_cut_out_however_it_is_written(value: str, way: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.learn(Secret(value))
    written = WRITTEN[way](value)
    told = redactor.redact(f"{before}{written}{after}")
    assert value not in told
    assert written not in told
    assert MASK in told


@given(st.lists(PRINTABLE, min_size=2, max_size=8))
def test_all_of_several(values: list[str]) -> None:
    redactor = Redactor()
    for value in values:
        redactor.learn(Secret(value))
    told = redactor.redact(" ".join(f"<{value}>" for value in values))
    assert [value for value in values if value in told and value not in MASK] == []


def test_each_line_of_a_key_file() -> None:
    lines = [base64.b64encode(bytes(range(n, n + 48))).decode() for n in (0, 48, 96)]
    pem = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
    REDACTOR.learn(Secret(pem))
    for line in lines:
        assert redact(f"can't read {line}!") == f"can't read {MASK}!"
    assert lines[1] not in redact(f"MalformedFraming({pem!r})")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/api/v3/order?symbol=X&signature=ab%2Fc&timestamp=1", "/api/v3/order?symbol=X&signature=***&timestamp=1"),
        ("https%3A%2F%2Fh%2Fo%3Fsignature%3Dabc%26t%3D1", "https%3A%2F%2Fh%2Fo%3Fsignature%3D***"),
        ('{"apiKey": "abc", "side": "BUY"}', '{"apiKey": "***", "side": "BUY"}'),
        ('{\\"apiKey\\":\\"abc\\",\\"side\\":1}', '{\\"apiKey\\":\\"***\\",\\"side\\":1}'),
        ('{"method":"order.place","params":{"signature":"ab', '{"method":"order.place","params":{"signature":"***'),
        ("{'X-MBX-APIKEY': 'abc'}", "{'X-MBX-APIKEY': '***'}"),
        ("[(b'X-MBX-APIKEY', b'abc')]", "[(b'X-MBX-APIKEY', b'***')]"),
        ("X-MBX-APIKEY: abc\r\nHost: h", "X-MBX-APIKEY: ***\r\nHost: h"),
        ("Authorization: Bearer ab.cd\nHost: h", "Authorization: ***\nHost: h"),
        ("listenKey=pqia91ma19a5s61cv6a81va65sdf19v8a65a1", "listenKey=***"),
        ("-----BEGIN PRIVATE KEY-----\nMC4C\n-----END", "-----BEGIN PRIVATE KEY-----***-----END"),
        ("-----BEGIN EC PRIVATE KEY-----\nMC4C", "-----BEGIN EC PRIVATE KEY-----***"),
    ],
)  # fmt: skip
def test_what_is_named_a_key_is_cut_out(text: str, told: str) -> None:
    assert redact(text) == told


@pytest.mark.parametrize(
    "text",
    [
        "Signature for this request is not valid.",
        "API-key format invalid.",
        "line 7, venues.binance.api_key: the environment variable BINANCE_API_KEY is not set",
        'api_key = { env = "BINANCE_API_KEY" }',
        "order h0000abc1234567x filled 0.5 at 60000",
        '{"symbol":"BTCUSDT","side":"BUY","clientOrderId":"h0000abc1234567x"}',
    ],
)
def test_other_words_stay(text: str) -> None:
    assert redact(text) == text


def test_limits_of_the_redactor() -> None:
    redactor = Redactor()
    with pytest.raises(ValueError, match="8 characters"):
        redactor.learn(Secret("1234567"))
    for number in range(KNOWN_MOST):
        redactor.learn(Secret(f"secret{number:06}"))
    redactor.learn(Secret("secret000000"))
    with pytest.raises(ValueError, match="256"):
        redactor.learn(Secret("secret999999"))
