"""Runs the same lookups through Debian's postmap and postalias and through ours: output, messages and status must agree.

Ours are found in $FACTEUR_SBIN. Skipped where Debian's Postfix is not installed.
"""

import os
import pathlib
import subprocess

import pytest

POSTFIX = pathlib.Path("/usr/sbin")
FACTEUR = pathlib.Path(os.environ.get("FACTEUR_SBIN", "build/dev/bin"))
LONG_AGO = 1_500_000_000  # Postfix reads a text table again and again while it looks freshly edited

pytestmark = pytest.mark.skipif(
    not (POSTFIX / "postmap").exists()
    or not pathlib.Path("/usr/lib/postfix/sbin/smtpd").exists()
    or not (FACTEUR / "postmap").exists(),
    reason="needs Debian's Postfix and our postmap (FACTEUR_SBIN)",
)

FILES = {
    "main.cf": "compatibility_level = 3.6\nsmtputf8_enable = yes\nmyhostname = host.example\n",
    "map": """\
# c
  leading continuation
key value
  more
"quo ted" val  x\x20\x20
"bad quote
"esc\\"\\\\x" y
KEY value2
alias: foo
single
"qq"z tail
"" emptykey
  # comment within
a b
\x20\x20
  c
{x y} z
k2 {v w}
"x"\t
x"x y"x z
back\\ slash
""",
    "utf8": b"caf\xe9 x\n\xc3\x89a \xc3\x89b\nz \xc3\x28\nstra\xc3\x9fe umlaut\n",
    "regexp": """\
# c
/^foo(.*)bar$/ got $1 ${1} $(1) $$ x
/nores/
/nores2/\x20\x20
/bad(/ x
/unclosed
abc x
!/neg/ $1
/subst/ $2
/weird/ $a
/weird2/ ${1
/weird3/ $
/weird4/ a$-b
/opt/iq x
/cs/i casei
/multi
line/ x
if /^in/
/in1/ one
  /in2/ two
if !/x/ extra
/inn/ three
endif junk
endif
endif
/^two$/!/x/ legacy
|pipe| piped
/a\\/b/ slash
/un(m)?x(y)/ [$1][$2]
/1(0)(1)(2)(3)(4)(5)(6)(7)(8)(9)(a)/ $11 ${11}
/zero/ $0
if /zz/
/zzz/ z
""",
    "cidr": """\
192.168.1.0/24 net24
192.168.1.1/24 bad
1.2.3.4 host
1.2.3 short
1.2.3.256 x
1.2.3.4/33 x
1.2.3.4/x x
2001:db8::/32 v6
[2001:db9::]/32 v6b
[2001:dba::/32] v6c
::1 lo
2001:db8::1/32 x
nothing
5.5.5.5
if 10.1.0.0/16
10.1.1.0/24 inner
endif x
10.2.0.0/16 $1 ten
if !10.0.0.0/8
8.0.0.0/8 eight
endif
/24 x
! 3.3.3.0/24 x
 cont
if
endif
0.0.0.0/0 x
::/0 y
[1.2.3.9] z
1.2.3.10garbage z
if 1.2.3.4 extra
endif
""",
    "one": "hello",
    "two": "two\n",
    "values": 'k one\nk2 one, two\nk3 {one}\nk4 nonexistent\nk5 one two\nk6 "one"\nk7 ,\n',
    "keys": "key\nnope\na\nk2\nKEY\n",
    "message": """\
From: a
Subject: x
 folded
Content-Type: multipart/mixed; boundary="bb"
To: z

preamble
--bb
Content-Type: text/plain
X-Att: 1

body1
--bb
Content-Type: message/rfc822

Subject: nested
Content-Type: text/html

nested body
--bb--
epilogue
""",
    "bare": "a: b\nnot header\nbody: x\n",
    "mbox": "From a b c\n>From x\na: b\nX : y\n: z\n\nc\n",
    "aliases": """\
# comment
  bad lead
postmaster: root
foo: bar, baz,
  qux
"quoted name": x@y, "|cmd a, b"
noColon
a b: c
Upper: Value
user@dom: x
empty:
foo: again
x:\t:include:/a/b
list: a,a , b ; c
sp : v
(comment) y: z (zc)
trail: x,
bad: <a@b
dup1: "/file name"
@: foo
"@": bar
grp: g: a, b;
q"x"y: b
per%cent: a!b
com: one (two
caf: é
route: <@a:b@c>
named: Joe <joe@x>, "Jane Doe" <jane@x>
k1: a . b
k3: a % b ! c
k4: a\\,b
k5: "a\\"b" c
k6: x <y>, <z>
k7: [1.2 .3] @ x
k8: (c (n) d) (e)
k9: a(b)c
k10: "a"."b"@c
k11: ,
k12: a,,b
k14: a\\\\b
k15: "unterm
k16: [unterm
k17: a]b>c)d
k18: a;b:c
k19: a / b = c + d
k20: @x,@y:z@w
k21: "|/usr/bin/foo \\"x y\\" 'z'"
k23: ""
k24: "a" b "c"
k25: a <b> c <d>
k26: (x) <b> (y)
k27: /a/b/c, :include:/x , |foo bar
"k30,x": a
"k31:y": a
"k32@z": b
k33 k34, k35: x
k36.x: y
k37."b c": y
k39\ttab: z
k40 .x: y
"k\\"43": x
k44 (c): d
: x
k46: : x
k48: a,b;c;,d
k54: <>
k60: (a)"b"[c]d
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("tables")
    for name, content in FILES.items():
        data = content if isinstance(content, bytes) else content.encode()
        (path / name).write_bytes(data)
        os.utime(path / name, (LONG_AGO, LONG_AGO))
    return path


def run(program, args, folder, stdin=None):
    done = subprocess.run(
        [program, *args],
        cwd=folder,
        input=(folder / stdin).read_bytes() if stdin else b"",
        capture_output=True,
        env={"PATH": os.environ["PATH"], "MAIL_CONFIG": str(folder), "LC_ALL": "C"},
        timeout=60,
        check=False,
    )
    return done.stdout, done.stderr.decode("latin-1"), done.returncode


def compare(folder, args, stdin=None, program="postmap"):
    theirs = run(POSTFIX / program, args, folder, stdin)
    ours = run(FACTEUR / program, args, folder, stdin)
    assert ours == theirs


QUERIES = {
    "texthash:map": ["key", "KEY", "nope", '"quo ted"', '"esc\\"\\\\x"', "alias:", '""', "a", "{x", "k2", "", 'x"x y"x', "back\\"],
    "texthash:utf8": ["\u00e9A", "\u00c9a", "z", b"\xe9", "STRASSE", "Stra\u00dfe"],
    "texthash:nonexistent": ["x"],
    "regexp:regexp": [
        "fooXbar", "nores", "nores2", "nega", "subst", "weird", "weird2", "weird3", "opt", "cs", "CS", "in1", "in2", "inn", "innx",
        "two", "twox", "pipe", "a/b", "uxy", "unmxy", "unxy", "10123456789a", "zzz", "q", "", "a\nb",
    ],
    "pcre:regexp": ["fooXbar", "nores", "nega", "subst", "cs", "CS", "in1", "in2", "inn", "two", "pipe", "a/b", "unxy", "10123456789a", "zzz", ""],
    "regexp:nonexistent": ["x"],
    "pcre:nonexistent": ["x"],
    "cidr:nonexistent": ["1.1.1.1"],
    "cidr:cidr": [
        "192.168.1.5", "1.2.3.4", "1.2.3.9", "2001:db8::5", "2001:DB8:0::5", "2001:db9::1", "2001:dba::2", "::1", "::2", "10.1.1.1",
        "10.2.1.1", "10.3.1.1", "5.5.5.5", "8.8.8.8", "nonsense", "[::1]", "1.2.3", "::ffff:1.2.3.4", "3.3.3.3", "",
    ],
}

SPECS = [
    "inline:{a=b, {c = d e}, {x=y z}}", "inline:{}", "inline:{ }", "inline:x", "inline:{a}", "inline:{a=b, a=c}", "inline:{a b=c}",
    "inline:{ =c}", "inline:{c=}", "inline:{a=}", "inline:{a=b", "inline:{{a b} = c}", "inline:{{a b = c d}}", "inline:{ {c = d}e }",
    "inline:{A=b}", "inline:{a==b}", "inline:{{a =b, c=d}}", "inline:{ {a = { b } } }", "inline:{a=b}c", "inline:{a=b,,,c=d}",
    "static:b", "static:{b c}", "static:{ b c }", "static:{b", "static:", "static:{b}c", "static:{{x}}", "static: x",
    "environ:x", "environ:", "internal:x", "fail:x", "fail:", "unknown:x", ":foo", "unix:", "unix:foo", "unix:passwd.byname",
    "unionmap:{static:one,inline:{a=2}}", "unionmap:{inline:{b=2}}", "unionmap:{}", "unionmap:x", "unionmap:{x}", "unionmap:{foo:x}",
    "unionmap:{static:one fail:x}", "unionmap:{ inline:{a=b} , inline:{a=c} }", "unionmap:{static:{a b},static:c}", "unionmap:{,}",
    "unionmap:{inline:{a=}}", "unionmap:{static:a", "unionmap:{{static:{a b}}}",
    "pipemap:{inline:{a=b},inline:{b=c}}", "pipemap:{inline:{a=b},inline:{c=c}}", "pipemap:{}", "pipemap:{foo}", "pipemap:{foo:bar}",
    "pipemap:{static:x, fail:y}", "pipemap:{inline:{a=b}, regexp:{{/b/ c}} static:z}", "pipemap:{static:}",
    "pipemap:{inline:{a=}, inline:{b=c}}",
    "randmap:{1}", "randmap:{}", "randmap:x", "randmap:{1 2", "randmap:{ a , a }", "randmap:{{a b} {a b}}",
    "regexp:{{/a/ b}}", "regexp:{}", "regexp:{x}", "regexp:{{/a/ b}x}", "regexp:{{/a/ b", "regexp:{/a/ b", "regexp:{{/a/b}}",
    "regexp:{{/(a)/ <$1>}}", "regexp:{ {if /a/} {/a/ yes} {endif} }", "regexp:{{/(a)/ $0}}", "regexp:{{/(a)/ $12}}",
    "regexp:{{/A/i x}}", "regexp:{{/a+/x x} {/a/ y}}", "regexp:{{/^a$/m x}}", "regexp:{{//x y}}", "regexp:{{/\\(a\\)/x [$1]}}",
    "regexp:{{if /a/ } {/a/ x} {endif}} y", "regexp:{{!!/a/ x}}",
    "pcre:{{/a/ b}}", "pcre:{/a/ b}", "pcre:{{/a/ b}, {/c/ d}}", "pcre:{{ if /a/ } { /a/ yes }}", "pcre:{{/a/ b}, # {}}",
    "pcre:{{#/a/ b}, {/a/ x}}", "pcre:{{}}", "pcre:{ }", "pcre:{{/a/ b}}x", "pcre:{{/a{1}/ {x} y}}", "pcre:{{/a/ $$}}",
    "pcre:{{/(a)/ $1b}}", "pcre:{{/(a)/ ${1}b $(1)c $1-}}", "pcre:{{/(a)/ $0}}", "pcre:{{/(a)|(b)/ [$2]}}", "pcre:{{/(a)/ ${1?x}}}",
    "pcre:{{/(a)/ ${1 }}}", "pcre:{{/(a)/ ${}}}", "pcre:{{/(a)/ $(1}}", "pcre:{{/(a)/ $1_}}", "pcre:{{/(a)/ $$1}}",
    "pcre:{{!/(b)/ $$1}}", "pcre:{{! /b/ neg}}", "pcre:{{ !/b/ neg}}", "pcre:{{!/b/i neg}}", "pcre:{{if! /b/} {/a/ q}}",
    "pcre:{{IF !/b/} {/a/ q} {EndIf}}", "pcre:{{if} {/a/ q}}", "pcre:{{ifx /a/} {/a/ q}}", "pcre:{{if/a/} {/a/ q} {endif}}",
    "pcre:{{endifx} {/a/ q}}", "pcre:{{if a} {/a/ q}}", "pcre:{{/} {/a/ q}}", "pcre:{{! } {/a/ q}}", "pcre:{{//  empty} {/a/ q}}",
    "pcre:{{// } {/a/ q}}", "pcre:{{/a/ii both}}", "pcre:{{/A/i x}}", "pcre:{{/(/ x},{/a/ y}}", "pcre:{{/[/ x}}", "pcre:{{/(a+)+$/ x}}",
    "pcre:{{/a/mise x}}", "pcre:{{/a/ABx x}}", "pcre:{{/a/X x}}", "pcre:{{/A A/xi x}, {/a/ y}}", "pcre:{{/b|A/A x} {/a/ y}}",
    "pcre:{{/gree(.*)x/U <$1>}}", "pcre:{{/a$/E e}}", "pcre:{{/(?<n>a)/ ${n}}}",
    "cidr:{{1.2.3.4 b}}", "cidr:{{1.1.1.1}}", "cidr:{{1.1.1.1 x}",
    "proxy", "texthash:/dev/null",
]  # fmt: skip

NETWORKS = [
    "[1.2.3.4", "[1.2.3.4]x", "[1.2.3.4]/", "1.2.3.4/", "[1.2.3.4]/x", "[1.2.3.4]/40", "1.2.3.256/x", "1.2.3.256/24", "[]", "[::1]/128",
    "[::1]x/128", "1.2.3.4/-1", "1.2.3.4/024", "1.2.3.4/99999999999", "!", "! ", "!!1.1.1.1", "if!1.1.1.1", "ifx", "IF 1.1.1.1",
    "::ffff:1.1.1.1", "1.1.1.1/0", "0.0.0.0/0", "01.1.1.1", "1.1.1.1%eth0", "fe80::1%lo", "[::1]/129", "[::1/128", "[::2]/64",
]  # fmt: skip


@pytest.mark.parametrize(("spec", "key"), [(spec, key) for spec, keys in QUERIES.items() for key in keys])
def test_key_in_file(folder, spec, key):
    compare(folder, ["-q", key, spec])


@pytest.mark.parametrize("spec", [spec for spec in SPECS if ":" in spec])
def test_spec(folder, spec):
    compare(folder, ["-q", "a", spec])


@pytest.mark.parametrize("network", NETWORKS)
def test_network(folder, network):
    compare(folder, ["-q", "1.1.1.1", f"cidr:{{{{{network} result}}}}"])


@pytest.mark.parametrize(
    "key_and_spec",
    [
        ("a" * 40 + "b", "pcre:{{/^(a+)+$/ x}, {/b/ y}}"),
        ("a\nb", "pcre:{{/a.b/ x}}"),
        ("a\nb", "regexp:{{/a.b/ x}}"),
        ("a\nb", "regexp:{{/^b/m x}}"),
        ("a\nb", "regexp:{{/^b/ x}}"),
        ("\u00e9", "pcre:{{/^.$/ one}, {/^..$/ two}}"),
        (b"\xe9", "pcre:{{/^.$/ one}, {/^..$/ two}}"),
        ("\u00c9", "inline:{\u00e9=x}"),
        ("z", b"static:\xc3\x28"),
        ("1.1.1.1", "cidr:{{if 1.1.1.0/24} {1.1.1.1 x} {endif}}"),
        ("1.1.1.1", "cidr:{{if! 1.1.1.0/24} {1.1.1.1 x} {endif}}"),
        ("1.1.1.1", "cidr:{{if} {1.1.1.1 x} {endif}}"),
        ("1.1.1.1", "cidr:{{if 2.2.2.2} {1.1.1.1 x}}"),
        ("ROOT", "unix:passwd.byname"),
        ("root", "unix:group.byname"),
        ("nobody-here", "unix:group.byname"),
        ("path", "environ:x"),
    ],
)
def test_key_and_spec(folder, key_and_spec):
    compare(folder, ["-q", *key_and_spec])


@pytest.mark.parametrize(
    "args",
    [
        ["-q", "-", "texthash:map"],
        ["-q", "-", "inline:{a=1, key={}}"],
        ["-q", "-", "inline:{a=}", "texthash:map"],
        ["-f", "-q", "X", "inline:{X=y}"],
        ["-f", "-q", "x", "inline:{X=y}"],
        ["-u", "-q", "z", "texthash:utf8"],
        ["-F", "-q", "k", "texthash:values"],
        ["-q", "k", "texthash:values"],
        ["-F", "-q", "x", "static:one"],
        ["-F", "-q", "x", "static:nonexistent"],
        ["-F", "-q", "x", "inline:{x=one}"],
        ["-F", "-q", "a", "pcre:{{/a/ one}}"],
        ["-F", "-q", "a", "regexp:{{/a/ nonexistent}}"],
        ["-F", "-q", "1.1.1.1", "cidr:{{1.1.1.1 two}}"],
        ["-F", "-q", "x", "randmap:{one}"],
        ["-F", "-q", "x", "pipemap:{static:one}"],
        ["-s", "environ:x"],
        ["-s", "internal:x"],
        ["-s", "unionmap:{static:x}"],
        ["-s", "regexp:regexp"],
        ["-s", "fail:x"],
        ["-s", "proxy:texthash:map"],
        ["-d", "e", "environ:em"],
        ["-d", "e", "internal:em"],
        ["-d", "e", "unix:passwd.byname"],
        ["-d", "e", "texthash:map"],
        ["-d", "e", "static:a"],
        ["-d", "e", "fail:a"],
        ["-d", "e", "foo:a"],
        ["texthash:map"],
        ["pcre:map"],
        ["static:map"],
        ["static:nonexistent"],
        ["-i", "cidr:map"],
        ["-i", "fail:map"],
        ["fail:map"],
        ["proxy:lmdb:map"],
        ["lmdb:nonexistent"],
        ["-q", "x", "lmdb:nonexistent"],
        [],
        ["-q", "x"],
        ["-s", "-q", "x", "a"],
        ["-d", "x", "-q", "x", "a"],
        ["-q", "x", "-s", "a"],
        ["-b", "-q", "x", "a"],
        ["-m", "-q", "-", "static:a"],
        ["-Z"],
        ["-c", "/nonexistent", "-q", "a", "static:x"],
        ["-q", "zz", "inline:{a=b}", "static:x"],
    ],
    ids=" ".join,
)
def test_options(folder, args):
    compare(folder, args, stdin="keys")


@pytest.mark.parametrize("message", ["message", "bare", "mbox"])
@pytest.mark.parametrize("options", ["-h", "-b", "-hb", "-hm", "-bm", "-hbm"])
def test_message_keys(folder, message, options):
    compare(folder, [options, "-q", "-", "pcre:{{/(?s)(.*)/ <$1>}}"], stdin=message)


def with_lmdb(folder, program, build, listing, stdin=None):
    """Builds with each program and lists with the other: the file format must agree too."""
    results = []
    for writer, reader in ((POSTFIX, FACTEUR), (FACTEUR, POSTFIX)):
        for left in folder.glob("*.lmdb*"):
            left.unlink()
        built = run(writer / program, build, folder, stdin)
        results.append((built, run(reader / program, listing, folder)))
    return results


@pytest.mark.parametrize("options", [[], ["-n"], ["-N"], ["-f"], ["-u"], ["-w"], ["-r"], ["-p"], ["-o"]], ids=" ".join)
@pytest.mark.parametrize("source", ["map", "utf8"])
def test_indexed_map(folder, source, options):
    listing = [option for option in options if option == "-u"] + ["-s", f"lmdb:{source}"]
    theirs, ours = with_lmdb(folder, "postmap", [*options, f"lmdb:{source}"], listing)
    assert ours == theirs


def test_indexed_files(folder):
    theirs, ours = with_lmdb(folder, "postmap", ["-F", "lmdb:values"], ["-F", "-s", "lmdb:values"])
    assert ours == theirs


@pytest.mark.parametrize("options", [["-i"], ["-ir"], ["-iw"]], ids=" ".join)
def test_incremental(folder, options):
    theirs, ours = with_lmdb(folder, "postmap", [*options, "lmdb:added"], ["-s", "lmdb:added"], stdin="map")
    assert ours == theirs


def without_date(result):
    (built, (text, messages, status)) = result
    lines = [line for line in text.decode().splitlines() if not line.startswith("YP_LAST_MODIFIED:")]
    return built, lines, messages, status


def test_aliases(folder):
    theirs, ours = with_lmdb(folder, "postalias", ["lmdb:aliases"], ["-s", "lmdb:aliases"])
    assert without_date(ours) == without_date(theirs)


@pytest.mark.parametrize("args", [["-q", "FOO", "lmdb:aliases"], ["-q", "@", "lmdb:aliases"], ["-q", "nope", "lmdb:aliases"], [], ["-h"],
                                  ["lmdb:nonexistent"], ["-q", "-", "lmdb:aliases"], ["texthash:aliases"]], ids=" ".join)  # fmt: skip
def test_alias_options(folder, args):
    run(FACTEUR / "postalias", ["lmdb:aliases"], folder)
    compare(folder, args, stdin="keys", program="postalias")
