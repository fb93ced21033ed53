"""The script of docs/deployment-backup.md."""

from __future__ import annotations

import re
import sqlite3
import stat
import subprocess
from contextlib import closing
from pathlib import Path

from tests import needs
from tests.deploy.pages import text_of


def test_a_backup_is_closed_to_others_and_never_mixed_with_an_earlier_one(tmp_path: Path) -> None:
    needs.program("sqlite3", "sqlite3")
    (script,) = re.findall(r"(?s)cat > ~/reversal/backup <<'END'\n(.*?)END\n", text_of("deployment-backup.md"))
    server = tmp_path / "reversal"
    for name in ("data/audit.jsonl", "models/v1/manifest.json", "secrets/api.tokens", "reversal.env"):
        file = server / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("first")
    with closing(sqlite3.connect(server / "data" / "state.db")) as store:
        store.execute("CREATE TABLE t (x)")
    made = tmp_path / "backups" / "monday"

    def run() -> subprocess.CompletedProcess[str]:
        call = [needs.program("sh", "dash"), "-c", script, "backup", str(made)]
        environ = {"HOME": str(tmp_path), "PATH": "/usr/local/bin:/usr/bin:/bin"}
        return subprocess.run(call, env=environ, check=False, capture_output=True, text=True)

    assert run().stdout == "ok\n"
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    (server / "models" / "v1").rename(server / "models" / "v2")
    again = run()
    assert again.returncode != 0
    assert "File exists" in again.stderr
    assert [path.name for path in (made / "models").iterdir()] == ["v1"]
