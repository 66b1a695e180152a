import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.cache.CuratorCache;
import org.apache.curator.framework.recipes.cache.CuratorCacheListener;
import org.apache.curator.framework.recipes.cache.NodeCache;
import org.apache.curator.framework.recipes.cache.PathChildrenCache;
import org.apache.curator.framework.recipes.cache.TreeCache;
import org.apache.curator.framework.recipes.watch.PersistentWatcher;

/** CuratorCache, which rests on persistent recursive watches, and the caches before it. */
class Caches {
    static void checks(String servers) {
        Suite.check(servers, "CuratorCache", s -> follow(s, false));
        Suite.check(servers, "CuratorCache.memberKilled", s -> follow(s, true));
        Suite.check(servers, "PersistentWatcher", Caches::persistentWatcher);
        Suite.check(servers, "OlderCaches", Caches::older);
    }

    /** Fills a tree, changes it, and compares the cache with it in the end. */
    static void follow(Suite s, boolean kill) throws Exception {
        String root = kill ? "/caches/killed" : "/caches/tree";
        CuratorFramework writer = s.client();
        CuratorFramework reader = s.client();
        for (int i = 0; i < 50; i++) {
            writer.create().creatingParentsIfNeeded().forPath(root + "/before" + i, new byte[] {(byte) i});
        }
        reader.sync().forPath(root);
        AtomicInteger created = new AtomicInteger();
        AtomicInteger changed = new AtomicInteger();
        AtomicInteger deleted = new AtomicInteger();
        CountDownLatch full = new CountDownLatch(1);
        CuratorCache cache = CuratorCache.build(reader, root);
        cache.listenable().addListener(CuratorCacheListener.builder()
                .forCreates(n -> created.incrementAndGet())
                .forChanges((before, after) -> changed.incrementAndGet())
                .forDeletes(n -> deleted.incrementAndGet())
                .forInitialized(full::countDown)
                .build());
        cache.start();
        Suite.equal(full.await(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "initialized");
        Suite.equal(cache.size(), 51, "nodes at first");
        for (int i = 0; i < 50; i++) {
            if (kill && i == 25) {
                s.killServerOf(reader);
            }
            writer.setData().forPath(root + "/before" + i, new byte[] {1, (byte) i});
            writer.create().creatingParentsIfNeeded().forPath(root + "/after/" + i + "/deep", new byte[] {2});
            if (i % 2 == 0) {
                writer.delete().forPath(root + "/before" + i);
            }
        }
        Suite.eventually("126 + 1 nodes", () -> cache.size() == 127);
        for (int i = 0; i < 50; i++) {
            String path = root + "/before" + i;
            byte[] want = i % 2 == 0 ? null : new byte[] {1, (byte) i};
            Suite.eventually(path, () -> Arrays.equals(cache.get(path).map(n -> n.getData()).orElse(null), want));
        }
        Suite.eventually("events", () -> created.get() == 152 && deleted.get() == 25);
        if (!kill) { // of changes while it was cut off a cache sees the last
            Suite.equal(changed.get() >= 25, true, "changes seen");
        }
        cache.close();
        if (kill) {
            s.restart();
        }
    }

    static void persistentWatcher(Suite s) throws Exception {
        CuratorFramework writer = s.client();
        CuratorFramework reader = s.client();
        AtomicInteger events = new AtomicInteger();
        CountDownLatch set = new CountDownLatch(1);
        PersistentWatcher watcher = new PersistentWatcher(reader, "/caches/watched", true);
        watcher.getListenable().addListener(e -> events.incrementAndGet());
        watcher.getResetListenable().addListener(set::countDown);
        watcher.start();
        Suite.equal(set.await(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "set");
        writer.create().creatingParentsIfNeeded().forPath("/caches/watched/a/b");
        writer.setData().forPath("/caches/watched/a", new byte[1]);
        writer.setData().forPath("/caches/watched/a", new byte[2]);
        writer.delete().deletingChildrenIfNeeded().forPath("/caches/watched");
        Suite.eventually("three created, two set, three deleted", () -> events.get() == 8);
        watcher.close();
        writer.create().forPath("/caches/watched");
        reader.sync().forPath("/");
        reader.checkExists().forPath("/"); // answered behind the sync and any event before it
        Suite.equal(events.get(), 8, "events after the watch was removed");
    }

    @SuppressWarnings("deprecation")
    static void older(Suite s) throws Exception {
        CuratorFramework c = s.client();
        c.create().creatingParentsIfNeeded().forPath("/caches/older/a", "1".getBytes());
        PathChildrenCache children = new PathChildrenCache(c, "/caches/older", true);
        children.start(PathChildrenCache.StartMode.BUILD_INITIAL_CACHE);
        NodeCache node = new NodeCache(c, "/caches/older/a");
        node.start(true);
        TreeCache tree = TreeCache.newBuilder(c, "/caches/older").build();
        tree.start();
        Suite.equal(children.getCurrentData().size(), 1, "children");
        c.create().forPath("/caches/older/b");
        c.setData().forPath("/caches/older/a", "2".getBytes());
        Suite.eventually("children change", () -> children.getCurrentData().size() == 2);
        Suite.eventually("node changes", () -> new String(node.getCurrentData().getData()).equals("2"));
        Suite.eventually("tree changes", () -> tree.getCurrentChildren("/caches/older") != null && tree.getCurrentChildren("/caches/older").size() == 2);
        children.close();
        node.close();
        tree.close();
    }
}
