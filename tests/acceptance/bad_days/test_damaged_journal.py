"""A batch of the journal is damaged while everything runs: no part ends, calls go on, people are told what to do."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.acceptance.running import wait_until
from tests.acceptance.test_emergency import Estate, estate
from tests.servers.plugin import MakeMosquitto

OTHER_LIFT = "willow-court/elevator/lift-9"


def damage_newest_batch(journal: Path) -> bool:
    """Change the checksum of the newest batch, once there is one; return whether there was."""
    with closing(sqlite3.connect(journal, timeout=10)) as connection:
        changed = connection.execute(
            "UPDATE batches SET checksum = checksum + 1 WHERE last_position = (SELECT max(last_position) FROM batches)"
        )
        connection.commit()
        return changed.rowcount == 1


def damage_alerts(here: Estate) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = here.staff.get("/alerts?rule=journal-damaged&state=firing").json()["items"]
    return found


def test_a_journal_that_is_damaged_while_running(tmp_path: Path, make_mosquitto: MakeMosquitto) -> None:
    with estate(tmp_path, make_mosquitto(save_every_change=False).port) as here:
        here.alerts.kill()
        here.lift_says("alarm_pressed")
        journal = tmp_path / "var" / "journal.sqlite"
        wait_until(lambda: damage_newest_batch(journal), here.alerts.tail)
        here.alerts.start()
        wait_until(lambda: len(damage_alerts(here)) == 1, here.alerts.tail)
        assert here.alerts.running
        (alert,) = damage_alerts(here)
        assert alert["severity"] == "critical"
        reason = alert["reason"]
        for words in (reason["zh"], reason["en"]):
            assert f"anju journal rescue {journal}" in words
        assert "已损坏" in reason["zh"]
        url = str(here.staff.base_url.copy_with(path="/readyz"))
        wait_until(lambda: "已损坏" in here.staff.get(url).text, here.alerts.tail)
        # Who is trapped and calls by another way is heard.
        point = here.staff.post("/call-points", json={"lift": OTHER_LIFT}).raise_for_status().json()
        tapped = here.staff.post(str(here.staff.base_url.copy_with(path=f"{point['path']}/calls")))
        assert tapped.status_code == 303
        here.paged(("guard", "call", False), ("manager", "call", False))
        assert here.alerts.running
        logged = [line for line in here.alerts.log.read_text(encoding="utf-8").splitlines() if "journal.read" in line]
        assert len(logged) == 1, logged
