import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from snakepit_jupyter.pool.state import (
    START_ATTEMPTS,
    TRANSITIONS,
    Action,
    Assign,
    PoolState,
    Refuse,
    RefusedEvent,
    StartWorker,
    TurnAway,
    Worker,
    WorkerEvent,
    WorkerStatus,
)

PAIRS = list(itertools.product(WorkerStatus, WorkerEvent))


def a_pool(size: int = 1) -> PoolState:
    """A pool whose workers are all ready: w1, w2, …"""
    pool = PoolState(size)
    for action in pool.opened():
        assert isinstance(action, StartWorker)
        assert pool.answered(action.worker_id) == []
    return pool


def statuses(pool: PoolState) -> dict[str, str]:
    return {name: str(worker.status) for name, worker in pool.workers.items()}


# The table.


@pytest.mark.parametrize(("status", "event"), [pair for pair in PAIRS if pair in TRANSITIONS])
def test_a_worker_moves_as_the_table_says(status: WorkerStatus, event: WorkerEvent) -> None:
    worker = Worker("w1", status)
    worker.on(event)
    assert worker.status is TRANSITIONS[status, event]


@pytest.mark.parametrize(("status", "event"), [pair for pair in PAIRS if pair not in TRANSITIONS])
def test_what_is_not_in_the_table_is_refused_and_changes_nothing(status: WorkerStatus, event: WorkerEvent) -> None:
    worker = Worker("w1", status)
    with pytest.raises(RefusedEvent, match=f"w1 is {status}: it cannot be {event}"):
        worker.on(event)
    assert worker.status is status


def test_nobody_comes_back_and_everybody_can_go() -> None:
    assert not [event for status, event in TRANSITIONS if status is WorkerStatus.GONE]
    living = set(WorkerStatus) - {WorkerStatus.GONE}
    assert {status for status, event in TRANSITIONS if event is WorkerEvent.EXITED} == living


# The queue.


def test_opening_starts_as_many_workers_as_wanted() -> None:
    pool = PoolState(3)
    assert pool.opened() == [StartWorker("w1"), StartWorker("w2"), StartWorker("w3")]
    assert statuses(pool) == {"w1": "starting", "w2": "starting", "w3": "starting"}


def test_a_call_gets_a_free_worker_at_once() -> None:
    pool = a_pool()
    assert pool.arrived("c1", "") == [Assign("c1", "w1")]
    assert statuses(pool) == {"w1": "busy"}


def test_calls_that_come_before_a_worker_is_ready_wait_for_it() -> None:
    pool = PoolState(1)
    pool.opened()
    assert pool.arrived("c1", "") == []
    assert pool.answered("w1") == [Assign("c1", "w1")]


def test_calls_are_served_in_the_order_they_came() -> None:
    pool = a_pool()
    pool.arrived("c1", "")
    assert pool.arrived("c2", "") == pool.arrived("c3", "") == []
    assert pool.queued == 2
    assert pool.released("w1") == [Assign("c2", "w1")]
    assert pool.released("w1") == [Assign("c3", "w1")]
    assert pool.released("w1") == []
    assert pool.workers["w1"].calls == 3


def test_a_session_comes_back_to_its_worker() -> None:
    pool = a_pool(2)
    pool.arrived("c1", "mine")
    assert pool.arrived("c2", "yours") == [Assign("c2", "w2")]
    pool.released("w1")
    pool.released("w2")
    assert pool.arrived("c3", "yours") == [Assign("c3", "w2")]
    assert pool.arrived("c4", "mine") == [Assign("c4", "w1")]


def test_a_session_whose_worker_is_busy_takes_another_and_stays_there() -> None:
    pool = a_pool(2)
    pool.arrived("c1", "mine")
    assert pool.arrived("c2", "mine") == [Assign("c2", "w2")]
    pool.released("w1")
    pool.released("w2")
    assert pool.arrived("c3", "mine") == [Assign("c3", "w2")]


def test_a_session_that_has_ended_has_no_worker_of_its_own() -> None:
    pool = a_pool(2)
    pool.arrived("c1", "other")
    pool.arrived("c2", "mine")
    pool.released("w1")
    pool.released("w2")
    assert pool.session_closed("mine") == "w2"
    assert pool.session_closed("mine") is None
    assert pool.arrived("c3", "mine") == [Assign("c3", "w1")]


def test_a_call_that_was_withdrawn_is_never_assigned() -> None:
    pool = a_pool()
    pool.arrived("c1", "")
    pool.arrived("c2", "")
    pool.arrived("c3", "")
    pool.withdrawn("c2")
    assert pool.released("w1") == [Assign("c3", "w1")]
    pool.withdrawn("c2")
    assert pool.released("w1") == []


def test_a_call_that_comes_when_too_many_wait_is_turned_away() -> None:
    pool = PoolState(1, max_queued=2)
    pool.opened()
    assert pool.arrived("c1", "") == pool.arrived("c2", "") == []
    assert pool.arrived("c3", "") == [TurnAway("c3")]
    assert pool.queued == 2
    assert pool.answered("w1") == [Assign("c1", "w1")]
    assert pool.arrived("c4", "") == []
    assert pool.arrived("c5", "") == [TurnAway("c5")]
    pool.withdrawn("c2")
    assert pool.arrived("c6", "") == []
    assert pool.released("w1") == [Assign("c4", "w1")]


def test_a_call_that_need_not_wait_is_never_turned_away() -> None:
    pool = a_pool(2)
    pool.max_queued = 1
    assert pool.arrived("c1", "") == [Assign("c1", "w1")]
    assert pool.arrived("c2", "") == [Assign("c2", "w2")]
    assert pool.arrived("c3", "") == []
    assert pool.arrived("c4", "") == [TurnAway("c4")]


# Ends of workers.


def test_a_worker_that_is_spent_gets_no_further_call_and_is_replaced_at_its_end() -> None:
    pool = a_pool()
    pool.arrived("c1", "mine")
    pool.arrived("c2", "mine")
    assert pool.released("w1", spent=True) == []
    assert statuses(pool) == {"w1": "stopping"}
    assert pool.workers["w1"].call_id == ""
    assert pool.exited("w1") == [StartWorker("w2")]
    assert pool.answered("w2") == [Assign("c2", "w2")]


def test_a_worker_that_was_spent_is_no_failed_start() -> None:
    pool = a_pool()
    for number in range(1, 3 * START_ATTEMPTS):
        worker_id = f"w{number}"
        pool.arrived(f"c{number}", "")
        pool.released(worker_id, spent=True)
        assert pool.exited(worker_id) == [StartWorker(f"w{number + 1}")]
        pool.answered(f"w{number + 1}")


def test_a_pool_may_close_while_a_spent_worker_ends() -> None:
    pool = a_pool()
    pool.arrived("c1", "")
    pool.released("w1", spent=True)
    pool.closing()
    assert statuses(pool) == {"w1": "stopping"}
    assert pool.exited("w1") == []


def test_the_workers_that_are_not_ready_yet_are_known() -> None:
    pool = PoolState(3)
    pool.opened()
    pool.answered("w2")
    assert pool.starting() == {"w1", "w3"}


@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_that_ends_is_replaced(busy: bool) -> None:
    pool = a_pool()
    if busy:
        pool.arrived("c1", "")
    assert pool.exited("w1") == [StartWorker("w2")]
    assert statuses(pool) == {"w2": "starting"}


def test_the_waiting_call_gets_the_worker_that_took_the_place() -> None:
    pool = a_pool()
    pool.arrived("c1", "mine")
    pool.arrived("c2", "mine")
    pool.exited("w1")
    assert pool.answered("w2") == [Assign("c2", "w2")]


def test_giving_back_a_worker_that_has_gone_is_no_error() -> None:
    pool = a_pool()
    pool.arrived("c1", "")
    pool.exited("w1")
    assert pool.released("w1") == []


def test_a_session_does_not_miss_a_worker_that_has_gone() -> None:
    pool = a_pool(2)
    pool.arrived("c1", "mine")
    pool.exited("w1")
    assert pool.arrived("c2", "mine") == [Assign("c2", "w2")]


def fail_all_starts(pool: PoolState, starting: list[Action]) -> list[Action]:
    """Let every start fail until nothing is started any more; what else was to be done."""
    other: list[Action] = []
    while starting:
        action = starting.pop(0)
        if isinstance(action, StartWorker):
            starting += pool.exited(action.worker_id)
        else:
            other.append(action)
    return other


@pytest.mark.parametrize("size", [1, 2, 5])
def test_after_three_failed_starts_the_waiting_calls_are_refused(size: int) -> None:
    pool = PoolState(size)
    starting = pool.opened()
    pool.arrived("c1", "")
    pool.arrived("c2", "")
    assert fail_all_starts(pool, starting) == [Refuse("c1"), Refuse("c2")]
    assert pool.has_given_up
    assert pool.queued == 0


def test_it_starts_no_more_than_three_times_in_a_row() -> None:
    pool = PoolState(1)
    started = len(pool.opened())
    while starting := pool.exited(f"w{started}"):
        started += len(starting)
    assert started == START_ATTEMPTS == 3


def test_a_later_call_tries_to_start_workers_again() -> None:
    pool = PoolState(1)
    fail_all_starts(pool, pool.opened())
    assert pool.arrived("c1", "") == [StartWorker("w4")]
    assert not pool.has_given_up
    assert pool.answered("w4") == [Assign("c1", "w4")]


def test_a_worker_that_has_served_makes_the_failed_starts_forgotten() -> None:
    pool = PoolState(1)
    pool.opened()
    pool.exited("w1")
    pool.exited("w2")
    pool.answered("w3")
    pool.arrived("c1", "")
    pool.released("w3")
    assert pool.exited("w3") == [StartWorker("w4")]
    assert pool.exited("w4") == [StartWorker("w5")]


def test_workers_that_end_before_they_serve_are_not_replaced_for_ever() -> None:
    pool = PoolState(1)
    started = len(pool.opened())
    while started < 10:
        pool.answered(f"w{started}")
        if not (starting := pool.exited(f"w{started}")):
            break
        started += len(starting)
    assert started == START_ATTEMPTS
    assert pool.has_given_up


def test_a_pool_that_stayed_short_tries_once_more_after_each_call_it_serves() -> None:
    pool = PoolState(2)
    pool.opened()
    pool.answered("w1")
    for failed in ("w2", "w3", "w4"):
        pool.exited(failed)
    assert pool.arrived("c1", "") == [Assign("c1", "w1")]
    assert pool.released("w1") == [StartWorker("w5")]
    pool.exited("w5")
    assert pool.arrived("c2", "") == [Assign("c2", "w1")]
    assert pool.exited("w1") == [StartWorker("w6"), StartWorker("w7")]


def test_a_pool_that_closes_starts_and_assigns_nothing() -> None:
    pool = PoolState(3)
    pool.opened()
    pool.answered("w1")
    pool.arrived("c1", "")
    pool.answered("w2")
    pool.closing()
    assert statuses(pool) == {"w1": "stopping", "w2": "stopping", "w3": "stopping"}
    assert pool.arrived("c2", "") == []
    assert pool.answered("w3") == []
    assert pool.released("w1") == []
    assert pool.exited("w1") == pool.exited("w2") == pool.exited("w3") == []
    assert not pool.workers


# Whatever happens.


MOST_QUEUED = 4


class AnyPool(RuleBasedStateMachine):
    """Events in any order, with a bookkeeping of its own beside the pool's."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.pool = PoolState(3, max_queued=MOST_QUEUED)
        self.closed = False
        self.starting: set[str] = set()
        self.ready: set[str] = set()
        self.busy: dict[str, str] = {}  # worker -> call
        self.waiting: list[str] = []
        self.ended: set[str] = set()
        self.number = 0
        self.failed_in_a_row = 0
        self.perform(self.pool.opened())

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case StartWorker(worker_id):
                    assert not self.closed
                    assert worker_id not in self.starting | self.ready | set(self.busy)
                    self.starting.add(worker_id)
                case Assign(call_id, worker_id):
                    assert worker_id in self.ready, "it is in no other hand"
                    assert self.waiting[0] == call_id, "first come, first served"
                    self.waiting.remove(call_id)
                    self.ready.remove(worker_id)
                    self.busy[worker_id] = call_id
                case TurnAway(call_id):
                    assert self.waiting.pop() == call_id, "the last that came"
                    assert len(self.waiting) == MOST_QUEUED
                    self.ended.add(call_id)
                case Refuse(call_id):
                    self.waiting.remove(call_id)
                    self.ended.add(call_id)

    @rule(target=calls, session=st.sampled_from(["", "a", "b"]))
    def a_call_comes(self, session: str) -> str:
        self.number += 1
        call_id = f"c{self.number}"
        self.waiting.append(call_id)
        self.perform(self.pool.arrived(call_id, session))
        return call_id

    @rule(call_id=consumes(calls))
    def a_call_is_given_up(self, call_id: str) -> None:
        if call_id in self.waiting:
            self.waiting.remove(call_id)
            self.ended.add(call_id)
        self.pool.withdrawn(call_id)

    @precondition(lambda self: self.starting)
    @rule(data=st.data())
    def a_worker_answers(self, data: st.DataObject) -> None:
        worker_id = data.draw(st.sampled_from(sorted(self.starting)))
        self.starting.remove(worker_id)
        self.ready.add(worker_id)
        if self.closed:
            self.ready.remove(worker_id)
        self.perform(self.pool.answered(worker_id))

    @precondition(lambda self: self.busy)
    @rule(data=st.data())
    def a_call_ends(self, data: st.DataObject) -> None:
        worker_id = data.draw(st.sampled_from(sorted(self.busy)))
        spent = data.draw(st.booleans())
        self.ended.add(self.busy.pop(worker_id))
        if not self.closed and not spent:
            self.ready.add(worker_id)
        self.perform(self.pool.released(worker_id, spent=spent))

    @precondition(lambda self: self.pool.workers)
    @rule(data=st.data())
    def a_worker_ends(self, data: st.DataObject) -> None:
        worker_id = data.draw(st.sampled_from(sorted(self.pool.workers)))
        self.starting.discard(worker_id)
        self.ready.discard(worker_id)
        late = self.busy.pop(worker_id, None)
        self.perform(self.pool.exited(worker_id))
        if late:
            self.ended.add(late)
            self.perform(self.pool.released(worker_id))

    @rule(session=st.sampled_from(["a", "b"]))
    def a_session_ends(self, session: str) -> None:
        self.pool.session_closed(session)

    @precondition(lambda self: not self.closed)
    @rule()
    def it_closes(self) -> None:
        self.closed = True
        self.ready.clear()
        self.pool.closing()

    @invariant()
    def every_call_is_in_one_place(self) -> None:
        places = [*self.waiting, *self.busy.values(), *self.ended]
        assert sorted(places) == sorted(f"c{number + 1}" for number in range(self.number))
        assert self.pool.queued == len(self.waiting)

    @invariant()
    def every_worker_is_in_one_hand(self) -> None:
        known = {name: worker.call_id for name, worker in self.pool.workers.items() if worker.call_id}
        assert known == self.busy

    @invariant()
    def no_more_wait_than_may(self) -> None:
        assert self.pool.queued <= MOST_QUEUED

    @invariant()
    def nobody_waits_while_a_worker_is_free(self) -> None:
        assert not (self.waiting and self.ready)

    @invariant()
    def the_size_is_kept_or_starting_was_given_up(self) -> None:
        if not self.closed:
            tired = self.pool._failed_starts >= START_ATTEMPTS
            assert len(self.pool.workers) == 3 or (tired and len(self.pool.workers) < 3)

    @invariant()
    def who_waits_has_somebody_to_wait_for(self) -> None:
        assert self.closed or not self.waiting or self.pool.workers


TestAnyPool = AnyPool.TestCase
TestAnyPool.settings = settings(max_examples=60, stateful_step_count=40)
