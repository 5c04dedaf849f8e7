"""Memory after an hour of ticks: the whole engine on a virtual clock, in a process of its own for each tick rate."""

from __future__ import annotations

import gc
import multiprocessing
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from attrs import frozen

from adapters.simulated.generator import Generator
from adapters.simulated.listing import terms
from engine.desk import Desk
from engine.inbox import Inbox
from engine.inputs import ConfigurationRead, ProcessBegan, Quote, VenueDescribed, VenuesDescribed
from engine.intent_booking import INTENTS_REMEMBERED
from engine.market import Market
from engine.runner import Runner, SendGate
from engine.settings import Orders
from engine.state import State
from engine.strategies.sma_cross import SmaCross
from engine.values import MILLISECOND_NS, SECOND_NS, Duration
from journal.journal import Journal
from tools.bench import scene
from tools.bench.history import save_snapshot
from tools.bench.sheet import Scale, Sheet
from tools.bench.venue import PromptVenue
from tools.run import SNAPSHOT_EVERY
from tools.version import RELEASE

TICKS_A_SECOND = 10
"""The embedded exchange's own rate: 1x."""

RUNS = {
    Scale.QUICK: ((1, 20),),
    Scale.USUAL: ((1, 3_600), (10, 240)),
    Scale.LONG: ((1, 3_600), (10, 3_600), (1, 24 * 3_600)),
}
"""(rate, simulated seconds); an hour at both rates takes `--long`."""

SAMPLES = 4
KEPT = Orders(closed_kept_most=20, closed_kept_ns=Duration(600 * SECOND_NS))
SEED = 7
FIRST_STEP = scene.START_NS // (100 * MILLISECOND_NS)


@frozen(kw_only=True)
class Sample:
    """What the process held after so much simulated time; `rss` and `journal` in bytes, `busy_ns` of CPU."""

    seconds: int
    ticks: int
    events: int
    rss: int
    blocks: int
    orders: int
    executions: int
    indexed: int
    intents: int
    snapshot: int
    journal: int
    busy_ns: int


class VirtualClock:
    """Stands still until it is moved."""

    def __init__(self, at_ns: int) -> None:
        self.at_ns = at_ns

    def now_ns(self) -> int:
        """The time it was moved to."""
        return self.at_ns


class Session:
    """An engine with a journal that survives the process but flushes nothing, and a venue that answers at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = Journal(directory, identity=scene.identity(), at_ns=scene.START_NS, durable=False)
        self.clock, self.inbox, self.venue = VirtualClock(scene.START_NS), Inbox(), PromptVenue()
        gate = SendGate(self.clock, self.journal.is_owner)
        self.runner = Runner(
            state=State(), market=Market(), desk=Desk({scene.STRATEGY: SmaCross}), inbox=self.inbox, log=self.journal,
            venues={scene.VENUE: self.venue}, clock=self.clock, gate=gate, die=_fail,
        )  # fmt: skip
        self._begin(gate)
        self._snapshot_seq = self._snapshot_bytes = 0
        self._busy_ns = self._ticks = 0

    def _begin(self, gate: SendGate) -> None:
        began = ProcessBegan(
            journal_id=scene.JOURNAL_ID, run=scene.RUN, epoch=self.journal.claim(scene.START_NS), pid=1,
            release=RELEASE, clean=True, head_seq=None,
        )  # fmt: skip
        described = (VenueDescribed(scene.DESCRIPTION), VenuesDescribed())
        self.runner.run_batch([began, ConfigurationRead(scene.settings(KEPT)), *described])
        self.runner.desk.prepare(self.runner.state, self.runner.market)
        self.venue.open(self.inbox.deliver, gate)
        self._settle()

    def tick(self, quote: Quote) -> None:
        """One quote, and whatever follows from it."""
        self._ticks += 1
        began_ns = time.process_time_ns()
        self.clock.at_ns = max(quote.received_ns, self.clock.at_ns)
        self.inbox.deliver(quote)
        self.runner.step(0)
        self._settle()
        self._busy_ns += time.process_time_ns() - began_ns

    def keep_house(self) -> None:
        """What the run does once a second."""
        self.journal.checkpoint()
        if self.runner.state.seq - self._snapshot_seq >= SNAPSHOT_EVERY:
            self.runner.digest_state()
            self._snapshot_bytes = save_snapshot(self.directory, self.journal, self.runner.state)
            self._snapshot_seq = self.runner.state.seq

    def sample(self, seconds: int) -> Sample:
        """How much there is of everything now."""
        gc.collect()
        state = self.runner.state
        return Sample(
            seconds=seconds,
            ticks=self._ticks,
            events=state.seq,
            rss=_rss_bytes(),
            blocks=sys.getallocatedblocks(),
            orders=len(state.orders),
            executions=len(state.executions),
            indexed=_indexed(state) + len(self.runner.desk.repeats),
            intents=len(state.last_intent),
            snapshot=self._snapshot_bytes,
            journal=sum(path.stat().st_size for path in self.directory.glob("journal.db*")),
            busy_ns=self._busy_ns,
        )

    def _settle(self) -> None:
        while self.inbox.depth():
            self.clock.at_ns += MILLISECOND_NS
            self.runner.step(0)


def live(directory: Path, rate: int, seconds: int, samples: int) -> list[Sample]:
    """So many simulated seconds at so many times the usual tick rate."""
    session = Session(directory)
    market = Generator(SEED, terms("BTCUSDT"))
    a_second = TICKS_A_SECOND * rate
    found = [session.sample(0)]
    for second in range(seconds):
        for part in range(a_second):
            step = FIRST_STEP + second * a_second + part
            at_ns = scene.START_NS + second * SECOND_NS + part * SECOND_NS // a_second
            session.tick(_quote(market, step, at_ns))
        session.keep_house()
        if (second + 1) % (seconds // samples) == 0:
            found.append(session.sample(second + 1))
    session.journal.close()
    return found


def measure_memory(directory: Path, scale: Scale) -> Sheet:
    """RSS and the sizes of State over the hour, at each tick rate."""
    default = scene.DEFAULT_ORDERS
    sheet = Sheet(
        "memory",
        "Memory after simulated hours of ticks, orders included",
        ("", "minute", "ticks", "events", "RSS MB", "orders", "executions", "other keys", "journal MB", "CPU µs/tick"),
        notes=[
            f"1x is {TICKS_A_SECOND} quotes a second; SmaCross on one-second bars",
            f"closed orders kept: at most {KEPT.closed_kept_most}, for {KEPT.closed_kept_ns // (60 * SECOND_NS)} min "
            f"(the defaults are {default.closed_kept_most:,} and {default.closed_kept_ns // (86_400 * SECOND_NS)} d)",
            "other keys: indexes by order id, last intents, what was said, facts to tell; the journal includes its WAL",
        ],
    )
    for rate, seconds in RUNS[scale]:
        samples = _in_a_child(directory / f"memory-{rate}-{seconds}", rate, seconds)
        for sample in samples:
            sheet.add(
                f"{rate}x", sample.seconds / 60, sample.ticks, sample.events, sample.rss / 1e6, sample.orders,
                sample.executions, sample.indexed, sample.journal / 1e6,
                sample.busy_ns / 1e3 / sample.ticks if sample.ticks else None,
            )  # fmt: skip
        sheet.notes.append(_growth(rate, samples))
    return sheet


def _growth(rate: int, samples: list[Sample]) -> str:
    first, last = samples[1], samples[-1]
    return (
        f"{rate}x: from the first quarter to the end {last.events - first.events:+,} events, "
        f"RSS {(last.rss - first.rss) / 1e6:+.1f} MB, {(last.blocks - first.blocks):+,} blocks of Python's memory; "
        f"last intents {last.intents:,} (at most {INTENTS_REMEMBERED:,})"
    )


def _in_a_child(directory: Path, rate: int, seconds: int) -> list[Sample]:
    """In a new process, so that nothing of this one counts."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as child:
        return child.submit(live, directory, rate, seconds, SAMPLES).result()


def _quote(market: Generator, step: int, at_ns: int) -> Quote:
    shown = market.shown(step)
    return Quote(scene.INSTRUMENT, *shown.bids[0], *shown.asks[0], received_ns=at_ns, exchange_ns=at_ns)


def _indexed(state: State) -> int:
    """Keys of everything else in State that could grow."""
    kept = (state.by_client_id, state.by_venue_id, state.keys, state.last_intent, state.said, state.submitted_ns)
    untold = sum(len(strategy.untold) for strategy in state.strategies.values())
    return untold + sum(len(each) for each in kept)


def _rss_bytes() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _fail(error: BaseException) -> None:
    raise error
