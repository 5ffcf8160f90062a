"""A private instance of the installed release stage, on loopback, in a directory of its own.

FACTEUR_STAGE names another stage; FACTEUR_STAGE=postfix runs Debian's Postfix instead, to check the tests themselves.
"""
import fcntl
import grp
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from smtp import Client

TOP = pathlib.Path(__file__).resolve().parent.parent
STAGE = os.environ.get("FACTEUR_STAGE", str(TOP / "build/stage"))
IS_POSTFIX = STAGE == "postfix"
IS_ROOT = os.geteuid() == 0

SERVICES = {
    "pickup": "unix n - n 60 1 pickup",
    "cleanup": "unix n - n - 0 cleanup",
    "qmgr": "unix n - n 300 1 qmgr",
    "rewrite": "unix - - n - - trivial-rewrite",
    "bounce": "unix - - n - 0 bounce",
    "defer": "unix - - n - 0 bounce",
    "trace": "unix - - n - 0 bounce",
    "flush": "unix n - n 1000? 0 flush",
    "proxymap": "unix - - n - - proxymap",
    "smtp": "unix - - n - - smtp",
    "relay": "unix - - n - - smtp",
    "showq": "unix n - n - - showq",
    "error": "unix - - n - - error",
    "retry": "unix - - n - - error",
    "discard": "unix - - n - - discard",
    "local": "unix - n n - - local",
    "virtual": "unix - n n - - virtual",
    "lmtp": "unix - - n - - lmtp",
    "anvil": "unix - - n - 1 anvil",
    "postlog": "unix-dgram n - n - 1 postlogd",
}


def eventually(condition, seconds=20, step=0.05):
    """Waits until condition() is true and returns its value; its last, false value after that time."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(step)
    return value


class Ports:
    """Ports that nobody else takes: each pytest-xdist worker has its own range, and a lock for each port says that it
    is ours also while nobody listens there, to another run of the tests beside this one."""

    def __init__(self):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
        self.last = 20000 + 600 * (int(re.sub(r"\D", "", worker) or 0) % 20) + os.getpid() % 400
        self.directory = pathlib.Path(tempfile.gettempdir()) / "facteur-test-ports"
        self.directory.mkdir(mode=0o777, exist_ok=True)
        self.locks = []

    def take(self):
        while True:
            self.last += 1
            lock = open(self.directory / f"{os.geteuid()}.{self.last}", "w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", self.last))
            except OSError:
                lock.close()
                continue
            self.locks.append(lock)
            return self.last


PORTS = Ports()


def mail_account():
    """Who the daemons run as."""
    return pwd.getpwnam("postfix") if IS_ROOT else pwd.getpwuid(os.geteuid())


class Instance:
    def __init__(self, main=None, services=None, files=None, root=None):
        """main: parameters; services: master.cf lines by name (None removes one); files: path below root -> text.

        @ROOT@ stands for the instance's directory everywhere.
        """
        self.root = pathlib.Path(root or tempfile.mkdtemp(prefix="facteur-test-"))
        self.root.chmod(0o755)
        self.sbin = pathlib.Path("/usr/sbin" if IS_POSTFIX else f"{STAGE}/sbin")
        self.port = PORTS.take()
        self.etc, self.spool, self.log_file, self.mail = (self.root / name for name in ("etc", "spool", "log", "mail"))
        for name in ("etc", "spool", "data", "mail"):
            (self.root / name).mkdir(exist_ok=True)
        account = mail_account()
        if IS_ROOT:
            for name in ("data", "mail"):
                os.chown(self.root / name, account.pw_uid, account.pw_gid)
        self.settings = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.spool),
            "data_directory": f"{self.root}/data",
            "command_directory": str(self.sbin),
            "daemon_directory": "/usr/lib/postfix/sbin" if IS_POSTFIX else f"{STAGE}/libexec/postfix",
            "mail_owner": account.pw_name,
            "setgid_group": "postdrop" if IS_ROOT else pwd_group(account),
            "maillog_file": str(self.log_file),
            "maillog_file_prefixes": str(self.root),
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "mx.test.example",
            "mydomain": "test.example",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "alias_maps": "",
            "alias_database": "",
            "smtp_dns_support_level": "disabled",
            "biff": "no",
            "in_flow_delay": "0",
            "virtual_mailbox_domains": "box.example",
            "virtual_mailbox_base": str(self.mail),
            "virtual_mailbox_maps": "inline:{ { user@box.example = user/ } { other@box.example = other/ } "
                                    "{ sender@box.example = sender/ } { postmaster@box.example = postmaster/ } }",
            "virtual_minimum_uid": "1",
            "virtual_uid_maps": f"static:{account.pw_uid}",
            "virtual_gid_maps": f"static:{account.pw_gid}",
        }
        if IS_POSTFIX:
            self.settings |= {"meta_directory": "/etc/postfix", "shlib_directory": "/usr/lib/postfix"}
        self.settings |= main or {}
        self.services = {f"127.0.0.1:{self.port}": "inet n - n - - smtpd", **SERVICES, **(services or {})}
        for name, text in (files or {}).items():
            (self.root / name).write_text(self.filled(text))
        self.write_configuration()

    def filled(self, text):
        return text.replace("@ROOT@", str(self.root))

    def write_configuration(self):
        main = "".join(f"{name} = {value}\n" for name, value in self.settings.items())
        master = "".join(f"{name} {line}\n" for name, line in self.services.items() if line)
        (self.etc / "main.cf").write_text(self.filled(main))
        (self.etc / "master.cf").write_text(self.filled(master))

    # --- commands ---
    def run(self, name, *arguments, input=None, timeout=60):
        program = str(self.sbin / name) if "/" not in name else name
        path = f"{self.sbin}:{os.environ['PATH']}"
        return subprocess.run([program, *map(str, arguments)], input=input, capture_output=True, timeout=timeout,
                              env=dict(os.environ, MAIL_CONFIG=str(self.etc), PATH=path))

    def postfix(self, *arguments):
        return self.run("postfix", "-c", self.etc, *arguments)

    def start(self):
        started = self.postfix("start")
        assert started.returncode == 0, f"{started.stderr.decode()}\n{self.log()[-3000:]}"
        assert eventually(lambda: port_answers(self.port)), f"no listener\n{self.log()[-3000:]}"
        return self

    def stop(self):
        return self.postfix("stop")

    def __enter__(self):
        return self.start()

    def __exit__(self, *exception):
        try:
            self.stop()
        finally:
            self.kill_leftovers()
            if not os.environ.get("KEEP_INSTANCES"):
                shutil.rmtree(self.root, ignore_errors=True)

    # --- processes ---
    def master_pid(self):
        try:
            return int((self.spool / "pid/master.pid").read_text())
        except (OSError, ValueError):
            return None

    def processes(self, program=None):
        """Processes of this instance (by their working directory or parent), or those of one program."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = pathlib.Path(f"/proc/{name}/comm").read_text().strip()
                directory = os.readlink(f"/proc/{name}/cwd")
                state = pathlib.Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if directory == str(self.spool) and state != "Z" and (program is None or command == program[:15]):
                found.append(int(name))
        return found

    def kill(self, program):
        """SIGKILL to every process of a program; how many there were."""
        pids = self.processes(program)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return len(pids)

    def kill_leftovers(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    # --- mail ---
    def client(self, **options):
        return Client(self.port, **options)

    def send(self, recipient="user@box.example", sender="sender@box.example", subject="test", body="hello\r\n"):
        recipients = [recipient] if isinstance(recipient, str) else recipient
        with self.client() as client:
            return client.send_message(sender, recipients, f"From: {sender}\r\nSubject: {subject}\r\n\r\n{body}")

    def sendmail(self, *arguments, message="Subject: test\n\nhello\n"):
        return self.run("sendmail", *arguments, input=message.encode())

    def mailbox(self, name="user"):
        """The messages of a Maildir, oldest first."""
        directory = self.mail / name / "new"
        files = sorted(directory.iterdir(), key=lambda file: file.stat().st_mtime) if directory.is_dir() else []
        return [file.read_text(errors="replace") for file in files]

    def await_mail(self, text, name="user", seconds=20):
        found = eventually(lambda: [mail for mail in self.mailbox(name) if text in mail], seconds)
        assert found, f"{text!r} did not arrive in {name}\n{self.log()[-3000:]}"
        return found[0]

    def queue(self):
        listed = self.run("postqueue", "-j")
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line) for line in listed.stdout.splitlines()]

    def await_queue(self, condition, seconds=20):
        last = []

        def holds():
            last[:] = [self.queue()]
            return condition(last[0])

        assert eventually(holds, seconds, 0.2), f"{last}\n{self.log()[-3000:]}"
        return last[0]

    def log(self):
        try:
            return self.log_file.read_text(errors="replace")
        except OSError:
            return ""

    def await_log(self, pattern, seconds=20):
        found = eventually(lambda: re.search(pattern, self.log(), re.MULTILINE), seconds)
        assert found, f"no {pattern!r} in the log\n{self.log()[-3000:]}"
        return found


def pwd_group(account):
    return grp.getgrgid(account.pw_gid).gr_name


def port_answers(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            return connection.recv(1) != b""
    except OSError:
        return False
