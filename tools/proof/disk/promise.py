"""What a journal had promised at a point of a recorded run, and what of it a look at the remains does not find."""

from __future__ import annotations

from attrs import evolve, frozen

from tools.proof.disk.opening import Look
from tools.proof.disk.operations import Mark, Recording


@frozen
class Promise:
    """`acknowledged` is the last seq that was reported as durable, `attempted` the end of a batch on its way (equal
    where there is none), `epoch` the last one claimed, `snapshot` the seq of the last one written."""

    acknowledged: int = 0
    attempted: int = 0
    epoch: int = 0
    snapshot: int = 0

    def after(self, mark: Mark) -> Promise:
        """With what the program learnt."""
        if mark.kind == "appending":
            return evolve(self, attempted=mark.seq)
        if mark.kind == "acknowledged":
            return evolve(self, acknowledged=mark.seq, attempted=mark.seq)
        if mark.kind == "opened":  # a batch that nobody had acknowledged may have been found, and nothing rests on it
            return evolve(self, attempted=mark.seq)
        if mark.kind == "claimed":  # from here on something does: what was found is durable
            return evolve(self, epoch=mark.epoch, acknowledged=self.attempted)
        return evolve(self, snapshot=mark.seq)

    def fault_of(self, look: Look) -> str:
        """The first invariant that the look violates, or nothing."""
        return self._fault_of_end(look) or self._fault_of_entries(look)

    def _fault_of_end(self, look: Look) -> str:
        if look.surprise:
            return "S2 an error without a type"
        if look.refused and look.stage in ("open", "verify", "read", "snapshot"):
            return "S2 what was left honestly is refused"
        if look.refused:
            return "S1 the journal can't be continued"
        if look.wrong:
            return "I2 the journal is not what was written"
        return "I6 a snapshot that nobody wrote" if -1 in look.snapshots else ""

    def _fault_of_entries(self, look: Look) -> str:
        if look.count < 0:
            return "I2 entries that nobody wrote"
        if look.count < self.acknowledged:
            return f"I1 seq {look.count + 1} was acknowledged and is gone"
        if look.count > self.attempted:
            return "I2 entries that nobody asked for"
        if look.count not in (self.acknowledged, self.attempted):
            return f"I3 a part of the batch {self.acknowledged + 1} to {self.attempted}"
        if look.head_seq > look.count or look.is_stranger:
            return "S2 the head remembers what no journal held"
        return "" if look.epoch > self.epoch else f"I4 epoch {look.epoch} is claimed after {self.epoch}"


def promise_of(recording: Recording, count: int, start: Promise | None = None) -> Promise:
    """After so many operations."""
    promise = start or Promise()
    for mark in recording.marks:
        if mark.after <= count:
            promise = promise.after(mark)
    return promise
