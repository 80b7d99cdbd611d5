"""Signs of life: on a terminal a moving line, else a line now and then; what libraries print does not hide ours."""

import io
import logging
import re
import sys
import time

import pytest
import rich
from rich.console import Console

from ssd import console
from ssd.console import ConsoleHandler, counting, others_silenced, rating, say, waiting


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal would get."""
    written = io.StringIO()
    monkeypatch.setattr(rich, "_console", Console(file=written, force_terminal=True, width=100))
    return written


def test_where_nobody_watches_a_wait_is_told_now_and_then(monkeypatch, capsys) -> None:
    monkeypatch.setattr(console, "FIRST_SIGN", 0.02)
    with waiting("reading"), counting("looking", 3) as advance:
        advance()
        time.sleep(0.2)
    lines = capsys.readouterr().out.splitlines()
    assert "reading, 0 s so far" in lines
    assert 2 <= sum(line.startswith("looking") for line in lines) <= 5  # twice the pause each time: no flood


def test_a_wait_may_take_other_words(monkeypatch, capsys, terminal: io.StringIO) -> None:
    with waiting("loading") as outer, waiting("loading more") as tell:
        outer("nothing")
        tell("3 of 5 MB")
        time.sleep(0.25)
    assert "3 of 5 MB" in terminal.getvalue()
    monkeypatch.setattr(rich, "_console", None)
    monkeypatch.setattr(console, "FIRST_SIGN", 0.02)
    with waiting("loading") as tell:
        tell("3 of 5 MB")
        time.sleep(0.1)
    assert capsys.readouterr().out.startswith("3 of 5 MB, 0 s so far")


def test_a_short_wait_says_nothing_where_nobody_watches(capsys) -> None:
    with waiting("reading"):
        pass
    assert capsys.readouterr().out == ""


def test_a_terminal_shows_what_is_waited_for_and_then_nothing(terminal: io.StringIO) -> None:
    with waiting("reading"):
        with waiting("looking"):
            time.sleep(0.25)
        time.sleep(0.25)
    assert "looking" in terminal.getvalue()
    assert "reading" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K") or terminal.getvalue().rstrip().endswith("h")  # erased, cursor back


@pytest.mark.parametrize("steps", [40, None])
def test_images_have_a_rate_and_where_their_number_is_known_a_time_left(
    terminal: io.StringIO, steps: int | None
) -> None:
    with rating("predicting", steps) as advance:
        for done in range(1, 21):
            advance(done)
            time.sleep(0.02)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    left = r" 0:00:0\d" if steps is not None else ""
    assert re.search(rf"20/{steps or '.'} +\d+\.\d images/s 0:00:0\d{left}", shown)


def test_images_are_counted_where_nobody_watches(monkeypatch, capsys) -> None:
    monkeypatch.setattr(console, "FIRST_SIGN", 0.02)
    with rating("predicting", 9) as advance:
        advance(3)
        time.sleep(0.1)
    assert capsys.readouterr().out.startswith("predicting, 3 of 9, 0 s so far")


def test_log_lines_are_plain_text(capsys) -> None:
    logger = logging.Logger("ssd.test")
    logger.addHandler(ConsoleHandler(sys.stdout))
    logger.warning("dataset.train=[red]%s", "x" * 300)
    assert capsys.readouterr().out == f"dataset.train=[red]{'x' * 300}\n"


def test_what_others_print_is_swallowed_and_ours_is_not(capsys) -> None:
    with others_silenced():
        print("Downloading and preparing")
        say("drawing")
    say("after")
    assert capsys.readouterr().out == "drawing\nafter\n"
