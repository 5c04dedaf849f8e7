"""The environments of a venue (mainnet, testnet, demo) and the hosts that belong to each, so that none is mixed up."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from attrs import frozen

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Where an exchange on this machine listens; what is tried out may go there, real money never."""

_SECURE = {"https": "http", "wss": "ws"}
_URL_LIKE = re.compile(r"[!-\[\]-~]+")
_ACCOUNT = re.compile(r"(?P<adapter>[^:]*):(?P<environment>[^:]*):(?P<uid>.*)")


@frozen
class Environment:
    """One environment of an adapter: is money real there, and which hosts may it be reached at (exact names)?"""

    name: str
    is_live: bool
    hosts: tuple[str, ...] = ()


ON_THIS_MACHINE = Environment("local", is_live=False)
"""Where an adapter that has no environments trades."""


def check_environments(environments: Iterable[Environment]) -> None:
    """Are an adapter's own data sound: unique names, hosts of real money alone? Raises `ValueError`."""
    names: set[str] = set()
    owners: dict[str, Environment] = {}
    for environment in environments:
        if environment.name in names:
            raise ValueError(f"two environments are called {environment.name}")
        names.add(environment.name)
        if environment.is_live and set(environment.hosts) & set(LOOPBACK):
            raise ValueError(f"{environment.name} is live, and lists this machine")
        for host in environment.hosts:
            other = owners.setdefault(host, environment)
            if other.is_live is not environment.is_live:
                raise ValueError(
                    f"{host} belongs to {other.name} and to {environment.name}; real money has its own hosts"
                )


def check_url(url: str, environment: Environment, others: Iterable[Environment] = ()) -> None:
    """May the environment be reached there? Raises `ValueError` saying why not, without what stands behind the host.

    Encrypted, at a host of the environment's list; or, where no money is real, on this machine. `others` are the
    adapter's environments, to name the one that a wrong host belongs to.
    """
    if not _URL_LIKE.fullmatch(url):
        raise ValueError("a URL is wanted, without spaces and backslashes")
    parts = urlsplit(url)
    secure = parts.scheme in _SECURE
    if not secure and parts.scheme not in _SECURE.values():
        raise ValueError("a URL begins with https:// or wss:// (http:// or ws:// on this machine alone)")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("a URL here has a host and a path alone: no user, no password, no query")
    _check_port(parts.netloc, url)
    host = parts.hostname or ""
    if host in LOOPBACK:
        if environment.is_live:
            raise ValueError(f"{host} is this machine, and {environment.name} trades real money")
        return
    if host not in environment.hosts:
        raise ValueError(f"{host or 'no host'} is not a host of {environment.name}{_whose(host, environment, others)}")
    if not secure:
        raise ValueError(f"{host} is reached by https:// or wss:// only")


def account_name(adapter: str, environment: str, uid: str | int) -> str:
    """What an account is called in a journal that is bound to it.

    >>> account_name("binance", "testnet", 354937868)
    'binance:testnet:354937868'
    """
    return f"{adapter}:{environment}:{uid}"


def environment_of_account(account: str) -> str | None:
    """The environment in an account's name; None where the name has none.

    >>> environment_of_account("binance:testnet:354937868"), environment_of_account("simulated:1b2c")
    ('testnet', None)
    """
    found = _ACCOUNT.fullmatch(account)
    return found["environment"] if found else None


def _check_port(place: str, url: str) -> None:
    try:
        port = urlsplit(url).port
    except ValueError:
        port = 0
    if port == 0 or place.endswith(":"):
        raise ValueError("the port in the URL is none")


def _whose(host: str, environment: Environment, others: Iterable[Environment]) -> str:
    owner = next((other for other in others if other is not environment and host in other.hosts), None)
    if owner is not None:
        money = ", which trades real money" if owner.is_live else ""
        return f": it belongs to {owner.name}{money}"
    return f" (those are {', '.join(environment.hosts)})" if environment.hosts else ""
