"""Motion along the shaft as pieces of constant acceleration: metres, metres per second, seconds."""

import math

from msgspec import Struct


class Piece(Struct, frozen=True):
    """``seconds`` of constant ``acceleration_mps2`` (up is positive)."""

    seconds: float
    acceleration_mps2: float


class Motion(Struct, frozen=True):
    """A movement from ``start_metres`` at ``start_mps``; before it begins and after it ends the ends hold."""

    start_metres: float
    start_mps: float
    pieces: tuple[Piece, ...]

    @property
    def seconds(self) -> float:
        return sum(piece.seconds for piece in self.pieces)

    def at(self, seconds: float) -> tuple[float, float]:
        """Return (position in metres, velocity in m/s) ``seconds`` after the start."""
        position, velocity, left = self.start_metres, self.start_mps, max(0.0, seconds)
        for piece in self.pieces:
            step = min(left, piece.seconds)
            position += velocity * step + piece.acceleration_mps2 * step * step / 2
            velocity += piece.acceleration_mps2 * step
            left -= step
        return position, velocity


def travel(start_metres: float, end_metres: float, *, rated_mps: float, acceleration_mps2: float) -> Motion:
    """Return the quickest ride from rest to rest: speed up, cruise at rated speed, slow down (or no cruise at all).

    Jerk is left out: at 1 Hz telemetry its fraction of a second is not visible.
    """
    distance = abs(end_metres - start_metres)
    sign = math.copysign(1.0, end_metres - start_metres)
    peak_mps = min(rated_mps, math.sqrt(distance * acceleration_mps2))
    ramp_seconds = peak_mps / acceleration_mps2
    cruise_seconds = (distance - peak_mps * ramp_seconds) / peak_mps if peak_mps > 0 else 0.0
    return Motion(
        start_metres,
        0.0,
        (
            Piece(ramp_seconds, sign * acceleration_mps2),
            Piece(max(0.0, cruise_seconds), 0.0),
            Piece(ramp_seconds, -sign * acceleration_mps2),
        ),
    )


def brake(position_metres: float, velocity_mps: float, *, deceleration_mps2: float) -> Motion:
    """Return the stop from a velocity at a constant deceleration."""
    seconds = abs(velocity_mps) / deceleration_mps2
    return Motion(position_metres, velocity_mps, (Piece(seconds, -math.copysign(deceleration_mps2, velocity_mps)),))
