#!/usr/bin/env python3
"""Builds Facteur and runs its tests. ./runtests is the command; it sees to the packages first.

  ./runtests            unit tests (sanitizers on), then tests of the whole system against the release build
  ./runtests --quick    the same without the tests that take long
  ./runtests --fuzz     also every fuzz target, 60 seconds each (FUZZ_SECONDS)

The last line says how many passed, failed and were skipped; the exit status is 0 only when none failed.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

TOP = pathlib.Path(__file__).resolve().parent.parent


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add_junit(self, file):
        """Counts the test cases of a JUnit file; False when it cannot be read (its program crashed)."""
        try:
            root = xml.etree.ElementTree.parse(file).getroot()
        except (OSError, xml.etree.ElementTree.ParseError):
            return False
        for case in root.iter("testcase"):
            if case.find("failure") is not None or case.find("error") is not None:
                self.failed += 1
            elif case.find("skipped") is not None or case.get("status") == "notrun":
                self.skipped += 1
            else:
                self.passed += 1
        return True


def failed_cases(file):
    """The cases that failed in a JUnit file, named as pytest takes them."""
    try:
        root = xml.etree.ElementTree.parse(file).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return []
    # Named from the folder of pytest.ini on.
    return ["tests/" + case.get("classname", "").removeprefix("tests.").replace(".", "/") + ".py::" + case.get("name", "")
            for case in root.iter("testcase") if case.find("failure") is not None or case.find("error") is not None]


def say(text):
    print(f"\n== {text}", flush=True)


def must(*command, **options):
    """A step without which nothing else makes sense."""
    if subprocess.run(command, cwd=TOP, **options).returncode:
        sys.exit(f"runtests: {' '.join(command)} failed")


def build(preset, *target):
    must("cmake", "--preset", preset, stdout=subprocess.DEVNULL)
    must("sh", "-c", f'cmake --build build/{preset} {" ".join(target)} >build/{preset}.log 2>&1 '
                     f"|| {{ tail -n 40 build/{preset}.log; exit 1; }}")


def unit_tests(tally):
    say("unit tests (preset dev)")
    build("dev", "--target", "unit_tests")
    with tempfile.TemporaryDirectory() as results:
        environment = dict(os.environ, GTEST_OUTPUT=f"xml:{results}/")
        ctest = subprocess.run(
            ["ctest", "--test-dir", "build/dev", "--output-on-failure", "--timeout", "300", f"-j{os.cpu_count()}"],
            cwd=TOP, env=environment, stdout=subprocess.PIPE, text=True)
        print(ctest.stdout[-20000:], end="", flush=True)
        for program, outcome in re.findall(r"Test +#\d+: (\S+) \.*\s*(\S+)", ctest.stdout):
            counted = tally.add_junit(f"{results}/{program}_test.xml")
            if not counted and "Passed" not in outcome:
                tally.failed += 1
        if ctest.returncode and not tally.failed:
            tally.failed += 1


def system_tests(tally, quick):
    say("tests of the whole system (preset release, installed in build/stage)")
    build("release", "--target", "programs")
    must("cmake", "--install", "build/release", "--prefix", "build/stage", stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory() as results:
        environment = dict(os.environ, FACTEUR_SBIN=f"{TOP}/build/stage/sbin", PYTHONDONTWRITEBYTECODE="1")

        def pytest(report, *arguments):
            return subprocess.run([sys.executable, "-m", "pytest", "-q", f"--junit-xml={results}/{report}", "-p", "no:cacheprovider",
                                   *arguments], cwd=TOP, env=environment).returncode

        crowd = ["-m", "not slow"] if quick else []
        if subprocess.run([sys.executable, "-c", "import xdist"], stderr=subprocess.DEVNULL).returncode == 0:
            crowd += ["-n", str(2 * (os.cpu_count() or 1)), "--dist", "load"]
        status = pytest("crowd.xml", *crowd, "tests")
        failed = failed_cases(f"{results}/crowd.xml")
        if not tally.add_junit(f"{results}/crowd.xml"):
            tally.failed += 1
        elif 0 < len(failed) <= 20:
            # Real processes side by side on a small machine: what failed in the crowd is tried once more, alone, and said.
            say("once more, alone: " + " ".join(failed))
            status = pytest("alone.xml", *failed)
            tally.failed -= len(failed)
            if not tally.add_junit(f"{results}/alone.xml"):
                tally.failed += len(failed)
        if status and not tally.failed:
            tally.failed += 1


def fuzz_one(program, seconds):
    corpus = TOP / "fuzz" / "corpus" / program.name
    with tempfile.TemporaryDirectory() as work:
        command = [str(program), f"-max_total_time={seconds}", "-print_final_stats=1", "-rss_limit_mb=4096", "-timeout=20",
                   f"-artifact_prefix={TOP}/build/fuzz/{program.name}-", work]
        if corpus.is_dir():
            command.append(str(corpus))
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    return program.name, run.returncode, run.stdout


def fuzz(tally):
    seconds = int(os.environ.get("FUZZ_SECONDS", "60"))
    say(f"fuzz targets (preset fuzz), {seconds} seconds each")
    build("fuzz")
    programs = sorted((TOP / "build/fuzz/bin").glob("*_fuzz"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, status, output in pool.map(lambda program: fuzz_one(program, seconds), programs):
            executed = re.search(r"number_of_executed_units: (\d+)", output)
            print(f"{name}: {executed.group(1) if executed else '?'} runs, {'ok' if status == 0 else 'FAILED'}", flush=True)
            if status == 0:
                tally.passed += 1
            else:
                tally.failed += 1
                print(output[-4000:])


def main():
    arguments = argparse.ArgumentParser(prog="./runtests", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--quick", action="store_true")
    arguments.add_argument("--fuzz", action="store_true")
    options = arguments.parse_args()
    (TOP / "build").mkdir(exist_ok=True)
    tally = Tally()
    unit_tests(tally)
    system_tests(tally, options.quick)
    if options.fuzz:
        fuzz(tally)
    print(f"\n{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
