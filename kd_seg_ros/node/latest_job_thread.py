"""A thread for work that nothing waits for: pictures for people, compressed copies. No ROS in here."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from kd_seg_ros.node.mailbox import Mailbox

Job = Callable[[], None]


class LatestJobThread:
    """Does the newest job it was given; a job is dropped if a newer one comes before its turn."""

    def __init__(self, name: str, failed: Callable[[Exception], None]) -> None:
        """Make the thread; :meth:`start` starts it.

        :param failed: called, in the thread, with the exception that a job raises.
        """
        self._name = name
        self._failed = failed
        self._mailbox: Mailbox[Job] = Mailbox()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread, for the first time or after :meth:`stop`."""
        self._mailbox = Mailbox()
        self._thread = Thread(target=self._work, name=self._name)
        self._thread.start()

    def give(self, job: Job) -> None:
        """Hand over a job, without waiting."""
        self._mailbox.put(job)

    def stop(self) -> None:
        """End after the job under way."""
        self._mailbox.close()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while True:
            job = self._mailbox.take()
            if job is None:
                return
            try:
                job()
            except Exception as error:
                self._failed(error)
