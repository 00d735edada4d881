"""Who may say what to whom while a resident and the duty room set up a voice between them; no I/O.

Audio goes from browser to browser. What passes through here are the messages by which the two find each other. A
*round* is one attempt at that: one peer connection on each side. It begins when both are ready, the resident's side
makes its offer, staff answers. As staff never offers there is no glare, and messages of a former round are dropped.
"""

from enum import StrEnum
from typing import Literal

import msgspec
from msgspec import Struct, field

# An offer for one audio track has 2 to 4 kB in today's browsers; candidates travel by themselves.
MESSAGE_LIMIT_BYTES = 16 * 1024
# Two dozen candidates at once is much; a page that keeps to it is never slowed.
BURST_MESSAGES = 100
MESSAGES_PER_SECOND = 20.0


class Side(StrEnum):
    """Which end of the voice somebody is."""

    RESIDENT = "resident"
    STAFF = "staff"

    @property
    def other(self) -> "Side":
        """The end that this one talks to."""
        return Side.STAFF if self is Side.RESIDENT else Side.RESIDENT


class IceServer(Struct, frozen=True, omit_defaults=True):
    """A STUN or TURN server, named as `RTCPeerConnection` takes it."""

    urls: list[str]
    username: str = ""
    credential: str = ""


class Candidate(Struct, frozen=True, omit_defaults=True, rename="camel"):
    """An ICE candidate, named as `RTCIceCandidateInit` is; an empty one says that there are no more."""

    candidate: str
    sdp_mid: str | None = None
    sdp_m_line_index: int | None = field(default=None, name="sdpMLineIndex")
    username_fragment: str | None = None


class Said(Struct, frozen=True, omit_defaults=True):
    """A message of a page; also what the other page is given of it, so that nothing unknown is passed on.

    ``round`` names the round it belongs to: empty in a `ready` that wants a new one. ``restart`` asks the resident's
    side for an offer with fresh candidates within the round.
    """

    type: Literal["ready", "offer", "answer", "candidate", "bye"]
    round: str = ""
    sdp: str = ""
    candidate: Candidate | None = None
    microphone: Literal["", "granted", "refused", "missing"] = ""
    restart: bool = False


class Hello(Struct, frozen=True, tag_field="type", tag="hello"):
    """The first message to a page. ``other`` tells whether somebody is at the other end already."""

    side: Side
    ice: tuple[IceServer, ...]
    other: bool


class Bye(Struct, frozen=True, tag_field="type", tag="bye"):
    """The other one hung up (``left``) or dropped out (``lost``), or one has to go oneself (the other reasons)."""

    reason: Literal["left", "lost", "replaced", "taken_over", "closed"]
    by: str = ""


class Busy(Struct, frozen=True, tag_field="type", tag="busy"):
    """Somebody else on duty talks already; who comes again with ``take_over`` gets the seat."""

    by: str


class Peer(Struct, frozen=True):
    """One open connection. ``client`` is the page's own name for itself, by which it is known when it comes again."""

    id: str
    side: Side
    client: str
    name: str
    ice: tuple[IceServer, ...] = ()


class Post(Struct, frozen=True):
    """A message to one connection, which ends after it if it ``closes``."""

    to: str
    message: Said | Hello | Bye | Busy
    closes: bool = False


class _Seat(Struct):
    peer: Peer
    ready: bool = False
    microphone: Literal["", "granted", "refused", "missing"] = ""


_decoder = msgspec.json.Decoder(Said)


def read(text: str) -> Said | str:
    """Return the message, or why it cannot be taken."""
    if len(text.encode("utf-8", "surrogatepass")) > MESSAGE_LIMIT_BYTES:
        return f"a message above {MESSAGE_LIMIT_BYTES} bytes"
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        return f"not a message of the voice: {error}"


def written(message: Said | Hello | Bye | Busy) -> str:
    """Return ``message`` as it is sent."""
    return msgspec.json.encode(message).decode()


class Room:
    """The two ends of one call's voice. ``epoch`` is unlike that of any other room: rounds are named after it."""

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._begun = 0
        self._round = ""
        self._seats: dict[Side, _Seat] = {}

    @property
    def empty(self) -> bool:
        """Whether nobody is in it."""
        return not self._seats

    def join(self, peer: Peer, *, take_over: bool = False) -> list[Post]:
        """Let ``peer`` in, or tell it who talks already.

        A page that comes again replaces its former connection. The resident is one person, whatever page they hold:
        the newest is believed.
        """
        seated = self._seats.get(peer.side)
        same = seated is not None and seated.peer.client == peer.client
        if seated and peer.side is Side.STAFF and not same and not take_over:
            return [Post(peer.id, Busy(seated.peer.name), closes=True)]
        self._seats[peer.side] = _Seat(peer)
        hello = Post(peer.id, Hello(peer.side, peer.ice, peer.side.other in self._seats))
        if seated is None:
            return [hello]
        return [Post(seated.peer.id, Bye("replaced" if same else "taken_over", peer.name), closes=True), hello]

    def say(self, peer_id: str, said: Said) -> list[Post]:
        """Return what follows from a message: nothing where it is not its sender's to say, or of a former round."""
        seat = self._seat_of(peer_id)
        if seat is None:
            return []
        if said.type == "bye":
            return self._hang_up(seat)
        if said.type == "ready":
            return self._ready(seat, said)
        offers = {"offer": Side.RESIDENT, "answer": Side.STAFF}
        mine = offers.get(said.type, seat.peer.side) is seat.peer.side
        return self._to_other(seat, said) if mine and said.round and said.round == self._round else []

    def leave(self, peer_id: str) -> list[Post]:
        """Take note that a connection is gone. Its round goes on: audio does not pass through here."""
        seat = self._seat_of(peer_id)
        if seat is None:
            return []
        del self._seats[seat.peer.side]
        return self._to_other(seat, Bye("lost", seat.peer.name))

    def end(self) -> list[Post]:
        """Send everybody away, because the call is closed."""
        posts = [Post(seat.peer.id, Bye("closed"), closes=True) for seat in self._seats.values()]
        self._seats.clear()
        return posts

    def _seat_of(self, peer_id: str) -> _Seat | None:
        return next((seat for seat in self._seats.values() if seat.peer.id == peer_id), None)

    def _to_other(self, seat: _Seat, message: Said | Bye) -> list[Post]:
        other = self._seats.get(seat.peer.side.other)
        return [Post(other.peer.id, message)] if other else []

    def _hang_up(self, seat: _Seat) -> list[Post]:
        del self._seats[seat.peer.side]
        self._round = ""
        return [*self._to_other(seat, Bye("left", seat.peer.name)), Post(seat.peer.id, Bye("left"), closes=True)]

    def _ready(self, seat: _Seat, said: Said) -> list[Post]:
        seat.ready, seat.microphone = True, said.microphone
        other = self._seats.get(seat.peer.side.other)
        if other is None or not other.ready:
            return []
        if said.round and said.round == self._round:
            return self._to_other(seat, said)
        return self._begin(seat, other)

    def _begin(self, one: _Seat, other: _Seat) -> list[Post]:
        self._begun += 1
        self._round = f"{self._epoch}-{self._begun}"
        return [
            Post(to.peer.id, Said("ready", self._round, microphone=about.microphone))
            for to, about in ((one, other), (other, one))
        ]


class Rate:
    """A bucket of messages that fills up again with time; ``at`` counts in seconds on any clock that only rises."""

    def __init__(self, at: float) -> None:
        self._left = float(BURST_MESSAGES)
        self._at = at

    def take(self, at: float) -> bool:
        """Tell whether one more message is all right at ``at``."""
        self._left = min(float(BURST_MESSAGES), self._left + (at - self._at) * MESSAGES_PER_SECOND) - 1.0
        self._at = at
        return self._left >= 0.0
