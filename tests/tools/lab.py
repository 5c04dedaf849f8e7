"""A venue with environments, keys, an account and rights, over the exchange that ships: it says what a test wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from adapters.environment import Environment, account_name
from adapters.keys import KeySource
from adapters.registry import Adapter, VenueSettings
from adapters.simulated.options import SimulatedOptions
from adapters.simulated.venue import SimulatedVenue
from adapters.simulated.venue import connect as connect_simulated
from engine.capabilities import AccountRights, VenueDescription
from engine.inputs import Input, VenueDescribed
from engine.outbox import Request
from engine.ports import Deliver, Gate
from engine.values import VenueName

MAINNET = Environment("mainnet", is_live=True, hosts=("api.example.com", "stream.example.com"))
TESTNET = Environment("testnet", is_live=False, hosts=("testnet.example.com",))
DEMO = Environment("demo", is_live=False, hosts=("demo.example.com",))


@frozen(kw_only=True)
class LabOptions:
    """What the file says, and (from `uid` on) what the venue will say of the account."""

    environment: str = "testnet"
    api_key: KeySource | None = None
    api_secret: KeySource | None = None
    rest_url: str | None = None
    stream_url: str | None = None
    allow_withdrawal_rights: bool = False
    uid: str = "1001"
    says_environment: str = ""
    has_rights: bool = True
    may_trade: bool = True
    may_withdraw: bool = False
    asset_classes: tuple[str, ...] = ("SPOT",)


class LabVenue:
    """The simulated exchange's client, with another account's words. `hear` sees what it is about to deliver."""

    def __init__(
        self, inner: SimulatedVenue, options: LabOptions, hear: Callable[[Deliver], None] | None = None
    ) -> None:
        self.inner, self.options, self.hear = inner, options, hear

    @property
    def name(self) -> VenueName:
        return self.inner.name

    def describe(self) -> VenueDescription:
        """As the exchange says, but for account and rights."""
        return self._described(self.inner.describe())

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Begin; the descriptions that come later are changed too."""

        def tell(seen: Input) -> None:
            described = isinstance(seen, VenueDescribed)
            deliver(VenueDescribed(self._described(seen.description)) if isinstance(seen, VenueDescribed) else seen)
            if described and self.hear is not None:
                self.hear(deliver)

        self.inner.open(tell, gate)

    def release(self, request: Request) -> None:
        """To the exchange."""
        self.inner.release(request)

    def reconnect(self, cause: str) -> None:
        """Of the exchange."""
        self.inner.reconnect(cause)

    def close(self) -> None:
        """The exchange's."""
        self.inner.close()

    def _described(self, found: VenueDescription) -> VenueDescription:
        said = self.options
        rights = AccountRights(
            may_trade=said.may_trade, may_withdraw=said.may_withdraw, asset_classes=said.asset_classes
        )
        account = account_name("lab", said.says_environment or said.environment, said.uid)
        return evolve(found, adapter="lab", account=account, rights=rights if said.has_rights else None)


hear: Callable[[Deliver], None] | None = None
"""What a test lets every client say once it is connected."""


def connect(settings: VenueSettings) -> LabVenue:
    """The client; its keys are read as a real one's are."""
    options = settings.options
    assert isinstance(options, LabOptions)
    for source in (options.api_key, options.api_secret):
        if source is not None:
            source.read(settings.directory)
    inner: Any = connect_simulated(evolve(settings, options=SimulatedOptions()))
    return LabVenue(inner, options, hear)


ADAPTER = Adapter(name="lab", options=LabOptions, connect=connect, environments=(MAINNET, TESTNET, DEMO))

CONFIGURED = """
mode = "paper"
[venues.lab]
adapter = "lab"
environment = "testnet"
api_key = { env = "LAB_KEY" }
api_secret = { env = "LAB_SECRET" }
[instruments."BTC-USDT"]
venue = "lab"
symbol = "BTCUSDT"
"""
