"""Whatever happens in whatever order, the pool counts as one would by hand, and passes no limit."""

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modelscan.keys.counter import Used
from modelscan.keys.lease import Lease
from modelscan.keys.pool import KeyPool
from modelscan.limits import AnchoredClock
from modelscan.types import ApiKey
from tests.keys.keyring import NOON, usable

LIMITS = {"tight": {"rpm": 2, "tpm": 300, "daily": 5}, "wide": {"rpm": 6, "tpm": 900, "daily": 20}, "none": {}}
TOKENS = st.integers(1, 400)


@dataclass
class Row:
    """A request as its usage row counts it; while it runs, by what it reserved."""

    at: float
    key: str
    tokens: int
    minute: int = 0
    day: int = 0
    lease: Lease | None = field(default=None, repr=False)

    def falls_at(self, now: float) -> None:
        self.minute, self.day = int(now // 60), int(now // 86_400)


class PoolStates(RuleBasedStateMachine):
    """Requests begin, succeed, fail and are cancelled; keys are refused, the clock is set, the process restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.wall, self.steady = NOON, 0.0
        self.rows: list[Row] = []
        self.kept: dict[str, dict[str, object]] = {name: {} for name in LIMITS}
        self.start()

    def start(self) -> None:
        self.clock = AnchoredClock(lambda: self.wall, lambda: self.steady)
        self.pool, now = KeyPool(clock=self.clock), self.clock()
        # What is ahead of a clock that was set back counts at the time that it shows.
        for row in self.rows:
            row.minute = int(now // 60) if row.at >= now // 60 * 60 else -1
            row.day = int(now // 86_400) if row.at >= now // 86_400 * 86_400 else -1
        keys = [usable(name, **limits, **self.kept[name]) for name, limits in LIMITS.items()]
        self.names = {key.key.id: name for key, name in zip(keys, LIMITS, strict=True)}
        used = {key.key.id: Used(*self.by_hand(name)) for key, name in zip(keys, LIMITS, strict=True)}
        self.pool.replace({"acme": keys}, {"acme": used})

    def by_hand(self, name: str) -> tuple[int, int, int]:
        now = self.clock()
        mine = [row for row in self.rows if row.key == name]
        minute = [row.tokens for row in mine if row.minute == now // 60]
        return len(minute), sum(minute), sum(row.day == now // 86_400 for row in mine)

    def ended(self, number: int) -> Row:
        running = [row for row in self.rows if row.lease]
        return running[number % len(running)]

    @property
    def runs(self) -> bool:
        return any(row.lease for row in self.rows)

    @rule(tokens=TOKENS)
    def begin(self, tokens: int) -> None:
        before = {name: self.by_hand(name) for name in LIMITS}
        lease = self.pool.choose("acme", tokens)
        if lease is None:
            for counter, waiting in self.pool.in_order("acme"):
                name = self.names[counter.usable.key.id]
                assert counter.disabled or counter.rests_until or not fits(before[name], tokens, counter.usable.key)
                assert waiting.seconds > 0 or tokens > 1
            return
        name, key = self.names[lease.key_id], lease.usable.key
        assert fits(before[name], tokens, key)
        row = Row(self.clock(), name, min(tokens, key.tpm or tokens), lease=lease)
        row.falls_at(row.at)
        self.rows.append(row)

    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 9), tokens=st.integers(0, 500))
    def succeed(self, number: int, tokens: int) -> None:
        row = self.ended(number)
        assert row.lease
        row.lease.answered(200)
        row.lease.settle(tokens)
        row.tokens, row.lease = tokens, None

    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 9), status=st.sampled_from([401, 403, 429]))
    def be_refused(self, number: int, status: int) -> None:
        row = self.ended(number)
        assert row.lease
        row.lease.answered(status, [], 20.0)
        row.lease.release()
        self.rows.remove(row)

    @precondition(lambda self: self.runs)
    @rule(number=st.integers(0, 9))
    def fail_or_be_cancelled(self, number: int) -> None:
        row = self.ended(number)
        assert row.lease
        row.lease.answered(502)
        row.lease.settle(0)
        row.tokens, row.lease = 0, None

    @rule(seconds=st.sampled_from([0.5, 7.0, 30.0, 60.0, 3_000.0, 90_000.0]))
    def pass_time(self, seconds: float) -> None:
        self.steady += seconds
        self.wall += seconds

    @rule(seconds=st.sampled_from([-200_000.0, -3_600.0, -30.0, 30.0, 3_600.0, 200_000.0]))
    def set_the_clock(self, seconds: float) -> None:
        self.wall += seconds

    @rule(name=st.sampled_from(sorted(LIMITS)))
    def enable(self, name: str) -> None:
        self.pool.enable("acme", usable(name).key.id)

    @rule()
    def restart(self) -> None:
        for one in self.pool.take_unsaved():
            self.kept[self.names[one.key_id]] = {
                "fault_status": one.status,
                "fault_at": one.at,
                "rests_until": one.rests_until,
            }
        self.rows = [row for row in self.rows if not row.lease]
        self.start()

    @invariant()
    def it_counts_as_by_hand(self) -> None:
        for counter, _ in self.pool.in_order("acme"):
            taken = tuple(window.taken(self.clock()) for window in counter.windows)
            assert taken == self.by_hand(self.names[counter.usable.key.id])

    def teardown(self) -> None:
        for row in self.rows:
            if row.lease:
                row.lease.settle(row.tokens)
        assert [counter.tokens.reserved for counter, _ in self.pool.in_order("acme")] == [0, 0, 0]


def fits(taken: tuple[int, int, int], tokens: int, key: ApiKey) -> bool:
    """Whether one more request passes none of a key's limits; a huge one needs a minute of its own."""
    wanted = (1, min(tokens, key.tpm or tokens), 1)
    limits = (key.rpm, key.tpm, key.daily)
    return all(limit is None or used + more <= limit for used, more, limit in zip(taken, wanted, limits, strict=True))


TestPoolStates = PoolStates.TestCase
TestPoolStates.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
