"""Checks of kcat, the command line of Debian's librdkafka 2.0.2."""

import re
import signal
import subprocess
import threading

from checks import CODECS, PATIENCE, Lacks, Seen, expect, main, rebalance, until, values


class Suite:
    def __init__(self, bootstrap, name):
        self.bootstrap, self.name = bootstrap, name

    def kcat(self, *args, text=""):
        done = subprocess.run(["kcat", "-b", self.bootstrap, *args], input=text, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise RuntimeError("kcat %s: exit code %d: %s" % (" ".join(args), done.returncode, done.stderr))
        return done.stdout

    def write(self, topic, vs, *args):
        self.kcat("-P", "-t", topic, "-K", "\t", "-H", "header=h", *args,
                  text="".join("key-%d\t%s\n" % (i, v) for i, v in enumerate(vs)))

    def read(self, topic, *args, form="%s\n"):
        """All messages of partition 0."""
        return self.kcat("-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-f", form, *args).splitlines()

    def metadata(self):
        listed = self.kcat("-L", "-t", self.name + "-group")
        expect(len(re.findall(r"partition \d+, leader \d+, replicas: [\d,]+, isrs: [\d,]+", listed)), 6, "partitions listed")
        return "kcat lists, it has no admin client"

    def codec(self, codec):
        topic, vs = self.name + "-" + codec, values(100)
        self.write(topic, vs, "-p", "0", "-z", codec)
        want = ["key-%d %s header=h %d" % (i, v, i) for i, v in enumerate(vs)]
        expect(self.read(topic, form="%k %s %h %o\n"), want, "records")

    def group(self):
        topic, seen = self.name + "-group", Seen(3)
        members = [Member(self.bootstrap, topic, i, seen) for i in range(3)]

        def write(vs):
            for p in range(6):
                self.write(topic, vs[p::6], "-p", str(p))

        try:
            return rebalance(seen, write, members[2].leave)
        finally:
            for m in members:
                m.leave()

    def commit(self):
        topic = self.name + "-commit"
        self.write(topic, values(100), "-p", "0")
        self.resume(topic, 0)

    def resume(self, topic, first):
        """Fifty records as a member of a group, which kcat commits when it ends."""
        out = self.kcat("-G", topic, "-q", "-c", "50", "-f", "%o\n", "-X", "auto.offset.reset=earliest", topic)
        expect(out.splitlines(), [str(i) for i in range(first, first + 50)], "offsets")

    def idempotent(self):
        topic, vs = self.name + "-idempotent", values(500)
        self.write(topic, vs, "-p", "0", "-X", "enable.idempotence=true")
        expect(self.read(topic), vs, "values")

    def transaction(self):
        topic = self.name + "-txn"
        txn = ["-p", "0", "-X", "transactional.id=" + topic]
        self.write(topic, values(10, "one"), *txn)
        self.aborted(topic, txn)
        self.write(topic, values(10, "two"), *txn)
        both = values(10, "one") + values(10, "two")
        expect(self.read(topic, "-X", "isolation.level=read_committed"), both, "read_committed")
        expect(len(self.read(topic, "-X", "isolation.level=read_uncommitted")), 30, "read_uncommitted")

    def aborted(self, topic, txn):
        """A transaction that an interrupt ends once the records were sent."""
        p = subprocess.Popen(["kcat", "-b", self.bootstrap, "-P", "-t", topic, *txn], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        # kcat sends once it has filled a buffer: here with the beginning of an endless line.
        p.stdin.write("".join(v + "\n" for v in values(10, "aborted")) + "x" * 10_000)
        p.stdin.flush()
        until("the open transaction's records", lambda: len(self.read(topic, "-X", "isolation.level=read_uncommitted")) == 20)
        p.send_signal(signal.SIGINT)
        p.stdin.close()  # it looks at the signal when the read has returned
        p.wait(PATIENCE)
        p.stderr.close()

    def txn_offsets(self):
        raise Lacks("kcat commits no offsets in a transaction")

    def restart(self):
        self.resume(self.name + "-commit", 50)


class Member:
    """A kcat that is a member of a group, in the background."""

    def __init__(self, bootstrap, topic, i, seen):
        argv = ["kcat", "-b", bootstrap, "-G", topic, "-u", "-f", "%s\n", "-X", "auto.offset.reset=earliest",
                "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=500", topic]
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.i, self.seen = i, seen
        self.threads = [threading.Thread(target=self.values), threading.Thread(target=self.rebalances)]
        for t in self.threads:
            t.start()

    def values(self):
        for line in self.process.stdout:
            self.seen.add(line.rstrip("\n"))

    def rebalances(self):
        for line in self.process.stderr:  # % Group g rebalanced (memberid m): assigned: t [0], t [1]
            if "assigned:" in line:
                self.seen.assign(self.i, [int(p) for p in re.findall(r" \[(\d+)\]", line)])
            elif "revoked:" in line:
                self.seen.assign(self.i, ())

    def leave(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)
        for t in self.threads:
            t.join()


def first(bootstrap, name):
    s = Suite(bootstrap, name)
    yield "admin", s.metadata, ()
    for codec in CODECS:
        yield codec, s.codec, (codec,)
    yield "group", s.group, ()
    yield "commit", s.commit, ()
    yield "idempotent", s.idempotent, ()
    yield "transaction", s.transaction, ()
    yield "txn-offsets", s.txn_offsets, ()


def again(bootstrap, name):
    yield "restart", Suite(bootstrap, name).restart, ()


main({"first": first, "again": again})
