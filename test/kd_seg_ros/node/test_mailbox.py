from __future__ import annotations

from threading import Event, Thread

from kd_seg_ros.node.mailbox import Mailbox


def test_the_newest_item_wins_and_overwriting_is_told() -> None:
    mailbox: Mailbox[int] = Mailbox()
    assert [mailbox.put(item) for item in (1, 2, 3)] == [False, True, True]
    assert mailbox.take() == 3
    assert mailbox.put(4) is False


def test_take_waits_for_an_item() -> None:
    mailbox: Mailbox[str] = Mailbox()
    taken: list[str | None] = []
    taker = Thread(target=lambda: taken.append(mailbox.take()))
    taker.start()
    assert not taken
    mailbox.put("frame")
    taker.join(300)
    assert taken == ["frame"]


def test_closing_ends_a_waiting_and_every_later_take() -> None:
    mailbox: Mailbox[str] = Mailbox()
    taken: list[str | None] = []
    taker = Thread(target=lambda: taken.append(mailbox.take()))
    taker.start()
    mailbox.close()
    taker.join(300)
    assert not taker.is_alive()
    assert taken == [None]
    mailbox.put("too late")
    assert mailbox.take() is None


def test_no_item_is_taken_twice_or_lost_uncounted() -> None:
    """One producer at full speed: every item is either taken, in order, or told to be overwritten."""
    mailbox: Mailbox[int] = Mailbox()
    taken: list[int] = []

    def take_all() -> None:
        while (item := mailbox.take()) is not None:
            taken.append(item)
            if item == 20_000:
                return

    taker = Thread(target=take_all)
    taker.start()
    overwritten = sum(mailbox.put(item) for item in range(1, 20_001))
    taker.join(30)
    assert not taker.is_alive()
    assert taken == sorted(set(taken))
    assert len(taken) + overwritten == 20_000


def test_an_item_may_be_let_pass_for_the_next() -> None:
    mailbox: Mailbox[int] = Mailbox()
    asked: list[int] = []
    taken: list[int | None] = []
    waiting = Event()

    def long(item: int) -> float:
        asked.append(item)
        waiting.set()
        return 600.0

    def take_later() -> None:
        assert mailbox.wait(long)
        taken.append(mailbox.take())

    taker = Thread(target=take_later)
    mailbox.put(1)
    taker.start()
    assert waiting.wait(300)
    assert mailbox.put(2), "it replaces the one that waits, which counts as overwritten"
    taker.join(300)
    assert (taken, asked) == ([2], [1])
    mailbox.put(3)
    assert mailbox.wait(lambda _: 0.0)
    assert mailbox.take() == 3
    mailbox.put(4)
    assert mailbox.wait(lambda _: 0.001), "the next did not come in time"
    assert mailbox.take() == 4


def test_waiting_leaves_the_item_where_a_newer_one_replaces_it() -> None:
    mailbox: Mailbox[int] = Mailbox()
    mailbox.put(1)
    assert mailbox.wait()
    assert mailbox.put(2), "nobody has taken it"
    assert mailbox.take() == 2


def test_closing_ends_a_wait_for_the_next() -> None:
    mailbox: Mailbox[int] = Mailbox()
    waiting = Event()
    waited: list[bool] = []

    def long(_: int) -> float:
        waiting.set()
        return 600.0

    mailbox.put(1)
    taker = Thread(target=lambda: waited.append(mailbox.wait(long)))
    taker.start()
    assert waiting.wait(300)
    assert mailbox.close(), "an item is left"
    assert not mailbox.close(), "it is told once"
    taker.join(300)
    assert waited == [False]
