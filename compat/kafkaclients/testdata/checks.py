"""What the drivers in Python share: the lines they print, and the records they write.

The package comment of compat/kafkaclients says what each check has to do.
"""

import sys
import threading
import time
import traceback

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PATIENCE = 45  # seconds a check waits for what must happen


class Lacks(Exception):
    """The client has no such feature; the text says how that is known."""


def check(name, action, *args):
    """Runs one check and prints its line. What action returns is printed as the detail."""
    began = time.time()
    try:
        detail = action(*args) or ""
        print("ok", name, detail, "(%.1f s)" % (time.time() - began), flush=True)
    except Lacks as reason:
        print("lacks", name, reason, flush=True)
    except Exception as err:
        where = traceback.extract_tb(err.__traceback__)[-1]
        text = " ".join(str(err).split())
        print("FAIL", name, "%s: %s (line %d, %s)" % (type(err).__name__, text, where.lineno, where.line), flush=True)
        traceback.print_exc()


def main(stages):
    """Runs the checks of the stage that the command line names: BOOTSTRAP NAME STAGE."""
    bootstrap, name, stage = sys.argv[1:4]
    for check_name, action, args in stages[stage](bootstrap, name):
        check(check_name, action, *args)
    print("done", flush=True)


def expect(got, want, what):
    if got != want:
        raise AssertionError("%s: got %s, want %s" % (what, brief(got), brief(want)))


def brief(value):
    text = repr(value)
    return text if len(text) <= 160 else text[:100] + " … " + text[-60:]


def values(n, prefix="value"):
    """n values that compress."""
    return ["%s-%d-%s" % (prefix, i, "abcdefghij" * 20) for i in range(n)]


def until(what, condition, state=lambda: ""):
    """Waits until condition holds. state tells what there is instead."""
    end = time.time() + PATIENCE
    while not condition():
        if time.time() > end:
            raise TimeoutError("%s: not within %d s %s" % (what, PATIENCE, state()))
        time.sleep(0.02)


def soon(assertion, *args):
    """Makes an assertion that may come true a moment later: a transaction's markers are written
    after its producer was told of the end."""

    def holds():
        try:
            assertion(*args)
            return True
        except AssertionError:
            return False

    end = time.time() + 10
    while time.time() < end and not holds():
        time.sleep(0.05)
    assertion(*args)


class Seen:
    """What the members of a group have read, and which partitions each one has."""

    def __init__(self, members):
        self.lock = threading.Lock()
        self.values = set()
        self.assigned = [frozenset()] * members

    def add(self, value):
        with self.lock:
            self.values.add(value)

    def assign(self, member, partitions):
        with self.lock:
            self.assigned[member] = frozenset(partitions)

    def shared(self, sizes):
        """Tells whether the members have as many partitions as sizes says, and all six once."""
        with self.lock:
            each = [len(a) for a in self.assigned]
            return each == sizes and frozenset().union(*self.assigned) == frozenset(range(6))

    def has(self, wanted):
        with self.lock:
            return self.values >= set(wanted)


def rebalance(seen, write, leave):
    """The check "group": write(values) writes ten records into each of six partitions, leave()
    has the third member leave."""
    until("two partitions each", lambda: seen.shared([2, 2, 2]), lambda: seen.assigned)
    before = values(60, "before")
    write(before)
    until("60 records", lambda: seen.has(before))
    leave()
    seen.assign(2, ())
    until("three partitions each", lambda: seen.shared([3, 3, 0]), lambda: seen.assigned)
    after = values(60, "after")
    write(after)
    until("60 more records", lambda: seen.has(after))
    return "2+2+2 partitions, then 3+3"
