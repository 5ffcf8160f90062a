"""How long these tests take is said by the environment; what they counted is said at the end of the run.

DURABILITY_SEED     the seed, to repeat what a run did
DURABILITY_ROUNDS   how many times something is killed (30)
DURABILITY_CUTS     at how many steps the power fails (60); "all" for each one
"""
import os
import random
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))


@pytest.fixture
def seed():
    return int(os.environ.get("DURABILITY_SEED") or random.SystemRandom().randrange(1_000_000))


@pytest.fixture
def tell(record_property):
    """Prints a line now and again at the end of the run, where -q and several workers leave it visible."""
    def say(line):
        print(line)
        record_property("durability", line)

    return say


def pytest_terminal_summary(terminalreporter):
    lines = [f"{report.nodeid.rpartition('::')[2]}: {value}" for reports in terminalreporter.stats.values() for report in reports
             for name, value in getattr(report, "user_properties", ()) if name == "durability"
             and getattr(report, "when", "") == "call"]
    if lines:
        terminalreporter.section("durability")
        for line in lines:
            terminalreporter.write_line(line)
