"""A headless Chromium for tests of pages, by its DevTools protocol over two pipes: no driver is needed."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
"""Its command; None where none is installed."""
_READ, _WRITE = 3, 4  # file descriptors that Chromium reads and writes
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage")
_QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")


class Browser:
    """One tab. `errors` has what the console complained about, `requests` what the page asked the network for."""

    def __init__(self, send, receive):
        self._send, self._receive, self._number, self._rest = send, receive, 0, b""
        self.errors, self.requests, self._session = [], [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **params):
        """The result of a command."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def open(self, path: Path, width: int, height: int = 900):
        """Load a file at a size of the window, and forget what was noted before."""
        self.errors.clear()
        self.requests.clear()
        self.size(width, height)
        self.call("Page.navigate", url=path.resolve().as_uri())
        while True:
            answer = self._next()
            self._note(answer)
            if answer.get("method") == "Page.loadEventFired":
                return

    def size(self, width: int, height: int = 900):
        """The size of the window in pixels; one below 600 is that of a phone."""
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def run(self, script: str):
        """The value of an expression in the page, after the page has drawn a frame."""
        frame = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
        wrapped = f"{frame}.then(() => ({script}))"
        answer = self.call("Runtime.evaluate", expression=wrapped, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def picture(self, path: Path):
        """Write what the window shows as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def _next(self):
        while b"\0" not in self._rest:
            part = os.read(self._receive, 1 << 16)
            if not part:
                raise RuntimeError("Chromium has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _note(self, message):
        method, params = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.errors.append(str(params["exceptionDetails"]))
        elif method == "Log.entryAdded":
            self.errors.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.errors.append(str(params["args"]))
        elif method == "Page.javascriptDialogOpening":
            self.errors.append(f"a dialog: {params['message']}")
        elif method == "Network.requestWillBeSent" and not params["request"]["url"].startswith("data:"):
            self.requests.append(params["request"]["url"])


@contextlib.contextmanager
def browser(profile: Path):
    """A browser whose profile lies in an empty folder."""
    theirs_in, send = os.pipe()
    receive, theirs_out = os.pipe()

    def arrange():
        first, second = os.dup(theirs_in), os.dup(theirs_out)
        os.dup2(first, _READ)
        os.dup2(second, _WRITE)

    words = [CHROMIUM, *_FLAGS, *_QUIET, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
    process = subprocess.Popen(
        words, pass_fds=(_READ, _WRITE), preexec_fn=arrange, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(send, receive)
    finally:
        process.terminate()
        process.wait(30)
        os.close(send)
        os.close(receive)
