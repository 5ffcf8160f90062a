"""Configurations in the shape of well-known stacks, written for this test from their documented settings (stacks/NAME).

Each must load; what `postfix check` says of it are warnings about single settings; postconf shows it as Debian's does.
"""
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

import pytest

from mta import IS_POSTFIX, IS_ROOT, STAGE, Instance, mail_account, port_answers, pwd_group

STACKS = pathlib.Path(__file__).resolve().parent / "stacks"
NAMES = sorted(path.name for path in STACKS.iterdir())
DEBIAN = pathlib.Path("/usr/sbin/postconf")
pytestmark = pytest.mark.skipif(IS_POSTFIX, reason="about Facteur, beside Debian's")

# What may be said of a setting that is good for Postfix.
EXPECTED = re.compile(r"parameter \S+ is set, but (its feature does not exist yet|has no effect here)$"
                      r"|parameter \S+ is no longer used$"
                      # Tables that only the stack's own machine has, and types that do not exist here yet.
                      r"|= .*: open (database )?/\S+: No such file or directory(; \S+ \S+ makes it)?$"
                      r"|= .*: (unsupported dictionary type: \w+|table type \w+ is not available \(postconf -m lists those that are\))$"
                      r"|(main|master)\.cf: .*no program .*: the service is not available$")


def declared_parameters():
    """name -> its declaration, as scripts/generate-docs reads them."""
    top = STACKS.parents[2]
    loader = importlib.machinery.SourceFileLoader("generate_docs", str(top / "scripts/generate-docs"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate_docs", loader))
    sys.modules["generate_docs"] = module  # dataclasses look their module up
    loader.exec_module(module)
    return {parameter.name: parameter for parameter in module.read_parameters(top / "src/config/params")}


def without_effect(etc):
    """The settings of a main.cf that ask for something that does not happen."""
    declared = declared_parameters()
    for name, value in re.findall(r"(?m)^([\w-]+) *= *(.*)$", (etc / "main.cf").read_text()):
        parameter = declared.get(name)
        if not parameter or parameter.status == "present":
            continue
        off = parameter.without or ("no" if parameter.kind == "Boolean" and parameter.default == "no" else "")
        if parameter.status != "planned" or (value != off if value else parameter.default):
            yield name


def place(name, root, settings):
    """The stack's configuration below root, with its paths led there and these settings added."""
    etc = root / "etc"
    etc.mkdir(parents=True)
    for file in ("main.cf", "master.cf"):
        text = (STACKS / name / file).read_text().replace("/etc/postfix", str(etc))
        if file == "main.cf":
            given = "".join(f"{key} = {value}\n" for key, value in settings.items())
            text = (re.sub(rf"(?m)^({'|'.join(settings)}) *=.*\n", "", text) if settings else text) + given
            text = text.replace("/etc/mailname", f"{root}/mailname")
        (etc / file).write_text(text)
    (root / "mailname").write_text("example.org\n")
    return etc


def private_settings(root):
    account = mail_account()
    for part in ("spool", "data"):
        (root / part).mkdir(parents=True, exist_ok=True)
    if IS_ROOT:
        os.chown(root / "data", account.pw_uid, -1)
    return {"queue_directory": root / "spool", "data_directory": root / "data", "command_directory": f"{STAGE}/sbin",
            "daemon_directory": f"{STAGE}/libexec/postfix", "mail_owner": account.pw_name,
            "setgid_group": "postdrop" if IS_ROOT else pwd_group(account), "maillog_file": root / "log", "maillog_file_prefixes": root}


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_with_warnings_about_settings_alone(name, tmp_path):
    etc = place(name, tmp_path, private_settings(tmp_path))
    checked = subprocess.run([f"{STAGE}/sbin/postfix", "-c", etc, "check"], capture_output=True, text=True, timeout=60)
    log = (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""
    assert checked.returncode == 0, checked.stderr + log
    said = [line.split("warning: ", 1)[-1] for line in (checked.stderr + log).splitlines()]
    said = [line for line in said if not re.match(r"(not owned by|group or other writable)", line)]
    unexpected = [line for line in said if not EXPECTED.search(line)]
    assert not unexpected, "\n".join(unexpected)
    named = [match[1] for line in said if (match := re.search(r"parameter (\S+) is", line))]
    declared = declared_parameters()  # not the settings of single services, NAME_time_limit and the like
    assert sorted(name for name in named if name in declared) == sorted(without_effect(etc))  # once each


@pytest.mark.skipif(not DEBIAN.exists(), reason="needs Debian's postconf")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", [["-n"], ["-M"], ["-nx"], ["-Mx"], ["-P"], ["-F"]], ids="".join)
def test_postconf_shows_it_as_debians(name, options, tmp_path):
    etc = place(name, tmp_path, {})

    def shown(program):
        done = subprocess.run([program, "-c", etc, *options], capture_output=True, text=True, timeout=60)
        lines = done.stdout.replace("ESMTP Facteur", "ESMTP Postfix").splitlines()  # $mail_name
        return done.returncode, [line for line in lines if not newer(line)]

    assert shown(f"{STAGE}/sbin/postconf") == shown(DEBIAN)


def newer(line):
    """Of a parameter that Debian's version does not know, or shows with another default inside."""
    return re.match(r"smtpd_forbid_bare_newline|postscreen_bare_newline", line)


@pytest.mark.parametrize("name", ["stock-debian-12", "stock-postfix-3.12"])
def test_a_stock_master_cf_starts(name, tmp_path):
    for parent in (tmp_path, *tmp_path.parents):
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    (tmp_path / "i").mkdir()
    instance = Instance(root=tmp_path / "i")
    place(name, tmp_path / "stack", {})
    # The stock port needs root and may be in use: the service is the same on another one.
    text = (tmp_path / "stack/etc/master.cf").read_text()
    (instance.etc / "master.cf").write_text(re.sub(r"(?m)^smtp +inet", f"127.0.0.1:{instance.port} inet", text))
    with instance:
        assert port_answers(instance.port)
        assert instance.send().startswith("250")
        instance.await_mail("Subject: test")
        missing = re.findall(r"warning: .*no program \S+/(\S+): the service is not available", instance.log())
        assert len(missing) == len(set(re.findall(r"service (\S+): no program", instance.log())))
