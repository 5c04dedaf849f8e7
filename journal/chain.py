"""The hash chain over exactly the stored bytes.

    head  = canonical JSON of [seq,batch,epoch,at_ns,kind,version,subject,cause] + "\\n"
    chain = SHA-256(previous chain || head || body)

all as UTF-8; before the first event the previous chain is SHA-256(journal id).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from hashlib import sha256
from json.encoder import encode_basestring

from journal.entry import Entry
from journal.errors import JournalDamaged

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_MAYBE_FLOAT = re.compile(r"[:\[,]-?\d+[.eE]|NaN|Infinity")
_PLAIN_SUBJECT = re.compile(r"[ !#-\[\]-~]*")


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


def check_body(kind: str, body: str) -> None:
    """Refuse what is not canonical JSON; raises `ValueError`: the writer's bug.

    The fast look finds whatever could be a float; only then is the text read in full.
    """
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is not a kind: a name of letters and digits is")
    if not (body.startswith("{") and body.endswith("}")):
        raise ValueError(f"{kind}: a body is one JSON object, not {body[:40]!r}")
    if _MAYBE_FLOAT.search(body):
        json.loads(body, parse_float=_refuse, parse_constant=_refuse)


def _refuse(text: str) -> None:
    raise ValueError(f"a number {text} in an event: write decimals as strings")


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
        if entry_epoch < epoch:
            raise _broken(seq, f"epoch {entry_epoch} after epoch {epoch}")
        head = head_line(seq, batch, entry_epoch, at_ns, kind, version, subject, cause)
        previous = sha256(previous + head.encode() + body.encode()).digest()
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
