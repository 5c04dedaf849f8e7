"""`holdfast doctor`: examines, and shows it as one page or as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.text import Text

from tools.config import Configuration, read_configuration
from tools.doctor.abilities import abilities
from tools.doctor.finding import Finding, Verdict, exit_code, fault, row
from tools.doctor.machine import examine_machine
from tools.doctor.venues import Examined, examine_venues
from tools.guard import LiveRefused, check_environments
from tools.rows import to_json
from tools.tables import BAD, DOUBTFUL, GOOD, LOUD, QUIET, Cell, Paper, styled
from tools.version import RELEASE
from tools.wording import count, one_line

SIGNS = {
    Verdict.OK: Cell("✓", GOOD),
    Verdict.WARNING: Cell("!", DOUBTFUL),
    Verdict.FAULT: Cell("✗", f"bold {BAD}"),
    Verdict.INFO: Cell("·", QUIET),
}
INDENT = 2
NAME_WIDTH = 20
LEAST_WIDTH = 40

CODE_POLICY = 77


def doctor_and_tell(config: Path, as_json: bool) -> int:
    """Examine machine, configuration and venues; gives the exit code of the first fault, 0 where there is none.

    Raises `ConfigurationWrong` for a file that can't be read.
    """
    configuration = read_configuration(config)
    general = [_mode(configuration)]
    if as_json:
        machine, venues = list(examine_machine(configuration)), list(examine_venues(configuration))
        click.echo(to_json(_document(configuration, general, machine, venues)))
        return exit_code(_all(general, machine, venues))
    paper = Paper()
    paper.line(Cell("holdfast doctor  ", LOUD), Cell(f"{RELEASE}  {configuration.path}", QUIET))
    machine, venues = [], []
    _title(paper, "machine")
    for finding in examine_machine(configuration):
        machine.append(finding)
        _show(paper, finding)
    _title(paper, "configuration")
    for finding in general:
        _show(paper, finding)
    for examined in examine_venues(configuration):
        venues.append(examined)
        _show_venue(paper, examined)
    _conclude(paper, _all(general, machine, venues))
    return exit_code(_all(general, machine, venues))


def _mode(configuration: Configuration) -> Finding:
    mode = configuration.settings.mode
    try:
        check_environments(configuration)
    except LiveRefused as error:
        return fault("mode", str(error), CODE_POLICY)
    also = ", started with --live" if mode == "live" else ""
    return Finding(what="mode", words=f"{mode}{also}; the venues' environments agree")


def _all(general: Iterable[Finding], machine: Iterable[Finding], venues: Iterable[Examined]) -> list[Finding]:
    return [*machine, *general, *(finding for venue in venues for finding in venue.findings)]


def _document(
    configuration: Configuration, general: Sequence[Finding], machine: Sequence[Finding], venues: Sequence[Examined]
) -> dict[str, object]:
    found = _all(general, machine, venues)
    return {
        "ok": exit_code(found) == 0,
        "release": RELEASE,
        "configuration": str(configuration.path),
        "journal": str(configuration.journal),
        "mode": str(configuration.settings.mode),
        "faults": sum(each.verdict is Verdict.FAULT for each in found),
        "warnings": sum(each.verdict is Verdict.WARNING for each in found),
        "machine": [row(finding) for finding in machine],
        "checks": [row(finding) for finding in general],
        "venues": {
            str(venue.name): {**venue.row(), "checks": [row(finding) for finding in venue.findings]} for venue in venues
        },
    }


# --- the page ---------------------------------------------------------------------------------------------------


def _title(paper: Paper, title: str, rest: str = "") -> None:
    paper.line()
    paper.line(Cell(title, LOUD), Cell(rest, QUIET))


def _show(paper: Paper, finding: Finding) -> None:
    style = {Verdict.FAULT: BAD, Verdict.WARNING: DOUBTFUL}.get(finding.verdict, "")
    _entry(paper, SIGNS[finding.verdict], finding.what, Cell(one_line(finding.words), style))
    if finding.hint:
        _entry(paper, Cell(" "), "", Cell(f"→ {one_line(finding.hint)}", QUIET))


def _show_venue(paper: Paper, examined: Examined) -> None:
    _title(paper, "venue ", str(examined.name))
    for finding in examined.findings:
        _show(paper, finding)
    described = examined.description
    can = described.capabilities if described else examined.venue.adapter.capabilities
    for name, words in abilities(can) if can else []:
        _entry(paper, Cell(" "), name, Cell(words, QUIET if words == "–" else ""), QUIET)


def _entry(paper: Paper, sign: Cell, name: str, words: Cell, name_style: str = "") -> None:
    """One line with its sign and name; words that do not fit go on below each other, on a terminal."""
    before = styled(" " * INDENT, sign, " ", Cell(name.ljust(NAME_WIDTH), name_style))
    room = max(paper.console.width - before.cell_len, LEAST_WIDTH)
    lines = Text(words.text, words.style).wrap(paper.console, room) if paper.is_terminal else [Text(words.text)]
    for number, line in enumerate(lines):
        lead = before if number == 0 else Text(" " * before.cell_len)
        paper.console.print(Text.assemble(lead, line), soft_wrap=True)


def _conclude(paper: Paper, found: Sequence[Finding]) -> None:
    faults = sum(each.verdict is Verdict.FAULT for each in found)
    warnings = sum(each.verdict is Verdict.WARNING for each in found)
    paper.line()
    if faults:
        also = f", {count(warnings, 'warning')}" if warnings else ""
        paper.line(Cell(count(faults, "fault"), f"bold {BAD}"), f"{also}: a run would not start")
    elif warnings:
        paper.line(Cell(count(warnings, "warning"), DOUBTFUL), ", no fault: a run can start")
    else:
        paper.line(Cell("all is well", f"bold {GOOD}"), ": a run can start")
