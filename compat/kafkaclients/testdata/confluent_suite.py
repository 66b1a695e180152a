"""Checks of confluent-kafka for Python, which brings the newest librdkafka."""

import threading

import confluent_kafka
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from checks import CODECS, PATIENCE, Seen, expect, main, rebalance, soon, until, values


class Suite:
    def __init__(self, bootstrap, name):
        self.bootstrap, self.name = bootstrap, name

    def config(self, **more):
        return {"bootstrap.servers": self.bootstrap, "log_level": 4, **{k.replace("_", "."): v for k, v in more.items()}}

    def consumer(self, **more):
        settings = {"auto_offset_reset": "earliest", "group_id": self.name + "-none", "enable_auto_commit": False}
        return Consumer(self.config(**{**settings, **more}))

    def write(self, producer, topic, vs, partition=None):
        errors = []
        for i, v in enumerate(vs):
            producer.produce(topic, key="key-%d" % i, value=v, headers=[("header", str(i))],
                             partition=0 if partition is None else partition(i),
                             on_delivery=lambda err, _: err and errors.append(err))
        expect(producer.flush(PATIENCE), 0, "records left in the queue")
        expect(errors, [], "delivery errors")

    def read(self, topic, n, offset=0, more=1.0, **settings):
        """n messages of partition 0, then those that come within a moment."""
        consumer = self.consumer(**settings)
        try:
            consumer.assign([TopicPartition(topic, 0, offset)])
            got = []
            until("%d records of %s" % (n, topic), lambda: got.extend(take(consumer, n)) or len(got) >= n)
            if more:
                got.extend(take(consumer, 1, more))
            return got
        finally:
            consumer.close()

    def admin(self):
        admin, topic = AdminClient(self.config()), self.name + "-admin"
        for f in admin.create_topics([NewTopic(topic, 3, -1, config={"retention.ms": "7200000"})]).values():
            f.result(PATIENCE)
        until("three partitions", lambda: len(admin.list_topics(topic).topics[topic].partitions) == 3)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        expect(admin.describe_configs([resource])[resource].result(PATIENCE)["retention.ms"].value, "7200000", "retention.ms")
        for f in admin.delete_topics([topic]).values():
            f.result(PATIENCE)
        until("the topic is gone", lambda: topic not in admin.list_topics().topics)

    def codec(self, codec):
        topic, vs = self.name + "-" + codec, values(100)
        self.write(Producer(self.config(compression_type=codec, linger_ms=50)), topic, vs)
        got = self.read(topic, 100)
        expect([m.value().decode() for m in got], vs, "values")
        expect([m.key().decode() for m in got], ["key-%d" % i for i in range(100)], "keys")
        expect([m.headers() for m in got[:2]], [[("header", b"0")], [("header", b"1")]], "headers")

    def group(self):
        topic, seen, stop = self.name + "-group", Seen(3), [threading.Event() for _ in range(3)]
        threads = [threading.Thread(target=self.member, args=(i, topic, seen, stop[i])) for i in range(3)]
        for t in threads:
            t.start()

        def leave():
            stop[2].set()
            threads[2].join()

        try:
            producer = Producer(self.config())
            return rebalance(seen, lambda vs: self.write(producer, topic, vs, lambda i: i % 6), leave)
        finally:
            for s in stop:
                s.set()
            for t in threads:
                t.join()

    def member(self, i, topic, seen, stop):
        c = self.consumer(group_id=topic, session_timeout_ms=6000, heartbeat_interval_ms=500)
        c.subscribe([topic], on_assign=lambda _, ps: seen.assign(i, [p.partition for p in ps]),
                    on_revoke=lambda _c, _ps: seen.assign(i, ()))
        while not stop.is_set():
            m = c.poll(0.1)
            if m is not None and m.error() is None:
                seen.add(m.value().decode())
        c.close()

    def commit(self):
        topic = self.name + "-commit"
        self.write(Producer(self.config()), topic, values(100))
        c = self.consumer(group_id=topic)
        c.subscribe([topic])
        got = []
        until("50 records", lambda: got.extend(take(c, 50 - len(got))) or len(got) == 50)
        c.commit(message=got[-1], asynchronous=False)
        c.close()
        self.committed(topic, 50)

    def committed(self, group, want):
        c = self.consumer(group_id=group)
        expect(c.committed([TopicPartition(group, 0)], PATIENCE)[0].offset, want, "committed offset")
        c.close()

    def idempotent(self):
        topic, vs = self.name + "-idempotent", values(500)
        self.write(Producer(self.config(enable_idempotence=True, linger_ms=5)), topic, vs)
        expect([m.value().decode() for m in self.read(topic, 500)], vs, "values")

    def transaction(self):
        topic = self.name + "-txn"
        p = Producer(self.config(transactional_id=topic))
        p.init_transactions(PATIENCE)
        for kind, end in [("one", p.commit_transaction), ("aborted", p.abort_transaction), ("two", p.commit_transaction)]:
            p.begin_transaction()
            self.write(p, topic, values(10, kind))
            end(PATIENCE)
        both = values(10, "one") + values(10, "two")
        expect([m.value().decode() for m in self.read(topic, 20, isolation_level="read_committed")], both, "read_committed")
        expect(len(self.read(topic, 30, isolation_level="read_uncommitted")), 30, "read_uncommitted")

    def txn_offsets(self):
        topic, group = self.name + "-txn", self.name + "-txnin"
        c = self.consumer(group_id=group)
        p = Producer(self.config(transactional_id=group))
        p.init_transactions(PATIENCE)
        p.begin_transaction()
        self.write(p, topic, values(1, "offsets"))
        p.send_offsets_to_transaction([TopicPartition(group, 0, 7)], c.consumer_group_metadata(), PATIENCE)
        p.commit_transaction(PATIENCE)
        c.close()
        soon(self.committed, group, 7)

    def restart(self):
        topic = self.name + "-commit"
        self.committed(topic, 50)
        c = self.consumer(group_id=topic)
        c.subscribe([topic])
        got = []
        until("the other 50 records", lambda: got.extend(take(c, 50 - len(got))) or len(got) == 50)
        c.close()
        expect([m.offset() for m in got], list(range(50, 100)), "offsets")
        self.committed(self.name + "-txnin", 7)
        admin = AdminClient(self.config())
        asked = [ConsumerGroupTopicPartitions(topic)]
        listed = admin.list_consumer_group_offsets(asked)[topic].result(PATIENCE)
        expect([(p.topic, p.offset) for p in listed.topic_partitions], [(topic, 50)], "offsets as the admin client sees them")


def take(consumer, n, timeout=0.5):
    got = consumer.consume(n, timeout)
    for m in got:
        if m.error() is not None:
            raise confluent_kafka.KafkaException(m.error())
    return got


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
