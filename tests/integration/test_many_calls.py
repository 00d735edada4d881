"""Two hundred people press at once: every first page is out, once, whatever else is to be told."""

from pathlib import Path

import pytest

from tests.bench.calls import CALLS, SCENES, WANTED_SECONDS, Scene, measured

pytestmark = pytest.mark.timeout(120)
# `make bench` measures against the two seconds that are wanted, on a quiet machine. Here a busy one must fail nothing,
# and a page that waits for what it should not wait for (a dead receiver, 2,000 alerts before it) takes far longer.
_BEARABLE_SECONDS = 6 * WANTED_SECONDS


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.title)
async def test_every_first_page_is_out(scene: Scene, tmp_path: Path) -> None:
    found = await measured(f"sqlite+aiosqlite:///{tmp_path}/records.db", scene, CALLS)
    assert (len(found.paged), found.missing, found.repeated) == (CALLS, 0, 0)
    assert found.paged[-1] <= _BEARABLE_SECONDS
