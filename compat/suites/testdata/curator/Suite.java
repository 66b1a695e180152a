import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.retry.RetryForever;
import org.apache.zookeeper.ZooKeeper;

/**
 * Drives Curator's recipes against the servers whose addresses are the argument. A line
 * "ok NAME" or "failed NAME: why" is the outcome of one check; "kill PORT" asks for the death of
 * the member with that client port, "restart" for the return of all that died, and both are
 * answered by a line.
 */
public class Suite {
    interface Check {
        void run(Suite s) throws Exception;
    }

    /** How long anything that must happen may take. */
    static final int PATIENCE_MILLIS = 30_000;

    static final int SESSION_MILLIS = 6_000;

    private static final BufferedReader answers = new BufferedReader(new InputStreamReader(System.in));

    private final String servers;
    private final List<CuratorFramework> clients = new ArrayList<>();

    Suite(String servers) {
        this.servers = servers;
    }

    public static void main(String[] args) throws Exception {
        Leaders.checks(args[0]);
        Locks.checks(args[0]);
        Caches.checks(args[0]);
        Nodes.checks(args[0]);
        Barriers.checks(args[0]);
        Queues.checks(args[0]);
        Counters.checks(args[0]);
        Discovery.checks(args[0]);
        System.out.println("ended");
        System.exit(0); // some recipes leave threads behind
    }

    /** Runs a check with clients of its own and says how it went. */
    static void check(String servers, String name, Check check) {
        Suite s = new Suite(servers);
        try {
            check.run(s);
            System.out.println("ok " + name);
        } catch (Throwable e) {
            StackTraceElement[] at = e.getStackTrace();
            System.out.println("failed " + name + ": " + e + " at " + List.of(at).subList(0, Math.min(6, at.length)));
        } finally {
            s.clients.forEach(CuratorFramework::close);
        }
    }

    /** A ZooKeeper handle that tells which member it is connected to. */
    static class Located extends ZooKeeper {
        Located(String servers, int timeout, org.apache.zookeeper.Watcher watcher, boolean readOnly) throws Exception {
            super(servers, timeout, watcher, readOnly);
        }

        int port() {
            return ((InetSocketAddress) testableRemoteSocketAddress()).getPort();
        }
    }

    /** A started client of all members, closed when the check ends. */
    CuratorFramework client() throws Exception {
        CuratorFramework c = CuratorFrameworkFactory.builder()
                .connectString(servers)
                .sessionTimeoutMs(SESSION_MILLIS)
                .connectionTimeoutMs(PATIENCE_MILLIS)
                .retryPolicy(new RetryForever(100))
                .zookeeperFactory(Located::new)
                .build();
        c.start();
        c.blockUntilConnected();
        clients.add(c);
        return c;
    }

    /** Has the member killed to which c is connected, and waits until c is at another one. */
    void killServerOf(CuratorFramework c) throws Exception {
        int port = ((Located) c.getZookeeperClient().getZooKeeper()).port();
        ask("kill " + port);
        eventually("connection to another member", () -> {
            Located zk = (Located) c.getZookeeperClient().getZooKeeper();
            return zk.getState().isConnected() && zk.port() != port;
        });
    }

    /** Ends the session of c as its expiry would: by closing it from elsewhere. */
    static void expire(CuratorFramework c) throws Exception {
        ZooKeeper zk = c.getZookeeperClient().getZooKeeper();
        ZooKeeper other = new ZooKeeper(c.getZookeeperClient().getCurrentConnectionString(), SESSION_MILLIS, e -> {}, zk.getSessionId(), zk.getSessionPasswd());
        eventually("attach to the session", () -> other.getState() == ZooKeeper.States.CONNECTED);
        other.close();
    }

    /** Has the members started again that were killed. */
    void restart() throws Exception {
        ask("restart");
    }

    private static void ask(String line) throws Exception {
        System.out.println(line);
        equal(answers.readLine(), "done", "answer to " + line);
    }

    static void equal(Object got, Object want, String what) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError(what + ": " + got + ", want " + want);
        }
    }

    /** Waits until a condition holds. */
    static void eventually(String what, Callable<Boolean> condition) throws Exception {
        for (long end = System.currentTimeMillis() + PATIENCE_MILLIS; ; Thread.sleep(20)) {
            if (condition.call()) {
                return;
            }
            if (System.currentTimeMillis() > end) {
                throw new AssertionError("not in time: " + what);
            }
        }
    }
}
