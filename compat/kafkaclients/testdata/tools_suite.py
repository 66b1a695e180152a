"""Checks of Apache Kafka's command-line tools, of the version whose jars are on TOOLS_CLASSPATH."""

import json
import os
import re
import subprocess
import threading

from checks import CODECS, PATIENCE, Lacks, Seen, expect, main, rebalance, until, values

CLASSES = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "console-producer": "org.apache.kafka.tools.ConsoleProducer" if os.environ["TOOLS_MAJOR"] == "4" else "kafka.tools.ConsoleProducer",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "transactions": "org.apache.kafka.tools.TransactionsCommand",
}


class Suite:
    def __init__(self, bootstrap, name):
        self.bootstrap, self.name = bootstrap, name

    def argv(self, tool, *args):
        java = ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dlog4j.configuration=file:" + os.environ["TOOLS_LOG4J"]]
        return [*java, "-cp", os.environ["TOOLS_CLASSPATH"], CLASSES[tool], "--bootstrap-server", self.bootstrap, *args]

    def run(self, tool, *args, text=""):
        done = subprocess.run(self.argv(tool, *args), input=text, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise RuntimeError("%s %s: exit code %d: %s" % (tool, " ".join(args), done.returncode, (done.stdout + done.stderr)[-1500:]))
        # Releases print on their standard output which options will be gone one day.
        return "".join(line for line in done.stdout.splitlines(True) if not re.match("Option .* is deprecated", line))

    def write(self, topic, vs, *args):
        text = "".join("header:%d\tkey-%d\t%s\n" % (i, i, v) for i, v in enumerate(vs))
        self.run("console-producer", "--topic", topic, "--property", "parse.key=true", "--property", "parse.headers=true", *args, text=text)

    def read(self, topic, n, *args):
        """The first n records as header, offset and value."""
        out = self.run("console-consumer", "--topic", topic, "--from-beginning", "--max-messages", str(n), "--timeout-ms", "20000",
                       "--property", "print.headers=true", "--property", "print.offset=true", *args)
        return out.splitlines()

    def admin(self):
        topic = self.name + "-admin"
        self.run("topics", "--create", "--topic", topic, "--partitions", "3", "--config", "retention.ms=7200000")
        self.run("configs", "--alter", "--entity-type", "topics", "--entity-name", topic, "--add-config", "max.message.bytes=200000")
        described = self.run("configs", "--describe", "--entity-type", "topics", "--entity-name", topic)
        expect(sorted(re.findall(r"(?:retention.ms|max.message.bytes)=\d+ ", described)), ["max.message.bytes=200000 ", "retention.ms=7200000 "], "configs")
        self.run("topics", "--alter", "--topic", topic, "--partitions", "5")
        described = self.run("topics", "--describe", "--topic", topic)
        expect(len(re.findall(r"Partition: \d+\s+Leader: \d+", described)), 5, "partitions in %r" % described)
        self.run("topics", "--delete", "--topic", topic)
        until("the topic is gone", lambda: topic not in self.run("topics", "--list").splitlines())
        return "topics, configs"

    def codec(self, codec):
        topic, vs = self.name + "-" + codec, values(100)
        self.write(topic, vs, "--compression-codec", codec)
        want = ["Offset:%d\theader:%d\t%s" % (i, i, v) for i, v in enumerate(vs)]
        expect(self.read(topic, 100), want, "records")
        return "console-producer, console-consumer"

    def group(self):
        topic, seen = self.name + "-group", Seen(3)
        members = [Member(self, topic, i, seen) for i in range(3)]

        def write(vs):
            # Without keys it changes partitions only when a batch is full: not every one need get some.
            self.run("console-producer", "--topic", topic, text="".join(v + "\n" for v in vs))

        try:
            return rebalance(seen, write, members[2].leave) + ", verifiable-consumer"
        finally:
            for m in members:
                m.leave()

    def commit(self):
        topic = self.name + "-commit"
        self.write(topic, values(100))
        got = self.run("console-consumer", "--topic", topic, "--group", topic, "--from-beginning", "--max-messages", "50", "--timeout-ms", "20000")
        expect(len(got.splitlines()), 50, "records read")
        self.committed(topic, 50)
        self.run("consumer-groups", "--reset-offsets", "--group", topic, "--topic", topic, "--shift-by", "-10", "--execute")
        self.committed(topic, 40)
        return "console-consumer, consumer-groups --describe, --reset-offsets"

    def committed(self, group, offset):
        described = self.run("consumer-groups", "--describe", "--group", group)
        rows = [line.split()[:6] for line in described.splitlines() if line.startswith(group)]
        expect(rows, [[group, group, "0", str(offset), "100", str(100 - offset)]], "consumer-groups --describe")

    def idempotent(self):
        topic, vs = self.name + "-idempotent", values(500)
        # That it is idempotent is the default of the library. The other tool's producer is not.
        self.write(topic, vs, "--batch-size", "2000")
        expect([line.split("\t")[-1] for line in self.read(topic, 500)], vs, "values")
        out = self.run("verifiable-producer", "--topic", self.name + "-txn", "--max-messages", "500", "--acks", "-1")
        expect(out.count('"name":"producer_send_success"'), 500, "acknowledged records")
        return "console-producer, verifiable-producer"

    def transaction(self):
        listed = self.run("transactions", "list")
        expect(listed.split()[:1], ["TransactionalId"], "heading of the list")
        raise Lacks("no tool produces in a transaction; kafka-transactions list works")

    def txn_offsets(self):
        raise Lacks("no tool commits offsets in a transaction")

    def restart(self):
        topic = self.name + "-commit"
        self.committed(topic, 40)
        got = self.run("console-consumer", "--topic", topic, "--group", topic, "--max-messages", "60", "--timeout-ms", "20000", "--property", "print.offset=true")
        expect([line.split("\t")[0] for line in got.splitlines()], ["Offset:%d" % i for i in range(40, 100)], "offsets")


class Member:
    """A kafka-verifiable-consumer, which tells in JSON what it has and reads."""

    def __init__(self, suite, topic, i, seen):
        argv = suite.argv("verifiable-consumer", "--topic", topic, "--group-id", topic, "--session-timeout", "6000", "--verbose")
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.i, self.seen = i, seen
        self.thread = threading.Thread(target=self.follow)
        self.thread.start()

    def follow(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a line of a log
            if event["name"] == "record_data":
                self.seen.add(event["value"])
            elif event["name"] == "partitions_assigned":
                self.seen.assign(self.i, [p["partition"] for p in event["partitions"]])
            elif event["name"] == "partitions_revoked":
                self.seen.assign(self.i, ())

    def leave(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE)
        self.thread.join()


def first(bootstrap, name):
    s = Suite(bootstrap, name)
    yield "admin", s.admin, ()
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
