"""A process that calls what it is sent, and says what came of it."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from byrote.errors import StoreError
from byrote.runs.worker import Called, Ended, Raised, Returned, Said, Unread, Worker, callback, end


@pytest.fixture(scope="module")
def inbox() -> SimpleQueue:
    return SimpleQueue()


@pytest.fixture(scope="module")
def worker(inbox: SimpleQueue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    worker = Worker(tmp_path_factory.mktemp("shared"), inbox)
    yield worker
    assert end([worker]) == []
    assert worker.exit_code is not None


def answers(inbox: SimpleQueue, worker: Worker) -> list[object]:
    """All until the call has ended."""
    found: list[object] = []
    while not found or not isinstance(found[-1], Returned | Raised | Unread | Ended):
        sender, message = inbox.get(timeout=300)
        assert sender is worker
        found.append(message)
    return found


def raise_store_error() -> None:
    raise StoreError("the disk is full")


def test_it_returns_raises_and_goes_on(worker, inbox):
    worker.send(math.factorial, [5])
    assert answers(inbox, worker) == [Returned(120)]
    worker.send(math.sqrt, [-1])
    (raised,) = answers(inbox, worker)
    assert isinstance(raised.error, ValueError)
    assert "In a worker process" in raised.error.__notes__[0]
    worker.send(os.getpid, [])
    assert answers(inbox, worker) == [Returned(worker.pid)]


def test_an_answer_that_cannot_be_sent_is_an_error(worker, inbox):
    worker.send(eval, ["(n for n in ())"])
    (raised,) = answers(inbox, worker)
    assert "cannot pickle 'generator'" in str(raised.error)


def test_what_it_cannot_read_is_told_apart(worker, inbox):
    class OnlyHere:
        def __reduce__(self):
            return eval, ("no_such_thing",)

    worker.send(str, [OnlyHere()])
    (unread,) = answers(inbox, worker)
    assert isinstance(unread, Unread)
    assert isinstance(unread.error, NameError)


def test_it_takes_functions_that_no_name_leads_to_and_tells_of_calls_and_words_in_order(worker, inbox):
    def work(tell):
        for number in range(3):
            tell(number)
        print("two\nlines", end="")
        return "done"

    class Standing:
        def __reduce__(self):
            return callback, (7,)

    worker.send(work, [Standing()])
    *told, last = answers(inbox, worker)
    assert told[:3] == [Called(7, (number,)) for number in range(3)]
    assert "".join(message.text for message in told[3:] if isinstance(message, Said)) == "two\nlines\n"
    assert last == Returned("done")


@pytest.mark.slow
def test_it_is_ended_while_it_works_and_by_force_where_it_does_not_heed(tmp_path):
    inbox: SimpleQueue = SimpleQueue()

    def defy():
        while True:
            try:
                time.sleep(0.1)
            except KeyboardInterrupt:
                print("no", flush=True)

    heeding, defying = (Worker(tmp_path, inbox) for _ in range(2))
    heeding.send(time.sleep, [0.1])
    defying.send(defy, [])
    assert inbox.get(timeout=300) == (heeding, Returned(None))
    end([heeding, defying])
    assert heeding.exit_code is not None
    assert defying.exit_code is not None
