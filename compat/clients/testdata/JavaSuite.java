import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.AsyncCallback;
import org.apache.zookeeper.CreateMode;
import org.apache.zookeeper.KeeperException;
import org.apache.zookeeper.KeeperException.Code;
import org.apache.zookeeper.Op;
import org.apache.zookeeper.OpResult;
import org.apache.zookeeper.WatchedEvent;
import org.apache.zookeeper.Watcher;
import org.apache.zookeeper.Watcher.Event.EventType;
import org.apache.zookeeper.Watcher.Event.KeeperState;
import org.apache.zookeeper.ZooDefs.Ids;
import org.apache.zookeeper.ZooKeeper;
import org.apache.zookeeper.data.Stat;

/**
 * Stations of the Java library's suite: see doc.go of the package beside testdata.
 * Usage: JavaSuite host:port,host:port,host:port
 */
public class JavaSuite {
    static final int SESSION_MILLIS = 6000;
    static final int PATIENCE_SECONDS = 30;

    /** A client that keeps the states and events it is told of. */
    static class Client implements Watcher, AutoCloseable {
        final BlockingQueue<WatchedEvent> states = new LinkedBlockingQueue<>();
        final BlockingQueue<WatchedEvent> events = new LinkedBlockingQueue<>();
        final Peer zk;

        Client(String hosts) throws Exception {
            zk = new Peer(hosts, this);
            await(KeeperState.SyncConnected);
        }

        @Override
        public void process(WatchedEvent event) {
            (event.getType() == EventType.None ? states : events).add(event);
        }

        void await(KeeperState want) throws Exception {
            while (true) {
                WatchedEvent e = states.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
                if (e == null) {
                    throw new AssertionError("no state " + want);
                }
                if (e.getState() == want) {
                    return;
                }
                equal(e.getState() == KeeperState.Expired, false, "session expired");
            }
        }

        void expect(EventType type, String path) throws Exception {
            WatchedEvent e = events.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            equal(e == null ? null : e.getType() + " " + e.getPath(), type + " " + path, "event");
        }

        @Override
        public void close() throws Exception {
            zk.close();
        }
    }

    /** The client with the address of the member it is connected to made visible. */
    static class Peer extends ZooKeeper {
        Peer(String hosts, Watcher w) throws Exception {
            super(hosts, SESSION_MILLIS, w);
        }

        int port() {
            return ((InetSocketAddress) testableRemoteSocketAddress()).getPort();
        }
    }

    static void equal(Object got, Object want, String what) {
        if (got == null ? want != null : !got.equals(want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    interface Call {
        void run() throws Exception;
    }

    static void refused(Code want, Call call) throws Exception {
        try {
            call.run();
        } catch (KeeperException e) {
            equal(e.code(), want, "code");
            return;
        }
        throw new AssertionError("not refused with " + want);
    }

    static void data(String hosts) throws Exception {
        try (Client c = new Client(hosts)) {
            Stat stat = new Stat();
            c.zk.create("/jl-data", "one".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT, stat);
            equal(stat.getDataLength(), 3, "length");
            equal(new String(c.zk.getData("/jl-data", false, stat)), "one", "data");
            refused(Code.NODEEXISTS, () -> c.zk.create("/jl-data", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT));
            refused(Code.NONODE, () -> c.zk.getData("/absent", false, null));
            refused(Code.BADVERSION, () -> c.zk.setData("/jl-data", null, 5));
            refused(Code.INVALIDACL, () -> c.zk.create("/jl-bad", null, Collections.emptyList(), CreateMode.PERSISTENT));
            int n = 1000;
            CountDownLatch left = new CountDownLatch(n);
            List<String> names = Collections.synchronizedList(new ArrayList<>());
            AsyncCallback.StringCallback created = (rc, path, ctx, name) -> {
                names.add(name);
                left.countDown();
            };
            for (int i = 0; i < n; i++) {
                c.zk.create("/jl-data/n-", new byte[100], Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT_SEQUENTIAL, created, null);
            }
            equal(left.await(PATIENCE_SECONDS, TimeUnit.SECONDS), true, "pipelined creates");
            for (int i = 0; i < n; i++) {
                equal(names.get(i), String.format("/jl-data/n-%010d", i), "name");
            }
            equal(c.zk.getChildren("/jl-data", false, stat).size(), n, "children");
            equal(stat.getCversion(), n, "cversion");
            byte[] big = new byte[1000 * 1000];
            Arrays.fill(big, (byte) 7);
            c.zk.setData("/jl-data", big, -1);
            equal(Arrays.equals(c.zk.getData("/jl-data", false, null), big), true, "a megabyte");
        }
    }

    static void watches(String[] each) throws Exception {
        try (Client watcher = new Client(each[0]); Client writer = new Client(each[1])) {
            equal(watcher.zk.exists("/jl-watch", true), null, "exists");
            writer.zk.create("/jl-watch", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            watcher.expect(EventType.NodeCreated, "/jl-watch");
            watcher.zk.getData("/jl-watch", true, null);
            writer.zk.setData("/jl-watch", null, -1);
            watcher.expect(EventType.NodeDataChanged, "/jl-watch");
            watcher.zk.getChildren("/jl-watch", true);
            writer.zk.create("/jl-watch/c", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            watcher.expect(EventType.NodeChildrenChanged, "/jl-watch");
            watcher.zk.getData("/jl-watch/c", true, null);
            writer.zk.delete("/jl-watch/c", -1);
            watcher.expect(EventType.NodeDeleted, "/jl-watch/c");
        }
    }

    static void multi(String hosts) throws Exception {
        try (Client c = new Client(hosts)) {
            List<OpResult> r = c.zk.multi(Arrays.asList(
                Op.create("/jl-multi", "a".getBytes(), Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT),
                Op.setData("/jl-multi", "bc".getBytes(), 0),
                Op.check("/jl-multi", 1),
                Op.create("/jl-multi/n-", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL_SEQUENTIAL)));
            equal(((OpResult.CreateResult) r.get(0)).getPath(), "/jl-multi", "path");
            Stat stat = ((OpResult.SetDataResult) r.get(1)).getStat();
            equal(stat.getVersion(), 1, "version");
            equal(stat.getCzxid(), stat.getMzxid(), "one zxid");
            equal(((OpResult.CreateResult) r.get(3)).getPath(), "/jl-multi/n-0000000000", "sequential path");
            try {
                c.zk.multi(Arrays.asList(
                    Op.setData("/jl-multi", "never".getBytes(), -1),
                    Op.check("/jl-multi", 99),
                    Op.delete("/jl-multi/n-0000000000", -1)));
                throw new AssertionError("multi with a wrong version passed");
            } catch (KeeperException e) {
                equal(e.code(), Code.BADVERSION, "code");
                int[] want = {Code.OK.intValue(), Code.BADVERSION.intValue(), Code.RUNTIMEINCONSISTENCY.intValue()};
                for (int i = 0; i < want.length; i++) {
                    equal(((OpResult.ErrorResult) e.getResults().get(i)).getErr(), want[i], "result " + i);
                }
            }
            equal(new String(c.zk.getData("/jl-multi", false, null)), "bc", "data after a failed multi");
            equal(c.zk.getChildren("/jl-multi", false).size(), 1, "children after a failed multi");
        }
    }

    static void failover(String hosts, BufferedReader answers) throws Exception {
        try (Client c = new Client(hosts)) {
            c.zk.create("/jl-failover", null, Ids.OPEN_ACL_UNSAFE, CreateMode.EPHEMERAL);
            c.zk.getData("/jl-failover", true, null);
            c.zk.exists("/jl-later", true);
            long session = c.zk.getSessionId();
            int server = c.zk.port();
            System.out.println("kill " + server);
            equal(answers.readLine(), "done", "answer of the test");
            c.await(KeeperState.Disconnected);
            c.await(KeeperState.SyncConnected);
            equal(c.zk.getSessionId(), session, "session");
            equal(c.zk.port() == server, false, "still at the killed member");
            equal(c.zk.exists("/jl-failover", false).getEphemeralOwner(), session, "owner");
            try (Client writer = new Client("127.0.0.1:" + c.zk.port())) {
                writer.zk.setData("/jl-failover", "w".getBytes(), 0);
                writer.zk.create("/jl-later", null, Ids.OPEN_ACL_UNSAFE, CreateMode.PERSISTENT);
            }
            c.expect(EventType.NodeDataChanged, "/jl-failover");
            c.expect(EventType.NodeCreated, "/jl-later");
        }
    }

    public static void main(String[] args) throws Exception {
        String[] each = args[0].split(",");
        BufferedReader answers = new BufferedReader(new InputStreamReader(System.in));
        data(args[0]);
        System.out.println("ok data");
        watches(each);
        System.out.println("ok watches");
        multi(args[0]);
        System.out.println("ok multi");
        failover(args[0], answers);
        System.out.println("ok failover");
        System.out.println("passed");
    }
}
