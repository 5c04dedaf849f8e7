"""What an examination finds: one thing, whether it is well, and what to do where it is not."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from adapters.redaction import redact


class Verdict(StrEnum):
    """How one thing is: `fault` keeps a run from starting or breaks a promise, `warning` is worth a thought."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    INFO = "info"


@frozen(kw_only=True)
class Finding:
    """One thing that was looked at, in words without secrets: what venues say is among them. `hint` says what to do;
    `code` is the exit code of a fault."""

    what: str
    words: str = field(converter=redact)
    verdict: Verdict = Verdict.OK
    hint: str = ""
    code: int = 0


def row(finding: Finding) -> dict[str, Any]:
    """One of `doctor --json`."""
    told = {"what": finding.what, "verdict": str(finding.verdict), "words": finding.words}
    return told | ({"hint": finding.hint} if finding.hint else {})


def fault(what: str, words: str, code: int, hint: str = "") -> Finding:
    """What is not well, with the code with which a run would end."""
    return Finding(what=what, words=words, verdict=Verdict.FAULT, hint=hint, code=code)


def exit_code(findings: Iterable[Finding]) -> int:
    """That of the first fault; 0 where there is none."""
    return next((finding.code for finding in findings if finding.verdict is Verdict.FAULT), 0)
