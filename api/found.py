"""What is asked for by name is there, or the answer is 404."""

from typing import TypeVar

from starlette.exceptions import HTTPException

Found = TypeVar("Found")


def found(thing: Found | None, what: str) -> Found:
    """Return ``thing``; answers 404 where there is none. ``what`` names it: "alert 7f"."""
    if thing is None:
        raise HTTPException(404, f"no {what}")
    return thing


def found_alert(thing: Found | None, alert_id: str) -> Found:
    """Return ``thing``, which is of the alert ``alert_id``; answers 404 where there is no such alert."""
    return found(thing, f"alert {alert_id}")
