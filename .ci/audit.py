"""Names known vulnerabilities of the locked packages: python .ci/audit.py LOCK.

Exit 0: none is known, or nothing could be checked (then it says so); 1: some are known.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

TOOLS = Path(".venv/audit")
SOURCES = ("pypi", "osv")
TIMEOUT_S = 300


def main(lock: str) -> int:
    """Ask the first source that knows the packages; print what it says."""
    complaints = install()
    for source in () if complaints else SOURCES:
        packages, complaint = ask(source, lock)
        complaints.append(f"{source}: {complaint}")
        checked = [package for package in packages if "vulns" in package]
        if not checked:
            continue
        for package in packages:
            for found in package.get("vulns", []):
                cures = ", ".join(found["fix_versions"]) or "no version yet"
                print(f"{package['name']} {package['version']}: {found['id']}, cured by {cures}")
            if "skip_reason" in package:
                print(f"not checked: {package['skip_reason']}")
        vulnerable = [package for package in checked if package["vulns"]]
        print(f"audit: {len(checked)} of {len(packages)} packages checked with {source}, {len(vulnerable)} vulnerable")
        return 1 if vulnerable else 0
    print(f"audit SKIPPED, nothing was checked. {'. '.join(complaints)}")
    return 0


def install() -> list[str]:
    """pip-audit in an environment of its own; the reason where that cannot be had."""
    if not (TOOLS / "bin" / "python").exists():
        venv.create(TOOLS, with_pip=True)
    done = run("pip", "--disable-pip-version-check", "-qq", "install", "pip-audit>=2.7")
    return [] if done.returncode == 0 else [f"pip-audit cannot be installed: {last_line(done.stderr)}"]


def ask(source: str, lock: str) -> tuple[list[dict[str, Any]], str]:
    """What a source says of each package, and its complaint where it says nothing.

    A package that the source does not know comes back with a `skip_reason`; that is no acquittal.
    """
    done = run("pip_audit", "-s", source, "--progress-spinner=off", "--disable-pip", "-r", lock, "-f", "json")
    if not done.stdout.strip():
        return [], f"no answer ({last_line(done.stderr)})"
    return json.loads(done.stdout)["dependencies"], "knows none of the packages"


def run(*module: str) -> subprocess.CompletedProcess[str]:
    """A module of the environment, bounded in time."""
    command = [str(TOOLS / "bin" / "python"), "-m", *module]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def last_line(text: str) -> str:
    """The last line, where a traceback has its reason."""
    return (text.strip().splitlines() or ["no reason given"])[-1][:300]


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
