"""Logs are events on standard error; set up once, by the command."""

import logging
from collections.abc import MutableMapping
from datetime import tzinfo
from typing import Any, TextIO, cast

import structlog

from app.settings import LogSettings
from app.terminal import StandardError
from core.clock import SystemClock

_KINDS = {"firing": "告警 ALERT", "resolved": "已恢复 resolved"}


def set_up(settings: LogSettings, zone: tzinfo) -> None:
    """Send every event, ours and the libraries', to standard error in the wished form.

    For people (``console``) instants are in ``zone`` and alerts are one readable line; for machines (``json``) instants
    are UTC.
    """
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    stream = cast(TextIO, StandardError())
    rendering: list[structlog.types.Processor] = (
        [structlog.processors.TimeStamper(fmt="iso", utc=True), structlog.processors.format_exc_info]
        if settings.format == "json"
        else [_local_time(zone), alert_line]
    )
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *rendering,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
    )
    # Libraries are heard when something is wrong with them; their chatter is not ours.
    logging.basicConfig(level=max(level, logging.WARNING), format="%(levelname)s %(name)s %(message)s", stream=stream)


def _local_time(zone: tzinfo) -> structlog.types.Processor:
    clock = SystemClock()

    def stamp(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"timestamp": f"{clock.now().astimezone(zone):%Y-%m-%d %H:%M:%S}", **event}

    return stamp


def alert_line(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Turn the event of an alert that fires or resolves into a line for a person; others stay as they are."""
    noun, _, kind = str(event["event"]).partition(".")
    if noun != "alert" or kind not in _KINDS or "title_zh" not in event:
        return event
    said = f"{_KINDS[kind]}: {event['title_zh']} {event['title_en']} ({event['severity']}) · {event['device']}"
    return {"timestamp": event["timestamp"], "level": event["level"], "event": said}
