"""Scored corpora on disk: messages as they were received, the devices, and what really happened.

A folder holds ``messages.jsonl.gz`` (or several files ``messages*.jsonl.gz`` and ``messages*.jsonl``, merged by
arrival), ``devices.json`` and ``truth.json``; docs/how-to/score-rules.md describes them.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from heapq import merge
from pathlib import Path
from typing import IO, Annotated, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct

from alerts.inventory import DeviceFacts, Inventory
from alerts.packs import builtin_subjects
from alerts.scoring.truth import Truth
from core.devices import DeviceKey
from core.errors import PermanentError
from core.observations import Entry
from core.wire.topics import UnknownTopic, parse
from ingest.batch import digest_of
from storage.journal.window import DigestWindow

TRUTH, DEVICES, MESSAGES = "truth.json", "devices.json", "messages.jsonl.gz"
# As the journal's default: what is received again within this many messages is a duplicate.
REMEMBERED = 200_000
# Of a file that nobody will read as text; level 6 takes three times as long for a few per cent.
_COMPRESSION = 1
_File = IO[bytes] | gzip.GzipFile
_BETWEEN = re.compile(r"[\s,\[]*")
_ONE = json.JSONDecoder()
_Content = TypeVar("_Content")


class CorpusError(PermanentError):
    """A corpus cannot be used; the text says file, line, what was found and what was expected."""

    def __init__(self, path: Path, line: int, text: str) -> None:
        super().__init__(f"{path}:{line}: {text}")


class Received(NamedTuple):
    """One message at the instant at which Anju received it."""

    received_at: datetime
    topic: str
    payload: bytes


class _Line(Struct, forbid_unknown_fields=True):
    """One line of a file of messages: ``payload`` is its text, ``payload_base64`` stands for what is no text."""

    received_at: Annotated[datetime, Meta(tz=True)]
    topic: str
    payload: str | None = None
    payload_base64: bytes | None = None

    def __post_init__(self) -> None:
        if (self.payload is None) == (self.payload_base64 is None):
            raise ValueError("expected either `payload` or `payload_base64`")


class Corpus:
    """An opened corpus; raises `CorpusError` where a file is missing or broken, for messages when they are read."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted([*folder.glob("messages*.jsonl"), *folder.glob("messages*.jsonl.gz")])
        if not self._files:
            raise CorpusError(folder / MESSAGES, 1, "not there: expected messages*.jsonl.gz or messages*.jsonl")
        self.devices = _devices(folder / DEVICES)
        self.truth = _truth(folder / TRUTH, self.devices)
        self.inventory = Inventory(self.devices, 1)

    def messages(self) -> Iterator[Received]:
        """Yield the messages of all files in order of arrival."""
        with ExitStack() as opened:
            streams = []
            for path in self._files:
                file = _opened(path)
                opened.callback(file.close)
                streams.append(self._of_file(path, file))
            yield from streams[0] if len(streams) == 1 else merge(*streams, key=lambda one: one.received_at)

    def _of_file(self, path: Path, lines: _File) -> Iterator[Received]:
        decode, latest, until = msgspec.json.Decoder(_Line).decode, self.truth.since, self.truth.until
        for number, line in enumerate(_read(path, lines), 1):
            try:
                said = decode(line)
            except msgspec.MsgspecError as error:
                raise CorpusError(path, number, f"{error}: expected received_at, topic and payload") from None
            if not latest <= said.received_at < until:
                raise CorpusError(path, number, self._out_of_order(said.received_at, latest))
            latest = said.received_at
            payload = said.payload.encode() if said.payload is not None else said.payload_base64 or b""
            yield Received(latest, said.topic, payload)

    def _out_of_order(self, received_at: datetime, latest: datetime) -> str:
        bound = f"before {self.truth.until.isoformat()} (`until` of {TRUTH})"
        if received_at < latest:
            first = latest == self.truth.since
            bound = f"{latest.isoformat()} or later ({f'`since` of {TRUTH}' if first else 'as the line above'})"
        return f"received_at {received_at.isoformat()}: expected {bound}"


def entries(messages: Iterable[Received]) -> Iterator[Entry]:
    """Number ``messages`` and mark duplicates, as the journal does."""
    window = DigestWindow(REMEMBERED)
    for position, (received_at, topic, payload) in enumerate(messages, 1):
        digest = digest_of(topic.encode(), payload)
        duplicate = digest in window
        if not duplicate:
            window.remember((digest,))
        yield Entry(position, received_at, topic, payload, len(payload), duplicate, digest)


def received(entries: Iterable[Entry]) -> Iterator[Received]:
    """Return the messages of a journal; where the clock was set back, those after it at the instant before it."""
    latest: datetime | None = None
    for entry in entries:
        latest = entry.received_at if latest is None else max(latest, entry.received_at)
        yield Received(latest, entry.topic, entry.payload)


def export(folder: Path, messages: Iterable[Received], inventory: Inventory, truth: Truth) -> int:
    """Write a corpus of ``messages`` and of what is known of the devices that sent them; return how many there were."""
    topics: set[str] = set()
    count = write_messages(folder, _noting(messages, topics))
    devices = {device for topic in topics if (device := _device_of(topic)) is not None}
    write_facts(folder, {device: inventory.of(device) for device in devices}, truth)
    return count


def _noting(messages: Iterable[Received], topics: set[str]) -> Iterator[Received]:
    for one in messages:
        topics.add(one.topic)
        yield one


def _device_of(topic: str) -> DeviceKey | None:
    try:
        return parse(topic)[0]
    except UnknownTopic:
        return None


def write_messages(folder: Path, messages: Iterable[Received]) -> int:
    """Write ``messages``, by rising arrival, into ``folder``; return how many there were."""
    count = 0
    encode = msgspec.json.Encoder().encode
    # Without a time stamp the same messages make the same file.
    with (folder / MESSAGES).open("wb") as raw, gzip.GzipFile("", "wb", _COMPRESSION, raw, mtime=0) as file:
        for count, (received_at, topic, payload) in enumerate(messages, 1):  # noqa: B007 - the last one is returned
            file.write(encode(_line(received_at, topic, payload)) + b"\n")
    return count


def write_facts(folder: Path, devices: Mapping[DeviceKey, DeviceFacts], truth: Truth) -> None:
    """Write what is known of devices and of what happened, an entry to a line."""
    facts = {device.path: facts for device, facts in sorted(devices.items())}
    (folder / DEVICES).write_bytes(_with_lines(facts))
    (folder / TRUTH).write_bytes(_with_lines(msgspec.to_builtins(truth)))


def _line(received_at: datetime, topic: str, payload: bytes) -> dict[str, object]:
    try:
        return {"received_at": received_at, "topic": topic, "payload": payload.decode()}
    except UnicodeDecodeError:
        return {"received_at": received_at, "topic": topic, "payload_base64": payload}


def _with_lines(content: Mapping[str, object]) -> bytes:
    """Return JSON with each value on a line of its own, and each entry of a list, so that people can edit it."""
    written = []
    for key, value in content.items():
        body = msgspec.json.encode(value).decode()
        if isinstance(value, list) and value:
            body = "[\n  " + ",\n  ".join(msgspec.json.encode(one).decode() for one in value) + "\n]"
        written.append(f"{json.dumps(key)}: {body}")
    return ("{\n" + ",\n".join(written) + "\n}\n").encode()


def _opened(path: Path) -> _File:
    try:
        return gzip.GzipFile(path, "rb") if path.suffix == ".gz" else path.open("rb")
    except OSError as error:
        raise CorpusError(path, 1, f"{error.strerror or error}: expected a file of messages") from None


def _read(path: Path, lines: _File) -> Iterator[bytes]:
    number = 0
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007 - an error is behind the last one
            yield line
    except (OSError, EOFError) as error:
        raise CorpusError(path, number + 1, f"{error}: expected a whole gzip file") from None


def _text(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CorpusError(path, 1, f"{error.strerror or error}: expected {what}") from None


def _devices(path: Path) -> dict[DeviceKey, DeviceFacts]:
    text = _text(path, "facts by the path of the device")
    devices = {}
    for name, raw in _decoded(path, text, dict[str, msgspec.Raw]).items():
        line = _line_at(text, text.find(json.dumps(name).encode()))
        try:
            device = DeviceKey.from_path(name)
            devices[device] = msgspec.json.decode(raw, type=DeviceFacts)
        except msgspec.MsgspecError as error:
            raise CorpusError(path, line, f"{name}: {error}") from None
        except ValueError:
            raise CorpusError(path, line, f"device {name!r}: expected community/kind/device") from None
    return devices


def _truth(path: Path, devices: Mapping[DeviceKey, DeviceFacts]) -> Truth:
    text = _text(path, "what really happened")
    truth = _decoded(path, text, Truth)
    if truth.since >= truth.until:
        raise CorpusError(path, 1, f"since {truth.since.isoformat()}: expected an instant before `until`")
    try:
        ZoneInfo(truth.zone)
    except (KeyError, OSError, ValueError):  # Not found; or not the name of a zone at all.
        expected = "expected a name of the IANA list, such as Asia/Shanghai"
        raise CorpusError(path, _line_of(text, "$.zone"), f"zone {truth.zone!r} is unknown: {expected}") from None
    known = {device.path for device in devices}
    for key in ("incidents", "disturbances"):
        for number, one in enumerate(getattr(truth, key)):
            if one.device not in known:
                line = _line_of(text, f"$.{key}[{number}]")
                raise CorpusError(path, line, f"device {one.device!r}: expected one of {DEVICES}")
    return msgspec.structs.replace(truth, subjects={**builtin_subjects(), **truth.subjects})


def _decoded(path: Path, text: bytes, kind: type[_Content]) -> _Content:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise CorpusError(path, _line_of(text, str(error)), str(error)) from None
    except msgspec.DecodeError as error:
        found = re.search(r"byte (\d+)", str(error))
        raise CorpusError(path, _line_at(text, int(found[1]) if found else 0), f"not JSON: {error}") from None


def _line_of(text: bytes, error: str) -> int:
    """Return the line of the entry that ``error`` names as ``$.key[number]``, else that of the key, else 1."""
    found = re.search(r"\$\.(\w+)(?:\[(\d+)\])?", error)
    if found is None:
        return 1
    written = text.decode()
    key = re.search(rf'"{found[1]}"\s*:\s*', written)
    if key is None:
        return 1
    begins, position = key.start(), key.end()
    for _ in range(int(found[2]) + 1 if found[2] else 0):
        between = _BETWEEN.match(written, position)
        begins = between.end() if between else position
        _, position = _ONE.raw_decode(written, begins)
    return written.count("\n", 0, begins) + 1


def _line_at(text: bytes, position: int) -> int:
    return text.count(b"\n", 0, max(position, 0)) + 1
