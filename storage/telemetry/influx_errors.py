"""What InfluxDB's refusals mean for the caller."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

import aiohttp
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.rest import ApiException

from core.errors import AnjuError, MalformedPoints, PermanentError, TemporaryError

# 400 unparsable line, 413 body above the server's limit, 422 partial write (InfluxDB 2.7: field type conflict).
_REFUSED_FOR_CONTENT = frozenset({400, 413, 422})
_HINTS = {
    401: "the token is not valid",
    403: "the token may not do this",
    404: "no such organisation or bucket",
    429: "too many requests",
}


class Absent(TemporaryError):
    """InfluxDB answered 404: what was named does not exist, or is hidden from the token."""


# The points package reports this only when every other point of the batch was stored.
_PAST_RETENTION = re.compile(r"partial write: dropped \d+ points outside retention policy")


@contextmanager
def library_errors(action: str) -> Iterator[None]:
    """The one place where errors of the client library become ours; ``action`` says what was being done."""
    try:
        yield
    except ApiException as error:
        raise _meaning(action, error) from error
    except TimeoutError as error:
        raise TemporaryError(f"InfluxDB: {action}: no answer in time") from error
    except (aiohttp.ClientError, InfluxDBError, OSError) as error:
        raise TemporaryError(f"InfluxDB: {action}: {error or type(error).__name__}") from error


def only_past_retention(error: MalformedPoints) -> bool:
    """Whether all that was refused is points older than the bucket keeps anything, and the rest was stored."""
    return _PAST_RETENTION.search(str(error)) is not None


def _meaning(action: str, error: ApiException) -> AnjuError:
    hint = _HINTS.get(error.status, "")
    reasons = [part for part in (hint, _message(error)) if part]
    text = f"InfluxDB: {action}: {error.status} {': '.join(reasons)}"
    if error.status == HTTPStatus.NOT_FOUND:
        return Absent(text)
    if error.status not in _REFUSED_FOR_CONTENT:
        return TemporaryError(text)
    return MalformedPoints(text) if action == "write" else PermanentError(text)


def _message(error: ApiException) -> str:
    """The server's own words, from its JSON error body where there is one."""
    body = error.body.decode(errors="replace") if isinstance(error.body, bytes) else str(error.body or "")
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body[:500] or str(error.reason)
