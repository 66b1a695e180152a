import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

/** Checks of the Java library kafka-clients, whichever version is on the class path. */
public class JavaSuite {
    static final int PATIENCE_SECONDS = 45;
    final String bootstrap, name;

    JavaSuite(String bootstrap, String name) {
        this.bootstrap = bootstrap;
        this.name = name;
    }

    public static void main(String[] args) {
        JavaSuite s = new JavaSuite(args[0], args[1]);
        if (args[2].equals("first")) {
            check("admin", s::admin);
            for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) check(codec, () -> s.codec(codec));
            check("group", s::group);
            check("commit", s::commit);
            check("idempotent", s::idempotent);
            check("transaction", s::transaction);
            check("txn-offsets", s::txnOffsets);
        } else {
            check("restart", s::restart);
        }
        System.out.println("done");
        System.exit(0);
    }

    interface Action { void run() throws Exception; }

    static void check(String name, Action action) {
        long began = System.nanoTime();
        try {
            action.run();
            System.out.printf("ok %s (%.1f s)%n", name, (System.nanoTime() - began) / 1e9);
        } catch (Throwable err) {
            System.out.println("FAIL " + name + " " + err.toString().replace('\n', ' '));
            err.printStackTrace();
        }
    }

    static void expect(Object got, Object want, String what) {
        if (!got.equals(want)) throw new AssertionError(what + ": got " + brief(got) + ", want " + brief(want));
    }

    static String brief(Object value) {
        String text = value.toString();
        return text.length() <= 300 ? text : text.substring(0, 300) + " …";
    }

    static List<String> values(int n, String prefix) {
        return IntStream.range(0, n).mapToObj(i -> prefix + "-" + i + "-" + "abcdefghij".repeat(20)).collect(Collectors.toList());
    }

    static void until(String what, BooleanSupplier condition) throws Exception {
        long end = System.nanoTime() + PATIENCE_SECONDS * 1_000_000_000L;
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) throw new TimeoutException(what + ": not within " + PATIENCE_SECONDS + " s");
            Thread.sleep(10);
        }
    }

    Properties properties(String... pairs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < pairs.length; i += 2) p.put(pairs[i], pairs[i + 1]);
        return p;
    }

    KafkaProducer<String, String> producer(String... pairs) {
        return new KafkaProducer<>(properties(pairs), new StringSerializer(), new StringSerializer());
    }

    KafkaConsumer<String, String> consumer(String... pairs) {
        Properties p = properties("auto.offset.reset", "earliest", "enable.auto.commit", "false");
        p.putAll(properties(pairs));
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }

    static void write(KafkaProducer<String, String> producer, String topic, List<String> values, int partitions) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int i = 0; i < values.size(); i++) {
            RecordHeader header = new RecordHeader("header", ("" + i).getBytes(StandardCharsets.UTF_8));
            sent.add(producer.send(new ProducerRecord<>(topic, i % partitions, "key-" + i, values.get(i), List.of(header))));
        }
        producer.flush();
        for (Future<RecordMetadata> f : sent) f.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** n records of partition 0, then those that come within a moment. */
    List<ConsumerRecord<String, String>> read(String topic, int n, String... pairs) throws Exception {
        List<ConsumerRecord<String, String>> got = new ArrayList<>();
        try (KafkaConsumer<String, String> c = consumer(pairs)) {
            c.assign(List.of(new TopicPartition(topic, 0)));
            c.seekToBeginning(c.assignment());
            until(n + " records of " + topic, () -> { take(c, got); return got.size() >= n; });
            c.poll(Duration.ofMillis(500)).forEach(got::add);
        }
        return got;
    }

    static void take(KafkaConsumer<String, String> c, List<ConsumerRecord<String, String>> into) {
        c.poll(Duration.ofMillis(100)).forEach(into::add);
    }

    static List<String> valuesOf(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).collect(Collectors.toList());
    }

    void admin() throws Exception {
        String topic = name + "-admin";
        try (Admin admin = Admin.create(properties())) {
            NewTopic wanted = new NewTopic(topic, Optional.of(3), Optional.empty()).configs(Map.of("retention.ms", "7200000"));
            admin.createTopics(List.of(wanted)).all().get();
            until("three partitions", () -> partitions(admin, topic) == 3);
            ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
            Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
            expect(config.get("retention.ms").value(), "7200000", "retention.ms");
            expect(admin.describeCluster().clusterId().get().isEmpty(), false, "no cluster id");
            admin.deleteTopics(List.of(topic)).all().get();
            until("the topic is gone", () -> partitions(admin, topic) == 0);
        }
    }

    static int partitions(Admin admin, String topic) {
        try {
            return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
        } catch (Exception unknown) {
            return 0;
        }
    }

    void codec(String codec) throws Exception {
        String topic = name + "-" + codec;
        List<String> vs = values(100, "value");
        try (KafkaProducer<String, String> p = producer("compression.type", codec, "linger.ms", "50")) { write(p, topic, vs, 1); }
        List<ConsumerRecord<String, String>> got = read(topic, 100);
        expect(valuesOf(got), vs, "values");
        for (int i = 0; i < 100; i++) {
            expect(got.get(i).key(), "key-" + i, "key");
            expect(new String(got.get(i).headers().lastHeader("header").value()), "" + i, "header");
        }
    }

    /** What the members of the group have read, and which partitions each one has. */
    final Set<String> seen = ConcurrentHashMap.newKeySet();
    final Map<Integer, Set<Integer>> assigned = new ConcurrentHashMap<>();

    void group() throws Exception {
        String topic = name + "-group";
        List<AtomicBoolean> stops = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            int member = i;
            AtomicBoolean stop = new AtomicBoolean();
            stops.add(stop);
            threads.add(new Thread(() -> member(member, topic, stop)));
            threads.get(i).start();
        }
        try (KafkaProducer<String, String> p = producer()) {
            until("two partitions each", () -> shared(2, 2, 2));
            List<String> before = values(60, "before");
            write(p, topic, before, 6);
            until("60 records", () -> seen.containsAll(before));
            stops.get(2).set(true);
            threads.get(2).join();
            until("three partitions each", () -> shared(3, 3, 0));
            List<String> after = values(60, "after");
            write(p, topic, after, 6);
            until("60 more records", () -> seen.containsAll(after));
        } finally {
            for (AtomicBoolean stop : stops) stop.set(true);
            for (Thread t : threads) t.join();
        }
    }

    boolean shared(int... sizes) {
        Set<Integer> all = new HashSet<>();
        for (int i = 0; i < sizes.length; i++) {
            Set<Integer> of = assigned.getOrDefault(i, Set.of());
            if (of.size() != sizes[i]) return false;
            all.addAll(of);
        }
        return all.size() == 6;
    }

    void member(int i, String topic, AtomicBoolean stop) {
        try (KafkaConsumer<String, String> c = consumer("group.id", topic, "session.timeout.ms", "6000", "heartbeat.interval.ms", "500")) {
            c.subscribe(List.of(topic));
            while (!stop.get()) {
                for (ConsumerRecord<String, String> r : c.poll(Duration.ofMillis(50))) seen.add(r.value());
                assigned.put(i, c.assignment().stream().map(TopicPartition::partition).collect(Collectors.toSet()));
            }
        } finally {
            assigned.remove(i);
        }
    }

    void commit() throws Exception {
        String topic = name + "-commit";
        try (KafkaProducer<String, String> p = producer()) { write(p, topic, values(100, "value"), 1); }
        try (KafkaConsumer<String, String> c = consumer("group.id", topic, "max.poll.records", "50")) {
            c.subscribe(List.of(topic));
            List<ConsumerRecord<String, String>> got = new ArrayList<>();
            until("50 records", () -> { if (got.isEmpty()) take(c, got); return got.size() == 50; });
            c.commitSync(Map.of(new TopicPartition(topic, 0), new OffsetAndMetadata(50, "half")));
        }
        committed(topic, 50, "half");
    }

    void committed(String group, long offset, String metadata) throws Exception {
        TopicPartition tp = new TopicPartition(group, 0);
        try (Admin admin = Admin.create(properties())) {
            OffsetAndMetadata got = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(tp);
            expect(got == null ? "nothing" : got.offset() + got.metadata(), offset + metadata, "committed");
        }
    }

    boolean isCommitted(String group, long offset) {
        try {
            committed(group, offset, "");
            return true;
        } catch (Exception | AssertionError notYet) {
            return false;
        }
    }

    void idempotent() throws Exception {
        String topic = name + "-idempotent";
        List<String> vs = values(500, "value");
        try (KafkaProducer<String, String> p = producer("enable.idempotence", "true", "batch.size", "2000")) { write(p, topic, vs, 1); }
        expect(valuesOf(read(topic, 500)), vs, "values");
    }

    void transaction() throws Exception {
        String topic = name + "-txn";
        try (KafkaProducer<String, String> p = producer("transactional.id", topic)) {
            p.initTransactions();
            for (String kind : List.of("one", "aborted", "two")) {
                p.beginTransaction();
                write(p, topic, values(10, kind), 1);
                if (kind.equals("aborted")) p.abortTransaction(); else p.commitTransaction();
            }
        }
        List<String> both = values(10, "one");
        both.addAll(values(10, "two"));
        expect(valuesOf(read(topic, 20, "isolation.level", "read_committed")), both, "read_committed");
        expect(read(topic, 30, "isolation.level", "read_uncommitted").size(), 30, "read_uncommitted");
    }

    void txnOffsets() throws Exception {
        String group = name + "-txnin";
        try (KafkaProducer<String, String> p = producer("transactional.id", group);
             KafkaConsumer<String, String> c = consumer("group.id", group)) {
            p.initTransactions();
            p.beginTransaction();
            write(p, name + "-txn", values(1, "offsets"), 1);
            p.sendOffsetsToTransaction(Map.of(new TopicPartition(group, 0), new OffsetAndMetadata(7)), c.groupMetadata());
            p.commitTransaction();
        }
        // The markers are written after the producer was told of the end.
        until("the committed offset", () -> isCommitted(group, 7));
    }

    void restart() throws Exception {
        String topic = name + "-commit";
        committed(topic, 50, "half");
        committed(name + "-txnin", 7, "");
        try (KafkaConsumer<String, String> c = consumer("group.id", topic)) {
            c.subscribe(List.of(topic));
            List<ConsumerRecord<String, String>> got = new ArrayList<>();
            until("the other 50 records", () -> { take(c, got); return got.size() >= 50; });
            List<Long> offsets = got.stream().map(ConsumerRecord::offset).collect(Collectors.toList());
            expect(offsets, LongStream.range(50, 100).boxed().collect(Collectors.toList()), "offsets");
        }
    }
}
