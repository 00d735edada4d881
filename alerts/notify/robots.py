"""Notifications into a group of WeCom, DingTalk or Feishu by its robot, whose answer is read.

A robot refuses with HTTP 200 and a code in the answer: for going too fast, for a wrong key, for a missing keyword.
Whoever looks at the status alone believes such a message delivered.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from urllib.parse import unquote

import httpx
import msgspec

from alerts.dispatch.model import Intent
from alerts.notify.errors import TryLater
from alerts.notify.posting import WHOLE_SECONDS, Poster
from alerts.notify.wording import Language, Wording
from core.clock import Clock
from core.errors import PermanentError, TemporaryError

# Too many at once, or busy: -1 (WeCom, DingTalk), 45009 (WeCom), 130101 and 410100 (DingTalk), 11232 (Feishu). Feishu
# also says 9499 for all kinds of reasons, so its words count too.
_TEMPORARY_CODES = frozenset({-1, 45009, 130101, 410100, 11232})
_TEMPORARY_WORDS = re.compile(r"too many|too fast|too frequent|freq|limit|busy|频|繁忙", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
# A refusal for going too fast is over when the robot's minute is.
_PAUSE_SECONDS = 60.0
MOST_REASON_CHARACTERS = 200

Content = dict[str, object]


@dataclass(frozen=True)
class Robot:
    """One service's robots; ``request`` returns what is added to the address, and the body."""

    name: str
    endpoint: str
    per_minute: int
    most_bytes: int
    request: Callable[[str, str, str, datetime], tuple[dict[str, str], Content]]


def _wecom(token: str, _secret: str, text: str, _now: datetime) -> tuple[dict[str, str], Content]:
    return {"key": token}, {"msgtype": "text", "text": {"content": text}}


def _dingtalk(token: str, secret: str, text: str, now: datetime) -> tuple[dict[str, str], Content]:
    query = {"access_token": token}
    if secret:
        timestamp = str(int(now.timestamp() * 1000))
        query |= {"timestamp": timestamp, "sign": _signed(secret.encode(), f"{timestamp}\n{secret}".encode())}
    return query, {"msgtype": "text", "text": {"content": text}}


def _feishu(token: str, secret: str, text: str, now: datetime) -> tuple[dict[str, str], Content]:
    content: Content = {"msg_type": "text", "content": {"text": text}}
    if secret:
        timestamp = str(int(now.timestamp()))
        # Here the text to sign is the key, and nothing is signed with it: so the service wants it.
        content |= {"timestamp": timestamp, "sign": _signed(f"{timestamp}\n{secret}".encode(), b"")}
    return {"": token}, content


def _signed(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


# How many messages a minute, and how long a text, each service says its robots take.
ROBOTS = {
    "wecombot": Robot("WeCom robot", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send", 20, 2_048, _wecom),
    "dingtalk": Robot("DingTalk robot", "https://oapi.dingtalk.com/robot/send", 20, 20_000, _dingtalk),
    "feishu": Robot("Feishu robot", "https://open.feishu.cn/open-apis/bot/v2/hook/", 100, 20_000, _feishu),
}
_NATIVE = {
    "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=": "wecombot",
    "https://oapi.dingtalk.com/robot/send?access_token=": "dingtalk",
    "https://open.feishu.cn/open-apis/bot/v2/hook/": "feishu",
}


class RobotMessenger:
    """Implements ``alerts.ports.Messenger`` by a group's robot, see docs/how-to/channels.md.

    ``url`` is ``SERVICE://TOKEN``, ``SERVICE://SECRET@TOKEN`` or the address that the service shows. Raises
    `PermanentError` when made with one that cannot be used; no error shows it. ``endpoint`` is for a proxy, and tests.
    """

    def __init__(
        self,
        url: str,
        *,
        language: Language,
        zone: tzinfo,
        base_url: str | None,
        clock: Clock,
        endpoint: str | None = None,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        schema, self._secret, self._token = _parts(url)
        self._robot = ROBOTS[schema]
        self._endpoint = httpx.URL(endpoint or self._robot.endpoint)
        self._language = language
        self._wording = Wording(zone, base_url)
        self._clock = clock
        self._poster = Poster(self._robot.name, clock, whole_seconds)
        self.per_minute: int | None = self._robot.per_minute

    async def deliver(self, intent: Intent) -> str:
        """Send ``intent`` and return what the robot said, as the port says."""
        notice = self._wording.notice(intent, self._language)
        text = _cut(f"{notice.title}\n{notice.body}", self._robot.most_bytes)
        query, content = self._robot.request(self._token, self._secret, text, self._clock.now())
        headers = {"Content-Type": "application/json"}
        answer = await self._poster.post(self._address(query), msgspec.json.encode(content), headers)
        said = _Said.of(answer.body)
        if said is None:
            self._poster.judged(answer)
            raise TemporaryError(f"{self._robot.name}: answered what no robot says")
        if said.number == 0:
            return f"{self._robot.name}: accepted"
        # Feishu refuses with HTTP 400 where the others say 200: only the code tells what it is about.
        refusal = f"{self._robot.name}: {self._without_secrets(said.text)} ({said.number})"
        if said.is_temporary or answer.status >= 500:
            raise TryLater(refusal, _PAUSE_SECONDS)
        raise PermanentError(refusal)

    async def close(self) -> None:
        """Close the connections; deliveries under way fail as temporary."""
        await self._poster.close()

    def _address(self, query: dict[str, str]) -> httpx.URL:
        if "" in query:
            return self._endpoint.join(query[""])
        return self._endpoint.copy_merge_params(query)

    def _without_secrets(self, text: str) -> str:
        for secret in filter(None, (self._token, self._secret)):
            text = text.replace(secret, "***")
        return " ".join(text.split())[:MOST_REASON_CHARACTERS]


class _Said(msgspec.Struct):
    """A robot's answer: WeCom and DingTalk say ``errcode``, Feishu says ``code``."""

    errcode: int | None = None
    errmsg: str = ""
    code: int | None = None
    msg: str = ""

    @classmethod
    def of(cls, body: bytes) -> "_Said | None":
        """Return the answer, ``None`` for anything else: a proxy's page, an empty body."""
        try:
            said = msgspec.json.decode(body, type=cls)
        except msgspec.DecodeError:
            return None
        return None if said.errcode is None and said.code is None else said

    @property
    def number(self) -> int:
        return self.errcode if self.errcode is not None else self.code or 0

    @property
    def text(self) -> str:
        return self.errmsg or self.msg

    @property
    def is_temporary(self) -> bool:
        return self.number in _TEMPORARY_CODES or _TEMPORARY_WORDS.search(self.text) is not None


def is_robot(url: str) -> bool:
    """Tell whether ``url`` names a robot."""
    return url.partition("://")[0].lower() in ROBOTS or any(url.startswith(prefix) for prefix in _NATIVE)


def _parts(url: str) -> tuple[str, str, str]:
    """Return service, secret and token."""
    for prefix, schema in _NATIVE.items():
        if url.startswith(prefix):
            return schema, "", _checked(schema, url.removeprefix(prefix))
    schema, _, rest = url.partition("://")
    secret, _, token = rest.partition("?")[0].rstrip("/").rpartition("@")
    return schema.lower(), unquote(secret), _checked(schema.lower(), token)


def _checked(schema: str, token: str) -> str:
    if not _TOKEN.fullmatch(token):
        expected = f"{schema}://TOKEN" if schema == "wecombot" else f"{schema}://TOKEN or {schema}://SECRET@TOKEN"
        raise PermanentError(f"{ROBOTS[schema].name}: not an address of one; expected {expected}")
    return token


def _cut(text: str, most_bytes: int) -> str:
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    return encoded[: most_bytes - 3].decode(errors="ignore") + "…"
