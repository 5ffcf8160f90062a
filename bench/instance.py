"""A private mail system on loopback: Debian's Postfix, or a stage of ours, with the very same main.cf and master.cf."""
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

MASTER_CF = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def free_port(address="127.0.0.1"):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class Instance:
    """`stage` is None for Debian's Postfix, else the directory that cmake --install filled."""

    def __init__(self, stage, work_directory, main_cf, at_end=None):
        """`at_end`: an ExitStack that removes its tree; without one it goes when the instance stops."""
        self.stage, self.at_end = stage, at_end
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir=work_directory))
        self.root.chmod(0o755)
        self.sbin = f"{stage}/sbin" if stage else "/usr/sbin"
        self.port = free_port()
        for name in ("etc", "spool", "data", "mail"):
            (self.root / name).mkdir()
        for name in ("data", "mail"):
            shutil.chown(self.root / name, "postfix")
        settings = {
            "compatibility_level": "3.6",
            "queue_directory": f"{self.root}/spool",
            "data_directory": f"{self.root}/data",
            "command_directory": self.sbin,
            "daemon_directory": f"{stage}/libexec/postfix" if stage else "/usr/lib/postfix/sbin",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "maillog_file": f"{self.root}/log",
            "maillog_file_prefixes": str(self.root),
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "myhostname": "mx.bench.example",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "smtp_dns_support_level": "disabled",
            **main_cf,
        }
        if not stage:
            settings |= {"meta_directory": "/etc/postfix", "shlib_directory": "/usr/lib/postfix"}
        text = "".join(f"{name} = {value}\n" for name, value in settings.items())
        (self.root / "etc/main.cf").write_text(text.replace("@ROOT@", str(self.root)))
        (self.root / "etc/master.cf").write_text(MASTER_CF.format(port=self.port))

    def command(self, name, *arguments):
        environment = dict(os.environ, MAIL_CONFIG=f"{self.root}/etc")
        return subprocess.run([f"{self.sbin}/{name}", *arguments], env=environment, capture_output=True, text=True, timeout=120)

    def __enter__(self):
        started = self.command("postfix", "-c", f"{self.root}/etc", "start")
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"did not start: {started.stderr}{(self.root / 'log').read_text()[-2000:] if (self.root / 'log').exists() else ''}")

    def __exit__(self, *exception):
        self.command("postfix", "-c", f"{self.root}/etc", "stop")
        if os.environ.get("BENCH_KEEP"):
            return
        if self.at_end:
            self.at_end.callback(shutil.rmtree, self.root, ignore_errors=True)
        else:
            shutil.rmtree(self.root, ignore_errors=True)

    def master_pid(self):
        return int((self.root / "spool/pid/master.pid").read_text())

    def queue_is_empty(self):
        queues = (self.root / "spool" / name for name in ("incoming", "active"))
        return not any(entry.is_file() for queue in queues for entry in os.scandir(queue))

    def await_empty_queue(self, seconds=120):
        end = time.monotonic() + seconds
        while not self.queue_is_empty():
            if time.monotonic() > end:
                raise RuntimeError("the queue did not drain")
            time.sleep(0.02)
