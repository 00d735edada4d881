"""Taking stored states over: one that cannot be decoded is left out with its reason. Pure.

States are opaque bytes by key. One damaged state must not keep the others from being restored: its device, or its
incident, begins anew. Where most states cannot be decoded, nothing is damaged: another version of Anju wrote them, and
beginning anew everywhere would forget every open alert.
"""

from collections.abc import Callable, Mapping

import msgspec

from core.errors import PermanentError

_TOO_MANY = 10
"""From so many on, more than half of all states is another version's doing."""
_REASON_CHARACTERS = 200


def restored(states: Mapping[str, bytes], take: Callable[[str, bytes], None]) -> dict[str, str]:
    """Give each state to ``take``; return those that it refused, with the reason, in one line.

    Raises `PermanentError` where so many are refused that another version must have written them.
    """
    refused: dict[str, str] = {}
    for key, state in states.items():
        try:
            take(key, state)
        except (PermanentError, msgspec.MsgspecError, ValueError, TypeError) as error:
            refused[key] = " ".join(str(error).split())[:_REASON_CHARACTERS]
    if len(refused) >= _TOO_MANY and 2 * len(refused) > len(states):
        key, reason = next(iter(refused.items()))
        raise PermanentError(
            f"{len(refused)} of {len(states)} stored states cannot be read ({key}: {reason}): they were written by"
            f" another version of Anju; start that version, or restore the backup made before the upgrade"
        )
    return refused
