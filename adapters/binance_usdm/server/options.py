"""What can be set of the local exchange when it starts."""

from __future__ import annotations

from decimal import Decimal

from attrs import evolve, frozen

from adapters.binance.server.options import ExchangeOptions, Limits
from adapters.simulated.listing import Listing
from adapters.simulated.options import SimulatedOptions
from engine.instrument import InstrumentKind
from engine.values import SECOND_NS, Duration

_LIMITS = Limits(weight_per_minute=2_400, orders_per_10s=300, messages_per_second=10)


@frozen(kw_only=True)
class UsdmExchangeOptions(ExchangeOptions):
    """As Spot's, for contracts: a symbol of which nothing else is said is a perpetual one, with a `funding_rate` paid
    `funding_every`. A new account has this `leverage` and cross margin in one-way mode; of what is held at the mark
    `maintenance_rate` must be kept. A listen key lives for `listen_key_life`."""

    limits: Limits = _LIMITS
    leverage: int = 20
    maintenance_rate: Decimal = Decimal("0.004")
    funding_rate: Decimal = Decimal("0.0001")
    funding_every_ns: Duration = Duration(8 * 3_600 * SECOND_NS)
    listen_key_life_ns: Duration = Duration(3_600 * SECOND_NS)
    orders_per_minute: int = 1_200

    def contracts(self, symbols: tuple[str, ...]) -> SimulatedOptions:
        """The simulated exchange's options, every symbol of spot made a perpetual contract."""
        listed = {symbol: self._contract(self.instruments.get(symbol, Listing())) for symbol in symbols}
        return evolve(self.simulated(), instruments=listed)

    def _contract(self, said: Listing) -> Listing:
        if said.kind is not InstrumentKind.SPOT:
            return said
        rate = self.funding_rate if said.funding_rate is None else said.funding_rate
        return evolve(
            said, kind=InstrumentKind.PERPETUAL, funding_rate=rate, funding_every_ns=self.funding_every_ns
        )  # fmt: skip
