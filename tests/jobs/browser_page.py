"""A page in headless Chromium with hands on it: real keys and clicks, real downloads, a real print.

Events that a script makes are not trusted: Enter on a button does nothing then, and no dialog opens. So
this speaks Chromium's DevTools protocol over a pair of pipes (messages are JSON, each ended by a zero
byte; see --remote-debugging-pipe), which needs nothing beside Python.
"""
import base64
import json
import os
import pathlib
import select
import shutil
import signal
import subprocess
import time

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER = next((shutil.which(b) for b in BROWSERS if shutil.which(b)), None)
SECONDS = 60
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), " ": (32, " ")}


class Page:
    """One tab that shows a file; use it as a context manager. `folder` takes profile and downloads."""

    def __init__(self, path, folder, width=1280, height=900):
        self.folder = pathlib.Path(folder)
        self.downloads = self.folder / "downloads"
        self.downloads.mkdir(parents=True, exist_ok=True)
        self.dialogs = []  # kinds of the dialogs that came up; each is answered with "leave"
        self.number, self.buffer, self.answers, self.session = 0, b"", {}, None
        to_child, self.write = os.pipe()
        self.read, from_child = os.pipe()
        # Chromium reads from descriptor 3 and writes to 4.
        command = ('exec "$@" 3<&%d 4>&%d' % (to_child, from_child))
        self.process = subprocess.Popen(
            ["bash", "-c", command, "bash", BROWSER, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", "--remote-debugging-pipe", f"--window-size={width},{height}",
             f"--user-data-dir={self.folder}/hands", "about:blank"],
            pass_fds=(to_child, from_child), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        os.close(to_child)
        os.close(from_child)
        try:
            self._open(path)
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        # Its own session: the browser's processes and nobody else's.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
        for descriptor in (self.write, self.read):
            os.close(descriptor)

    def _open(self, path):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(self.downloads))
        self.call("Page.navigate", url=pathlib.Path(path).resolve().as_uri())
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def _receive(self, seconds):
        """Takes one message; False when none came."""
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.read], [], [], left)[0]:
                return False
            more = os.read(self.read, 1 << 20)
            if not more:
                raise AssertionError("the browser has ended")
            self.buffer += more
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        if "id" in message:
            self.answers[message["id"]] = message
        elif message.get("method") == "Page.javascriptDialogOpening":
            self.dialogs.append(message["params"]["type"])
            self._send("Page.handleJavaScriptDialog", {"accept": True})
        return True

    def _send(self, method, parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.write, data):]
        return self.number

    def call(self, method, **parameters):
        number = self._send(method, parameters)
        end = time.monotonic() + SECONDS
        while number not in self.answers:
            if not self._receive(end - time.monotonic()):
                raise AssertionError(f"no answer to {method} within {SECONDS} s")
        answer = self.answers.pop(number)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def value(self, expression):
        """What a JavaScript expression is."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True,
                           awaitPromise=True)
        if "exceptionDetails" in result:
            raise AssertionError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def until(self, expression):
        end = time.monotonic() + SECONDS
        while not self.value(expression):
            if time.monotonic() > end:
                raise AssertionError(f"never true: {expression}")
            time.sleep(0.05)

    def press(self, key):
        """A key, to whatever has the focus."""
        code, text = KEYS[key]
        common = {"key": key, "code": "Space" if key == " " else key,
                  "windowsVirtualKeyCode": code, "nativeVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown",
                  **({"text": text} if text else {}), **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def click(self, selector):
        """The left button, in the middle of an element that is scrolled into view."""
        at = self.value("""(function () { var e = document.querySelector(%s);
            e.scrollIntoView({block: "center"}); var r = e.getBoundingClientRect();
            return [r.left + r.width / 2, r.top + r.height / 2]; })()""" % json.dumps(selector))
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=at[0], y=at[1], button="left",
                      clickCount=1)

    def downloaded(self, name):
        """The text of a file, once it was saved."""
        path = self.downloads / name
        end = time.monotonic() + SECONDS
        while not path.exists():
            if time.monotonic() > end:
                raise AssertionError(f"{name} was not saved; there is {os.listdir(self.downloads)}")
            self._receive(0.05)
        return path.read_text(encoding="utf-8")

    def leave(self):
        """Goes to an empty page, as closing the tab would; dialogs that ask are noted."""
        self.call("Page.navigate", url="about:blank")

    def pdf(self):
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True)["data"])
