"""The exchange as its doors share it: the simulated exchange's floor, keys, limits, faults and the market's record."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from queue import Empty, SimpleQueue
from typing import Any

from adapters.binance.server.accounts import Keys, Rights, read_rights
from adapters.binance.server.errand import Unanswered
from adapters.binance.server.faults import BinanceFaults, read_binance_faults, struck
from adapters.binance.server.options import ExchangeOptions
from adapters.binance.server.orders import Floor as Standing
from adapters.binance.server.recorder import Recorder
from adapters.binance.server.refusal import Refused
from adapters.binance.server.terms import Register
from adapters.binance.server.user_events import UserEvents
from adapters.binance.server.weights import Weights
from adapters.registry import ServerSettings
from adapters.simulated import wire
from adapters.simulated.faults import Rule
from adapters.simulated.floor import Floor
from adapters.simulated.gateway import Cut, Delivery, Gateway, Request
from adapters.simulated.generator import Generator
from adapters.simulated.listing import Terms
from adapters.simulated.opening import DEFAULT_SYMBOLS, open_gateway, open_market
from engine.ports import EventLog
from engine.values import Side

REPLY_SECONDS = 30
"""How long an answer is waited for that a fault has lost; then the connection is closed."""


class NoReply(Exception):
    """No answer came, or the connection is cut instead of one."""


class House:
    """One per server. Its methods may be called in any thread."""

    def __init__(self, settings: ServerSettings, failed: Callable[[Exception], None] | None = None) -> None:
        """Raises `ValueError` for options that are not this exchange's, and `KeyFault`."""
        if not isinstance(settings.options, ExchangeOptions):
            raise ValueError("the local exchange of Binance needs its own options")
        self.options = options = settings.options
        self.symbols = tuple(dict.fromkeys(settings.symbols.values())) or _symbols_of(options)
        self._directory = settings.directory
        self.faults: BinanceFaults = options.faults
        self.rights: Rights = read_rights(options.faults.rights)
        pairs = [(options.api_key, options.api_secret)]
        if options.public_key is not None:
            pairs.append((options.public_api_key, options.public_key))
        self.keys = Keys(pairs)
        self.weights = Weights(options.limits, self.clock)
        self.recorder = Recorder(self._levels)
        self.floor = Floor(settings.open_log, self._build, failed)
        self.started_ns = time.time_ns()
        self.changed: list[Callable[[BinanceFaults], None]] = []
        self.terms: Mapping[str, Terms] = {}
        self._register: Register | None = None
        self._strikes: Counter[str] = Counter()
        self._forms = count()
        self._backfilled: set[str] = set()
        self._lock = threading.Lock()

    # --- opening ------------------------------------------------------------------------------------------------

    def _build(self, log: EventLog, at_ns: int) -> Gateway:
        simulated = self.options.simulated()
        opened = open_market(simulated, self.symbols, self._directory)
        gateway = open_gateway(
            simulated, self.symbols, self._directory, log, at_ns, opened=opened, ends_twins=True, sweeps=False
        )
        self.terms = opened[1]
        self._register = Register(gateway.exchange)
        gateway.dress = UserEvents(self.standing, self.weights.count_orders).dress
        return gateway

    def _levels(self, symbol: str, side: Side) -> tuple[tuple[Any, Any], ...]:
        return self.register.exchange.market.levels(symbol, side)

    @property
    def register(self) -> Register:
        """The register; of the exchange's thread."""
        assert self._register is not None, "the floor is open"
        return self._register

    def standing(self) -> Standing:
        """What work in the exchange's thread stands on, as it is now."""
        rights = self.rights
        can_trade = rights.can_trade and rights.spot_trading
        return Standing(self.register, self.faults, can_trade, rights.withdrawals, self.weights.count_orders)

    def clock(self) -> int:
        """The exchange's own time."""
        return time.time_ns() + self.faults.clock_offset_ns

    # --- faults -------------------------------------------------------------------------------------------------

    def set_faults(self, table: Mapping[str, Any]) -> None:
        """From now on these, and no others; raises `ValueError` saying what is wrong with them."""
        self.begin_faults(read_binance_faults(table))

    def begin_faults(self, faults: BinanceFaults) -> None:
        """As `set_faults`; for a running floor. Raises `ValueError` for rights that there are not."""
        rights = read_rights(faults.rights)
        with self._lock:
            self.faults, self.rights = faults, rights
            self._strikes.clear()
        now_ns = self.clock()
        self.weights.throttle(now_ns + faults.throttle_ns if faults.throttle_ns else 0)
        self.weights.ban(now_ns + faults.ban_ns if faults.ban_ns else 0)
        done = threading.Event()

        def change(gateway: Gateway, _: int) -> None:
            gateway.set_faults(faults)
            done.set()

        self.floor.work(change)
        done.wait(REPLY_SECONDS)
        for each in self.changed:
            each(faults)

    def strikes(self, name: str, rule: Rule) -> bool:
        """Does this fault happen to the next message that it could happen to?"""
        with self._lock:
            self._strikes[name] += 1
            return struck(rule, self._strikes[name])

    def error_form(self) -> str:
        """What the next error looks like."""
        forms: tuple[str, ...] = self.faults.error_form
        return forms[next(self._forms) % len(forms)]

    def backfill(self, symbol: str) -> None:
        """Candles from before the start, once for each symbol: a generated market can be asked for its past."""
        with self._lock:
            if symbol in self._backfilled or self.options.tape is not None:
                return
            self._backfilled.add(symbol)
        self.recorder.backfill(symbol, Generator(self.options.seed, self.terms[symbol]), self.started_ns)

    # --- asking -------------------------------------------------------------------------------------------------

    def submit(self, request: Request, receive: Callable[[Any], None]) -> None:
        """Hand over a request; `receive` gets what `outcome` makes of its answer, in the exchange's thread or never."""
        connections: list[int] = []

        def take(delivery: Delivery) -> None:
            if delivery.number is None and not isinstance(delivery.frame, Cut):
                return
            self.floor.disconnect(connections[0])
            receive(outcome(delivery))

        connections.append(self.floor.connect(take))
        if not self.floor.send(connections[0], 1, request):
            self.floor.disconnect(connections[0])
            receive(Unanswered())

    def ask(self, request: Request) -> Any:
        """The answer; raises `NoReply` where none comes, and `Refused`."""
        answers: SimpleQueue[Any] = SimpleQueue()
        self.submit(request, answers.put)
        try:
            found = answers.get(timeout=REPLY_SECONDS)
        except Empty:
            raise NoReply("no answer") from None
        if isinstance(found, (Refused, NoReply)):
            raise found
        return found


def _symbols_of(options: ExchangeOptions) -> tuple[str, ...]:
    """What is traded where nobody says: a tape's symbols (the first of ours where it names none), or ours."""
    if options.tape is None:
        return DEFAULT_SYMBOLS
    return tuple(symbol for symbol in options.tape if symbol) or DEFAULT_SYMBOLS[:1]


def outcome(delivery: Delivery) -> Any:
    """An answer's body, `Refused`, `Unanswered` or `NoReply`."""
    match delivery.frame:
        case Cut():
            return NoReply(delivery.frame.cause)
        case wire.Foreign():
            return delivery.frame.body
        case wire.Failed():
            return Unanswered(is_done=True)
        case _:
            return delivery.frame
