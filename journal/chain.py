"""The hash chain over exactly the stored bytes.

    head  = canonical JSON of [seq,batch,epoch,at_ns,kind,version,subject,cause] + "\\n"
    chain = SHA-256(previous chain || head || body)

all as UTF-8; before the first event the previous chain is SHA-256(journal id).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import islice
from json.encoder import encode_basestring
from operator import lt

from journal.entry import Draft, Entry
from journal.errors import JournalDamaged

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PLAIN_SUBJECT = re.compile(r"[ !#-\[\]-~]*")
_INTEGERS = range(-(1 << 63), 1 << 63)


def genesis(journal_id: str) -> bytes:
    """The chain before the first event."""
    return sha256(journal_id.encode()).digest()


def head_line(
    seq: int, batch: int, epoch: int, at_ns: int, kind: str, version: int, subject: str, cause: int | None
) -> str:
    """The canonical first line of an event.

    >>> head_line(1, 1, 1, 5, "ProcessStarted", 1, "", None)
    '[1,1,1,5,"ProcessStarted",1,"",null]\\n'
    """
    quoted = f'"{subject}"' if _PLAIN_SUBJECT.fullmatch(subject) else encode_basestring(subject)
    return f'[{seq},{batch},{epoch},{at_ns},"{kind}",{version},{quoted},{"null" if cause is None else cause}]\n'


def next_chain(previous: bytes, head: str, body: str) -> bytes:
    """The chain after an event."""
    return sha256(previous + head.encode() + body.encode()).digest()


def check_head(at_ns: int, version: int, subject: str, cause: int | None) -> None:
    """Refuse what would be stored as something else than what is hashed; raises `ValueError`: the writer's bug.

    A bool is such a thing, and so is an enumeration that is also a str.
    """
    for number in (at_ns, version, 0 if cause is None else cause):
        if type(number) is not int or number not in _INTEGERS:
            raise ValueError(f"{number!r} is not a 64-bit integer")
    if type(subject) is not str:
        raise ValueError(f"the subject {subject!r} is not plain text")


def check_body(kind: str, body: str) -> None:
    """Refuse a body that is not one JSON object with sorted, distinct keys and integers for its only numbers.

    Raises `ValueError`: the writer's bug. Spaces and escapes are not looked at: that would mean to encode the body
    again, which takes three times as long, and whatever the bytes are, the chain covers them.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is not a kind: a name of letters and digits is")
    try:
        _, end = _DECODER.raw_decode(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{kind}: {error} in {body[:200]!r}") from error
    if end != len(body) or body[0] != "{":
        raise ValueError(f"{kind}: a body is one JSON object, not {body[:200]!r}")


def _refuse(text: str) -> None:
    raise ValueError(f"a number {text}: write decimals as strings")


def _check_object(pairs: list[tuple[str, object]]) -> None:
    keys = [key for key, _ in pairs]
    if not all(map(lt, keys, islice(keys, 1, None))):
        raise ValueError(f"the keys {keys} are not sorted and distinct")


_DECODER = json.JSONDecoder(object_pairs_hook=_check_object, parse_float=_refuse, parse_constant=_refuse)


def link(drafts: Sequence[Draft], seq: int, previous: bytes, epoch: int) -> list[Entry]:
    """The entries that these drafts become behind `seq` and its chain, as one batch; raises `ValueError` for a draft
    that is out of order or not canonical: the writer's bug."""
    entries: list[Entry] = []
    batch = seq + 1
    for expected, draft in enumerate(drafts, batch):
        if draft.seq != expected:
            raise ValueError(f"seq {draft.seq} stands where {expected} must be")
        check_head(draft.at_ns, draft.version, draft.subject, draft.cause)
        check_body(draft.kind, draft.body)
        head = head_line(expected, batch, epoch, draft.at_ns, draft.kind, draft.version, draft.subject, draft.cause)
        previous = next_chain(previous, head, draft.body)
        entries.append(
            Entry(expected, batch, epoch, draft.at_ns, draft.kind, draft.version, draft.subject, draft.cause,
                  draft.body, previous)
        )  # fmt: skip
    return entries


def verify(
    entries: Iterable[Entry], *, journal_id: str, after_seq: int = 0, after_chain: bytes = b""
) -> Iterator[Entry]:
    """Pass on the entries that continue the chain after `after_seq`; raises `JournalDamaged` at the first break."""
    previous = after_chain or genesis(journal_id)
    expected = after_seq + 1
    epoch = 0
    for entry in entries:
        seq, batch, entry_epoch, at_ns, kind, version, subject, cause, body, stored = entry
        if seq != expected:
            raise _broken(expected, f"seq {seq} stands where {expected} must be")
        try:
            if entry_epoch < epoch:
                raise _broken(seq, f"epoch {entry_epoch} after epoch {epoch}")
            head = head_line(seq, batch, entry_epoch, at_ns, kind, version, subject, cause)
            previous = sha256(previous + head.encode() + body.encode()).digest()
        except (TypeError, AttributeError) as error:  # a damaged record can turn text into bytes or nothing
            raise _broken(seq, "a stored value has the wrong type") from error
        if previous != stored:
            raise _broken(seq, "the stored bytes do not match the chain")
        epoch = entry_epoch
        expected += 1
        yield entry


def _broken(seq: int, message: str) -> JournalDamaged:
    return JournalDamaged(
        f"the chain breaks at seq {seq}: {message}",
        place=f"seq {seq}",
        hint="Nothing was changed. Restore a backup, or keep the directory as evidence and start with --fresh.",
        seq=seq,
    )
