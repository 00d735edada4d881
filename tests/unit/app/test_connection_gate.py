"""Which connections the gate lets in, which give way, and which are overdue."""

from dataclasses import dataclass

import pytest

from app.serving.gate import LEAST_PROGRESS_BYTES, ConnectionGate, GateLimits, Phase, Slot

LIMITS = GateLimits(connections=4, per_network=2, head_seconds=10, body_seconds=30, write_seconds=20)
PROXY = "10.0.0.1"


@dataclass
class Line:
    """A transport that notes what is done to it."""

    unsent: int = 0
    end: str = ""

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"


@pytest.fixture
def gate() -> ConnectionGate:
    return ConnectionGate(LIMITS, lambda host: host == PROXY)


def opened(gate: ConnectionGate, host: str, phase: Phase = Phase.REQUEST_HEAD) -> tuple[Slot, Line]:
    slot, line = gate.admit(host), Line()
    assert slot is not None
    slot.transport = line
    gate.enter(slot, phase)
    return slot, line


def swept(gate: ConnectionGate, seconds: range) -> None:
    for now in seconds:
        gate.sweep(now)


def test_a_network_at_its_limit_gives_up_its_own_oldest_half_open_connection(gate: ConnectionGate) -> None:
    _, other = opened(gate, "192.0.2.9")
    _, first = opened(gate, "192.0.2.1")
    _, second = opened(gate, "192.0.2.1")
    opened(gate, "192.0.2.1")
    assert (other.end, first.end, second.end) == ("", "aborted", "")
    assert gate.open == 3


def test_a_full_gate_gives_up_the_oldest_half_open_connection_of_anybody(gate: ConnectionGate) -> None:
    lines = [opened(gate, f"192.0.2.{host}")[1] for host in range(1, 5)]
    opened(gate, "198.51.100.1")
    assert [line.end for line in lines] == ["aborted", "", "", ""]
    assert gate.open == LIMITS.connections
    assert gate.stats.crowded == 1


def test_who_had_an_answer_gives_way_after_those_who_had_none(gate: ConnectionGate) -> None:
    kept, kept_line = opened(gate, "192.0.2.1", Phase.RESPONSE)
    gate.enter(kept, Phase.REQUEST_HEAD)
    lines = [opened(gate, f"192.0.2.{host}")[1] for host in range(2, 5)]
    opened(gate, "198.51.100.1", Phase.RESPONSE)
    assert (kept_line.end, lines[0].end) == ("", "aborted")
    for host in range(2, 4):
        opened(gate, f"198.51.100.{host}", Phase.RESPONSE)
    assert kept_line.end == ""
    opened(gate, "198.51.100.4", Phase.RESPONSE)
    assert kept_line.end == "aborted"


def test_an_answer_that_nobody_reads_gives_way_after_some_seconds(gate: ConnectionGate) -> None:
    streams = [opened(gate, f"192.0.2.{host}", Phase.RESPONSE)[1] for host in range(1, 4)]
    _, unread = opened(gate, "192.0.2.4", Phase.RESPONSE)
    unread.unsent = 100_000
    swept(gate, range(6))
    assert gate.admit("198.51.100.1") is None
    swept(gate, range(6, 8))
    assert gate.admit("198.51.100.1") is not None
    assert ([line.end for line in streams], unread.end) == ([""] * 3, "aborted")


def test_answers_and_streams_give_way_to_nobody(gate: ConnectionGate) -> None:
    lines = [opened(gate, f"192.0.2.{host}", Phase.RESPONSE)[1] for host in range(1, 5)]
    assert gate.admit("198.51.100.1") is None
    assert [line.end for line in lines] == [""] * 4
    assert gate.stats.refused == 1


def test_an_answer_that_is_still_being_sent_gives_way_to_nobody(gate: ConnectionGate) -> None:
    for host in range(1, 5):
        opened(gate, f"192.0.2.{host}")[1].unsent = 100
    assert gate.admit("198.51.100.1") is None


def test_one_home_has_one_limit_whatever_ipv6_addresses_it_uses(gate: ConnectionGate) -> None:
    opened(gate, "2001:db8:1:2::1", Phase.RESPONSE)
    opened(gate, "2001:db8:1:2:aaaa::7", Phase.RESPONSE)
    assert gate.admit("2001:db8:1:2::3") is None
    assert gate.admit("2001:db8:1:3::3") is not None


def test_a_proxy_is_under_the_limit_in_all_only(gate: ConnectionGate) -> None:
    for _ in range(LIMITS.connections):
        opened(gate, PROXY, Phase.RESPONSE)
    assert gate.admit(PROXY) is None


def test_a_place_is_free_again_once_its_connection_is_gone(gate: ConnectionGate) -> None:
    slots = [opened(gate, "192.0.2.1", Phase.RESPONSE)[0] for _ in range(LIMITS.per_network)]
    assert gate.admit("192.0.2.1") is None
    gate.leave(slots[0])
    gate.leave(slots[0])
    assert gate.admit("192.0.2.1") is not None
    assert gate.open == LIMITS.per_network


@pytest.mark.parametrize(
    ("phase", "seconds"),
    [(Phase.REQUEST_HEAD, 10), (Phase.REQUEST_BODY, 30), (Phase.RESPONSE, None)],
    ids=lambda value: str(value),
)
def test_a_request_has_a_deadline_and_an_answer_has_none(
    gate: ConnectionGate, phase: Phase, seconds: int | None
) -> None:
    _, line = opened(gate, "192.0.2.1", phase)
    last = seconds or 86_400
    swept(gate, range(last + 1))
    assert line.end == ""
    swept(gate, range(last + 1, last + 3))
    assert line.end == ("closed" if seconds else "")
    assert gate.stats.timed_out == (1 if seconds else 0)


def test_what_the_process_itself_slept_through_is_no_fault_of_its_clients(gate: ConnectionGate) -> None:
    _, waiting = opened(gate, "192.0.2.1")
    _, reading = opened(gate, "192.0.2.2", Phase.RESPONSE)
    gate.sweep(0)
    reading.unsent = 100_000
    gate.sweep(3_600)
    assert (waiting.end, reading.end) == ("", "")


def test_a_client_that_takes_nothing_of_its_answer_is_cut_off(gate: ConnectionGate) -> None:
    _, line = opened(gate, "192.0.2.1", Phase.RESPONSE)
    line.unsent = 100_000
    swept(gate, range(21))
    assert line.end == ""
    gate.sweep(21)
    assert line.end == "aborted"
    assert (gate.open, gate.stats.stalled) == (0, 1)


def test_a_client_that_takes_a_little_at_a_time_is_let_finish(gate: ConnectionGate) -> None:
    _, line = opened(gate, "192.0.2.1", Phase.RESPONSE)
    line.unsent = 1_000 * LEAST_PROGRESS_BYTES
    for now in range(1, 1_000):
        line.unsent -= LEAST_PROGRESS_BYTES // 10
        gate.sweep(now)
    assert line.end == ""


def test_a_stream_that_is_filled_while_its_client_reads_is_not_taken_for_stalled(gate: ConnectionGate) -> None:
    _, line = opened(gate, "192.0.2.1", Phase.RESPONSE)
    for now in range(1, 200):
        line.unsent = 20_000 if now % 2 else 60_000
        gate.sweep(now)
    assert line.end == ""


def test_short_descriptors_take_only_those_that_wait(gate: ConnectionGate) -> None:
    _, streaming = opened(gate, "192.0.2.1", Phase.RESPONSE)
    _, waiting = opened(gate, "192.0.2.2")
    gate.give_way(16)
    assert (streaming.end, waiting.end) == ("", "aborted")
