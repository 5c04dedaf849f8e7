"""The exchange as its doors share it: Spot's house, with contracts, the account's settings and listen keys."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable

from adapters.binance.server.house import House
from adapters.binance.server.orders import Floor
from adapters.binance.server.terms import Register
from adapters.binance_usdm.server.events import AccountEvents
from adapters.binance_usdm.server.options import UsdmExchangeOptions
from adapters.binance_usdm.server.orders import Account
from adapters.binance_usdm.server.settings import AccountSettings, read_settings
from adapters.binance_usdm.server.weights import UsdmWeights
from adapters.registry import ServerSettings
from adapters.simulated.gateway import Gateway
from adapters.simulated.opening import open_gateway, open_market
from engine.ports import EventLog


class UsdmHouse(House):
    """One per server. Its methods may be called in any thread, `account` in the exchange's alone."""

    def __init__(self, settings: ServerSettings, failed: Callable[[Exception], None] | None = None) -> None:
        """Raises `ValueError` for options that are not this exchange's, and `KeyFault`."""
        if not isinstance(settings.options, UsdmExchangeOptions):
            raise ValueError("the local exchange of USD-M futures needs its own options")
        super().__init__(settings, failed)
        self.usdm = settings.options
        self.weights = self.order_weights = UsdmWeights(self.usdm, self.clock)
        self.cuts: set[Callable[[], None]] = set()
        self.listen_keys = ListenKeys(self.clock, int(self.usdm.listen_key_life_ns))

    def cut_streams(self) -> None:
        """A connection that a fault cuts in the middle of a request takes those on which the account's events come with
        it, as when the network goes away."""
        for cut in list(self.cuts):
            cut()

    def _build(self, log: EventLog, at_ns: int) -> Gateway:
        simulated = self.usdm.contracts(self.symbols)
        opened = open_market(simulated, self.symbols, self._directory)
        gateway = open_gateway(simulated, self.symbols, self._directory, log, at_ns, opened=opened, keeps_ids=True)
        self.terms = opened[1]
        self._register = Register(gateway.exchange)
        gateway.dress = AccountEvents(self.standing, self.account_settings).dress
        return gateway

    def standing(self) -> Floor:
        """What work in the exchange's thread stands on, as it is now."""
        rights = self.rights
        return Floor(self.register, self.faults, rights.can_trade, rights.withdrawals, self.weights.count_orders)

    def account_settings(self) -> AccountSettings:
        """How the account is set."""
        return read_settings(self.register.exchange, self.usdm.leverage)

    def account(self) -> Account:
        """What orders are judged by."""
        return Account(settings=self.account_settings(), maintenance_rate=self.usdm.maintenance_rate)


class ListenKeys:
    """The one listen key of the account, while it lives. It dies with the process."""

    def __init__(self, clock: Callable[[], int], life_ns: int) -> None:
        self._clock, self._life_ns = clock, life_ns
        self._lock = threading.Lock()
        self._key, self._until_ns = "", 0

    def begin(self) -> str:
        """A new one, or the same with its time begun anew."""
        with self._lock:
            if not self._is_alive():
                self._key = secrets.token_hex(32)
            self._until_ns = self._clock() + self._life_ns
            return self._key

    def keep(self) -> bool:
        """Its time begins anew; False where there is none."""
        with self._lock:
            if self._is_alive():
                self._until_ns = self._clock() + self._life_ns
                return True
            return False

    def end(self) -> None:
        """It is over, as if its time were."""
        with self._lock:
            self._until_ns = 0

    def opens(self, key: str) -> bool:
        """Is it this one, and alive?"""
        with self._lock:
            return self._is_alive() and key == self._key

    def _is_alive(self) -> bool:
        return bool(self._key) and self._clock() < self._until_ns
