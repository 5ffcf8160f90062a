"""postconf beside Debian's: the same arguments over the same directory give the same output and the same files.

FACTEUR_SBIN holds our program (default: build/stage/sbin); the other is /usr/sbin/postconf. What is compared:
standard output, exit status, main.cf and master.cf afterwards, and standard error as a set of lines, because Postfix
prints warnings in the order of a hash table and, for some, several times.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = os.path.join(os.environ.get("FACTEUR_SBIN", str(ROOT / "build/stage/sbin")), "postconf")
THEIRS = "/usr/sbin/postconf"

pytestmark = [
    pytest.mark.skipif(not os.access(THEIRS, os.X_OK), reason="Debian's postfix is not installed"),
    pytest.mark.skipif(not os.access(OURS, os.X_OK), reason="postconf is not built"),
]

MAIN = """\
# head
compatibility_level = 3.6
foo=$bar
bar=x
baz = $foo
smtpd_banner =   a   {  b   c }  d
mydestination = $myhostname,   localhost.$mydomain,
# within
   localhost, aaaaaaaaaaaaaaaaaaaaaaaaaaaaa, bbbbbbbbbbbbbbbbbbbbbbbbbbbb ccccccccccccccccccccc dddddddddddd  ddd eeeeee
smtpd_restriction_classes = cls1, cls2
cls1 = check_client_access static:OK
virtual_alias_maps = ldap:ldaptab, proxy:pgsql:pgt
ldaptab_server_host = x
pgt_hosts = y
ldaptab_foo=1
smtp_tls_loglevel = 1

smtp_destination_concurrency_limit=5
nosuch_destination_concurrency_limit=5
smtpd_sasl_foo = 3
usermac = 1
biff = yes
  # indented comment
relayhost =
myhostname = mail.example.org
"""

MASTER = """\
# head
smtp      inet  n       -       y       -       -       smtpd
  -o smtpd_client_restrictions=permit
# within
  -o { smtpd_helo_restrictions = permit_mynetworks,   permit }

# middle
qmgr unix n - n 300 1 qmgr
smtp      unix  -       -       y       -       -       smtp
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
tlsmgr    unix  -       -       y       1000?   1       tlsmgr
postlog   unix-dgram n  -       n       -       1       postlogd
scalemail-backend unix - n n - 2 pipe
  flags=R user=scalemail argv=/usr/lib/scalemail/bin/scalemail-store ${nexthop} ${user} ${extension}
uucp unix  -       n       n       -       -       pipe
  flags=Fqhu user=uucp argv=uux -r -n -z -a$sender - $nexthop!rmail ($recipient)
policy unix - n n - 0 spawn user=nobody argv=/bin/false
sub2 inet n - n - - smtpd -v
 -o smtpd_banner=$lm -o lm=3 -o unusedlm=4
 -o x=$usermac
# tail
"""

PLAIN = "compatibility_level = 3.6\n"

SHOW = [
    ["-n"], ["-nf"], ["-nx"], ["-nh"], ["-nH"], ["-n", "-C", "user"], ["-n", "-C", "service"], ["-n", "-C", "builtin"],
    ["-n", "-C", "user,service"], ["-n", "-C", "all"], ["-C", "user"], ["-C", "bogus"], ["-p", "biff"],
    ["-h", "smtpd_banner", "mydestination", "nosuch"], ["-H", "biff", "smtpd_banner"], ["-fh", "mydestination"],
    ["-d", "-h", "biff", "mydestination"], ["-d", "nosuch"], ["-d", "usermac"], ["-d", "config_directory"],
    ["-xd", "mydestination", "append_dot_mydomain"], ["-x", "mydestination", "append_dot_mydomain", "myorigin"],
    ["-d", "-C", "service"], ["-C", "service"], ["mynetworks", "myhostname", "mydomain"], ["-d", "mynetworks", "myhostname"],
    ["-x", "-o", "stress=yes", "smtpd_hard_error_limit", "smtpd_timeout"], ["-o", "biff=maybe", "biff"], ["-o", "foo", "biff"],
    ["-o", "newname=1", "-n"], ["-hx", "baz"], ["-n", "usermac", "nosuchx"], ["config_directory"], [""],
    ["smtp_destination_concurrency_limit", "relay_destination_recipient_limit", "policy_time_limit", "uucp_time_limit"],
    ["-n", "-d"], ["-ne"], ["-p", "-M"], ["-M", "-d"], ["-H", "-M"], ["-hH", "biff"], ["-b", "-n"], ["-lm"], ["-mn"], ["-e"], ["-#"],
    ["-X"], ["-Me"], ["-Fe"], ["-Pe"], ["-MX"], ["-PX"], ["-P#", "smtp/inet/foo"], ["-FX", "smtp/inet/chroot"],
    ["-l"], ["-a"], ["-A"], ["-v", "-l"], ["-T", "nosuch"], ["-T", "run-version"], ["-t"], ["-b"], ["-b", ""], ["-t", ""],
    ["-M"], ["-Mf"], ["-Mx"], ["-Mxf"], ["-M", "smtp"], ["-M", "smtp/inet", "qmgr"], ["-M", "nosuch"], ["-M", "smtp/bad"], ["-M", "a/b/c"],
    ["-Mf", "sub2"], ["-M", "*/inet"], ["-F"], ["-Ff"], ["-F", "smtp/inet"], ["-F", "*/inet/command"], ["-Fx", "sub2"], ["-Fh", "smtp/inet"],
    ["-FH", "smtp/inet"], ["-F", "smtp/inet/bogus"], ["-F", "smtp/inet/a/b"], ["-F", "*/*/chroot"], ["-P"], ["-Pf"], ["-Ph"], ["-PH"], ["-Px"],
    ["-P", "sub2/inet"], ["-P", "*/inet/smtpd_banner"], ["-P", "sub2/inet/nosuch"], ["-P", "smtp/inet/a/b"],
]

EDITS = [
    ["biff=maybe"], ["mydestination=x,  y"], ["new=1"], ["new=1", "new=2"], ["a b=1"], ["#x=1"], ["x=a\nb"], ["-e", "x"],
    ["-X", "biff"], ["-X", "mydestination"], ["-#", "mydestination"], ["-#", "nosuch"], ["-X", "biff=1"], ["-X", "nosuch"],
    ["relayhost="], [" lead = spaced  "], ["-ev", "x=1"], ["-d", "x=1"], ["-n", "x=1"], ["-h", "x=1"], ["-x", "a=b"], ["-f", "a=b"],
    ["-M", "smtp/inet=smtp inet n - n - - smtpd -v"], ["-M", "smtp/inet=foo unix n - n - - smtpd -v"],
    ["-M", "new/unix=new unix - - - - - new -o { a = b c }"], ["-M", "smtp/inet=smtp inet"], ["-M", "smtp/inet="],
    ["-M", "smtp/inet=smtp inet q - n - - smtpd"], ["-M", "smtp=smtp inet q - n - - smtpd"], ["-MX", "smtp/inet"],
    ["-M#", "smtp/inet"], ["-M#", "uucp/unix"], ["-MX", "nosuch/unix"], ["-MX", "smtp"], ["-M#", "smtp/inet", "qmgr/unix"],
    ["-F", "smtp/inet/chroot=n"], ["-F", "smtp/inet/command=smtpd -v"], ["-F", "smtp/inet/bogus=1"], ["-F", "no/inet/chroot=n"],
    ["-F", "smtp/inet/chroot=x"], ["-F", "*/inet/chroot=n"], ["-F", "*/*/chroot=n"], ["-F", "smtp/inet/service=smtp2"],
    ["-P", "smtp/inet/smtpd_client_restrictions=reject"], ["-P", "smtp/inet/foo=a b"], ["-P", "smtp/inet/new=1"],
    ["-P", "qmgr/unix/x=1"], ["-P", "uucp/unix/x=1"], ["-PX", "smtp/inet/smtpd_client_restrictions"], ["-PX", "smtp/inet/nosuch"],
    ["-P", "smtp/*/foo=1"], ["-P", "no/inet/foo=1"], ["-P", "smtp/inet=1"],
]

# main.cf, master.cf, arguments
FILES = [
    ("biff = yes\nbiff = no\n" + PLAIN, "", ["biff"]),
    (PLAIN + "x=$undef\nsmtpd_banner=$x $undef2\n", "", ["-nx"]),
    (PLAIN + "process_id=3\nservice_name=x\n", "", ["-n"]),
    (PLAIN + "smtpd_restriction_classes=a\na=reject\nsmtpd_recipient_restrictions=b\nb=x\n", "", ["-n"]),
    (PLAIN + "virtual_alias_maps = $virtual_maps, ldap:foo\nfoo_timeout=4\nfoo_x=3\nfallback_relay=1\n", "", ["-n"]),
    (PLAIN + "smtpd_banner=${a?b} ${c:$d} ${{$e}=={f}?{$g}:{h}}\na=1\nc=1\nd=1\ne=1\ng=1\n", "", ["-nx"]),
    (PLAIN + "smtpd_per_record_deadline=yes\npostscreen_dnsbl_ttl=1h\nvirtual_maps=hash:/x\n", "", ["-n"]),
    (PLAIN + "mydestination=${foo\n", "", ["-n"]),
    (PLAIN + "foo\n", "", ["biff"]),
    (PLAIN + "= foo\n", "", ["biff"]),
    (PLAIN + "foo=$bar\n", "smtp inet n - - - - smtpd -o foo=a -o smtpd_banner=$bar -o bar=3\n", ["-P"]),
    (PLAIN, "smtp inet n - - - - smtpd -o foo\n", ["-P"]),
    (PLAIN, "smtp inet n - -\n", ["-M"]),
    (PLAIN, "smtp inet x - - - - smtpd\n", ["-M"]),
    (PLAIN, "smtp foo - - - - - smtpd\n", ["-M"]),
    (PLAIN, " smtp inet n - - - - smtpd\n", ["-M"]),
    (PLAIN, "smtp inet n - - w - smtpd\n", ["-M"]),
    (PLAIN, "smtp inet n - - 1? w smtpd\n", ["-M"]),
    (PLAIN, "my-x unix - n n - 0 virtual\nd unix - - - - - discard\n", ["-C", "service", "-d"]),
    (PLAIN, "smtp inet n - - - - smtpd\n -o x=$nosuch\n -o smtpd_banner=$nope\n -o y=$x\n", ["-P"]),
    (PLAIN + "mynetworks_style = class\n", "", ["mynetworks"]),
    (PLAIN + "mynetworks_style = host\ninet_protocols = ipv4\n", "", ["mynetworks"]),
    (PLAIN + "inet_interfaces = 127.0.0.1\nmynetworks_style = subnet\n", "", ["mynetworks"]),
    (PLAIN + "mydomain = example.net\n", "", ["-x", "myorigin", "mydestination", "myhostname"]),
    # Where lines are folded: one column less and one more than fits.
    *((PLAIN + f"smtpd_banner = a {'w' * n} z\n", "", ["-nf"]) for n in range(57, 65)),
    *((PLAIN, f"smtp unix - - n - - smtp -v{'v' * n} one two\nx unix - - n - - pipe -o a=b -v one\n", ["-Mf"]) for n in (0, 14, 15, 16)),
]


def make(directory, main, master):
    directory.mkdir()
    (directory / "main.cf").write_text(main)
    (directory / "master.cf").write_text(master)


def run(program, directory, arguments):
    done = subprocess.run(
        ["postconf", "-c", str(directory), *arguments], executable=program, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "LC_ALL": "C"}, timeout=30)
    errors = {line.replace(str(directory), "DIR") for line in done.stderr.splitlines()}
    # Usage texts differ by our additions.
    errors = {line.split(" [-a ")[0] for line in errors}
    files = {path.name: path.read_text() for path in directory.iterdir() if path.suffix == ".cf"}
    # Services have a parameter of ours besides.
    shown = "".join(line for line in done.stdout.splitlines(keepends=True) if "_destination_failure_window =" not in line)
    return done.returncode, shown.replace(str(directory), "DIR"), errors, files


def compare(tmp_path, main, master, arguments):
    results = []
    for name, program in (("real", THEIRS), ("ours", OURS)):
        directory = tmp_path / name
        make(directory, main, master)
        results.append(run(program, directory, arguments))
        shutil.rmtree(directory)
    # Each side's own warning of a repeated setting names both lines in turn; ours names the later one.
    theirs, ours = results
    assert ours[0] == theirs[0]
    assert ours[1] == theirs[1]
    drop = lambda lines: {line for line in lines if "overriding earlier entry" not in line}
    assert drop(ours[2]) == drop(theirs[2])
    assert ours[3] == theirs[3]


@pytest.mark.parametrize("arguments", SHOW, ids=" ".join)
def test_show(tmp_path, arguments):
    compare(tmp_path, MAIN, MASTER, arguments)


@pytest.mark.parametrize("arguments", EDITS, ids=" ".join)
def test_edit(tmp_path, arguments):
    compare(tmp_path, MAIN, MASTER, arguments)


@pytest.mark.parametrize("main,master,arguments", FILES)
def test_files(tmp_path, main, master, arguments):
    compare(tmp_path, main, master, arguments)


def documented_differences():
    """name -> (Postfix 3.7's default, ours), as docs/reference/defaults-that-differ.md has them."""
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs/reference/defaults-that-differ.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in text.splitlines() if line.startswith("| ")]
    assert all(len(row) == 4 and row[3] for row in rows)
    plain = lambda cell: "" if cell == "empty" else cell.strip("`")
    return {row[0]: (plain(row[1]), plain(row[2])) for row in rows[1:]}


def test_all_names_that_both_know(tmp_path):
    """-d of everything: the names and defaults of 3.7, but for those that are documented with a reason."""
    directory = tmp_path / "dir"
    make(directory, MAIN, MASTER)
    listing = {}
    for program in (THEIRS, OURS):
        out = run(program, directory, ["-d"])[1]
        listing[program] = {name: value.strip() for name, value in (line.split(" =", 1) for line in out.splitlines())}
    assert list(listing[OURS]) == sorted(listing[OURS])
    assert not set(listing[THEIRS]) - set(listing[OURS])
    found = {name: (value, listing[OURS][name]) for name, value in listing[THEIRS].items()
             if listing[OURS][name] != value and name not in ("process_id", "config_directory")}
    documented = documented_differences()
    assert set(found) == set(documented)
    assert {name: pair for name, pair in documented.items() if pair != ("...", "...")} == \
        {name: pair for name, pair in found.items() if documented[name] != ("...", "...")}


def test_missing_directory(tmp_path):
    for program in (THEIRS, OURS):
        for arguments in (["biff"], ["-e", "biff=1"], ["-M"]):
            done = subprocess.run(
                ["postconf", "-c", "nosuch", *arguments], executable=program, capture_output=True, text=True, cwd=tmp_path)
            assert done.returncode == 1
            assert "fatal: open nosuch/ma" in done.stderr and "No such file or directory" in done.stderr


def test_edit_keeps_mode_and_leaves_no_temporary_file(tmp_path):
    directory = tmp_path / "dir"
    make(directory, MAIN, MASTER)
    (directory / "main.cf").chmod(0o640)
    subprocess.run([OURS, "-c", str(directory), "biff=no"], check=True)
    assert (directory / "main.cf").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in directory.iterdir()) == ["main.cf", "master.cf"]


def test_edit_of_an_unwritable_directory_changes_nothing(tmp_path):
    done = subprocess.run([OURS, "-c", "/proc/self", "biff=no"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "fatal: open /proc/self/main.cf.tmp" in done.stderr


def test_json_and_quiet(tmp_path):
    import json

    directory = tmp_path / "dir"
    make(directory, MAIN, MASTER)
    done = subprocess.run([OURS, "-c", str(directory), "-njq"], capture_output=True, text=True, check=True)
    values = {entry["name"]: entry["value"] for entry in map(json.loads, done.stdout.splitlines())}
    assert values["biff"] == "yes"
    assert "unused parameter" not in done.stderr
