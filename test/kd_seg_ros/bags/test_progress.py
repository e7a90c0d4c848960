import io

from kd_seg_ros.bags.progress import Progress
from kd_seg_ros.common.logs import terminal_logging


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_line_tells_share_speed_and_time_left() -> None:
    progress = Progress("segmenting", 100, 40, io.StringIO())
    for _ in range(10):
        progress.step()
    # 10 frames of this run in 5 s, 50 more to come
    assert progress.line(5.0) == "segmenting [############            ] 50/100  2.0 frames/s  0:25 left"
    assert progress.line(5000.0).endswith("0.0 frames/s  6:56:40 left")


def test_it_is_silent_where_nobody_watches_and_under_quiet() -> None:
    for stream, quiet, silent in (
        (io.StringIO(), False, True),
        (Terminal(), False, False),
        (Terminal(), True, True),
    ):
        with terminal_logging(quiet):
            progress = Progress("x", 2, stream=stream)
            progress.step()
            progress.close()
        assert (stream.getvalue() == "") == silent
