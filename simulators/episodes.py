"""A camera's own alarms: an episode per region and level, started after a dwell, updated while it lasts, then ended."""

from datetime import datetime, timedelta

from core.wire.payloads import ThermalEvent, ThermalEventType, ThermalLevel

# Hot for two looks in a row before it counts, then quiet for 5 s (Hikvision-style clearing after silence) to end it.
DWELL = timedelta(seconds=2)
QUIET = timedelta(seconds=5)
UPDATE = timedelta(seconds=10)
# An episode ends this far below its threshold, so that noise does not end and start it again; ours.
HYSTERESIS_CELSIUS = 3.0


class EpisodeTracker:
    """Follows one region at one level."""

    def __init__(self, region: str, level: ThermalLevel, threshold_celsius: float) -> None:
        self._region = region
        self._level = level
        self._threshold_celsius = threshold_celsius
        self._hot_since: datetime | None = None
        self._last_hot_at: datetime | None = None
        self._told_at: datetime | None = None
        self._episode: str | None = None

    def look(self, now: datetime, celsius: float) -> ThermalEvent | None:
        """Take the region's maximum at ``now`` and return what the camera says about it, if anything."""
        if self._episode is None:
            return self._outside(now, celsius)
        return self._inside(self._episode, now, celsius)

    def _outside(self, now: datetime, celsius: float) -> ThermalEvent | None:
        if celsius < self._threshold_celsius:
            self._hot_since = None
            return None
        self._hot_since = self._hot_since or now
        if now - self._hot_since < DWELL:
            return None
        # The instant makes it unique at this region and level, also over restarts.
        self._episode = f"{self._region}-{self._level.value}-{now:%Y%m%dT%H%M%S%f}"[-64:]
        self._last_hot_at = now
        return self._event(ThermalEventType.EPISODE_STARTED, self._episode, now, celsius)

    def _inside(self, episode: str, now: datetime, celsius: float) -> ThermalEvent | None:
        if celsius > self._threshold_celsius - HYSTERESIS_CELSIUS:
            self._last_hot_at = now
        if self._last_hot_at is not None and now - self._last_hot_at >= QUIET:
            self._episode = self._hot_since = None
            return self._event(ThermalEventType.EPISODE_ENDED, episode, now, celsius)
        if self._told_at is not None and now - self._told_at >= UPDATE:
            return self._event(ThermalEventType.EPISODE_UPDATED, episode, now, celsius)
        return None

    def _event(self, kind: ThermalEventType, episode: str, now: datetime, celsius: float) -> ThermalEvent:
        self._told_at = now
        return ThermalEvent(
            at=now,
            type=kind,
            level=self._level,
            region=self._region,
            episode=episode,
            temperature_celsius=round(celsius, 2),
        )
