"""The terminal of ``anju run``: one live line at the bottom, kept within the width, with the log above it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

EVERY_SECONDS = 1.0


def is_live() -> bool:
    """Tell whether somebody watches: without a terminal there is no live line."""
    return sys.stdout.isatty()


def warn(text: str) -> None:
    """Print ``text`` between blank lines, in yellow where somebody watches."""
    print(f"\x1b[33m{text}\x1b[0m\n" if is_live() else f"{text}\n", flush=True)


def alarm(text: str) -> None:
    """Print ``text`` and a blank line, in red where somebody watches."""
    print(f"\x1b[31m{text}\x1b[0m\n" if is_live() else f"{text}\n", flush=True)


def status_line(firing: Sequence[str], open_calls: int, figures: Mapping[str, int]) -> str:
    """Return the live line; it is cut at the terminal's width, so what a person must act on comes first."""
    return (
        (f"calls open {open_calls} · " if open_calls else "")
        + f"alerts firing {len(firing)}"
        + (f" ({firing[0]})" if firing else "")
        + "".join(f" · {name} {figure}" for name, figure in figures.items())
    )


async def show_live(line: Callable[[], Awaitable[str]], *, every_seconds: float = EVERY_SECONDS) -> None:
    """Show the newest ``line`` until cancelled; what is written meanwhile to either standard stream goes above it."""
    # The terminal wraps the log, not we (`soft_wrap`): a token or an address with a line break in it cannot be copied.
    # Standard error may lead into a file: then it stays there.
    console = Console(soft_wrap=True)
    with Live(console=console, auto_refresh=False, transient=True, redirect_stderr=sys.stderr.isatty()) as live:
        while True:
            live.update(Text(await line(), no_wrap=True, overflow="ellipsis"), refresh=True)
            await asyncio.sleep(every_seconds)


class StandardError:
    """Standard error as it is at each write: `show_live` puts another stream in its place while it runs."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()

    def isatty(self) -> bool:
        return sys.stderr.isatty()
