"""Check a release, and make its files in build/release: `make release-check`.

Exit code: 0 all steps passed, 1 a step failed, 3 no step failed and at least one could not find out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

from tools.release import image, interface, licences, materials, provenance, wheel
from tools.release.steps import FOLDER, ROOT, NoResult, Step, StepFailed, check, last_line, output, tested
from tools.release.verify import Unverified, verify
from tools.release.versions import check_changelog, check_version

# The tests that run the commands and examples of the documents, or compare them with the code.
DOCUMENTS = (
    *("tests/test_docs.py", "tests/test_documented.py", "tests/test_errors_documented.py", "tests/test_market_data.py"),
    *("tests/clients/test_pages.py", "tests/reversal/test_examples.py", "tests/deploy/test_guide.py"),
    *("tests/deploy/test_troubleshooting_guide.py", "tests/deploy/test_rules.py"),
)


def check_commit() -> str:
    """The files are those of a commit."""
    changed = output("git", "status", "--porcelain").splitlines()
    if changed:
        raise StepFailed(f"{len(changed)} files are not committed, such as {changed[0][3:]}")
    return output("git", "log", "-1", "--format=%h %s").strip()


def check_documents() -> str:
    """The tests of the documents, also the long ones."""
    return tested("documents", ["-m", "long or not long", *DOCUMENTS])


def audit() -> str:
    """`make audit`, which prints `no result` if PyPI did not answer for each package."""
    environ = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", "--silent", "audit"],  # noqa: S607 - make of the path
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return audited(done.returncode, done.stdout + done.stderr)


def audited(code: int, said: str) -> str:
    """What an exit code and a text of `make audit` mean. Raises StepFailed or NoResult."""
    if code == 0:
        return "no known vulnerability"
    lines = said.splitlines()
    unknown = [line for line in lines if "no result" in line]
    if unknown:
        raise NoResult(f"{unknown[0].removeprefix('audit: no result: ')}: run `make audit` where PyPI can be reached")
    first = next((line for line in lines if "Found" in line), last_line(said))
    raise StepFailed(first)


def check_verified() -> str:
    """What a user does with the files."""
    try:
        verify(FOLDER, None)
    except Unverified as error:
        raise StepFailed(str(error)) from None
    return f"{len(list(FOLDER.iterdir()))} files, each as a statement says; nothing is signed yet"


def main() -> int:
    """Run all steps; returns the exit code."""
    began = datetime.now(UTC)
    shutil.rmtree(FOLDER, ignore_errors=True)
    return check(
        [
            Step("version", check_version),
            Step("changelog", check_changelog),
            Step("interface", interface.check),
            Step("commit", check_commit),
            Step("licences", licences.check),
            Step("audit", audit),
            Step("wheel", wheel.build),
            Step("installed", wheel.install),
            Step("image", image.build),
            Step("sbom", materials.make),
            Step("provenance", lambda: provenance.make(began)),
            Step("verified", check_verified),
            Step("documents", check_documents),
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
