"""Checks of kafka-python."""

import collections
import logging
import sys
import threading
import traceback

from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic
from kafka.structs import OffsetAndMetadata

from checks import CODECS, PATIENCE, Seen, expect, main, rebalance, soon, until, values


class Notes(logging.Handler):
    """What kafka-python's coordinators log, and the members' errors, for whoever asks why a group failed."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.lines, self.errors = collections.deque(maxlen=300), []
        logger = logging.getLogger("kafka.coordinator")
        logger.setLevel(logging.INFO)
        logger.addHandler(self)

    def emit(self, entry):
        self.lines.append("%.3f %s %s" % (entry.created, entry.threadName, entry.getMessage()))

    def watch(self, member, *args):
        """Runs a member; its error would be seen by nobody, since it has a thread of its own."""
        try:
            member(*args)
        except Exception as err:
            self.errors.append(repr(err))
            self.lines.append(traceback.format_exc())

    def print(self):
        print("\n".join(self.lines), file=sys.stderr)


class Suite:
    def __init__(self, bootstrap, name):
        self.bootstrap, self.name = bootstrap.split(","), name

    def producer(self, **more):
        return KafkaProducer(bootstrap_servers=self.bootstrap, **more)

    def consumer(self, **more):
        return KafkaConsumer(bootstrap_servers=self.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, **more)

    def subscribed(self, topic, listener=None, **more):
        """A member of a group that knows the topic's partitions before it joins.

        Otherwise it joins without, and joins again when they arrive. If a poll's time is up while
        the leader's second join is under way, kafka-python 3.0.12 never looks at its outcome: the
        change of metadata counts as dealt with once the assignment is made, and rejoin_needed was
        not set (ConsumerCoordinator.need_rejoin, BaseCoordinator.join_group_async). The member
        sends no heartbeats and is out of the group for ever. Java's client had that (KAFKA-9815).
        """
        consumer = self.consumer(**more)
        consumer.subscribe([topic], listener=listener)
        until("partitions of %s" % topic, lambda: consumer.partitions_for_topic(topic))
        return consumer

    def write(self, producer, topic, vs, partition=lambda i: 0):
        sent = [producer.send(topic, key=b"key-%d" % i, value=v.encode(), headers=[("header", b"%d" % i)], partition=partition(i))
                for i, v in enumerate(vs)]
        producer.flush(PATIENCE)
        for future in sent:
            future.get(PATIENCE)

    def read(self, topic, n, more=1000, **settings):
        """n messages of partition 0, then those that come within a moment."""
        consumer, tp, got = self.consumer(**settings), TopicPartition(topic, 0), []
        try:
            consumer.assign([tp])
            consumer.seek_to_beginning(tp)
            until("%d records of %s" % (n, topic), lambda: got.extend(take(consumer)) or len(got) >= n)
            return got + take(consumer, more)
        finally:
            consumer.close()

    def admin(self):
        admin, topic = KafkaAdminClient(bootstrap_servers=self.bootstrap), self.name + "-admin"
        admin.create_topics([NewTopic(topic, 3, -1)])
        until("three partitions", lambda: len(admin.describe_topics([topic])[0]["partitions"]) == 3)
        admin.delete_topics([topic])
        until("the topic is gone", lambda: topic not in admin.list_topics())
        admin.close()

    def codec(self, codec):
        topic, vs = self.name + "-" + codec, values(100)
        with self.producer(compression_type=None if codec == "none" else codec, linger_ms=50) as producer:
            self.write(producer, topic, vs)
        got = self.read(topic, 100)
        expect([m.value.decode() for m in got], vs, "values")
        expect([m.key for m in got], [b"key-%d" % i for i in range(100)], "keys")
        expect([tuple(m.headers[0]) for m in got[:2]], [("header", b"0"), ("header", b"1")], "headers")

    def group(self):
        topic, seen, stop, notes = self.name + "-group", Seen(3), [threading.Event() for _ in range(3)], Notes()
        threads = [threading.Thread(target=notes.watch, args=(self.member, i, topic, seen, stop[i])) for i in range(3)]
        for t in threads:
            t.start()

        def leave():
            stop[2].set()
            threads[2].join()

        try:
            with self.producer() as producer:
                done = rebalance(seen, lambda vs: self.write(producer, topic, vs, lambda i: i % 6), leave)
            expect(notes.errors, [], "errors of the members")
            return done
        except Exception:
            notes.print()
            raise
        finally:
            for s in stop:
                s.set()
            for t in threads:
                t.join()

    def member(self, i, topic, seen, stop):
        class Listener(ConsumerRebalanceListener):
            def on_partitions_assigned(self, assigned):
                seen.assign(i, [p.partition for p in consumer.assignment()])

            def on_partitions_revoked(self, revoked):
                seen.assign(i, ())

        consumer = self.subscribed(topic, Listener(), client_id="member-%d" % i, group_id=topic, session_timeout_ms=6000, heartbeat_interval_ms=500)
        while not stop.is_set():
            for m in take(consumer, 100):
                seen.add(m.value.decode())
        consumer.close()

    def commit(self):
        topic = self.name + "-commit"
        with self.producer() as producer:
            self.write(producer, topic, values(100))
        consumer, got = self.subscribed(topic, group_id=topic), []
        until("50 records", lambda: got.extend(take(consumer, 500, 50 - len(got))) or len(got) == 50)
        consumer.commit({TopicPartition(topic, 0): OffsetAndMetadata(50, "half", -1)})
        consumer.close()
        self.committed(topic, 50)

    def committed(self, group, want):
        consumer = self.consumer(group_id=group)
        expect(consumer.committed(TopicPartition(group, 0)), want, "committed offset")
        consumer.close()

    def idempotent(self):
        topic, vs = self.name + "-idempotent", values(500)
        with self.producer(enable_idempotence=True, linger_ms=5) as producer:
            self.write(producer, topic, vs)
        expect([m.value.decode() for m in self.read(topic, 500)], vs, "values")

    def transaction(self):
        topic = self.name + "-txn"
        with self.producer(transactional_id=topic) as p:
            p.init_transactions()
            for kind, end in [("one", p.commit_transaction), ("aborted", p.abort_transaction), ("two", p.commit_transaction)]:
                p.begin_transaction()
                self.write(p, topic, values(10, kind))
                end()
        both = values(10, "one") + values(10, "two")
        expect([m.value.decode() for m in self.read(topic, 20, isolation_level="read_committed")], both, "read_committed")
        expect(len(self.read(topic, 30, isolation_level="read_uncommitted")), 30, "read_uncommitted")

    def txn_offsets(self):
        topic, group = self.name + "-txn", self.name + "-txnin"
        with self.producer(transactional_id=group) as p:
            p.init_transactions()
            p.begin_transaction()
            self.write(p, topic, values(1, "offsets"))
            p.send_offsets_to_transaction({TopicPartition(group, 0): OffsetAndMetadata(7, "", -1)}, group)
            p.commit_transaction()
        soon(self.committed, group, 7)

    def restart(self):
        topic = self.name + "-commit"
        self.committed(topic, 50)
        consumer, got = self.subscribed(topic, group_id=topic), []
        until("the other 50 records", lambda: got.extend(take(consumer, 500)) or len(got) >= 50)
        expect([m.offset for m in got], list(range(50, 100)), "offsets")
        consumer.close()
        self.committed(self.name + "-txnin", 7)


def take(consumer, timeout_ms=500, most=None):
    return [m for ms in consumer.poll(timeout_ms, max_records=most).values() for m in ms]


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
