"""The Venue port over USD-M futures: who works in which thread, and what a start, a loss and an end mean.

Leverage, margin mode and position mode are the account's: they are read and told, and never changed here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from random import Random

from attrs import frozen

from adapters.backoff import Backoff, BackoffLimits
from adapters.binance.access import Access, NoResult, Product
from adapters.binance.calls import Call, Credentials
from adapters.binance.entry import OrderEntry
from adapters.binance.history import Unreadable
from adapters.binance.listing import absent_after_ns
from adapters.binance.signing import read_signer
from adapters.binance.venue import read_key
from adapters.binance.wire import DepthSnapshot, WireError, decode
from adapters.binance_usdm import calls
from adapters.binance_usdm.account import AccountFeed
from adapters.binance_usdm.answers import Answers
from adapters.binance_usdm.codes import judge
from adapters.binance_usdm.description import Describer
from adapters.binance_usdm.feed import Feed
from adapters.binance_usdm.history import History
from adapters.binance_usdm.hosts import BY_NAME, USDM
from adapters.binance_usdm.listing import DEFAULT_LIMITS
from adapters.binance_usdm.options import MARKET, PUBLIC, UsdmOptions
from adapters.binance_usdm.questions import Questions
from adapters.binance_usdm.snapshots import Snapshots
from adapters.binance_usdm.translate import FundingPaid, SettingsChanged, Translator
from adapters.budget import Lane as Right
from adapters.environment import check_url
from adapters.keys import KeyMissing
from adapters.lane import Lane
from adapters.redaction import redact
from adapters.registry import VenueSettings
from adapters.rights import PolicyRefused
from adapters.stream import Line, LineLimits, Listener
from engine import inputs, outbox
from engine.capabilities import VenueDescription
from engine.ports import Deliver, Gate, VenueUnreachable
from engine.values import MILLISECOND_NS, SECOND_NS, VenueName

TICK_NS = 50 * MILLISECOND_NS
QUESTIONS_TOGETHER = 64
BOOK_PATIENCE_NS = 5 * SECOND_NS
JOIN_SECONDS = 5
TOUCH_LEVELS = 5
FUNDING_TRIES = 5
FUNDING_WAIT_NS = SECOND_NS
FUNDING_EARLIER_NS = 60 * SECOND_NS
"""A funding's id is asked for so often; the list may come to it later than the stream."""

SETTINGS, SETTINGS_AGAIN_NS = "settings", SECOND_NS
"""What is missing while the account's settings can't be read, and how often they are asked for."""

PRODUCT = Product(calls.server_time(), DEFAULT_LIMITS, judge)


@frozen
class Book:
    """A book to be asked for; 0 levels: its best ones, to compare with the quotes."""

    symbol: str
    levels: int


Chore = Book | FundingPaid | SettingsChanged


def connect(settings: VenueSettings) -> UsdmVenue:
    """The client of one account; nothing is opened yet. Raises `ValueError` for options that can't be carried out, and
    for a key that can't be read."""
    options = settings.options
    if not isinstance(options, UsdmOptions):
        raise ValueError("USD-M futures need their own options")
    urls = (options.urls.rest, options.urls.stream, options.key_rights_url)
    for url in urls:
        if url is not None:
            check_url(url, BY_NAME[options.environment], USDM)
    try:
        api_key = read_key(options.api_key, "api_key", settings.directory)
        secret = read_key(options.api_secret, "api_secret", settings.directory)
    except KeyMissing as error:
        raise ValueError(str(error)) from None
    credentials = Credentials(api_key, read_signer(secret.reveal()))
    access = Access(settings.name, options, credentials, settings.throttled_until_ns, product=PRODUCT)
    return UsdmVenue(access, Translator(settings.name, settings.symbols, redact), options)


def call_of(translator: Translator, request: outbox.SubmitOrder | outbox.CancelOrder | outbox.ReplaceOrder) -> Call:
    """Every order is a call of its own."""
    symbol = translator.symbol(request.instrument)
    match request:
        case outbox.SubmitOrder():
            return calls.place(request, symbol)
        case outbox.CancelOrder():
            return calls.cancel(request, symbol)
        case outbox.ReplaceOrder():
            return calls.modify(request, symbol)


class UsdmVenue:
    """Streams on three lines, orders and cancels over REST in their lanes, questions, snapshots and chores in one
    each."""

    def __init__(self, access: Access, translator: Translator, options: UsdmOptions) -> None:
        self._access, self._translator, self._options = access, translator, options
        absent_ns = absent_after_ns(int(options.recv_window_ns), int(options.matching_limit_ns))
        self._describer = Describer(access, translator, options, absent_ns)
        self._account = AccountFeed(access, translator, self._put_chore)
        self._account.line = self._line("account", self._account.url, self._account)
        self._feeds = [self._feed(route, kinds) for route, kinds in (("public", PUBLIC), ("market", MARKET))]
        self._feeds = [feed for feed in self._feeds if feed.names]
        self._questions: Lane[outbox.QueryOrder] = Lane(
            f"{access.venue} questions", self._answer, together=QUESTIONS_TOGETHER
        )
        self._snapshots: Lane[outbox.TakeSnapshot] = Lane(f"{access.venue} snapshots", self._take_snapshots)
        self._chores: Lane[Chore] = Lane(f"{access.venue} chores", self._work)
        self._asker = Questions(access, translator, absent_ns)
        self._taker = Snapshots(access, translator)
        self._history = History(access, translator, Right.RECONCILE)
        self._data_line, self._house_line = access.http_line(), access.http_line()
        self._entry: OrderEntry | None = None
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> VenueName:
        """The user's name of this account."""
        return self._access.venue

    def describe(self) -> VenueDescription:
        """Asks what time it is there, what is traded, what account and key may do and how the account is set. Raises
        `VenueUnreachable`, and `PolicyRefused` where the key is not taken or the account is in hedge mode."""
        return self._describer.describe()

    def open(self, deliver: Deliver, gate: Gate) -> None:
        """Connect, and stay connected until `close`."""
        self._access.attach(deliver)
        self._entry = OrderEntry(
            self._access, self._translator, Answers(self._translator), partial(call_of, self._translator), gate, None
        )
        self._entry.start()
        for lane in (self._questions, self._snapshots, self._chores):
            lane.start()
        for line in self._lines():
            line.start()
        self._thread = threading.Thread(target=self._keep_house, name=f"{self.name} house", daemon=True)
        self._thread.start()

    def reconnect(self, cause: str) -> None:
        """Give the account's connection up; it is made again after the usual while."""
        line = self._account.line
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
                if self._entry is None:  # a start releases cancels that were waiting before it opens its venues
                    self._access.tell(self._translator.unanswered(request, "not open yet"))
                else:
                    self._entry.put(request)
                return
        if not is_taken:
            self._access.tell(self._translator.unanswered(request, "queue full"))

    def close(self) -> None:
        """End threads and connections. Requests in flight stay without an answer, as at any end of a process."""
        self._access.closing.set()
        for line in self._lines():
            line.close()
        for lane in (self._questions, self._snapshots, self._chores):
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

    # --- chores -----------------------------------------------------------------------------------------------------

    def _put_chore(self, chore: Chore) -> None:
        """A book that does not find its turn is asked for again; what else does not is in the next snapshot."""
        if not self._chores.put(chore) and isinstance(chore, Book):
            self._feeds[0].take_book(chore.symbol, None)

    def _fetch(self, symbol: str, levels: int) -> None:
        self._put_chore(Book(symbol, levels))

    def _work(self, chores: list[Chore]) -> None:
        for chore in chores:
            match chore:
                case Book():
                    self._fetch_book(chore)
                case FundingPaid():
                    self._find_funding(chore)
                case SettingsChanged():
                    self._describe_again()

    def _fetch_book(self, book: Book) -> None:
        call = calls.depth(book.symbol, book.levels or TOUCH_LEVELS)
        result = self._access.ask(self._data_line, call, Right.DATA, BOOK_PATIENCE_NS, tries=2)
        row = None
        if not isinstance(result, NoResult) and result.is_good:
            try:
                row = decode(result.text, DepthSnapshot)
            except WireError:
                self._access.tell(self._translator.surprise(result.text))
        feed = self._feeds[0]
        (feed.take_book if book.levels else feed.take_touch)(book.symbol, row)

    def _find_funding(self, paid: FundingPaid) -> None:
        """The event has no id: the list of incomes has it, sooner or later; if later, it comes with the snapshot."""
        since_ns = paid.at_ms * MILLISECOND_NS - FUNDING_EARLIER_NS
        for _try in range(FUNDING_TRIES):
            try:
                rows, _is_whole = self._history.fundings(since_ns)
            except Unreadable:
                rows = ()
            for row in rows:
                self._access.tell(self._translator.funding(row))
            if rows or self._access.closing.wait(FUNDING_WAIT_NS / SECOND_NS):
                return

    def _describe_again(self) -> None:
        """Leverage or margin mode were changed by somebody, or may have been: the engine compares them with the
        configuration. While they can't be read, or may not be traded with, nothing is traded."""
        is_missing = False
        while not self._access.closing.is_set():
            try:
                description = self._describer.describe()
            except (VenueUnreachable, PolicyRefused) as error:
                if not is_missing:
                    self._access.tell(inputs.StreamLost(self.name, SETTINGS, None, str(error)))
                is_missing = True
                self._access.closing.wait(SETTINGS_AGAIN_NS / SECOND_NS)
                continue
            self._access.tell(inputs.VenueDescribed(description))
            if is_missing:
                self._access.tell(inputs.StreamUp(self.name, SETTINGS))
            return

    # --- the housekeeper --------------------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        """The clock, the listen key, the streams; every `TICK_NS`."""
        measured_ns = connections = 0
        while not self._access.closing.wait(TICK_NS / SECOND_NS):
            for feed in self._feeds:
                feed.tick()
            if self._account.connections > connections:
                for feed in self._feeds:
                    feed.say_missing()
                if connections:
                    self._put_chore(SettingsChanged())  # nobody has heard whether they were
                connections = self._account.connections
            self._account.keep_alive(int(self._options.keep_alive_every_ns))
            now_ns = self._access.now_ns()
            since_ns = now_ns - int(self._options.clock_every_ns)
            if not self._access.is_measured_since(since_ns + 1) and now_ns - measured_ns > SECOND_NS:
                measured_ns = now_ns
                self._access.measure(self._house_line)

    # --- lines ------------------------------------------------------------------------------------------------------

    def _lines(self) -> list[Line]:
        lines = (self._account.line, *(feed.line for feed in self._feeds))
        return [line for line in lines if line is not None]

    def _feed(self, route: str, kinds: tuple[str, ...]) -> Feed:
        wanted = tuple(kind for kind in kinds if kind in self._options.streams)
        feed = Feed(self._access, self._translator, self._fetch, route, wanted)
        feed.line = self._line(route, feed.url, feed)
        return feed

    def _line(self, name: str, url: str | Callable[[], str], listener: Listener) -> Line:
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
