"""Load with a ledger: what was accepted, to be compared with what arrived."""
import collections
import re
import threading
import time

from smtp import Client

SERIAL = re.compile(r"^X-Serial: (\S+)", re.MULTILINE)


class Threads:
    """Threads that work from the beginning of a `with` until its end: `self.stopping` tells them."""
    patience = 60  # seconds

    def __init__(self):
        self.lock, self.stopping, self.threads = threading.Lock(), threading.Event(), []

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exception):
        self.stopping.set()
        for thread in self.threads:
            thread.join(self.patience)


class Load(Threads):
    """Threads that send one message after the other until told to stop; every lost conversation is begun anew."""

    def __init__(self, port, recipient, threads=8, size=2000, pause=0.0):
        """`pause`: seconds that each thread waits after a message, where the load must not outgrow what the test's sink takes."""
        super().__init__()
        self.port, self.recipient, self.size, self.pause = port, recipient, size, pause
        self.accepted, self.refused, self.broken = set(), 0, 0
        self.threads = [threading.Thread(target=self.work, args=(n,), daemon=True) for n in range(threads)]

    def work(self, worker):
        number = 0
        while not self.stopping.is_set():
            try:
                with Client(self.port, timeout=20) as client:
                    client.hello()
                    while not self.stopping.is_set():
                        number += 1
                        self.one(client, f"{worker}.{number}")
                        self.stopping.wait(self.pause)
            except (OSError, AssertionError):
                self.broken += 1
                time.sleep(0.05)

    def one(self, client, serial):
        for line in ("MAIL FROM:<sender@box.example>", f"RCPT TO:<{self.recipient}>", "DATA"):
            answer = client.say(line)
            if not answer:
                raise OSError("connection lost")
            if answer[0] not in "23":
                self.refused += 1
                client.say("RSET")
                time.sleep(0.05)
                return
        answer = client.say(f"Subject: load\r\nX-Serial: {serial}\r\n\r\n{'x' * 70}\r\n" + "y" * self.size + "\r\n.")
        if not answer:
            raise OSError("connection lost")
        if answer.startswith("250"):
            with self.lock:
                self.accepted.add(serial)
        else:
            self.refused += 1


def serials(texts):
    """How often each serial number arrived."""
    return collections.Counter(match.group(1) for match in map(SERIAL.search, texts) if match)
