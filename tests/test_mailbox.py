"""A kernel's jobs: one at a time, in order."""

import logging
import threading
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.mailbox import Mailbox
from solara_ctx.workers import WorkerPool
from tests.support.fakes import PATIENCE_S, ManualPool


def started(pool: ManualPool, *, limit: int = 10) -> Mailbox:
    """A mailbox that runs its jobs."""
    mailbox = Mailbox(pool, limit=limit)
    mailbox.start()
    return mailbox


def test_jobs_run_in_order_one_per_turn() -> None:
    """A turn runs one job, and the next turn is submitted only when that has ended."""
    pool, ran = ManualPool(), list[int]()
    mailbox = started(pool)
    for number in range(3):
        mailbox.put(partial(ran.append, number))
    for number in range(3):
        assert len(pool.jobs) == 1
        assert len(mailbox) == 3 - number
        pool.run_one()
        assert ran == list(range(number + 1))
    assert len(pool.jobs) == len(mailbox) == 0


def test_a_long_row_of_jobs_has_pauses() -> None:
    """Sixteen jobs are done at once; after each further one there is a pause, and a row that has ended is forgotten."""
    pool, ran = ManualPool(), list[str]()
    mailbox = Mailbox(pool, limit=1000, breathe=partial(ran.append, "pause"))
    mailbox.start()
    for _ in range(2):
        for _ in range(18):
            mailbox.put(partial(ran.append, "job"))
        pool.run_all()
    row = ["job"] * 16 + ["pause", "job", "pause", "job"]
    assert ran == row * 2


def test_two_mailboxes_take_turns() -> None:
    """A kernel with many messages delays another by one message."""
    pool, ran = ManualPool(), list[str]()
    busy, other = started(pool), started(pool)
    for _number in range(3):
        busy.put(partial(ran.append, "busy"))
    other.put(partial(ran.append, "other"))
    pool.run_all()
    assert ran == ["busy", "other", "busy", "busy"]


def test_nothing_runs_before_the_start() -> None:
    """What is put early waits, and runs first."""
    pool, ran = ManualPool(), list[str]()
    mailbox = Mailbox(pool, limit=10)
    mailbox.put(partial(ran.append, "early"))
    assert not pool.jobs
    mailbox.start()
    mailbox.start()
    mailbox.put(partial(ran.append, "late"))
    assert len(pool.jobs) == 1
    pool.run_all()
    assert ran == ["early", "late"]


def test_starting_without_jobs_takes_no_turn() -> None:
    """A kernel that has nothing to do occupies no thread."""
    pool = ManualPool()
    started(pool)
    assert not pool.jobs


@pytest.mark.parametrize(("waiting", "room"), [(1, True), (2, True), (3, False), (4, False)])
def test_put_asks_to_hold_back_at_the_limit(waiting: int, *, room: bool) -> None:
    """With the limit of 3: below it there is room for more, at it and above there is not; nothing is refused."""
    pool = ManualPool()
    mailbox = started(pool, limit=3)
    answers = [mailbox.put(lambda: None) for _number in range(waiting)]
    assert answers[-1] is room
    assert len(mailbox) == waiting
    pool.run_all()


def test_when_drained_calls_at_half_of_the_limit() -> None:
    """Who holds back is told when at most half is left, once."""
    pool, told = ManualPool(), list[int]()
    mailbox = started(pool, limit=4)
    for _number in range(5):
        mailbox.put(lambda: None)
    mailbox.when_drained(lambda: told.append(len(mailbox)))
    mailbox.when_drained(lambda: told.append(len(mailbox)))
    pool.run_one()
    pool.run_one()
    assert told == []
    pool.run_one()
    assert told == [2, 2]
    pool.run_all()
    assert told == [2, 2]


def test_a_heavy_job_counts_for_many() -> None:
    """Room is measured in weight, taken from the first put to the turn that runs the job, and given back at the end."""
    pool, told = ManualPool(), list[str]()
    mailbox = started(pool, limit=4)
    assert mailbox.put(lambda: None, weight=3) is True
    assert mailbox.put(lambda: None, weight=100) is False
    mailbox.when_drained(lambda: told.append("drained"))
    pool.run_one()
    assert told == []
    pool.run_one()
    assert told == ["drained"]
    assert mailbox.put(lambda: None) is True
    mailbox.close(lambda: None)
    pool.run_all()


def test_when_drained_calls_at_once_where_there_is_room() -> None:
    """Nobody waits for what is already so: at half of the limit, and of a closed mailbox."""
    pool, told = ManualPool(), list[str]()
    mailbox = started(pool, limit=4)
    mailbox.put(lambda: None)
    mailbox.put(lambda: None)
    mailbox.when_drained(lambda: told.append("half"))
    assert told == ["half"]
    mailbox.close(lambda: None)
    mailbox.when_drained(lambda: told.append("closed"))
    assert told == ["half", "closed"]


def test_close_drops_what_waits() -> None:
    """Jobs that have not begun never run, those who hold back are told, and later ones are dropped without a word."""
    pool, seen = ManualPool(), list[str]()
    mailbox = started(pool, limit=1)
    for _number in range(3):
        mailbox.put(lambda: seen.append("ran"))
    mailbox.when_drained(lambda: seen.append("told"))
    assert mailbox.close(lambda: seen.append("stopped")) == 3
    assert seen == ["told", "stopped"]
    assert mailbox.put(lambda: seen.append("ran")) is True
    assert len(mailbox) == 0
    pool.run_all()
    assert seen == ["told", "stopped"]


def test_close_before_the_start_is_final() -> None:
    """A mailbox that was closed before it was started runs nothing."""
    pool, seen = ManualPool(), list[str]()
    mailbox = Mailbox(pool, limit=1)
    mailbox.put(lambda: seen.append("ran"))
    mailbox.close(lambda: seen.append("stopped"))
    mailbox.start()
    assert not pool.jobs
    assert seen == ["stopped"]


def test_close_waits_for_the_running_job() -> None:
    """`when_stopped` is called when the job that runs has ended, also when that job itself closes."""
    pool, seen = ManualPool(), list[str]()
    mailbox = started(pool)

    def job() -> None:
        mailbox.close(lambda: seen.append("stopped"))
        mailbox.put(lambda: seen.append("late"))
        seen.append("ended")

    mailbox.put(job)
    mailbox.put(lambda: seen.append("dropped"))
    pool.run_all()
    assert seen == ["ended", "stopped"]


def test_close_from_another_thread_waits_for_the_running_job() -> None:
    """The same with threads: nothing of the kernel runs once `when_stopped` was called."""
    pool = WorkerPool(2)
    mailbox = Mailbox(pool, limit=10)
    mailbox.start()
    begun, let_go, stopped = threading.Event(), threading.Event(), threading.Event()
    early: list[bool] = []

    def job() -> None:
        begun.set()
        assert let_go.wait(PATIENCE_S)
        early.append(stopped.is_set())

    mailbox.put(job)
    assert begun.wait(PATIENCE_S)
    runs_on = mailbox.thread_ident
    assert runs_on not in {None, threading.get_ident()}
    mailbox.close(stopped.set)
    let_go.set()
    assert stopped.wait(PATIENCE_S)
    assert early == [False]
    assert mailbox.thread_ident is None
    pool.close()


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_a_raising_job_stops_neither_mailbox_nor_thread(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    """The next job runs, and the log tells of the one that failed."""
    pool, ran = ManualPool(), list[str]()
    mailbox = started(pool)

    def fail() -> None:
        raise error

    mailbox.put(fail)
    mailbox.put(lambda: ran.append("next"))
    with caplog.at_level(logging.ERROR, "solara_ctx.mailbox"):
        pool.run_all()
    assert ran == ["next"]
    assert len(caplog.records) == 1


def test_a_raising_callback_silences_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """One page whose event loop has ended does not keep the others waiting, nor the teardown."""
    seen: list[str] = []

    def fail() -> None:
        raise RuntimeError("Event loop is closed")

    def fill(pool: ManualPool) -> Mailbox:
        mailbox = started(pool, limit=1)
        mailbox.put(lambda: None)
        mailbox.put(lambda: None)
        mailbox.when_drained(fail)
        mailbox.when_drained(lambda: seen.append("told"))
        return mailbox

    with caplog.at_level(logging.ERROR, "solara_ctx.mailbox"):
        fill(ManualPool()).close(lambda: seen.append("stopped"))
        assert seen == ["told", "stopped"]
        seen.clear()
        pool = ManualPool()
        mailbox = fill(pool)
        pool.run_all()
        assert seen == ["told"]

        def close() -> None:
            mailbox.close(fail)

        mailbox.put(close)
        pool.run_all()
    assert len(caplog.records) == 3


def test_a_job_may_put_more() -> None:
    """What a job puts runs after what waits."""
    pool, ran = ManualPool(), list[str]()
    mailbox = started(pool)

    def job() -> None:
        mailbox.put(lambda: ran.append("put by the job"))
        ran.append("job")

    mailbox.put(job)
    mailbox.put(lambda: ran.append("waiting"))
    pool.run_all()
    assert ran == ["job", "waiting", "put by the job"]


@given(
    st.lists(st.sampled_from(["put", "run", "drained", "start", "close"]), max_size=40),
    st.integers(min_value=1, max_value=5),
)
def test_any_history_keeps_the_promises(history: list[str], limit: int) -> None:
    """Whatever happens in whatever order: in order, nothing twice, nothing after the close, everybody told once."""
    pool, mailbox_ran, told, stopped = ManualPool(), list[int](), list[int](), list[str]()
    mailbox = Mailbox(pool, limit=limit)
    waiting: list[int] = []
    expected: list[int] = []
    number = asked = 0
    open_, running = True, False
    for step in history:
        if step == "put":
            room = mailbox.put(partial(mailbox_ran.append, number))
            if open_:
                waiting.append(number)
            assert room is (not open_ or len(waiting) < limit)
            number += 1
        elif step == "start":
            mailbox.start()
            running = open_
        elif step == "drained":
            mailbox.when_drained(partial(told.append, asked))
            asked += 1
        elif step == "close" and open_:
            assert mailbox.close(partial(stopped.append, "stopped")) == len(waiting)
            waiting.clear()
            open_ = running = False
        elif step == "run" and pool.jobs:
            pool.run_one()
            if running:
                expected.append(waiting.pop(0))
        assert mailbox_ran == expected
        assert len(mailbox) == len(waiting)
        assert len(pool.jobs) <= 1
        assert bool(pool.jobs) or not (running and waiting)
        if not open_ or len(waiting) <= limit // 2:
            assert sorted(told) == list(range(asked))
    assert stopped == ([] if open_ else ["stopped"])


class Load:
    """Four mailboxes on three threads, and books of what ran."""

    def __init__(self) -> None:
        self.pool = WorkerPool(3, idle_s=0.0)
        self.mailboxes = [Mailbox(self.pool, limit=20) for _number in range(4)]
        self.ran: list[list[tuple[int, int]]] = [[] for _mailbox in self.mailboxes]
        self.overlaps: list[int] = []
        self.done = threading.Semaphore(0)
        self._inside = [threading.Lock() for _mailbox in self.mailboxes]

    def job(self, box: int, putter: int, number: int) -> None:
        """Note who ran, and whether somebody else was at it."""
        if not self._inside[box].acquire(blocking=False):
            self.overlaps.append(box)
        self.ran[box].append((putter, number))
        self._inside[box].release()
        self.done.release()

    def put(self, putter: int) -> None:
        """Put a hundred jobs into each mailbox, holding back when asked to."""
        for number in range(100):
            for box, mailbox in enumerate(self.mailboxes):
                if not mailbox.put(partial(self.job, box, putter, number)):
                    room = threading.Event()
                    mailbox.when_drained(room.set)
                    assert room.wait(PATIENCE_S)


def test_no_job_overlaps_or_overtakes_under_load() -> None:
    """Eight threads put into four mailboxes: per mailbox nothing is lost, doubled, overlapping or out of order."""
    load = Load()
    for mailbox in load.mailboxes:
        mailbox.start()
    putters = [threading.Thread(target=load.put, args=(putter,)) for putter in range(8)]
    for thread in putters:
        thread.start()
    for _job in range(8 * 100 * 4):
        assert load.done.acquire(timeout=PATIENCE_S)
    for thread in putters:
        thread.join(PATIENCE_S)
    assert load.overlaps == []
    for box in load.ran:
        numbers = {putter: [number for who, number in box if who == putter] for putter in range(8)}
        assert numbers == {putter: list(range(100)) for putter in range(8)}
    load.pool.close()


@pytest.mark.parametrize("how_many", [1, 50])
def test_closing_under_load_lets_nothing_run_afterwards(how_many: int) -> None:
    """Whatever the moment of the close, no job runs after `when_stopped`."""
    pool = WorkerPool(2)
    for _time in range(how_many):
        mailbox = Mailbox(pool, limit=1000)
        mailbox.start()
        stopped = threading.Event()
        late: list[str] = []

        def job(stopped: threading.Event = stopped, late: list[str] = late) -> None:
            if stopped.is_set():
                late.append("late")

        def put(mailbox: Mailbox = mailbox, job: Callable[[], None] = job) -> None:
            for _number in range(20):
                mailbox.put(job)

        putter = threading.Thread(target=put)
        putter.start()
        mailbox.close(stopped.set)
        assert stopped.wait(PATIENCE_S)
        putter.join(PATIENCE_S)
        assert late == []
        assert len(mailbox) == 0
    pool.close()
