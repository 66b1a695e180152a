import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.atomic.AtomicValue;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicInteger;
import org.apache.curator.framework.recipes.atomic.DistributedAtomicLong;
import org.apache.curator.framework.recipes.atomic.PromotedToLock;
import org.apache.curator.framework.recipes.shared.SharedCount;
import org.apache.curator.framework.recipes.shared.SharedValue;
import org.apache.curator.retry.RetryNTimes;

/** DistributedAtomicLong and -Integer, SharedCount and SharedValue. */
class Counters {
    static void checks(String servers) {
        Suite.check(servers, "DistributedAtomicLong", Counters::atomic);
        Suite.check(servers, "DistributedAtomicInteger", Counters::values);
        Suite.check(servers, "SharedCount", Counters::shared);
    }

    /** Four clients add one 25 times each, by version and, when that fails, under a lock. */
    static void atomic(Suite s) throws Exception {
        ExecutorService pool = Executors.newCachedThreadPool();
        List<Future<?>> all = new ArrayList<>();
        PromotedToLock lock = PromotedToLock.builder().lockPath("/counters/lock").retryPolicy(new RetryNTimes(100, 10)).build();
        for (int i = 0; i < 4; i++) {
            DistributedAtomicLong counter = new DistributedAtomicLong(s.client(), "/counters/long", new RetryNTimes(2, 5), lock);
            all.add(pool.submit(() -> {
                for (int n = 0; n < 25; n++) {
                    Suite.equal(counter.increment().succeeded(), true, "incremented");
                }
                return null;
            }));
        }
        for (Future<?> f : all) {
            f.get();
        }
        CuratorFramework c = s.client();
        c.sync().forPath("/counters/long");
        Suite.equal(new DistributedAtomicLong(c, "/counters/long", new RetryNTimes(1, 1)).get().postValue(), 100L, "count");
        pool.shutdown();
    }

    static void values(Suite s) throws Exception {
        DistributedAtomicInteger n = new DistributedAtomicInteger(s.client(), "/counters/integer", new RetryNTimes(3, 10));
        Suite.equal(n.initialize(5), true, "initialized");
        Suite.equal(n.initialize(6), false, "initialized again");
        AtomicValue<Integer> v = n.compareAndSet(5, 7);
        Suite.equal(v.succeeded() && v.preValue() == 5 && v.postValue() == 7, true, "compare and set");
        Suite.equal(n.compareAndSet(5, 8).succeeded(), false, "compare and set of an old value");
        Suite.equal(n.subtract(10).postValue(), -3, "difference");
    }

    static void shared(Suite s) throws Exception {
        SharedCount one = new SharedCount(s.client(), "/counters/shared", 3);
        SharedCount two = new SharedCount(s.client(), "/counters/shared", 4);
        one.start();
        two.start();
        Suite.eventually("seed", () -> two.getCount() == 3);
        Suite.equal(one.trySetCount(one.getVersionedValue(), 10), true, "set of the present version");
        Suite.eventually("seen by the other", () -> two.getCount() == 10);
        var old = two.getVersionedValue();
        one.setCount(11);
        Suite.equal(two.trySetCount(old, 12), false, "set of an old version");
        one.close();
        two.close();
        SharedValue value = new SharedValue(s.client(), "/counters/value", "seed".getBytes());
        value.start();
        value.setValue("new".getBytes());
        Suite.equal(new String(value.getValue()), "new", "value");
        value.close();
    }
}
