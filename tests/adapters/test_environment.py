"""Which host belongs to which environment: nothing that is tried out reaches real money, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from adapters.environment import (
    LOOPBACK,
    Environment,
    account_name,
    check_url,
    environment_of_account,
)
from adapters.registry import Adapter
from tests.house.abilities import shipped

MAINNET = Environment("mainnet", is_live=True, hosts=("api.example.com", "stream.example.com"))
TESTNET = Environment("testnet", is_live=False, hosts=("testnet.example.vision", "stream.testnet.example.vision"))
ALL = (MAINNET, TESTNET)


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("https://api.example.com", MAINNET),
        ("https://api.example.com/", MAINNET),
        ("wss://stream.example.com:9443/ws", MAINNET),
        ("https://testnet.example.vision/api", TESTNET),
        ("wss://stream.testnet.example.vision", TESTNET),
        ("http://127.0.0.1:8787", TESTNET),
        ("ws://localhost:8787/ws-api/v3", TESTNET),
        ("http://[::1]:8787", TESTNET),
        ("https://127.0.0.1:8787", TESTNET),
        ("HTTPS://API.Example.com", MAINNET),
    ],
)
def test_a_host_of_the_environment(url: str, environment: Environment) -> None:
    check_url(url, environment, ALL)


@pytest.mark.parametrize(
    ("url", "environment", "why"),
    [
        ("https://api.example.com", TESTNET, "not a host of testnet: it belongs to mainnet, which trades real money"),
        ("https://testnet.example.vision", MAINNET, "not a host of mainnet: it belongs to testnet"),
        ("http://127.0.0.1:8787", MAINNET, "this machine, and mainnet trades real money"),
        ("http://localhost", MAINNET, "this machine"),
        ("http://[::1]:80", MAINNET, "this machine"),
        ("https://example.org", MAINNET, r"not a host of mainnet \(those are api.example.com"),
        ("http://api.example.com", MAINNET, "https:// or wss:// only"),
        ("ws://stream.example.com", MAINNET, "https:// or wss:// only"),
        ("https://api.example.com.", MAINNET, "not a host"),
        ("https://api.example.com.evil.org", MAINNET, "not a host"),
        ("https://evil-api.example.com", MAINNET, "not a host"),
        ("https://api.example.com@evil.org", MAINNET, "no user"),
        ("https://key:secret@api.example.com", MAINNET, "no user"),
        ("https://api.example.com?x=1", MAINNET, "no query"),
        ("https://api.example.com#x", MAINNET, "no query"),
        ("https://evil.org\\@api.example.com", MAINNET, "without spaces and backslashes"),
        ("https://api.example.com\t.evil.org", MAINNET, "without spaces"),
        ("https://api.exаmple.com", MAINNET, "without spaces"),
        ("", MAINNET, "a URL is wanted"),
        ("api.example.com", MAINNET, "begins with https"),
        ("ftp://api.example.com", MAINNET, "begins with https"),
        ("https://", MAINNET, "no host"),
        ("https://api.example.com:0", MAINNET, "port"),
        ("https://api.example.com:x", MAINNET, "port"),
        ("https://api.example.com:", MAINNET, "port"),
        ("http://127.0.0.2:8787", TESTNET, "not a host"),
        ("http://0.0.0.0:8787", TESTNET, "not a host"),
        ("http://127.0.0.1.evil.org", TESTNET, "not a host"),
    ],
)
def test_a_host_of_another(url: str, environment: Environment, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_url(url, environment, ALL)


HOSTS = st.sampled_from([*MAINNET.hosts, *TESTNET.hosts, *LOOPBACK[:2], "evil.org"])
PARTS = st.lists(
    st.one_of(HOSTS, st.sampled_from(["https://", "http://", "wss://", "@", ":", "/", ":443", "?", "#", ".", "\\"]))
)


@given(PARTS.map("".join), st.sampled_from(ALL))
def test_whatever_is_taken_is_on_the_list_for_every_reader_of_urls(url: str, environment: Environment) -> None:
    """What is connected to is read by another library than this check: both must see the same host."""
    from urllib3.util import parse_url

    try:
        check_url(url, environment, ALL)
    except ValueError:
        return
    host = parse_url(url).host
    assert host in environment.hosts or (host in LOOPBACK and not environment.is_live)


def test_an_account_has_its_environment_in_its_name() -> None:
    for environment, uid in product(ALL, ("1", "a:b")):
        assert environment_of_account(account_name("example", environment.name, uid)) == environment.name
    assert environment_of_account("simulated:ab12") is None


@frozen
class Options:
    """As an adapter with environments needs them."""

    environment: str = "testnet"
    allow_withdrawal_rights: bool = False


@frozen
class Bare:
    """Without them."""

    seed: int = 7


def never(_: object) -> object:
    raise AssertionError


@pytest.mark.parametrize(
    ("environments", "options", "why"),
    [
        ((MAINNET, MAINNET), Options, "two environments"),
        ((MAINNET, Environment("demo", is_live=False, hosts=("api.example.com",))), Options, "real money has its own"),
        ((Environment("live", is_live=True, hosts=("localhost",)),), Options, "lists this machine"),
        (ALL, Bare, "no option environment"),
    ],
)
def test_an_adapter_that_can_be_mistaken_is_refused(
    environments: tuple[Environment, ...], options: type, why: str
) -> None:
    with pytest.raises(ValueError, match=why):
        Adapter("example", options, never, environments=environments)  # type: ignore[arg-type]


def test_the_environment_of_options() -> None:
    connect: Callable[..., object] = never
    adapter = Adapter("example", Options, connect, environments=ALL)  # type: ignore[arg-type]
    assert adapter.environment(Options()) == TESTNET
    assert adapter.environment(Options(environment="mainnet")) == MAINNET
    assert not Adapter("bare", Bare, connect).environment(Bare()).is_live  # type: ignore[arg-type]


@pytest.mark.parametrize("adapter", shipped().values(), ids=lambda adapter: adapter.name)
def test_the_installed_adapters_state_their_environments(adapter: Adapter) -> None:
    """Data alone: live hosts are lower-case names, and reached through the adapter's own check."""
    for environment in adapter.environments:
        for host in environment.hosts:
            check_url(f"https://{host}", environment, adapter.environments)
