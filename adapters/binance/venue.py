"""The Venue port over Binance Spot: who works in which thread, and what a start, a loss and an end mean."""

from __future__ import annotations

import threading
from functools import partial
from random import Random
from typing import TypeVar

from adapters.backoff import Backoff, BackoffLimits
from adapters.binance import calls, wire
from adapters.binance.access import Access, NoResult
from adapters.binance.answers import Answers
from adapters.binance.calls import Credentials
from adapters.binance.codes import Verdict
from adapters.binance.entry import OrderEntry, call_of
from adapters.binance.feed import Feed
from adapters.binance.hosts import BY_NAME, SPOT
from adapters.binance.listing import absent_after_ns, describe
from adapters.binance.options import BinanceOptions
from adapters.binance.questions import Questions, Snapshots
from adapters.binance.session import Session
from adapters.binance.signing import read_signer
from adapters.binance.translate import Translator
from adapters.budget import Lane as Right
from adapters.environment import check_url
from adapters.keys import KeyMissing, KeySource
from adapters.lane import Lane
from adapters.redaction import redact
from adapters.registry import VenueSettings
from adapters.rest import HttpLine
from adapters.rights import PolicyRefused
from adapters.secret import Secret
from adapters.stream import Line, LineLimits
from engine import outbox
from engine.capabilities import VenueDescription
from engine.ports import Deliver, Gate, VenueUnreachable
from engine.values import MILLISECOND_NS, SECOND_NS, VenueName

TICK_NS = 50 * MILLISECOND_NS
QUESTIONS_TOGETHER = 64
DESCRIBE_PATIENCE_NS = 5 * SECOND_NS
DESCRIBE_TRIES = 3
JOIN_SECONDS = 5
TOUCH_LEVELS = 5

Answer = TypeVar("Answer")


def connect(settings: VenueSettings) -> BinanceVenue:
    """The client of one account; nothing is opened yet. Raises `ValueError` for options that can't be carried out, and
    for a key that can't be read."""
    options = settings.options
    if not isinstance(options, BinanceOptions):
        raise ValueError("Binance needs its own options")
    for url in (options.urls.rest, options.urls.stream, options.urls.ws_api):
        check_url(url, BY_NAME[options.environment], SPOT)
    try:
        api_key = read_key(options.api_key, "api_key", settings.directory)
        secret = read_key(options.api_secret, "api_secret", settings.directory)
    except KeyMissing as error:
        raise ValueError(str(error)) from None
    credentials = Credentials(api_key, read_signer(secret.reveal()))
    access = Access(settings.name, options, credentials, settings.throttled_until_ns)
    return BinanceVenue(access, Translator(settings.name, settings.symbols, redact))


def read_key(source: KeySource | None, name: str, directory: str) -> Secret:
    """The key that an option says where to find; raises `ValueError` where it says nothing, and `KeyMissing`."""
    if source is None:
        raise ValueError(f'{name} is missing: name where it is, such as {{ env = "BINANCE_{name.upper()}" }}')
    return source.read(directory)


class BinanceVenue:
    """Streams on two lines, orders and cancels in two lanes, questions, snapshots and data in one each."""

    def __init__(self, access: Access, translator: Translator) -> None:
        assert isinstance(access.options, BinanceOptions), "they were asked for"
        self._access, self._translator, self._options = access, translator, access.options
        self._absent_after_ns = absent_after_ns(int(self._options.recv_window_ns), int(self._options.matching_limit_ns))
        self._session, self._feed = Session(access, translator), Feed(access, translator, self._fetch)
        self._session.line = self._line("account", self._options.urls.ws_api, self._session)
        self._feed.line = self._line("market", self._feed.url, self._feed)
        self._questions: Lane[outbox.QueryOrder] = Lane(
            f"{access.venue} questions", self._answer, together=QUESTIONS_TOGETHER
        )
        self._snapshots: Lane[outbox.TakeSnapshot] = Lane(f"{access.venue} snapshots", self._take_snapshots)
        self._data: Lane[tuple[str, int]] = Lane(f"{access.venue} data", self._fetch_now)
        self._asker = Questions(access, translator, self._absent_after_ns)
        self._taker = Snapshots(access, translator)
        self._data_line, self._housekeeping_line = access.http_line(), access.http_line()
        self._entry: OrderEntry | None = None
        self._thread: threading.Thread | None = None
        self._connections = 0

    @property
    def name(self) -> VenueName:
        """The user's name of this account."""
        return self._access.venue

    def describe(self) -> VenueDescription:
        """Asks what time it is there, what is traded and what account and key may do; raises `VenueUnreachable`, and
        `PolicyRefused` where the venue does not take the key."""
        with_line = self._access.http_line()
        try:
            measured = self._access.measure(with_line, Right.URGENT)
            if isinstance(measured, NoResult):
                raise VenueUnreachable(f"{self._options.urls.rest}: {measured.cause}")
            info = self._asked(calls.exchange_info(self._translator.symbols), wire.ExchangeInfo, with_line)
            self._access.adopt_limits(info.rate_limits)
            self._translator.adopt(info.symbols)
            account = self._asked(calls.account(), wire.Account, with_line)
            key = self._key_rights(with_line)
            return describe(
                self._access.venue, self._options.environment, self._translator.pairs, info, account,
                self._absent_after_ns, key,
            )  # fmt: skip
        except (wire.WireError, ValueError) as error:
            raise VenueUnreachable(f"{self._options.urls.rest} gave an answer that can't be read: {error}") from None
        finally:
            with_line.close()

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Connect, and stay connected until `close`."""
        self._access.attach(deliver)
        door = self._session if self._options.order_entry == "ws" else None
        self._entry = OrderEntry(
            self._access, self._translator, Answers(self._translator), partial(call_of, self._translator), gate, door
        )
        self._entry.start()
        for lane in (self._questions, self._snapshots, self._data):
            lane.start()
        for line in (self._session.line, self._feed.line):
            assert line is not None, "both lines were made with the venue"
            line.start()
        self._thread = threading.Thread(target=self._keep_house, name=f"{self.name} house", daemon=True)
        self._thread.start()

    def reconnect(self, cause: str) -> None:
        """Give the account's connection up; it is made again after the usual while."""
        line = self._session.line
        session = line.serving if line is not None else None
        if line is not None and session is not None:
            line.drop(session, cause)

    def release(self, request: outbox.Request) -> None:
        """Queue a request; if the queue is full, its outcome is told at once."""
        match request:
            case outbox.QueryOrder():
                is_taken = self._questions.put(request)
            case outbox.TakeSnapshot():
                is_taken = self._snapshots.put(request)
            case _:
                is_taken = True
                if self._entry is None:  # a start releases cancels that were waiting before it opens its venues
                    self._access.tell(self._translator.unanswered(request, "not connected"))
                else:
                    self._entry.put(request)
        if not is_taken:
            self._access.tell(self._translator.unanswered(request, "queue full"))

    def close(self) -> None:
        """End threads and connections. Requests in flight stay without an answer, as at any end of a process."""
        self._access.closing.set()
        for line in (self._session.line, self._feed.line):
            if line is not None:
                line.close()
        for lane in (self._questions, self._snapshots, self._data):
            lane.close()
        if self._entry is not None:
            self._entry.close()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)
        self._access.close_lines()

    # --- questions, each kind in a thread of its own ----------------------------------------------------------------

    def _answer(self, requests: list[outbox.QueryOrder]) -> None:
        for told in self._asker.answer(requests):
            self._access.tell(told)

    def _take_snapshots(self, requests: list[outbox.TakeSnapshot]) -> None:
        for request in requests:
            self._access.tell(self._taker.take(request))

    def _fetch(self, symbol: str, levels: int) -> None:
        """Have a book asked for; 0 levels: its best ones, to compare with the quotes."""
        if not self._data.put((symbol, levels)):
            self._feed.take_book(symbol, None)

    def _fetch_now(self, wanted: list[tuple[str, int]]) -> None:
        for symbol, levels in wanted:
            call = calls.depth(symbol, levels or TOUCH_LEVELS)
            result = self._access.ask(self._data_line, call, Right.DATA, DESCRIBE_PATIENCE_NS, tries=2)
            row = None
            if not isinstance(result, NoResult) and result.is_good:
                try:
                    row = wire.decode(result.text, wire.DepthSnapshot)
                except wire.WireError:
                    self._access.tell(self._translator.surprise(result.text))
            (self._feed.take_book if levels else self._feed.take_touch)(symbol, row)

    # --- the housekeeper --------------------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        """Timeouts, the clock, the streams; every `TICK_NS`."""
        measured_ns = 0
        while not self._access.closing.wait(TICK_NS / SECOND_NS):
            self._session.tick()
            self._feed.tick()
            self._notice_connection()
            now_ns = self._access.now_ns()
            since_ns = now_ns - int(self._options.clock_every_ns)
            if not self._access.is_measured_since(since_ns + 1) and now_ns - measured_ns > SECOND_NS:
                measured_ns = now_ns
                self._access.measure(self._housekeeping_line)

    def _notice_connection(self) -> None:
        """The account's events are there (again): say once more what is missing of the market."""
        if self._session.connections > self._connections:
            self._connections = self._session.connections
            self._feed.say_missing()

    def _asked(self, call: calls.Call, kind: type[Answer], line: HttpLine) -> Answer:
        """An answer that a start needs; raises `VenueUnreachable`."""
        result = self._access.ask(line, call, Right.URGENT, DESCRIBE_PATIENCE_NS, DESCRIBE_TRIES)
        if not isinstance(result, NoResult) and result.verdict in (Verdict.CREDENTIALS, Verdict.POLICY):
            raise PolicyRefused(
                f"[venues.{self.name}] {self._options.urls.rest} refuses the key: {redact(result.cause)}"
            )
        if isinstance(result, NoResult) or not result.is_good:
            raise VenueUnreachable(f"{self._options.urls.rest}{call.path}: {redact(result.cause)}")
        return wire.decode(result.text, kind)

    def _key_rights(self, line: HttpLine) -> wire.KeyRights | None:
        """What the key may do; None where the environment does not tell. Raises `VenueUnreachable` where money is real
        and the answer did not come."""
        if BY_NAME[self._options.environment].is_live:
            return self._asked(calls.key_rights(), wire.KeyRights, line)
        result = self._access.ask(line, calls.key_rights(), Right.URGENT, DESCRIBE_PATIENCE_NS)
        if isinstance(result, NoResult) or not result.is_good:
            return None
        try:
            return wire.decode(result.text, wire.KeyRights)
        except wire.WireError:
            return None

    def _line(self, name: str, url: str, listener: Session | Feed) -> Line:
        limits = BackoffLimits(
            first_ns=int(self._options.backoff_first_ns), longest_ns=int(self._options.backoff_longest_ns),
            steady_ns=int(self._options.backoff_steady_ns),
        )  # fmt: skip
        line_limits = LineLimits(
            open_ns=int(self._options.connect_timeout_ns), ready_ns=2 * int(self._options.confirm_limit_ns),
            life_ns=int(self._options.connection_life_ns),
        )  # fmt: skip
        return Line(
            f"{self._access.venue} {name}", url, listener, Backoff(limits, Random(self._options.seed)), line_limits,
            may_open=lambda: self._access.now_ns() >= self._access.throttled_until_ns,
        )  # fmt: skip
