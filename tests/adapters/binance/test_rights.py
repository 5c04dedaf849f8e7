"""What Binance says of an account and its key, and where it may be asked at all."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve

from adapters.binance import ADAPTER, listing, wire
from adapters.binance.hosts import BY_NAME, MAINNET, SPOT
from adapters.binance.options import ENVIRONMENTS, BinanceOptions
from adapters.binance.venue import connect
from adapters.environment import LOOPBACK, account_name, check_url
from adapters.keys import KeySource
from adapters.redaction import REDACTOR
from adapters.registry import VenueSettings
from adapters.rights import faults_of_rights
from engine.values import InstrumentName, VenueName

BTC, VENUE = InstrumentName("BTC-USDT"), VenueName("binance")
ACCOUNT = wire.Account(balances=(), can_trade=True, can_withdraw=True, permissions=("SPOT", "TRD_GRP_004"), uid=7)
KEY = wire.KeyRights(enable_withdrawals=False, ip_restrict=True)
ROW = wire.SymbolRow(symbol="BTCUSDT", status="TRADING", base_asset="BTC", quote_asset="USDT")
OPTIONS = BinanceOptions(api_key=KeySource(env="K"), api_secret=KeySource(env="S"))


def described(environment: str, account: wire.Account, key: wire.KeyRights | None, row: wire.SymbolRow = ROW) -> Any:
    info = wire.ExchangeInfo(symbols=(row,))
    return listing.describe(VENUE, environment, {BTC: "BTCUSDT"}, info, account, 1, key)


def faults(description: Any) -> list[str]:
    return list(faults_of_rights(description, {BTC}, allow_withdrawal=False))


def test_the_key_counts_and_not_the_account() -> None:
    """Every account may withdraw; whether this key may is another matter, and the one that is asked."""
    found = described("mainnet", ACCOUNT, KEY)
    assert found.rights.may_trade is True
    assert found.rights.may_withdraw is False
    assert found.rights.is_restricted_to_addresses is True
    assert faults(found) == []
    assert found.account == account_name("binance", "mainnet", 7)


def test_a_key_that_may_withdraw() -> None:
    (told,) = faults(described("testnet", ACCOUNT, wire.KeyRights(enable_withdrawals=True)))
    assert told.startswith("the key may withdraw")


def test_a_key_that_may_not_trade() -> None:
    key = wire.KeyRights(enable_withdrawals=False, enable_spot_and_margin_trading=False)
    assert faults(described("mainnet", ACCOUNT, key)) == ["the account binance:mainnet:7 or its key may not trade"]


@pytest.mark.parametrize("environment", SPOT, ids=lambda each: each.name)
def test_an_environment_that_says_nothing_of_the_key(environment: Any) -> None:
    """Where money is real, silence is no proof that the key may not withdraw."""
    found = described(environment.name, ACCOUNT, None)
    assert found.rights.may_withdraw is (True if environment.is_live else None)
    assert bool(faults(found)) is environment.is_live


@pytest.mark.parametrize(
    ("sets", "is_barred"),
    [
        ((), False),
        ((("SPOT", "MARGIN"),), False),
        ((("TRD_GRP_004", "TRD_GRP_005"),), False),
        ((("TRD_GRP_009",),), True),
        ((("SPOT",), ("TRD_GRP_009",)), True),
        ((("SPOT",), ("TRD_GRP_004",)), False),
    ],
)
def test_a_symbol_needs_one_permission_of_each_set(sets: tuple[tuple[str, ...], ...], is_barred: bool) -> None:
    row = wire.decode(wire_text(permissionSets=[list(each) for each in sets]), wire.SymbolRow)
    found = described("testnet", ACCOUNT, KEY, row)
    assert found.rights.barred == ((BTC,) if is_barred else ())
    assert bool(faults(found)) is is_barred
    assert all("may not trade BTC-USDT" in told for told in faults(found))


def wire_text(**more: object) -> str:
    row = {"symbol": "BTCUSDT", "status": "TRADING", "baseAsset": "BTC", "quoteAsset": "USDT"}
    return json.dumps(row | more)


def test_the_documented_text_of_a_key_s_rights_is_read() -> None:
    text = (
        '{"ipRestrict": false, "createTime": 1698645219000, "enableReading": true, "enableWithdrawals": false,'
        '"enableInternalTransfer": false, "enableMargin": false, "enableFutures": false,'
        '"enableSpotAndMarginTrading": false, "tradingAuthorityExpirationTime": 1628985600000}'
    )
    found = wire.decode(text, wire.KeyRights)
    assert (found.enable_withdrawals, found.enable_spot_and_margin_trading, found.ip_restrict) == (False, False, False)


# --- where it may be asked --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "urls"), ENVIRONMENTS.items())
def test_the_documented_urls_are_of_their_environment(name: str, urls: Any) -> None:
    for url in (urls.rest, urls.stream, urls.ws_api):
        check_url(url, BY_NAME[name], SPOT)
        for other in SPOT:
            if other.name != name:
                with pytest.raises(ValueError, match="not a host of"):
                    check_url(url, other, SPOT)


def test_the_adapter_has_the_environments_of_its_options() -> None:
    assert [each.name for each in ADAPTER.environments] == list(ENVIRONMENTS)
    assert [each.name for each in ADAPTER.environments if each.is_live] == ["mainnet"]


@pytest.mark.parametrize("field", ["rest_url", "stream_url", "ws_api_url"])
@pytest.mark.parametrize("environment", SPOT, ids=lambda each: each.name)
def test_no_url_leads_out_of_its_environment(field: str, environment: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever makes options in code, without a configuration that is checked, is refused too."""
    monkeypatch.setenv("K", "0123456789abcdef")
    monkeypatch.setenv("S", "fedcba9876543210")
    wrong = ["wss://stream.binance.com"] if environment is not MAINNET else [f"ws://{LOOPBACK[0]}:1"]
    for url in (*wrong, "https://example.org", "https://api.binance.com.example.org"):
        changed: dict[str, Any] = {"environment": environment.name, field: url}
        options = evolve(OPTIONS, **changed)
        settings = VenueSettings(VENUE, options, {BTC: "BTCUSDT"}, ".", lambda _: pytest.fail("no log is opened"))
        with pytest.raises(ValueError, match=r"not a host of|this machine"):
            connect(settings)
    REDACTOR.forget()
