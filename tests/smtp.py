"""Both ends of SMTP for tests: a client that sends exactly what it is told, a server that keeps what it gets."""
import re
import socket
import threading
import time


class Client:
    def __init__(self, port, timeout=30, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout, source_address=(source, 0))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        """One line without its end; None at the end of the connection."""
        while b"\n" not in self.buffer:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode(errors="replace")

    def reply(self):
        """The lines of a reply; [] at the end of the connection."""
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
            if line[3:4] != "-":
                break
        return lines

    def code(self):
        lines = self.reply()
        return int(lines[-1][:3]) if lines and lines[-1][:3].isdigit() else None

    def say(self, line):
        """Sends a line, returns the last line of the reply ("" at the end of the connection)."""
        self.send((line if isinstance(line, bytes) else line.encode()) + b"\r\n")
        return (self.reply() or [""])[-1]

    def hello(self, name="client.test.example"):
        greeting = self.reply()
        assert greeting and greeting[-1].startswith("220"), greeting
        self.send(f"EHLO {name}\r\n")
        return self.reply()

    def send_message(self, sender, recipients, message):
        """A whole transaction after EHLO; the final reply line. Stops at the first refusal."""
        self.hello()
        for line in [f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{recipient}>" for recipient in recipients), "DATA"]:
            answer = self.say(line)
            if answer[:1] not in ("2", "3"):
                return answer
        self.send(re.sub(r"(?m)^\.", "..", message) + ("" if message.endswith("\r\n") else "\r\n"))
        return self.say(".")


class Sink(threading.Thread):
    """Keeps every message as (sender, recipients, text), and the verbs of each session. `answers`: pattern of a command line -> reply instead of 250, or what makes it
    from the line (None: as usual)."""

    def __init__(self, port, answers=None, delay=0.0):
        super().__init__(daemon=True)
        self.port, self.answers, self.delay = port, answers or {}, delay
        self.messages, self.sessions, self.changed = [], [], threading.Condition()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(200)
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.session, args=(connection,), daemon=True).start()

    def close(self):
        self.listener.close()

    def session(self, connection):
        try:
            with connection, connection.makefile("rb") as lines:
                self.converse(connection, lines)
        except OSError:
            pass

    def converse(self, connection, lines):
        def say(text):
            connection.sendall(text.encode() + b"\r\n")

        say("220 sink.test.example ESMTP")
        sender, recipients = None, []
        verbs = []
        self.sessions.append(verbs)
        for raw in lines:
            line = raw.rstrip(b"\r\n").decode(errors="replace")
            verb = line[:4].upper()
            verbs.append(verb)
            answer = next((reply for pattern, reply in self.answers.items() if re.search(pattern, line)), None)
            if callable(answer):
                answer = answer(line)
            if answer:
                say(answer)
            elif verb in ("EHLO", "LHLO"):
                say("250-sink.test.example\r\n250-PIPELINING\r\n250-SIZE 0\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8")
            elif verb == "MAIL":
                sender, recipients = line[10:].split(">")[0].lstrip("<"), []
                say("250 2.1.0 ok")
            elif verb == "RCPT":
                recipients.append(line[8:].split(">")[0].lstrip("<"))
                say("250 2.1.5 ok")
            elif verb == "DATA" and not recipients:
                say("554 5.5.1 no valid recipients")
            elif verb == "DATA":
                say("354 go")
                text = b""
                for raw_line in lines:
                    if raw_line == b".\r\n":
                        break
                    text += raw_line[1:] if raw_line.startswith(b".") else raw_line
                else:
                    return
                time.sleep(self.delay)
                self.keep(sender, recipients, text.decode(errors="replace"))
                say("250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("250 2.0.0 ok")

    def keep(self, sender, recipients, text):
        with self.changed:
            self.messages.append((sender, recipients, text))
            self.changed.notify_all()

    def wait(self, count, seconds=20):
        with self.changed:
            self.changed.wait_for(lambda: len(self.messages) >= count, seconds)
            return len(self.messages)
