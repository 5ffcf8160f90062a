"""postmulti: several instances of one machine, beside Debian's postmulti where root may give both an /etc/postfix."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from mta import IS_POSTFIX, IS_ROOT, STAGE, mail_account, pwd_group

OURS = pathlib.Path(f"{STAGE}/sbin")
THEIRS = pathlib.Path("/usr/sbin")
pytestmark = pytest.mark.skipif(IS_POSTFIX, reason="about Facteur, beside Debian's")

MASTER = """\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
local unix - n n - - local
virtual unix - n n - - virtual
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


class Machine:
    """A primary instance in a directory of its own: root/etc, root/spool/postfix, root/lib/postfix."""

    def __init__(self, root, sbin):
        self.root, self.sbin = root, sbin
        self.etc = root / "etc"
        self.daemons = STAGE + "/libexec/postfix" if sbin == OURS else "/usr/lib/postfix/sbin"
        for name in ("etc", "conf", "spool/postfix", "lib/postfix"):
            (root / name).mkdir(parents=True)
        account = mail_account()
        if IS_ROOT:
            os.chown(root / "lib/postfix", account.pw_uid, -1)
        common = {"compatibility_level": "3.6", "inet_interfaces": "127.0.0.1", "inet_protocols": "ipv4", "mydestination": "",
                  "myhostname": "a.example", "alias_maps": "", "alias_database": ""}
        own = {"queue_directory": root / "spool/postfix", "data_directory": root / "lib/postfix", "mail_owner": account.pw_name,
               "setgid_group": "postdrop" if IS_ROOT else pwd_group(account)}
        if sbin == OURS:
            own |= {"command_directory": sbin, "daemon_directory": self.daemons, "meta_directory": self.etc}
        self.write("main.cf", common | own)
        self.write("main.cf.proto", common)
        for name in ("master.cf", "master.cf.proto"):
            (self.etc / name).write_text(MASTER)

    def write(self, name, settings):
        (self.etc / name).write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))

    def filled(self, text):
        return text.replace("@", str(self.root))

    def run(self, *words):
        """One of our commands, with this machine's primary instance."""
        words = [self.filled(str(word)) for word in words]
        options = ["-c", str(self.etc)] if words[0] == "postmulti" else []
        environment = {key: value for key, value in os.environ.items() if key != "MAIL_CONFIG"}
        done = subprocess.run([self.sbin / words[0], *options, *words[1:]], capture_output=True, text=True, timeout=60, env=environment)
        done.stdout = done.stdout.replace(str(self.root), "@")
        done.stderr = done.stderr.replace(str(self.root), "@")
        return done

    def must(self, *words):
        done = self.run(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def setting(self, name, directory="@/etc"):
        return self.must("postconf", "-c", directory, "-h", name).strip()

    def instances(self, *selection):
        return [line.split() for line in self.must("postmulti", "-l", *selection).splitlines()]


@pytest.fixture
def machine(tmp_path):
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    made = Machine(tmp_path / "m", OURS)
    yield made
    subprocess.run([OURS / "postmulti", "-c", made.etc, "-x", "postfix", "abort"], capture_output=True, timeout=60)


def test_init_turns_the_wrapper_on(machine):
    assert machine.instances() == [["-", "-", "y", "@/etc"]]
    refused = machine.run("postmulti", "-e", "create", "-I", "postfix-one")
    assert refused.returncode == 1 and "run 'postmulti -e init' first" in refused.stderr
    machine.must("postmulti", "-e", "init")
    assert machine.setting("multi_instance_wrapper") == "${command_directory}/postmulti -p --"
    assert machine.setting("multi_instance_enable") == "yes"


def test_a_new_instance_is_complete_named_and_harmless(machine):
    machine.must("postmulti", "-e", "init")
    machine.must("postmulti", "-e", "create", "-I", "postfix-one", "-G", "mta", "config_directory=@/conf/one")
    assert machine.instances() == [["-", "-", "y", "@/etc"], ["postfix-one", "mta", "n", "@/conf/one"]]
    for name, value in {"queue_directory": "@/spool/postfix-one", "data_directory": "@/lib/postfix-one", "master_service_disable": "inet",
                        "authorized_submit_users": "", "command_directory": str(OURS)}.items():
        assert machine.setting(name, "@/conf/one") == value
    assert (machine.root / "conf/one/master.cf").read_text() == MASTER
    assert (machine.root / "spool/postfix-one/maildrop").is_dir()
    assert not (machine.root / "conf/one/.tmp").exists()
    assert machine.run("postfix", "-c", "@/conf/one", "check").returncode == 0


def test_built_in_prototypes_make_an_instance_that_starts(machine):
    for name in ("main.cf.proto", "master.cf.proto"):
        (machine.etc / name).unlink()
    machine.must("postmulti", "-e", "init")
    machine.must("postmulti", "-e", "create", "-I", "postfix-one", "config_directory=@/conf/one")
    machine.must("postmulti", "-e", "enable", "-i", "one")
    machine.must("postmulti", "-i", "one", "-p", "start")
    machine.must("postmulti", "-i", "one", "-p", "status")
    machine.must("postmulti", "-i", "one", "-p", "stop")


def test_start_and_stop_in_their_orders(machine):
    machine.must("postmulti", "-e", "init")
    for name in ("a", "b", "c"):
        machine.must("postmulti", "-e", "create", "-I", f"postfix-{name}", f"config_directory=@/conf/{name}")
    for name in ("a", "b"):
        machine.must("postmulti", "-e", "enable", "-i", name)
    machine.must("postmulti", "-p", "start")
    up = machine.run("postmulti", "-p", "status")
    assert up.returncode == 1  # postfix-c is not enabled, so start only checked it
    running = [machine.run("postfix", "-c", directory, "status").returncode for directory in ("@/etc", "@/conf/a", "@/conf/b", "@/conf/c")]
    assert running == [0, 0, 0, 1]
    enabled = machine.run("postmulti", "-e", "destroy", "-i", "a")
    assert enabled.returncode == 1 and "Cannot remove enabled instances" in enabled.stderr
    machine.must("postmulti", "-p", "reload")
    machine.must("postmulti", "-p", "stop")
    assert machine.run("postmulti", "-p", "stop").returncode == 1


def test_the_order_of_iteration(machine):
    machine.must("postmulti", "-e", "init")
    for name in ("a", "b"):
        machine.must("postmulti", "-e", "create", "-I", f"postfix-{name}", f"config_directory=@/conf/{name}")
    # A stand-in for postfix(1) that says for whom it was called.
    command = machine.root / "bin"
    command.mkdir()
    (command / "postfix").write_text('#!/bin/sh\necho "${multi_instance_name:-primary} $*"\n')
    (command / "postfix").chmod(0o755)
    machine.must("postmulti", "-e", "enable", "-i", "a")
    machine.must("postconf", "-c", "@/etc", "-e", f"command_directory={command}")
    assert machine.must("postmulti", "-p", "start").splitlines() == ["primary start", "postfix-a start", "postfix-b check"]
    assert machine.must("postmulti", "-p", "stop").splitlines() == ["postfix-a stop", "primary stop"]
    assert machine.must("postmulti", "-p", "flush").splitlines() == ["primary flush", "postfix-a flush"]
    assert machine.must("postmulti", "-p", "status").splitlines() == ["primary status", "postfix-a status", "postfix-b status"]
    assert machine.must("postmulti", "-v", "-p", "status", "x").splitlines()[0] == "primary -v status x"


def test_a_destroyed_instance_leaves_nothing(machine):
    machine.must("postmulti", "-e", "init")
    machine.must("postmulti", "-e", "create", "-I", "postfix-one", "config_directory=@/conf/one")
    machine.must("postmulti", "-e", "enable", "-i", "one")
    machine.must("postmulti", "-i", "one", "-p", "start")
    machine.must("postmulti", "-e", "disable", "-i", "one")
    running = machine.run("postmulti", "-e", "destroy", "-i", "one")
    assert running.returncode == 1 and "Instance '@/conf/one' is not stopped" in running.stderr
    machine.must("postfix", "-c", "@/conf/one", "stop")
    machine.must("postmulti", "-e", "destroy", "-i", "one")
    for name in ("conf/one", "spool/postfix-one", "lib/postfix-one"):
        assert not (machine.root / name).exists(), sorted((machine.root / name).rglob("*"))
    assert machine.setting("multi_instance_directories") == ""


def test_what_is_not_ours_survives_a_destroy(machine):
    machine.must("postmulti", "-e", "init")
    machine.must("postmulti", "-e", "create", "-I", "postfix-one", "config_directory=@/conf/one")
    mail, table = machine.root / "spool/postfix-one/deferred/ABC", machine.root / "conf/one/transport"
    mail.write_text("mail")
    table.write_text("table")
    done = machine.run("postmulti", "-e", "destroy", "-i", "one")
    assert done.returncode == 0 and mail.read_text() == "mail" and table.read_text() == "table"
    assert "@/spool/postfix-one/deferred: please verify contents and remove by hand" in done.stderr
    assert "@/conf/one: please verify contents and remove by hand" in done.stderr


def test_errors_change_nothing(machine):
    machine.must("postmulti", "-e", "init")
    before = (machine.etc / "main.cf").read_text()
    cases = {
        ("-e", "create", "-I", "postfix-a", "config_directory=rel"): "Parameter setting 'config_directory' is not an absolute path",
        ("-e", "create", "-I", "postfix-a", "data_directory=@/lib/postfix", "config_directory=@/conf/a"):
            "instance @/conf/a, data_directory=@/lib/postfix conflicts with instance @/etc, data_directory=@/lib/postfix",
        ("-e", "import", "config_directory=@/conf/none"): "open @/conf/none/main.cf",
        ("-e", "import", "queue_directory=/x"): "Parameter 'queue_directory' not valid with action import",
        ("-e", "destroy", "-i", "-"): "Cannot remove the primary instance",
        ("-x", "/no/such/program"): "/no/such/program: No such file or directory",
    }
    for arguments, text in cases.items():
        done = machine.run("postmulti", *arguments)
        assert done.returncode == 1 and text in done.stderr, (arguments, done.stderr)
    assert (machine.etc / "main.cf").read_text() == before


def test_a_list_with_a_broken_instance_is_refused(machine):
    machine.must("postconf", "-c", "@/etc", "-e", "multi_instance_directories = @/conf/gone")
    listed = machine.run("postmulti", "-l")
    assert listed.returncode == 1 and "@/conf/gone/main.cf" in listed.stderr


# --- beside Debian's ---

# @ is the machine's directory. The same lines run through both, in a namespace where /etc/postfix is the machine's.
STORY = r"""
postmulti
postmulti -l
postmulti -l -i -
postmulti -l -i nope
postmulti -l extra
postmulti -R -p status
postmulti -p status
postmulti -x
postmulti -e create -I postfix-one
postmulti -e bogus
postmulti -e init
postmulti -e init a=b
postmulti -e init -I postfix-a
postmulti -e create
postmulti -e create -I one
postmulti -e create foo=bar
postmulti -e create -I postfix-a config_directory=@/conf/a junk
postmulti -e create config_directory=@/conf/a
postmulti -e create -I postfix-a -g nope config_directory=@/conf/a
postmulti -e create -I postfix-one -G mta "config_directory = @/conf/one"
postmulti -e create -I postfix-one -G mta config_directory=@/conf/one
postmulti -e create -I postfix-one config_directory=@/conf/x
postmulti -e create -I postfix-two config_directory=@/conf/two queue_directory=@/spool/postfix-one
postmulti -e create -a -I postfix-two config_directory=@/conf/two
postmulti -e create -i postfix-one -I postfix-three -G mta config_directory=@/conf/three
postmulti -e create -g mta -I postfix-four -G z config_directory=@/conf/four
postmulti -l
postmulti -lR
postmulti -l -i one
postmulti -l -g mta
postmulti -x sh -c "echo $MAIL_CONFIG $config_directory $multi_instance_name $multi_instance_group $multi_instance_enable; exit 3"
postmulti -i postfix-one -x sh -c "echo $queue_directory $data_directory"
postmulti -i nope -x true
postmulti -e enable
postmulti -e enable -i postfix-one
postmulti -e enable -i postfix-three -I postfix-x
postmulti -e enable -i postfix-three a=b
postmulti -e disable -i postfix-none
postfix start
postmulti -l -g mta
postmulti -e destroy -i postfix-one
postmulti -e disable -i postfix-one
postmulti -e destroy -i postfix-one
postmulti -i postfix-one -p stop
postfix -c @/conf/one stop
postfix stop
postfix status
postmulti -e assign -i postfix-one -I postfix-uno -G -
postmulti -e assign -i postfix-uno
postmulti -e assign -i postfix-uno -I postfix-two
postmulti -e assign -i postfix-uno -I -
postmulti -l
postmulti -e deport -i postfix-two
postmulti -e import config_directory=@/conf/two
postmulti -e import config_directory=@/conf/two
postmulti -e deport -i -
postmulti -e assign -i - -I postfix-main -G mta
postmulti -l
postmulti -l -g mta -i -
postmulti -e destroy -i postfix-two
postmulti -G foo -l
postconf multi_instance_directories alternate_config_directories multi_instance_name
postconf -e multi_instance_enable=no
postmulti -p start
postmulti -p stop
""".strip().splitlines()

TOLD = re.compile(r"^(\S*/)?(postmulti|postconf|postfix)(/postmulti-script)?: ", re.MULTILINE)


def tell(machine):
    """[(line, exit status, what a person sees)] of the story, each line run on a terminal."""
    script = "import json, subprocess, sys\nout = []\nfor line in json.load(sys.stdin):\n" \
             "    done = subprocess.run(['script', '-qec', line, '/dev/null'], stdin=subprocess.DEVNULL, capture_output=True, text=True)\n" \
             "    out.append([line, done.returncode, done.stdout])\njson.dump(out, sys.stdout)\n"
    lines = [machine.filled(line.replace('$', r'\$')) for line in STORY]
    environment = {key: value for key, value in os.environ.items() if key != "MAIL_CONFIG"} | {"PATH": f"{machine.sbin}:{os.environ['PATH']}"}
    done = subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind {machine.etc} /etc/postfix && exec {sys.executable} -c \"$0\"", script],
                          input=json.dumps(lines), capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return [(line, status, normal(text, machine)) for line, status, text in json.loads(done.stdout)]


def normal(text, machine):
    text = text.replace("\r", "").replace(str(machine.root), "@").replace("Specity", "Specify")
    text = re.sub(r"PID: \d+", "PID: N", TOLD.sub("", text))
    text = re.sub(r"^/usr/sbin/postconf: .*\n", "", text, flags=re.MULTILINE)
    # A file that is not there and programs that Debian's has and we have not: each names it in its own words.
    return [line for line in text.splitlines() if not re.search(r"please verify|rmdir: |is set, but|main.cf parameters|\.cf: No such", line)]


def may_mount():
    return IS_ROOT and shutil.which("unshare") and shutil.which("script") and os.path.isdir("/etc/postfix") and \
        subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(not may_mount() or not (THEIRS / "postmulti").exists(), reason="needs root, namespaces and Debian's postmulti")
def test_the_same_story_as_debians(tmp_path):
    for parent in (tmp_path, *tmp_path.parents):
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    told = {}
    for name, sbin in (("ours", OURS), ("theirs", THEIRS)):
        machine = Machine(tmp_path / name, sbin)
        for extra in ("postfix-files", "dynamicmaps.cf"):
            if os.path.exists(f"/etc/postfix/{extra}"):
                shutil.copy(f"/etc/postfix/{extra}", machine.etc)
        told[name] = tell(machine)
    if any("mail system startup failed" in " ".join(seen) for _, _, seen in told["theirs"]):
        pytest.skip("Debian's did not start on this machine")
    def lasting(step):  # who has to wait for the end of the other processes says so: a matter of time
        command, status, seen = step
        return command, status, [line for line in seen if "waiting for the Postfix mail system to terminate" not in line]

    told = {name: [lasting(step) for step in steps] for name, steps in told.items()}
    differences = [(ours, theirs) for ours, theirs in zip(told["ours"], told["theirs"])
                   if ours[1:] != theirs[1:]]
    assert not differences, "\n".join(f"{ours[0]}\n  ours   {ours[1:]}\n  theirs {theirs[1:]}" for ours, theirs in differences)
