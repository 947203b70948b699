# SPDX-License-Identifier: LGPL-2.1-or-later
"""browser.py - Chromium without a window, told what to do through two pipes

Source: the DevTools protocol (Page, Runtime, Emulation, Network); --remote-debugging-pipe reads
commands from descriptor 3 and writes answers to 4, each ended by a NUL.
"""
import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

SECONDS = 60


class Browser:

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="fbrw-")
        self.requests = []
        self.buffer = b""
        self.last_id = 0
        self.session = None
        told, self.tell = os.pipe()
        self.hear, heard = os.pipe()
        self.process = self._start(told, heard)
        os.close(told)
        os.close(heard)
        self._attach()

    def _start(self, told, heard):
        program = shutil.which("chromium")
        if not program:
            raise AssertionError("needs chromium (the package of this name)")
        arguments = [program, "--headless=new", "--no-sandbox", "--disable-gpu",
                     "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
                     "--user-data-dir=" + self.folder, "--remote-debugging-pipe", "about:blank"]
        # A shell puts the pipes where the browser expects them.
        script = 'exec 3<&%d 4>&%d "$@"' % (told, heard)
        return subprocess.Popen(["bash", "-c", script, "bash"] + arguments,
                                pass_fds=(told, heard), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _attach(self):
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target,
                                 flatten=True)["sessionId"]
        for domain in "Page", "Runtime", "Network":
            self.call(domain + ".enable")

    def close(self):
        os.close(self.tell)
        try:
            self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.hear)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _receive(self):
        """The next message; those that nobody asked for are looked at on the way."""
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self.buffer:
            if not select.select([self.hear], [], [], max(0, deadline - time.monotonic()))[0]:
                raise AssertionError("the browser is silent")
            data = os.read(self.hear, 1 << 20)
            if not data:
                raise AssertionError("the browser has ended")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        message = json.loads(text)
        if message.get("method") == "Network.requestWillBeSent":
            self.requests.append(message["params"]["request"]["url"])
        return message

    def call(self, method, **parameters):
        self.last_id += 1
        message = {"id": self.last_id, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self.tell, data):]
        while True:
            answer = self._receive()
            if answer.get("id") == self.last_id:
                break
        if "error" in answer:
            raise AssertionError("%s: %s" % (method, answer["error"]))
        return answer["result"]

    def open(self, path):
        self.requests = []
        self.call("Page.navigate", url="file://" + path)
        while self._receive().get("method") != "Page.loadEventFired":
            pass

    def screen(self, width, height, dark=False):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", media="screen", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def evaluate(self, expression):
        """The value of an expression in JavaScript."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise AssertionError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def screenshot(self, path):
        """Of the whole page, also what is below the screen."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def print(self, path):
        self.call("Emulation.setEmulatedMedia", media="")
        data = self.call("Page.printToPDF", preferCSSPageSize=True)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
