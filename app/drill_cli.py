"""The command ``anju drill``."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import httpx
import typer

from app import settings
from app.drill import Drill, lift_path
from core.errors import StartupError

_ANSWER_SECONDS = 10.0


def drill(
    lift: Annotated[str, typer.Argument(help="The lift: community/elevator/device, or its name with --community.")],
    community: Annotated[str | None, typer.Option(help="The lift's community.")] = None,
    url: Annotated[str | None, typer.Option(help="Where the API is; default as in the settings.")] = None,
    token: Annotated[str, typer.Option(envvar="ANJU_TOKEN", help="Token of the API; better in ANJU_TOKEN.")] = "",
    config: Annotated[
        Path | None, typer.Option("--config", help="TOML file; environment variables go before it.")
    ] = None,
) -> None:
    """Send a call that is marked as a drill through the whole chain, and follow it until it is closed."""
    loaded = settings.load(config)
    if not token:
        raise StartupError("no token: expected one in ANJU_TOKEN, as `anju token add NAME` prints it")
    address = url or f"http://{loaded.api.host}:{loaded.api.port}"
    # Ctrl-C ends the following only; how the drill stands has been said by then.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(address, token, lift_path(lift, community)))


async def _run(address: str, token: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=address, headers=headers, timeout=_ANSWER_SECONDS) as client:
        await Drill(client, path, lambda line: print(line, flush=True), asyncio.sleep).run()
