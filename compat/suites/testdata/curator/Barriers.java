import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.barriers.DistributedBarrier;
import org.apache.curator.framework.recipes.barriers.DistributedDoubleBarrier;

/** DistributedBarrier and DistributedDoubleBarrier. */
class Barriers {
    static void checks(String servers) {
        Suite.check(servers, "DistributedBarrier", Barriers::single);
        Suite.check(servers, "DistributedDoubleBarrier", Barriers::doubled);
    }

    static void single(Suite s) throws Exception {
        DistributedBarrier mine = new DistributedBarrier(s.client(), "/barriers/single");
        CuratorFramework client = s.client();
        DistributedBarrier other = new DistributedBarrier(client, "/barriers/single");
        mine.setBarrier();
        client.sync().forPath("/barriers/single"); // what another member knows may be older
        Suite.equal(other.waitOnBarrier(200, TimeUnit.MILLISECONDS), false, "passed while it is set");
        ExecutorService pool = Executors.newCachedThreadPool();
        Future<Boolean> waits = pool.submit(() -> other.waitOnBarrier(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        mine.removeBarrier();
        Suite.equal(waits.get(), true, "passed when it is removed");
        pool.shutdown();
    }

    static void doubled(Suite s) throws Exception {
        int members = 5;
        AtomicInteger entered = new AtomicInteger();
        AtomicInteger leaving = new AtomicInteger();
        ExecutorService pool = Executors.newCachedThreadPool();
        List<Future<?>> all = new ArrayList<>();
        for (int i = 0; i < members; i++) {
            DistributedDoubleBarrier b = new DistributedDoubleBarrier(s.client(), "/barriers/double", members);
            int wait = i * 50;
            all.add(pool.submit(() -> {
                Thread.sleep(wait);
                entered.incrementAndGet();
                Suite.equal(b.enter(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "entered");
                Suite.equal(entered.get(), members, "arrived when one is let in");
                Thread.sleep(wait);
                leaving.incrementAndGet();
                Suite.equal(b.leave(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "left");
                Suite.equal(leaving.get(), members, "done when one is let out");
                return null;
            }));
        }
        for (Future<?> f : all) {
            f.get();
        }
        pool.shutdown();
    }
}
