"""A strategy that raises is paused, with its traceback; the others go on."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.crash.session import HERE, configured, session_in

FAILING = """
[strategies.failing]
class = "failing.py:Failing"
instruments = ["BTC-USDT"]
"""


def test_a_strategy_that_raises(tmp_path: Path) -> None:
    with session_in(tmp_path) as session:
        session.configure(configured(venue="seed = 2", rest=FAILING))
        shutil.copy(HERE / "failing.py", tmp_path)
        process = session.start()
        session.wait_state(process, lambda state: bool(state.pauses), "the failing strategy to be paused")
        seq = session.seq
        session.wait_state(process, lambda state: state.seq > seq + 60, "the other one to go on")
        state = session.state()
        assert state.system == "trading"
        assert [(p.scope, p.subject, p.latched) for p in state.pauses.values()] == [("strategy", "failing", True)]
        (failed,) = session.bodies("StrategyFailed")
        assert (failed["callback"], failed["type"]) == ("on_quote", "ZeroDivisionError")
        assert "by zero" in failed["message"]
        assert [frame.split()[1] for frame in failed["frames"]] == ["on_quote:", "divide_by:"]
        assert all(frame.startswith("failing.py:") for frame in failed["frames"])
        assert len(session.bodies("SubmitRequested", seq)) > 5
        # A restart does not wake it: what was decided about it is in the journal.
        session.kill(process)
        seq = session.seq
        process = session.start()
        session.wait_state(process, lambda state: state.system == "trading" and state.seq > seq + 60, "trading again")
        assert len(session.bodies("StrategyFailed")) == 1
        assert session.stop(process) == 0
