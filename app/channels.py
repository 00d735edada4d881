"""From the receivers of a plan to the messengers that reach them; secrets come from the environment."""

import re
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from alerts.dispatch.plan import Plan, Receiver
from alerts.notify.book import Channel
from alerts.notify.confirming import ConfirmingMessenger, ConfirmLinks
from alerts.notify.mqtt import MqttAddress, MqttMessenger
from alerts.notify.services import service_messenger
from alerts.notify.webhook import WebhookMessenger
from alerts.notify.wording import Language
from app.settings import Settings
from core.clock import Clock
from core.errors import PermanentError, StartupError

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Channels:
    """Makes messengers for plans. A receiver that reads the same, secrets and all, keeps the messenger it has.

    With ``links`` a weekly test carries the one by which its person says that it arrived.
    """

    def __init__(
        self, settings: Settings, clock: Clock, environment: Mapping[str, str], links: ConfirmLinks | None = None
    ) -> None:
        self._links = links
        self._settings = settings
        self._clock = clock
        self._environment = environment
        self._made: dict[tuple[object, ...], Channel] = {}

    def of(self, plan: Plan) -> dict[str, Channel]:
        """Return the channel of every receiver; raises `StartupError` that names the receiver and what was expected.

        Blocking, for a second or two at the first service: its library loads all it knows.
        """
        zone = ZoneInfo(plan.zone)
        made = {_key(receiver, plan, self._secrets(receiver)): receiver for receiver in plan.receivers}
        self._made = {key: self._made.get(key) or self._channel(receiver, zone) for key, receiver in made.items()}
        return {receiver.name: self._made[key] for key, receiver in made.items()}

    def _channel(self, receiver: Receiver, zone: ZoneInfo) -> Channel:
        try:
            channel = self._messenger(receiver, zone)
        except PermanentError as error:
            raise StartupError(f"receiver {receiver.name}: {error}") from None
        if self._links is None:
            return channel
        return Channel(ConfirmingMessenger(channel.messenger, self._links), channel.per_minute)

    def _messenger(self, receiver: Receiver, zone: ZoneInfo) -> Channel:
        base_url = self._settings.notify.base_url
        if receiver.apprise is not None:
            url = self._resolved(receiver, receiver.apprise.url)
            language = Language(receiver.language)
            service = service_messenger(url, language=language, zone=zone, base_url=base_url, clock=self._clock)
            return Channel(service, service.per_minute)
        if receiver.webhook is not None:
            url, secret = (self._resolved(receiver, text) for text in (receiver.webhook.url, receiver.webhook.secret))
            return Channel(WebhookMessenger(url, secret, zone=zone, base_url=base_url, clock=self._clock))
        if receiver.mqtt is not None:
            address = mqtt_address(self._settings)
            return Channel(MqttMessenger(address, receiver.mqtt.topic, zone=zone, base_url=base_url))
        raise PermanentError("no channel: expected one of apprise, webhook and mqtt")

    def _secrets(self, receiver: Receiver) -> tuple[str, ...]:
        texts = [receiver.apprise.url] if receiver.apprise else []
        texts += [receiver.webhook.url, receiver.webhook.secret] if receiver.webhook else []
        return tuple(self._resolved(receiver, text) for text in texts)

    def _resolved(self, receiver: Receiver, text: str) -> str:
        def value(reference: re.Match[str]) -> str:
            name = reference[1]
            if not self._environment.get(name):
                raise StartupError(f"receiver {receiver.name}: environment variable {name} is not set")
            return _encodable(self._environment[name], f"receiver {receiver.name}: environment variable {name}")

        return _REFERENCE.sub(value, text)


def _encodable(text: str, where: str) -> str:
    """Return ``text``; raises `StartupError` where bytes of the environment are no UTF-8: nothing could send them."""
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise StartupError(f"{where}: not UTF-8: expected text")
    return text


def _key(receiver: Receiver, plan: Plan, secrets: tuple[str, ...]) -> tuple[object, ...]:
    return receiver.name, receiver.language, receiver.apprise, receiver.webhook, receiver.mqtt, plan.zone, secrets


def mqtt_address(settings: Settings) -> MqttAddress:
    """Return the broker on which receivers with a topic are told: the one Anju listens to."""
    mqtt = settings.mqtt
    return MqttAddress(
        host=mqtt.host,
        port=mqtt.port,
        username=mqtt.username,
        password=mqtt.password.get_secret_value() if mqtt.password else None,
        tls=mqtt.tls,
        ca_file=str(mqtt.ca_file) if mqtt.ca_file else None,
    )
