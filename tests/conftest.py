"""Fixtures: `make` builds instances that are stopped and removed afterwards, `mta` is a running one with stock settings."""
import contextlib
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import mta as mta_module  # noqa: E402
from smtp import Sink  # noqa: E402


def pytest_collection_modifyitems(items):
    reason = None
    if not mta_module.IS_POSTFIX and not os.path.exists(f"{mta_module.STAGE}/sbin/postfix"):
        reason = f"nothing is installed in {mta_module.STAGE}"
    elif mta_module.IS_ROOT:
        try:
            mta_module.mail_account()
        except KeyError:
            reason = "root needs the account postfix (of the Debian package) for the daemons"
    for item in items:
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
        elif mta_module.IS_POSTFIX and item.get_closest_marker("ours"):
            item.add_marker(pytest.mark.skip(reason="about Facteur alone"))


@pytest.fixture
def make():
    with contextlib.ExitStack() as stack:
        def build(start=True, **options):
            instance = mta_module.Instance(**options)
            if start:
                return stack.enter_context(instance)
            stack.push(instance.__exit__)
            return instance

        yield build


@pytest.fixture
def mta(make):
    return make()


@pytest.fixture
def sink():
    made = []

    def build(**options):
        made.append(Sink(mta_module.PORTS.take(), **options))
        return made[-1]

    yield build
    for each in made:
        each.close()


@pytest.fixture
def relaying(make, sink):
    """An instance that relays everything that is not its own to a sink, and tries again at once."""
    def build(answers=None, delay=0.0, main=None, **options):
        server = sink(answers=answers, delay=delay)
        quick = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s", "transport_retry_time": "1s",
                 "relayhost": f"[127.0.0.1]:{server.port}"}
        return make(main=quick | (main or {}), **options), server

    return build
