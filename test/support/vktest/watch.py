# SPDX-License-Identifier: LGPL-2.1-or-later
"""watch.py - looking at something again and again, while a test does something else"""
import threading


class Watch:
    """Calls look() at that distance, in seconds, until it is ended.

    What goes wrong meanwhile is raised by end(): a watch that has not looked has seen nothing.
    """

    def __init__(self, seconds, look):
        self._seconds = seconds
        self._look = look
        self._error = None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._end.wait(self._seconds):
                self._look()
        except Exception as error:  # whatever it is, it is the test's
            self._error = error

    def end(self):
        self._end.set()
        self._thread.join()
        if self._error:
            raise self._error
