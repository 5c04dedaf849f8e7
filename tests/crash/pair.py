"""An engine and its exchange, each in a process of its own, with a socket between them."""

from __future__ import annotations

from collections import Counter

from attrs import define, field

from adapters.simulated import wire
from adapters.simulated.link import SocketLink
from tests.crash.books import assert_equal, read_books
from tests.crash.checks import assert_replays
from tests.crash.session import Process, Session, configured, is_calm


@define
class Pair:
    """An engine and the exchange that it trades at, each in its own process."""

    session: Session
    venue: str
    faults: str = ""
    rest: str = ""
    exchange: Process = field(init=False)
    port: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.session.configure(configured(venue=self.venue, rest=self.faults + self.rest))
        self.exchange, self.port = self.session.serve()
        self.configure()

    @property
    def url(self) -> str:
        """Where the exchange listens."""
        return f"ws://127.0.0.1:{self.port}"

    def configure(self, *, quiet: bool = False) -> None:
        """What the engine is told; an exchange that is served keeps what it was served with."""
        venue = f'{self.venue}\nurl = "{self.url}"'
        rest = self.rest if quiet else self.faults + self.rest
        self.session.configure(configured(venue=venue, quiet=quiet, rest=rest))

    def serve_again(self) -> None:
        """The exchange once more, on its books and its port."""
        self.exchange, _ = self.session.serve(self.port)

    def finish(self) -> Counter[str]:
        """Without faults and new orders all is settled; then both sides say the same. The kinds of events."""
        session = self.session
        SocketLink(self.url).ask(wire.SetFaults({}))
        self.configure(quiet=True)
        engine = session.start()
        session.wait_state(engine, is_calm, "everything to be settled")
        assert session.stop(engine) == 0
        assert session.stop(self.exchange) == 0
        books = read_books(session.journal, session.directory / "served" / "exchange")
        assert_equal(books)
        assert_replays(session, books)
        return Counter(row.kind for row in books.rows)
