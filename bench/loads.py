"""The loads. Each knows the settings it needs, sends messages, and waits until the last one has arrived."""
import os
import pathlib
import pwd
import socket
import subprocess
import threading
import time

from instance import free_port


def smtp_source(port, recipient, messages, sessions, size, keep=True, numbered=False):
    """`keep`: a session sends one message after the other; otherwise each message has a connection of its own. `numbered`: each
    recipient has the message's number in front."""
    options = [*(["-d"] if keep else []), *(["-N"] if numbered else []), "-s", str(sessions), "-m", str(messages), "-l", str(size), "-C", "20"]
    await_end(subprocess.Popen(["/usr/sbin/smtp-source", "-4", *options, "-f", "sender@source.example", "-t", recipient, f"127.0.0.1:{port}"]), 600)


def await_end(process, seconds=300):
    """Until the process ends, to the millisecond: wait(timeout) looks once in 50."""
    watchdog = threading.Timer(seconds, process.kill)
    watchdog.start()
    try:
        if process.wait() != 0:
            raise RuntimeError(f"{process.args[0]} ended with {process.returncode}")
    finally:
        watchdog.cancel()


class Relay:
    """smtp-source -> MTA -> smtp-sink over sessions that stay: done when the sink has every message."""
    name = "relay"
    unit = "messages"
    keep = True

    def __init__(self):
        self.port = free_port()
        self.main_cf = {"relayhost": f"[127.0.0.1]:{self.port}"}

    def run(self, instance, messages, sessions, size):
        # The sink ends by itself after that many messages.
        sink = subprocess.Popen(["/usr/sbin/smtp-sink", "-4", "-u", "nobody", "-M", str(messages), f"127.0.0.1:{self.port}", "1024"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.2)
            start = time.monotonic()
            smtp_source(instance.port, "user@sink.example", messages, sessions, size, self.keep)
            await_end(sink, 600)
            return time.monotonic() - start
        finally:
            sink.kill()
            sink.wait()


class Connect(Relay):
    """The same with a connection for each message."""
    name = "connect"
    keep = False


class Accept:
    """smtp-source -> MTA, which discards: how fast messages are taken and made safe."""
    name = "accept"
    unit = "messages"
    main_cf = {"default_transport": "discard:", "relay_transport": "discard:"}

    def run(self, instance, messages, sessions, size):
        start = time.monotonic()
        smtp_source(instance.port, "user@sink.example", messages, sessions, size)
        return time.monotonic() - start


class Maildir:
    """smtp-source -> MTA -> one Maildir: done when every message is a file in new/."""
    name = "maildir"
    unit = "messages"

    def __init__(self):
        account = pwd.getpwnam("postfix")
        self.main_cf = {
            "virtual_mailbox_domains": "box.example",
            "virtual_mailbox_base": "@ROOT@/mail",
            "virtual_mailbox_maps": "static:user/",
            "virtual_minimum_uid": "1",
            "virtual_uid_maps": f"static:{account.pw_uid}",
            "virtual_gid_maps": f"static:{account.pw_gid}",
        }
        self.sent = 0

    def run(self, instance, messages, sessions, size):
        self.sent += messages
        box = instance.root / "mail/user/new"
        start = time.monotonic()
        smtp_source(instance.port, "user@box.example", messages, sessions, size)
        while not box.exists() or sum(1 for _ in os.scandir(box)) < self.sent:
            if time.monotonic() > start + 600:
                raise RuntimeError("messages are missing in the Maildir")
            time.sleep(0.01)
        return time.monotonic() - start


class SlowSink:
    """bench/slow_sink: a server on all loopback addresses, until so many recipients have been taken."""

    def __init__(self, port, recipients, delay=0.0):
        program = pathlib.Path(__file__).resolve().parent.parent / "build/release/bin/slow_sink"
        self.process = subprocess.Popen([program, str(port), str(round(delay * 1000)), str(recipients)], stdout=subprocess.PIPE)

    def __enter__(self):
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("slow_sink did not start")
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def wait(self):
        await_end(self.process)


def transport_table(form, addresses, port):
    """Sends what `form` makes of N to the Nth address."""
    return "".join(f"{form % n} smtp:[{address}]:{port}\n" for n, address in enumerate(addresses))


class Client:
    """One SMTP session; a refusal ends the run."""

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), 60)
        self.replies = self.connection.makefile("rb")
        self.reply()
        self.say(b"EHLO source.example")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.connection.close()

    def reply(self):
        while (line := self.replies.readline())[3:4] == b"-":
            pass
        if line[:1] not in b"23":
            raise RuntimeError(f"refused: {line!r}")

    def say(self, *commands):
        """Sends the commands in one go, then waits for the reply to each."""
        self.connection.sendall(b"".join(command + b"\r\n" for command in commands))
        for _ in commands:
            self.reply()

    def content(self, subject, size):
        self.say(b"DATA")
        body = (b"x" * 70 + b"\r\n") * max(1, size // 72)
        self.connection.sendall(b"From: sender@source.example\r\nSubject: " + subject.encode() + b"\r\n\r\n" + body + b".\r\n")
        self.reply()


class ManyRecipients:
    """One message to 10,000 recipients in 200 domains, each domain a destination of its own."""
    name = "list"
    unit = "recipients"
    domains = 200

    def __init__(self):
        self.port = free_port("0.0.0.0")
        self.addresses = [f"127.0.0.{n}" for n in range(2, 2 + self.domains)]
        self.main_cf = {
            "transport_maps": "texthash:@ROOT@/etc/transport",
            "smtpd_recipient_limit": "20000",
            "smtp_connect_timeout": "10s",
        }

    def run(self, instance, recipients, sessions, size):
        (instance.root / "etc/transport").write_text(transport_table("d%d.example", self.addresses, self.port))
        with SlowSink(self.port, recipients) as sink:
            start = time.monotonic()
            self.send(instance.port, recipients, size)
            sink.wait()
            return time.monotonic() - start

    def send(self, port, recipients, size):
        with Client(port) as client:
            client.say(b"MAIL FROM:<sender@source.example>")
            for first in range(0, recipients, 100):
                client.say(*(b"RCPT TO:<u%d@d%d.example>" % (n, n % self.domains) for n in range(first, min(first + 100, recipients))))
            client.content("list", size)
            client.say(b"QUIT")


class SlowDestinations:
    """Messages to as many destinations, each of which takes about a second to accept; the process limit allows 1,000."""
    name = "slow"
    unit = "messages"

    def __init__(self):
        self.port = free_port("0.0.0.0")
        self.addresses = [f"127.1.{n // 250}.{1 + n % 250}" for n in range(20_000)]
        self.main_cf = {
            "transport_maps": "texthash:@ROOT@/etc/transport",
            "default_process_limit": "1000",
            "smtp_connect_timeout": "10s",
            "smtpd_recipient_limit": "20000",
        }

    def run(self, instance, messages, sessions, size):
        # The whole table before the first message: Postfix reads a texthash once.
        table = instance.root / "etc/transport"
        if not table.exists():
            table.write_text(transport_table("%du@slow.example", self.addresses, self.port))
        with SlowSink(self.port, messages, delay=1.0) as sink:
            start = time.monotonic()
            smtp_source(instance.port, "u@slow.example", messages, 10, size, numbered=True)
            sink.wait()
            return time.monotonic() - start


class Idle:
    """Sessions that greet and then do nothing: how fast they are taken; memory is what matters."""
    name = "idle"
    unit = "sessions"
    main_cf = {"smtpd_client_connection_count_limit": "0", "default_process_limit": "20000", "smtpd_timeout": "600s"}

    def __init__(self):
        self.held = []

    def run(self, instance, sessions_wanted, sessions, size):
        self.release()
        start = time.monotonic()
        deadline = start + 120
        waiting = []
        for n in range(sessions_wanted):
            connection = socket.socket()
            connection.settimeout(max(0.1, deadline - time.monotonic()))
            connection.connect(("127.0.0.1", instance.port))
            waiting.append(connection)
            self.held.append(connection)
            if len(waiting) == 200 or n + 1 == sessions_wanted:
                for each in waiting:
                    each.settimeout(max(0.1, deadline - time.monotonic()))
                    if not each.recv(512).startswith(b"220"):
                        raise RuntimeError("a session was not greeted")
                waiting.clear()
        return time.monotonic() - start

    def release(self):
        for connection in self.held:
            connection.close()
        self.held.clear()
