"""Notifications through the services that the library Apprise knows: WeCom, e-mail, SMS gateways, ntfy, many more."""

import asyncio
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import tzinfo
from functools import partial
from urllib.parse import unquote

import apprise
from apprise import NotifyBase, NotifyFormat, NotifyType, OverflowMode

from alerts.dispatch.model import Intent, Purpose
from alerts.model import Severity
from alerts.notify.errors import TryLater
from alerts.notify.wording import Language, Wording
from core.errors import PermanentError, TemporaryError

# What takes no title and no more than this is an SMS or the like.
SMS_CHARACTERS = 500
MOST_REASON_CHARACTERS = 200
# What the services say they take into one group; beyond it they refuse.
PER_MINUTE = {"lark": 100, "tgram": 20}
_STATUS = re.compile(r"\berror=(\d{3})\b")
_TEMPORARY = frozenset({408, 425, 429})
_TYPES = {
    Severity.CRITICAL: NotifyType.FAILURE,
    Severity.MAJOR: NotifyType.WARNING,
    Severity.MINOR: NotifyType.INFO,
    Severity.INFO: NotifyType.INFO,
}


class AppriseMessenger:
    """Implements ``alerts.ports.Messenger`` by one Apprise address, see docs/how-to/channels.md.

    Each address has a thread of its own: the library blocks, and its shared threads could all be held up by dead
    services. It has another one for pages of emergency calls, which wait for no other message. Raises
    `PermanentError` when made with an address that is none; it never shows the address, which holds the secret.
    """

    def __init__(self, url: str, *, language: Language, zone: tzinfo, base_url: str | None) -> None:
        _keep_quiet()
        self._service = _service(url, zone, base_url)
        self._secrets = _secrets(url)
        self._language = language
        self._wording = Wording(zone, base_url)
        self._threads: dict[bool, ThreadPoolExecutor] = {}
        self._name = str(self._service.service_name)
        self.per_minute = PER_MINUTE.get(url.partition("://")[0].lower())

    async def deliver(self, intent: Intent) -> str:
        """Send ``intent``, as the port says; the library tells success from failure, and little more."""
        await asyncio.get_running_loop().run_in_executor(self._thread(intent), partial(self._send, intent))
        return f"{self._name}: accepted"

    async def close(self) -> None:
        """Let the threads end; what waits for them fails."""
        threads, self._threads = self._threads, {}
        for thread in threads.values():
            thread.shutdown(wait=False, cancel_futures=True)

    def _thread(self, intent: Intent) -> ThreadPoolExecutor:
        calls = intent.purpose is Purpose.CALL
        if calls not in self._threads:
            name = f"notify {self._name}{' calls' if calls else ''}"
            self._threads[calls] = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        return self._threads[calls]

    def _send(self, intent: Intent) -> None:
        title, body = self._text(intent)
        sender = apprise.Apprise(self._service, asset=self._service.asset)
        try:
            result = sender.notify(
                body=body,
                title=title,
                notify_type=_type(intent),
                body_format=NotifyFormat.TEXT,
                interpret_escapes=False,
            )
        except Exception as error:  # noqa: BLE001 - some hundred plugins, each with libraries of its own
            raise TemporaryError(f"{self._name}: {type(error).__name__}") from None
        if not result:
            raise self._error([entry.message for entry in result.logs()])

    def _text(self, intent: Intent) -> tuple[str, str]:
        notice = self._wording.notice(intent, self._language)
        if self._service.title_maxlen <= 0 and self._service.body_maxlen <= SMS_CHARACTERS:
            return "", notice.short
        return notice.title, notice.body

    def _error(self, said: list[str]) -> PermanentError | TemporaryError:
        reason = next((text for text in said if _STATUS.search(text)), said[-1] if said else "failed without a reason")
        text = f"{self._name}: {self._without_secrets(reason)[:MOST_REASON_CHARACTERS]}"
        status = int(found[1]) if (found := _STATUS.search(reason)) else 0
        if 400 <= status < 500 and status not in _TEMPORARY:
            return PermanentError(text)
        return TryLater(text, None)

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())


def _service(url: str, zone: tzinfo, base_url: str | None) -> NotifyBase:
    asset = apprise.AppriseAsset(
        app_id="Anju",
        app_desc="安居",
        app_url=base_url or "",
        language="en",
        timezone=zone,
        async_mode=False,
        service_timeout=0,
        storage_mode="memory",
        http_redirects=False,
        allow_templates=False,
        pgp_autogen=False,
        pem_autogen=False,
    )
    service = apprise.Apprise.instantiate(url, asset=asset)
    if service is None:
        raise PermanentError(f"apprise: not an address of a service it knows; expected {_expected(url)}")
    # The deliverer keeps the pace, without holding a thread.
    service.request_rate_per_sec = 0
    if "overflow=" not in url:
        # One message stays one message: the beginning says what matters.
        service.overflow_mode = OverflowMode.TRUNCATE
    return service


def _expected(url: str) -> str:
    """Return the forms of address of the service that is meant, or an example; never what was written."""
    schema = url.partition("://")[0].lower()
    for known in apprise.Apprise().details()["schemas"]:
        if schema in {*(known["protocols"] or ()), *(known["secure_protocols"] or ())}:
            return " or ".join(form.replace("{schema}", schema) for form in known["details"]["templates"])
    return "a form such as wecombot://KEY or mailto://USER:PASSWORD@HOST"


def _secrets(url: str) -> list[str]:
    """Return what must not be repeated: every part of the address that is long enough to be one, the longest first."""
    parts = re.split(r"[/:@?&=,]+", url.partition("://")[2])
    found = {part for part in (*parts, *(unquote(part) for part in parts)) if len(part) >= 4}
    return sorted(found, key=len, reverse=True)


def _type(intent: Intent) -> NotifyType:
    if intent.call is not None and intent.call.drill:
        return NotifyType.INFO
    return NotifyType.SUCCESS if intent.purpose is Purpose.RESOLVED else _TYPES[intent.severity]


def _keep_quiet() -> None:
    # Its log lines show parts of addresses; what matters of them comes back with the result.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
