"""Mixed load with a ledger: what was accepted for whom, what became of it, and the sum that must come out.

Every recipient address names its message and its kind, "never.3-17@else.example", and every sender address its message,
"from.3-17@box.example", so that the sink, the mailbox, a bounce and a line of the queue all say which message they are.
"""
import collections
import dataclasses
import random
import re
import socket
import subprocess
import threading
import time

from load import Threads
from smtp import Client, Sink

RELAY, LOCAL = "else.example", "box.example"
# At the sink: taken at once, refused for now a few times, refused for good. In a Maildir: taken.
DOMAINS = {"ok": RELAY, "busy": RELAY, "never": RELAY, "box": LOCAL}
KINDS = tuple(DOMAINS)
ADDRESS = re.compile(r"\b(ok|busy|never|box)\.(\d+-\d+)@(?:else|box)\.example")
SENDER = re.compile(r"\bfrom\.(\d+-\d+)@box\.example")
LARGE = 300_000
# For an instance that keeps all its own mail in one Maildir, hash directories and all, and loses no time between tries.
SETTINGS = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s", "transport_retry_time": "1s",
            "virtual_mailbox_maps": "static:all/", "bounce_queue_lifetime": "5d", "notify_classes": "",
            "smtp_connect_timeout": "5s"}


def address(kind, serial):
    return f"{kind}.{serial}@{DOMAINS[kind]}"


def sender_of(serial):
    return f"from.{serial}@{LOCAL}"


def content(serial, size, end="\r\n"):
    line = "x" * 78 + end
    return (f"From: {sender_of(serial)}{end}Subject: load {serial}{end}{end}"
            + line * max(1, size // len(line)) + f"end of {serial}{end}")


class Moody(Sink):
    """A sink that refuses `busy` recipients a few times, `never` ones always, and goes down and comes back."""

    def __init__(self, port, **options):
        self.tries, self.connections = collections.Counter(), set()
        self.torn = []  # messages whose end is missing
        super().__init__(port, answers={"(?i)^RCPT TO:<(busy|never)": self.mood}, **options)

    def mood(self, line):
        kind, serial = ADDRESS.search(line).groups()
        if kind == "never":
            return "550 5.1.1 no such user"
        self.tries[serial] += 1
        return "451 4.3.0 busy" if self.tries[serial] <= 1 + hash_of(serial) % 2 else None

    def session(self, connection):
        self.connections.add(connection)
        super().session(connection)
        self.connections.discard(connection)

    def down(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def is_listening(self):
        return self.listener.fileno() >= 0

    def up(self):
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", self.port))
        self.listener.listen(200)
        threading.Thread(target=self.run, daemon=True).start()

    def arrived(self):
        """(kind, serial) -> how often it was taken whole; notes the others."""
        counted = collections.Counter()
        with self.changed:
            for sender, recipients, text in self.messages:
                for recipient in recipients:
                    found = ADDRESS.match(recipient)
                    if found and f"end of {found[2]}\r\n" in text[-200:]:
                        counted[found.groups()] += 1
                    elif found:
                        self.torn.append(recipient)
        return counted


def hash_of(serial):
    return sum(map(ord, serial))


@dataclasses.dataclass
class Mailbox:
    """What a Maildir holds: whole messages, notices of failure that came back, and what is neither."""
    arrived: collections.Counter
    bounced: collections.Counter
    torn: list


def read_mailbox(mta, name="all"):
    read = Mailbox(collections.Counter(), collections.Counter(), [])
    for text in mta.mailbox(name):
        to = re.search(r"^Delivered-To: (\S+)", text, re.MULTILINE)
        if not to:
            read.torn.append(text[:200])
        elif found := ADDRESS.match(to[1]):
            if f"end of {found[2]}\n" in text[-200:]:
                read.arrived[found.groups()] += 1
            else:
                read.torn.append(to[1])
        else:
            for final in re.findall(r"^Final-Recipient: rfc822; *(\S+)", text, re.MULTILINE):
                if found := ADDRESS.match(final):
                    read.bounced[found.groups()] += 1
    return read


class MixedLoad(Threads):
    """SMTP clients, sendmail, and an administrator at work, from one seed. Everything they got an answer for is noted."""

    patience = 90

    def __init__(self, mta, seed, clients=4, pause=0.05, large=0.04):
        super().__init__()
        self.mta, self.seed, self.pause, self.large = mta, seed, pause, large
        self.accepted = set()  # (kind, serial)
        self.deleted = set()  # serials: postsuper -d has said so
        self.perhaps_deleted = set()  # serials: postsuper -d was killed before it said anything
        self.ids = {}  # serial -> queue id, where the 250 told it
        self.commands = collections.Counter()
        self.refused = self.broken = self.submitted = 0
        work = [self.speak_smtp] * clients + [self.submit, self.administer]
        self.threads = [threading.Thread(target=each, args=(n, random.Random(f"{seed} {n}")), daemon=True)
                        for n, each in enumerate(work)]

    def note(self, kinds, serial):
        with self.lock:
            self.accepted.update((kind, serial) for kind in kinds)

    def draw(self, rng, worker, number):
        kinds = rng.choice((["ok"], ["ok"], ["box"], ["busy"], ["never"], ["ok", "never"], ["busy", "box"], list(KINDS)))
        size = LARGE if rng.random() < self.large else rng.choice((10, 1000, 8000))
        return kinds, f"{worker}-{number}", size

    # --- who sends ---
    def speak_smtp(self, worker, rng):
        number = 0
        while not self.stopping.is_set():
            try:
                with Client(self.mta.port, timeout=20) as client:
                    client.hello()
                    for _ in range(rng.randrange(1, 30)):
                        if self.stopping.is_set():
                            break
                        number += 1
                        self.one(client, *self.draw(rng, worker, number))
                        time.sleep(rng.random() * 2 * self.pause)
            except (OSError, AssertionError):
                self.broken += 1
                time.sleep(0.1)

    def one(self, client, kinds, serial, size):
        taken = []
        if not self.step(client, f"MAIL FROM:<{sender_of(serial)}>"):
            return
        for kind in kinds:
            if self.step(client, f"RCPT TO:<{address(kind, serial)}>"):
                taken.append(kind)
        if not taken or not self.step(client, "DATA"):
            client.say("RSET")
            return
        answer = client.say(content(serial, size) + ".")
        if not answer:
            raise OSError("connection lost")
        if answer.startswith("250"):
            self.note(taken, serial)
            self.ids[serial] = answer.split()[-1]
        else:
            self.refused += 1

    def step(self, client, line):
        answer = client.say(line)
        if not answer:
            raise OSError("connection lost")
        self.refused += answer[0] not in "23"
        return answer[0] in "23"

    def submit(self, worker, rng):
        number = 0
        while not self.stopping.is_set():
            number += 1
            kinds, serial, size = self.draw(rng, worker, number)
            try:
                done = self.mta.sendmail("-f", sender_of(serial), *(address(kind, serial) for kind in kinds),
                                         message=content(serial, size, "\n"))
                if done.returncode == 0:
                    self.note(kinds, serial)
                    self.submitted += 1
            except subprocess.TimeoutExpired:
                self.broken += 1
            self.stopping.wait(0.1 + rng.random() * 0.3)

    # --- who administers ---
    def administer(self, worker, rng):
        while not self.stopping.is_set():
            self.stopping.wait(0.1 + rng.random() * 0.3)
            try:
                self.command(rng)
            except (subprocess.TimeoutExpired, AssertionError):
                self.broken += 1

    def command(self, rng):
        deed = rng.choice(("-h", "-h", "-H", "-r", "-r ALL", "-d", "-d", "-f", "-p"))
        self.commands[deed] += 1
        if deed == "-f":
            self.mta.run("postqueue", "-f")
        elif deed == "-p":
            self.mta.run("postqueue", "-p")
        elif deed == "-H":
            self.mta.run("postsuper", "-H", "ALL")
        elif deed == "-r ALL":
            self.mta.run("postsuper", "-r", "ALL", "deferred")
        else:
            chosen = self.choose(rng)
            if not chosen:
                return
            serial = SENDER.search(chosen["sender"])
            if deed == "-d":
                if serial:  # without: a notice, and who was to learn something from it would count as lost
                    self.delete(serial[1], chosen["queue_id"])
            else:
                self.mta.run("postsuper", deed, chosen["queue_id"])

    def delete(self, serial, queue_id):
        done = self.mta.run("postsuper", "--json", "-d", queue_id)
        if done.returncode < 0:
            self.perhaps_deleted.add(serial)
        elif b'"deleted": 1' in done.stdout:
            self.deleted.add(serial)

    def choose(self, rng):
        listed = [message for message in self.mta.queue() if message["queue_name"] != "active" or rng.random() < 0.2]
        return rng.choice(listed) if listed else None


@dataclasses.dataclass
class Account:
    """What became of everything that was accepted."""
    lost: set
    again: collections.Counter
    torn: list
    unanswered: int  # arrived without an answer to the client
    returned: int  # arrived although deleted: the deletion met a delivery under way
    bounced: int


def settle(mta, server, load):
    """Compares the ledger with what is at the sink, in the mailbox, bounced, deleted and in the queue."""
    relayed, mailbox = server.arrived(), read_mailbox(mta)
    arrived = relayed + mailbox.arrived + mailbox.bounced
    queued = {found.groups() for message in mta.queue() for recipient in message["recipients"]
              if (found := ADDRESS.match(recipient["address"]))}
    # A notice that waits for its delivery is about all failed recipients of its message.
    notices = {found[1] for message in mta.queue() for recipient in message["recipients"]
               if (found := SENDER.match(recipient["address"]))}
    gone = load.deleted | load.perhaps_deleted
    lost = {(kind, serial) for kind, serial in load.accepted - set(arrived) - queued
            if serial not in gone and not (kind == "never" and serial in notices)}
    again = collections.Counter({one: count - 1 for one, count in arrived.items() if count > 1})
    return Account(lost, again, sorted(set(server.torn + mailbox.torn)), len(set(arrived) - load.accepted),
                   len({one for one in arrived if one[1] in load.deleted}), sum(mailbox.bounced.values()))
