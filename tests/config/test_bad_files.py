"""Configuration files that are broken, hostile or huge: a clear line with file and number, never a crash or a hang.

Every command has a minute: what takes longer counts as hanging.
"""
import os
import pathlib
import subprocess
import tempfile

import pytest

from mta import IS_ROOT, STAGE

pytestmark = pytest.mark.ours
SBIN = pathlib.Path(os.environ.get("FACTEUR_SBIN", f"{STAGE}/sbin"))
MASTER = "smtp inet n - n - - smtpd\nsmtp unix - - n - - smtp\n"


@pytest.fixture
def tmp_path():
    """Open to others, as pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="facteur-test-") as name:
        pathlib.Path(name).chmod(0o755)
        yield pathlib.Path(name)


@pytest.fixture
def run(tmp_path):
    def go(main, *command, master=MASTER, **options):
        (tmp_path / "main.cf").write_bytes(main if isinstance(main, bytes) else main.encode())
        (tmp_path / "master.cf").write_bytes(master if isinstance(master, bytes) else master.encode())
        return again(*command, **options)

    def again(*command, **options):
        done = subprocess.run([SBIN / command[0], "-c", tmp_path, *command[1:]], capture_output=True, timeout=60,
                              cwd="/", **options)
        assert done.returncode in (0, 1), (done.returncode, done.stderr[-500:])
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    go.again = again
    return go


def refused(run, main, *words, master=MASTER):
    status, _, errors = run(main, "postfix", "explain", "myhostname", master=master)
    assert status == 1, errors
    for each in words:
        assert each in errors, errors[-500:]


def test_unclosed_braces(run):
    refused(run, "# one\nrelayhost = ${myhostname\n", "main.cf, line 2: ", "truncated macro reference")
    refused(run, "relayhost = ${{a} == {b} ? {c} : {d}\n", "main.cf, line 1: ", "truncated macro reference")
    refused(run, "relayhost = ${{a} == {b\n  } ? {c}\n", "main.cf, line 1: ")


def test_unclosed_brace_in_master_cf(run):
    status, out, errors = run("", "postfix", "explain", "a@b.example", master="smtp inet n - n - - smtpd\n -o { a = b\n")
    assert status == 1 and "master.cf, line 1: missing '}'" in errors


@pytest.mark.parametrize("main", ["relayhost = $a\na = $b\nb = $a\n", "relayhost = $relayhost\n",
                                  "relayhost = ${relayhost?$relayhost}\n"])
def test_recursion(run, main):
    refused(run, main, "main.cf, line 1: parameter relayhost: unreasonable macro call nesting")


def test_nesting_bombs(run):
    refused(run, "relayhost = " + "${{a} == {" * 20000 + "}" * 40000 + "\n", "main.cf, line 1: ")
    refused(run, "relayhost = " + "${x:" * 5000 + "y" + "}" * 5000 + "\n", "main.cf, line 1: ", "nesting")
    doubling = "".join(f"a{i} = $a{i + 1}$a{i + 1}\n" for i in range(40))
    refused(run, f"relayhost = $a0\n{doubling}a40 = x\n", "main.cf, line 1: ")
    growing = "".join(f"a{i} = {f'$a{i + 1}' * 50}\n" for i in range(4))
    refused(run, f"relayhost = $a0\n{growing}a4 = {'x' * 1000}\n", "main.cf, line 1: ")


def test_nul(run):
    refused(run, b"myhostname = a.example\nrelayhost = a\0b\n", "main.cf, line 2: null byte in configuration file")
    status, _, errors = run("", "postfix", "explain", "a@b.example", master=b"smtp inet n - n - - smtpd\n\0\n")
    assert status == 1 and "master.cf, line 2: null byte in configuration file" in errors


def test_lines_that_are_none(run):
    refused(run, "# one\n\nnonsense\n", 'main.cf, line 3: missing \'=\' after attribute name: "nonsense"')
    refused(run, "= value\n", "main.cf, line 1: missing attribute name")


def test_invalid_utf8_is_said_and_survived(run, tmp_path):
    log = tmp_path / "log"
    main = (f"maillog_file = {log}\nmaillog_file_prefixes = {tmp_path}\nqueue_directory = {tmp_path}/q\n"
            f"data_directory = {tmp_path}/d\ndaemon_directory = {SBIN.parent}/libexec/postfix\n"
            "setgid_group = postdrop\n").encode() + b"own = caf\xe9\nmyorigin = ${own?x.example}\n"
    run(main, "postfix", "check", master=MASTER + "postlog unix-dgram n - n - 1 postlogd\n")
    assert "main.cf, line 7: parameter own: value is not valid UTF-8" in log.read_text()
    status, shown, _ = run.again("postfix", "explain", "--json", "own")
    assert status == 0 and '"value": "caf?"' in shown


def test_a_million_lines(run, tmp_path):
    names = "".join(f"own_name_{i} = {i}\n" for i in range(1_000_000))
    status, shown, _ = run(names + "relayhost = $own_name_999999\n", "postfix", "explain", "--json", "relayhost")
    assert status == 0 and '"value": "999999"' in shown and '"line": 1000001' in shown
    assert run.again("postconf", "-hx", "relayhost")[1] == "999999\n"


def test_a_million_comments_and_one_long_value(run):
    status, shown, _ = run("# x\n" * 1_000_000 + "relayhost = a\n", "postfix", "explain", "--json", "relayhost")
    assert status == 0 and '"line": 1000001' in shown
    value = "mydestination =" + "".join(f"\n  host{i}.example" for i in range(100_000)) + "\n"
    assert run(value, "postfix", "explain", "mydestination")[0] == 0


def test_a_million_services(run):
    services = "".join(f"s{i} unix - - n - - smtp\n" for i in range(1_000_000))
    status, _, _ = run("relayhost = a\n", "postfix", "explain", "relayhost", master=services)
    assert status == 0


def test_a_file_that_is_too_large(run):
    refused(run, "# " + "x" * (65 << 20), "main.cf: File too large")


def test_missing_and_unreadable_files(run, tmp_path):
    assert run.again("postfix", "explain", "relayhost")[0] == 1
    status, _, errors = run.again("postfix", "explain", "relayhost")
    assert f"open {tmp_path}/main.cf: No such file or directory" in errors
    (tmp_path / "main.cf").mkdir()
    status, _, errors = run.again("postfix", "explain", "relayhost")
    assert status == 1 and f"{tmp_path}/main.cf: Is a directory" in errors


@pytest.mark.skipif(not IS_ROOT, reason="another user is needed")
def test_permission_denied(run, tmp_path):
    run("", "postfix", "explain", "relayhost")
    (tmp_path / "main.cf").chmod(0o600)
    status, _, errors = run.again("postfix", "explain", "relayhost", user="nobody", group="nogroup")
    assert status == 1 and f"open {tmp_path}/main.cf: Permission denied" in errors
