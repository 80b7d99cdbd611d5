"""A headless Chromium, told what to do through its DevTools protocol, on a pipe."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-sandbox",  # as root, in a container; it sees nothing but this machine's own pages
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


class Page:
    """One page of it. Commands: https://chromedevtools.github.io/devtools-protocol."""

    def __init__(self, told: int, answers: int) -> None:
        self._told, self._answers = told, answers
        self._buffer, self._number, self._session = b"", 0, ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.faults: list[str] = []
        self.send("Runtime.enable")

    def send(self, method: str, **values: Any) -> dict[str, Any]:
        """A command's result."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": values, **session}
        os.write(self._told, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            if answer.get("method") == "Runtime.exceptionThrown":
                self.faults.append(json.dumps(answer["params"]["exceptionDetails"]))
        assert "error" not in answer, answer
        return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            part = os.read(self._answers, 1 << 20)
            assert part, "Chromium has ended"
            self._buffer += part
        message, self._buffer = self._buffer.split(b"\0", 1)
        return dict(json.loads(message))

    def open(self, address: str, width: int = 1100, height: int = 900, is_phone: bool = False) -> None:
        """Goes to an address, in a window of that size."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=is_phone
        )
        self.send("Page.navigate", url=address)
        self.until("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """Of JavaScript."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, expression: str, seconds: float = 20) -> None:
        """Waits until JavaScript says that it is so."""
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.03)

    def choose_files(self, selector: str, *files: Path) -> None:
        """As if they had been chosen in the dialogue of an input."""
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=node, files=[str(file) for file in files])

    def screenshot(self, file: Path) -> None:
        """Of what is in the window, as PNG."""
        file.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))


@contextmanager
def chromium(folder: Path) -> Iterator[Page]:
    """Its page; the test is skipped where there is no Chromium.

    Args:
        folder: empty, for its profile.
    """
    if PROGRAM is None:
        pytest.skip("there is no Chromium")
    (commands, told), (answers, replies) = os.pipe(), os.pipe()

    def as_it_expects_them() -> None:
        os.dup2(commands, 3)
        os.dup2(replies, 4)

    commands, replies = (_high(number) for number in (commands, replies))
    process = subprocess.Popen(
        [PROGRAM, *_FLAGS, f"--user-data-dir={folder}", "about:blank"],
        pass_fds=(3, 4, commands, replies),
        preexec_fn=as_it_expects_them,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(folder)},
    )
    for number in (commands, replies):
        os.close(number)
    try:
        page = Page(told, answers)
        yield page
        page.send("Browser.close")
    finally:
        os.close(told)
        os.close(answers)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _high(number: int) -> int:
    """The same pipe under a number that is not one of those that it gets in Chromium."""
    import fcntl

    copy = fcntl.fcntl(number, fcntl.F_DUPFD, 50)
    os.close(number)
    return copy
