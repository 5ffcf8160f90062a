"""The loads. Each knows the settings it needs, sends messages, and waits until the last one has arrived."""
import asyncio
import pwd
import socket
import subprocess
import threading
import time

from instance import free_port


def smtp_source(port, recipient, messages, sessions, size, keep=True):
    """`keep`: a session sends one message after the other; otherwise each message has a connection of its own."""
    subprocess.run(["/usr/sbin/smtp-source", "-4", *(["-d"] if keep else []), "-s", str(sessions), "-m", str(messages), "-l", str(size), "-C", "20",
                    "-f", "sender@source.example", "-t", recipient, f"127.0.0.1:{port}"], check=True, timeout=600)


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
            sink.wait(timeout=600)
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
    """smtp-source -> MTA -> one Maildir: done when the queue is empty."""
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

    def run(self, instance, messages, sessions, size):
        start = time.monotonic()
        smtp_source(instance.port, "user@box.example", messages, sessions, size)
        instance.await_empty_queue()
        return time.monotonic() - start


class RecipientSink:
    """An SMTP server on many loopback addresses that counts recipients."""

    def __init__(self, addresses, port, delay=0.0):
        self.accepted = 0
        self.delay = delay
        self.changed = threading.Condition()
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve():
            for address in addresses:
                await asyncio.start_server(self.session, address, port, backlog=2000)
            ready.set()

        self.loop.create_task(serve())
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        ready.wait(30)

    async def session(self, reader, writer):
        recipients = 0
        writer.write(b"220 sink ESMTP\r\n")
        try:
            while line := await reader.readline():
                verb = line[:4].upper()
                if verb == b"EHLO":
                    writer.write(b"250-sink\r\n250-PIPELINING\r\n250-SIZE\r\n250 8BITMIME\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go\r\n")
                    await reader.readuntil(b"\r\n.\r\n")
                    if self.delay:
                        await asyncio.sleep(self.delay)
                    writer.write(b"250 ok\r\n")
                    with self.changed:
                        self.accepted += recipients
                        self.changed.notify()
                    recipients = 0
                elif verb == b"QUIT":
                    writer.write(b"221 bye\r\n")
                    break
                else:
                    recipients += verb == b"RCPT"
                    writer.write(b"250 ok\r\n")
        except (OSError, asyncio.IncompleteReadError):
            pass
        writer.close()

    def wait(self, count, seconds=300):
        with self.changed:
            if not self.changed.wait_for(lambda: self.accepted >= count, seconds):
                raise RuntimeError(f"{self.accepted} of {count} recipients arrived")
        return self.accepted


def transport_table(addresses, port):
    """Sends the domain dN.example to the Nth address."""
    return "".join(f"d{n}.example smtp:[{address}]:{port}\n" for n, address in enumerate(addresses))


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
        self.port = free_port()
        self.addresses = [f"127.0.0.{n}" for n in range(2, 2 + self.domains)]
        self.main_cf = {
            "transport_maps": "texthash:@ROOT@/etc/transport",
            "smtpd_recipient_limit": "20000",
            "smtp_connect_timeout": "10s",
        }
        self.sink = None

    def run(self, instance, recipients, sessions, size):
        table = instance.root / "etc/transport"
        if not self.sink:
            self.sink = RecipientSink(self.addresses, self.port)
        table.write_text(transport_table(self.addresses, self.port))
        already = self.sink.accepted
        start = time.monotonic()
        self.send(instance.port, recipients, size)
        self.sink.wait(already + recipients)
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
        self.main_cf = {
            "transport_maps": "texthash:@ROOT@/etc/transport",
            "default_process_limit": "1000",
            "smtp_connect_timeout": "10s",
            "smtpd_recipient_limit": "20000",
        }
        self.sink = None

    def run(self, instance, messages, sessions, size):
        # Always the whole table: Postfix reads a texthash once.
        addresses = [f"127.1.{n // 250}.{1 + n % 250}" for n in range(max(messages, 10_000))]
        if not self.sink:
            self.sink = RecipientSink(["0.0.0.0"], self.port, delay=1.0)
        table = instance.root / "etc/transport"
        table.write_text(transport_table(addresses, self.port))
        already = self.sink.accepted
        start = time.monotonic()
        senders = [threading.Thread(target=self.send, args=(instance.port, range(first, messages, 10), size)) for first in range(10)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        self.sink.wait(already + messages)
        return time.monotonic() - start

    @staticmethod
    def send(port, numbers, size):
        with Client(port) as client:
            for n in numbers:
                client.say(b"MAIL FROM:<sender@source.example>", b"RCPT TO:<u@d%d.example>" % n)
                client.content("slow", size)


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
