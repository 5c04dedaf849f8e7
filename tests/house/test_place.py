"""What lies where: the top level, the lock, the Makefile and the README, and no trace of any one machine."""

from __future__ import annotations

import os
import pkgutil
import re
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.house.source import ROOT, assert_none

TOP_LEVEL = set("pyproject.toml README.md engine adapters journal tests tools Makefile LICENSE CHANGELOG.md".split())
LOCK = ROOT / ".ci" / "lock.txt"

# name: what must stand in no file. In brackets, so that this file does not find itself.
TRACES = {
    "a path of a machine": re.compile(r"(?<![\w.])[/](?:work|root|tmp[/]probe|home[/]\w+)(?:[/]|\b)"),
    "an address of a package registry": re.compile(r"py[p]i\.org/simple|files\.python[h]osted\.org|test\.py[p]i\.org"),
    "a word of the workshop": re.compile(r"\b(?:sub-?[a]gent|[C]laude|[C]hatGPT|the [l]ead)\b", re.IGNORECASE),
}


def tracked() -> list[str]:
    """The files that git knows; without git the test is skipped, because nothing says what belongs to the project."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    paths = [path for path in listed.stdout.split("\0") if path and (ROOT / path).is_file()]
    if listed.returncode or not paths:
        pytest.skip("not a git checkout")
    return paths


def project() -> dict[str, Any]:
    """The table [project] of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return table


def readme() -> str:
    """The README; skipped where there is none yet."""
    path = ROOT / "README.md"
    if not path.exists():
        pytest.skip("README.md is missing")
    return path.read_text("utf-8")


def stray(paths: list[str]) -> set[str]:
    """What lies at the top level and is neither listed nor a dotfile."""
    return {top for path in paths if (top := path.split("/")[0]) not in TOP_LEVEL and not top.startswith(".")}


def traces(path: str, text: str) -> Iterator[str]:
    """Lines that speak of one machine or of how the project was made."""
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in TRACES.items():
            if found := pattern.search(line):
                yield f"{path}:{number}: {what}: {found[0]}"


def pins(lock: str) -> dict[str, list[str]]:
    """Package: its hashes."""
    pinned: dict[str, list[str]] = {}
    name = ""
    for line in lock.splitlines():
        if found := re.match(r"([a-z0-9][a-z0-9.-]*)==\S+", line):
            name = found[1]
            pinned[name] = []
        elif found := re.match(r"\s+--hash=(sha256:[0-9a-f]{64})\b", line):
            pinned[name].append(found[1])
    return pinned


def lock_faults(lock: str) -> Iterator[str]:
    """Pins without a hash, addresses, options and local paths."""
    for name, hashes in pins(lock).items():
        if not hashes:
            yield f"{name} has no hash"
    for number, line in enumerate(lock.splitlines(), start=1):
        if "://" in line or re.match(r"-|[./]|\S+ @ |\s*[^#\s]\S*[/]", line):
            yield f"{number}: {line}"
        elif re.match(r"[a-zA-Z]", line) and not re.match(r"[a-z0-9][a-z0-9.-]*==\S+ ", line):
            yield f"{number}: not a pin: {line}"


def commands(text: str) -> set[str]:
    """The targets of `make` that are named in code, fenced or inline."""
    code = re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL)
    return {target for span in code for target in re.findall(r"(?:^|[`;&$ ])make ([a-z]+)\b", span, re.MULTILINE)}


def targets(makefile: str) -> set[str]:
    """The targets that a Makefile offers."""
    return set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_the_top_level_is_fixed() -> None:
    assert stray(tracked()) == set()


def test_no_trace_of_a_machine() -> None:
    faults: list[str] = []
    for path in tracked():
        content = (ROOT / path).read_bytes()
        if b"\0" not in content:
            faults += traces(path, content.decode("utf-8", "replace"))
    assert_none(faults)


def test_the_lock_has_hashes_and_names_no_host() -> None:
    assert_none(lock_faults(LOCK.read_text("utf-8")))


def test_the_lock_holds_every_package_that_is_asked_for() -> None:
    asked = [*project()["dependencies"], *project()["optional-dependencies"]["dev"]]
    names = {re.split(r"[^a-z0-9-]", line)[0] for line in asked}
    assert names - set(pins(LOCK.read_text("utf-8"))) == set()


def test_the_command_and_the_adapters_exist() -> None:
    points = [*project()["scripts"].values()]
    for group in project()["entry-points"].values():
        points += group.values()
    for point in points:
        assert pkgutil.resolve_name(point), point


def test_the_makefile_has_what_the_readme_names() -> None:
    assert commands(readme()) - targets((ROOT / "Makefile").read_text("utf-8")) == set()


def test_continuous_integration_runs_the_test_command_of_the_readme() -> None:
    assert "test" in commands(readme())
    assert re.search(r"^make test\b", (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)


def test_every_target_is_listed_by_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE)) == targets(makefile)


def test_scripts_can_be_run() -> None:
    scripts = [path for path in (ROOT / ".ci").iterdir() if path.is_file() and path.read_bytes().startswith(b"#!")]
    assert {path.name for path in scripts} >= {"run", "setup"}
    assert [path.name for path in scripts if not os.access(path, os.X_OK)] == []


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_tests_are_no_packages() -> None:
    """Such a file in tests/engine would hide the package engine."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_a_stray_file_is_seen() -> None:
    assert stray(["engine/values.py", ".ci/run", ".gitignore", "notes.md", "src/x.py"]) == {"notes.md", "src"}


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("see /wo|rk/shared/data", True),
        ("cd '/ro|ot/x'", True),
        ("/ho|me/someone/code", True),
        ("--index-url https://py|pi.org/simple", True),
        ("as the le|ad said", True),
        ("a path such as journal/work/x or https://example.org/work", False),
        ("https://keepachangelog.com/", False),
    ],
)
def test_a_trace_is_seen(line: str, seen: bool) -> None:
    assert bool(list(traces("x", line.replace("|", "")))) is seen


GOOD_LOCK = f"attrs==26.1.0 \\\n    --hash=sha256:{'0' * 64}\n    # via\n    #   holdfast (pyproject.toml)\n"


@pytest.mark.parametrize(
    "lock",
    [
        "attrs==26.1.0 \\\n    # via holdfast\n",
        GOOD_LOCK + "attrs>=1\n",
        GOOD_LOCK + "--index-url https://example.org\n",
        GOOD_LOCK + "--find-links wheels\n",
        GOOD_LOCK + "./local\n",
        GOOD_LOCK + "x @ file:///local\n",
    ],
)
def test_a_bad_lock_is_seen(lock: str) -> None:
    assert list(lock_faults(GOOD_LOCK)) == []
    assert len(list(lock_faults(lock))) == 1


def test_commands_are_read_from_code_only() -> None:
    text = "To make sense:\n```sh\nmake run FOR=20s\ncd x && make check\n```\nor `make bench`, `make`."
    assert commands(text) == {"run", "check", "bench"}
    assert targets("A := 1\nrun: x ## does\ncheck:\n\t@make no\n") == {"run", "check"}
