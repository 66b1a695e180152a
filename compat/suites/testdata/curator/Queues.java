import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.queue.DistributedDelayQueue;
import org.apache.curator.framework.recipes.queue.DistributedIdQueue;
import org.apache.curator.framework.recipes.queue.DistributedPriorityQueue;
import org.apache.curator.framework.recipes.queue.DistributedQueue;
import org.apache.curator.framework.recipes.queue.QueueBuilder;
import org.apache.curator.framework.recipes.queue.QueueConsumer;
import org.apache.curator.framework.recipes.queue.QueueSerializer;
import org.apache.curator.framework.recipes.queue.SimpleDistributedQueue;
import org.apache.curator.framework.state.ConnectionState;

/** The queues. */
class Queues {
    static void checks(String servers) {
        Suite.check(servers, "DistributedQueue", Queues::plain);
        Suite.check(servers, "DistributedIdQueue", Queues::ids);
        Suite.check(servers, "DistributedPriorityQueue", Queues::priority);
        Suite.check(servers, "DistributedDelayQueue", Queues::delay);
        Suite.check(servers, "SimpleDistributedQueue", Queues::simple);
    }

    private static class Items implements QueueConsumer<String> {
        final List<String> seen = Collections.synchronizedList(new ArrayList<>());

        @Override
        public void consumeMessage(String message) {
            seen.add(message);
        }

        @Override
        public void stateChanged(CuratorFramework c, ConnectionState state) {}
    }

    private static final QueueSerializer<String> STRINGS = new QueueSerializer<>() {
        @Override
        public byte[] serialize(String item) {
            return item.getBytes();
        }

        @Override
        public String deserialize(byte[] bytes) {
            return new String(bytes);
        }
    };

    private static QueueBuilder<String> builder(Suite s, QueueConsumer<String> consumer, String name) throws Exception {
        return QueueBuilder.builder(s.client(), consumer, STRINGS, "/queues/" + name);
    }

    private static List<String> numbers(int n) {
        List<String> list = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            list.add(String.format("%03d", i));
        }
        return list;
    }

    /** One client puts, two consume by locks, and each item arrives once. */
    static void plain(Suite s) throws Exception {
        Items items = new Items();
        DistributedQueue<String> one = builder(s, items, "plain").lockPath("/queues/plainLocks").buildQueue();
        DistributedQueue<String> two = builder(s, items, "plain").lockPath("/queues/plainLocks").buildQueue();
        DistributedQueue<String> source = builder(s, null, "plain").buildQueue();
        one.start();
        two.start();
        source.start();
        for (String n : numbers(100)) {
            source.put(n);
        }
        Suite.equal(source.flushPuts(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "flushed");
        Suite.eventually("100 items", () -> items.seen.size() >= 100);
        List<String> sorted = new ArrayList<>(items.seen);
        Collections.sort(sorted);
        Suite.equal(sorted, numbers(100), "items");
        source.close();
        one.close();
        two.close();
    }

    static void ids(Suite s) throws Exception {
        DistributedIdQueue<String> q = builder(s, null, "ids").buildIdQueue();
        q.start();
        q.put("first", "a");
        q.put("second", "b");
        q.put("third", "b");
        q.flushPuts(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        Suite.equal(q.remove("b"), 2, "removed by id");
        q.close();
        Items items = new Items();
        DistributedIdQueue<String> rest = builder(s, items, "ids").buildIdQueue();
        rest.start();
        Suite.eventually("the rest", () -> items.seen.equals(List.of("first")));
        rest.close();
    }

    static void priority(Suite s) throws Exception {
        DistributedPriorityQueue<String> source = builder(s, null, "priority").buildPriorityQueue(0);
        source.start();
        source.put("last", 9);
        source.put("first", -4);
        source.put("middle", 1);
        source.flushPuts(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        source.close();
        Items items = new Items();
        DistributedPriorityQueue<String> q = builder(s, items, "priority").buildPriorityQueue(0);
        q.start();
        Suite.eventually("order of priorities", () -> items.seen.equals(List.of("first", "middle", "last")));
        q.close();
    }

    static void delay(Suite s) throws Exception {
        Items items = new Items();
        DistributedDelayQueue<String> q = builder(s, items, "delay").buildDelayQueue();
        q.start();
        long now = System.currentTimeMillis();
        q.put("late", now + 1500);
        q.put("soon", now + 100);
        Suite.eventually("both", () -> items.seen.size() == 2);
        Suite.equal(items.seen, List.of("soon", "late"), "order of times");
        Suite.equal(System.currentTimeMillis() - now >= 1500, true, "delayed");
        q.close();
    }

    static void simple(Suite s) throws Exception {
        SimpleDistributedQueue one = new SimpleDistributedQueue(s.client(), "/queues/simple");
        SimpleDistributedQueue two = new SimpleDistributedQueue(s.client(), "/queues/simple");
        Suite.equal(two.poll(50, TimeUnit.MILLISECONDS), null, "poll of nothing");
        for (String n : numbers(10)) {
            one.offer(n.getBytes());
        }
        for (String n : numbers(10)) {
            Suite.equal(new String(two.take()), n, "taken");
        }
        Suite.equal(one.peek(), null, "peek of nothing");
    }
}
