"""Who may say what to whom while a resident and the duty room set up a voice between them; no I/O.

Audio goes from browser to browser. What passes through here are the messages by which the two find each other. A
*round* is one attempt at that: one peer connection on each side. It begins when both are ready, the resident's side
makes its offer, staff answers. As staff never offers there is no glare, and messages of a former round are dropped.

A call has one resident's seat. The first page to come keeps it: whoever has the code from the wall is told of the same
call, and must not be able to push out somebody trapped. Further pages wait in line; staff see how many, and may hand
the seat on. A page that drops out has some time to come again before the next one is let in.

The waiting places are shared out by network, so that pages opened at one place never lock a newcomer out. With all
places taken the page that waits longest of the network with the most pages, the newcomer counted, makes room: of A, A,
A, A and a newcomer from B the first A goes; of A, A, A, B and a newcomer from A again the first A. Where all have one
network (a carrier's NAT, a proxy that does not pass on addresses) it is the page that waits longest. The seat is never
taken by a newcomer.
"""

from collections import Counter
from enum import StrEnum
from typing import Literal

import msgspec
from msgspec import Struct, field

# An offer for one audio track has 2 to 4 kB in today's browsers; candidates travel by themselves.
MESSAGE_LIMIT_BYTES = 16 * 1024
# Two dozen candidates at once is much; a page that keeps to it is never slowed.
BURST_MESSAGES = 100
MESSAGES_PER_SECOND = 20.0
# Somebody else who is trapped there, and their neighbours; more pages than that are somebody's play.
WAITING_LIMIT = 4
# A phone changes from one network to another within some seconds; pages try again after 5 s at the latest.
GRACE_SECONDS = 15.0


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
    """The other one hung up (``left``) or dropped out (``lost``), or one has to go oneself (the other reasons).

    Who is ``displaced`` lost a waiting place to a newcomer and may come again.
    """

    reason: Literal["left", "lost", "replaced", "taken_over", "displaced", "closed"]
    by: str = ""


class Busy(Struct, frozen=True, tag_field="type", tag="busy"):
    """Somebody else on duty talks already; who comes again with ``take_over`` gets the seat."""

    by: str


class Wait(Struct, frozen=True, tag_field="type", tag="wait"):
    """Another page of a resident has the seat; `Hello` follows when it is free or handed on."""


class Waiting(Struct, frozen=True, tag_field="type", tag="waiting"):
    """Tells staff how many pages of residents wait."""

    count: int


Message = Said | Hello | Bye | Busy | Wait | Waiting


class Peer(Struct, frozen=True):
    """One open connection. By ``client``, a name that nobody else knows, the page is known when it comes again.

    ``network`` names where a resident's page connects from, by the address as the server trusts it.
    """

    id: str
    side: Side
    client: str
    name: str
    ice: tuple[IceServer, ...] = ()
    network: str = ""


class Post(Struct, frozen=True):
    """A message to one connection, which ends after it if it ``closes``."""

    to: str
    message: Message
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


def written(message: Message) -> str:
    """Return ``message`` as it is sent."""
    return msgspec.json.encode(message).decode()


class Room:
    """The two ends of one call's voice. ``epoch`` is unlike that of any other room: rounds are named after it.

    ``at`` counts in seconds on any clock that only rises.
    """

    def __init__(self, epoch: str) -> None:
        self._epoch = epoch
        self._begun = 0
        self._round = ""
        self._seats: dict[Side, _Seat] = {}
        self._line: list[Peer] = []
        self._kept_for = ""
        self._kept_until = 0.0

    @property
    def empty(self) -> bool:
        """Whether nobody is in it, and nobody is expected back."""
        return not self._seats and not self._line and not self._kept_for

    @property
    def staff_waits(self) -> bool:
        """Whether staff is there and the resident's seat is empty."""
        return Side.STAFF in self._seats and Side.RESIDENT not in self._seats

    @property
    def waiting(self) -> int:
        """How many pages of residents wait for the seat."""
        return len(self._line)

    def join(self, peer: Peer, at: float, *, take_over: bool = False) -> list[Post]:
        """Let ``peer`` in, have it wait, or tell it who talks already.

        A page that comes again replaces its former connection.
        """
        passed = self.pass_time(at)
        seated = self._seats.get(peer.side)
        same = seated is not None and seated.peer.client == peer.client
        if peer.side is Side.RESIDENT and not same and (seated is not None or self._is_kept_from(peer, at)):
            return [*passed, *self._wait(peer)]
        if seated and not same and not take_over:
            return [*passed, Post(peer.id, Busy(seated.peer.name), closes=True)]
        gone = (
            [Post(seated.peer.id, Bye("replaced" if same else "taken_over", peer.name), closes=True)] if seated else []
        )
        return [*passed, *gone, *self._sit(peer)]

    def say(self, peer_id: str, said: Said) -> list[Post]:
        """Return what follows from a message: nothing where it is not its sender's to say, or of a former round."""
        seat = self._seat_of(peer_id)
        if seat is None:
            return self._leave_line(peer_id, closes=True) if said.type == "bye" else []
        if said.type == "bye":
            return self._hang_up(seat)
        if said.type == "ready":
            return self._ready(seat, said)
        offers = {"offer": Side.RESIDENT, "answer": Side.STAFF}
        mine = offers.get(said.type, seat.peer.side) is seat.peer.side
        return self._to_other(seat, said) if mine and said.round and said.round == self._round else []

    def leave(self, peer_id: str, at: float) -> list[Post]:
        """Take note that a connection is gone. Its round goes on: audio does not pass through here."""
        seat = self._seat_of(peer_id)
        if seat is None:
            return self._leave_line(peer_id, closes=False)
        del self._seats[seat.peer.side]
        if seat.peer.side is Side.RESIDENT:
            self._kept_for, self._kept_until = seat.peer.client, at + GRACE_SECONDS
        return self._to_other(seat, Bye("lost", seat.peer.name))

    def pass_time(self, at: float) -> list[Post]:
        """Let in the page that waits longest, once the one that dropped out has had its time."""
        if not self._kept_for or at < self._kept_until:
            return []
        self._kept_for = ""
        return self._let_in_next()

    def hand_on(self) -> list[Post]:
        """Give the resident's seat to the page that waits longest; who had it waits at the end of the line."""
        if not self._line:
            return []
        seated = self._seats.pop(Side.RESIDENT, None)
        if seated is None:
            return self._let_in_next()
        self._line.append(seated.peer)
        return [Post(seated.peer.id, Wait()), *self._let_in_next()]

    def end(self) -> list[Post]:
        """Send everybody away, because the call is closed."""
        everybody = [*(seat.peer for seat in self._seats.values()), *self._line]
        self._seats.clear()
        self._line.clear()
        self._kept_for = ""
        return [Post(peer.id, Bye("closed"), closes=True) for peer in everybody]

    def _is_kept_from(self, peer: Peer, at: float) -> bool:
        return self._kept_for not in ("", peer.client) and at < self._kept_until

    def _sit(self, peer: Peer) -> list[Post]:
        self._seats[peer.side] = _Seat(peer)
        hello = Post(peer.id, Hello(peer.side, peer.ice, peer.side.other in self._seats))
        if peer.side is Side.RESIDENT:
            self._kept_for = ""
            return [hello]
        return [hello, *(self._tell_waiting() if self._line else [])]

    def _wait(self, peer: Peer) -> list[Post]:
        before = next((each for each in self._line if each.client == peer.client), None)
        if before is not None:
            self._line[self._line.index(before)] = peer
            return [Post(before.id, Bye("replaced"), closes=True), Post(peer.id, Wait())]
        displaced = self._make_room(peer)
        self._line.append(peer)
        return [*displaced, Post(peer.id, Wait()), *([] if displaced else self._tell_waiting())]

    def _make_room(self, newcomer: Peer) -> list[Post]:
        if len(self._line) < WAITING_LIMIT:
            return []
        pages = Counter(each.network for each in [*self._line, newcomer])
        first = next(each for each in self._line if pages[each.network] == max(pages.values()))
        self._line.remove(first)
        return [Post(first.id, Bye("displaced"), closes=True)]

    def _leave_line(self, peer_id: str, *, closes: bool) -> list[Post]:
        if all(each.id != peer_id for each in self._line):
            return []
        self._line = [each for each in self._line if each.id != peer_id]
        gone = [Post(peer_id, Bye("left"), closes=True)] if closes else []
        return [*gone, *self._tell_waiting()]

    def _let_in_next(self) -> list[Post]:
        if not self._line:
            return []
        self._round = ""
        return [*self._sit(self._line.pop(0)), *self._tell_waiting()]

    def _tell_waiting(self) -> list[Post]:
        staff = self._seats.get(Side.STAFF)
        return [Post(staff.peer.id, Waiting(len(self._line)))] if staff else []

    def _seat_of(self, peer_id: str) -> _Seat | None:
        return next((seat for seat in self._seats.values() if seat.peer.id == peer_id), None)

    def _to_other(self, seat: _Seat, message: Said | Bye) -> list[Post]:
        other = self._seats.get(seat.peer.side.other)
        return [Post(other.peer.id, message)] if other else []

    def _hang_up(self, seat: _Seat) -> list[Post]:
        del self._seats[seat.peer.side]
        self._round = ""
        left = [*self._to_other(seat, Bye("left", seat.peer.name)), Post(seat.peer.id, Bye("left"), closes=True)]
        return [*left, *(self._let_in_next() if seat.peer.side is Side.RESIDENT else [])]

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

    def __init__(self, at: float, burst: int = BURST_MESSAGES, per_second: float = MESSAGES_PER_SECOND) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._left = self._burst
        self._at = at

    def take(self, at: float, count: int = 1) -> bool:
        """Tell whether ``count`` more messages are all right at ``at``."""
        self._left = min(self._burst, self._left + (at - self._at) * self._per_second) - count
        self._at = at
        return self._left >= 0.0
