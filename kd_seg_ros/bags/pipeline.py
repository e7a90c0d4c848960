"""Reading ahead and writing in the background, in threads, in order and with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END: Final[Any] = object()


def prefetched(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    """Yield the items, of which a second thread makes up to ``depth`` ahead.

    What making one raises is raised when its turn comes, after all those before it.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "prefetch") as pool:
        waiting = deque(pool.submit(next, source, _END) for _ in range(depth))
        try:
            while True:
                item = waiting.popleft().result()
                if item is _END:
                    break
                waiting.append(pool.submit(next, source, _END))
                yield item
        finally:
            pool.shutdown(cancel_futures=True)


def parallel_map(
    function: Callable[[T], R], items: Iterable[T], workers: int, depth: int
) -> Generator[R, None, None]:
    """Yield ``function(item)`` in the order of the items, up to ``depth`` of them computed ahead.

    What getting an item or computing it raises is raised when its turn comes.
    """
    source = iter(items)
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers, "parallel map") as pool:
        try:
            problem: Exception | None = None
            while problem is None:
                try:
                    waiting.append(pool.submit(function, next(source)))
                except StopIteration:
                    break
                except Exception as error:  # first those before it
                    problem = error
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
            if problem:
                raise problem
        finally:
            pool.shutdown(cancel_futures=True)


class BackgroundWorker(Generic[T]):
    """Calls a function for one item after another in a second thread, at most ``depth`` items late."""

    def __init__(self, function: Callable[[T], None], depth: int) -> None:
        self._function = function
        self._depth = depth
        self._pool = ThreadPoolExecutor(1, "background worker")
        self._waiting: deque[Future[None]] = deque()
        self.failed = False
        """Whether the function has raised; it is not called again then."""

    def put(self, item: T) -> None:
        """Hand over an item; wait while ``depth`` items are waiting.

        :raises Exception: what the function has raised for an earlier item.
        """
        self._waiting.append(self._pool.submit(self._call, item))
        while len(self._waiting) > self._depth:
            self._waiting.popleft().result()

    def close(self) -> None:
        """Wait for all items.

        :raises Exception: what the function has raised; the items after that one are not processed.
        """
        try:
            while self._waiting:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def _call(self, item: T) -> None:
        if self.failed:
            return
        try:
            self._function(item)
        except BaseException:
            self.failed = True
            raise
