import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.nodes.GroupMember;
import org.apache.curator.framework.recipes.nodes.PersistentNode;
import org.apache.curator.framework.recipes.nodes.PersistentTtlNode;
import java.util.concurrent.TimeUnit;
import org.apache.zookeeper.CreateMode;

/** PersistentNode, PersistentTtlNode and GroupMember. */
class Nodes {
    static void checks(String servers) {
        Suite.check(servers, "PersistentNode", Nodes::persistent);
        Suite.check(servers, "PersistentNode.memberKilled", Nodes::memberKilled);
        Suite.check(servers, "PersistentTtlNode", Nodes::ttl);
        Suite.check(servers, "GroupMember", Nodes::group);
    }

    private static boolean exists(CuratorFramework c, String path) throws Exception {
        return c.checkExists().forPath(path) != null;
    }

    private static PersistentNode ephemeral(CuratorFramework c, String path) throws Exception {
        PersistentNode n = new PersistentNode(c, CreateMode.EPHEMERAL, false, path, "data".getBytes());
        n.start();
        Suite.equal(n.waitForInitialCreate(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "created");
        return n;
    }

    static void persistent(Suite s) throws Exception {
        CuratorFramework owner = s.client();
        CuratorFramework other = s.client();
        PersistentNode n = ephemeral(owner, "/nodes/persistent");
        other.sync().forPath("/");
        long first = other.checkExists().forPath("/nodes/persistent").getEphemeralOwner();
        other.delete().forPath("/nodes/persistent");
        Suite.eventually("created again after a delete", () -> exists(other, "/nodes/persistent"));
        n.setData("more".getBytes());
        Suite.eventually("data", () -> new String(other.getData().forPath("/nodes/persistent")).equals("more"));
        Suite.expire(owner);
        Suite.eventually("created again by a new session", () -> {
            var stat = other.checkExists().forPath("/nodes/persistent");
            return stat != null && stat.getEphemeralOwner() != first;
        });
        n.close();
        Suite.eventually("gone when closed", () -> !exists(other, "/nodes/persistent"));
    }

    static void memberKilled(Suite s) throws Exception {
        CuratorFramework owner = s.client();
        PersistentNode n = ephemeral(owner, "/nodes/killed");
        long czxid = owner.checkExists().forPath("/nodes/killed").getCzxid();
        s.killServerOf(owner);
        Suite.equal(owner.checkExists().forPath("/nodes/killed").getCzxid(), czxid, "the same node after the kill");
        n.close();
        s.restart();
    }

    static void ttl(Suite s) throws Exception {
        CuratorFramework c = s.client();
        PersistentTtlNode n = new PersistentTtlNode(c, "/nodes/ttl", 1000, "data".getBytes());
        n.start();
        Suite.equal(n.waitForInitialCreate(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "created");
        Thread.sleep(3000);
        Suite.equal(exists(c, "/nodes/ttl"), true, "kept while it is touched");
        n.close();
        Suite.eventually("reaped when nobody touches it", () -> !exists(c, "/nodes/ttl"));
        c.create().withTtl(500).withMode(CreateMode.PERSISTENT_WITH_TTL).forPath("/nodes/plainTtl");
        Suite.eventually("a TTL node is reaped", () -> !exists(c, "/nodes/plainTtl"));
        c.create().creatingParentContainersIfNeeded().forPath("/nodes/container/child");
        c.delete().forPath("/nodes/container/child");
        Suite.eventually("an empty container is reaped", () -> !exists(c, "/nodes/container"));
    }

    static void group(Suite s) throws Exception {
        GroupMember one = new GroupMember(s.client(), "/nodes/group", "one", "1".getBytes());
        GroupMember two = new GroupMember(s.client(), "/nodes/group", "two");
        one.start();
        two.start();
        Suite.eventually("two members", () -> one.getCurrentMembers().size() == 2 && two.getCurrentMembers().size() == 2);
        Suite.eventually("data", () -> new String(two.getCurrentMembers().get("one")).equals("1"));
        one.close();
        Suite.eventually("one member", () -> two.getCurrentMembers().size() == 1);
        two.close();
    }
}
