import java.util.HashSet;
import java.util.Set;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.x.discovery.ServiceCache;
import org.apache.curator.x.discovery.ServiceDiscovery;
import org.apache.curator.x.discovery.ServiceDiscoveryBuilder;
import org.apache.curator.x.discovery.ServiceInstance;
import org.apache.curator.x.discovery.ServiceProvider;

/** ServiceDiscovery, its cache and its provider. */
class Discovery {
    static void checks(String servers) {
        Suite.check(servers, "ServiceDiscovery", Discovery::discovery);
        Suite.check(servers, "ServiceDiscovery.memberKilled", Discovery::memberKilled);
    }

    private static ServiceInstance<String> instance(int port) throws Exception {
        return ServiceInstance.<String>builder().name("shop").address("127.0.0.1").port(port).payload("p" + port).build();
    }

    private static ServiceDiscovery<String> start(CuratorFramework c, String path, ServiceInstance<String> self) throws Exception {
        ServiceDiscovery<String> d = ServiceDiscoveryBuilder.builder(String.class).client(c).basePath(path).thisInstance(self).build();
        d.start();
        return d;
    }

    static void discovery(Suite s) throws Exception {
        CuratorFramework first = s.client();
        ServiceDiscovery<String> one = start(first, "/discovery", instance(1));
        ServiceDiscovery<String> two = start(s.client(), "/discovery", instance(2));
        ServiceDiscovery<String> seeker = start(s.client(), "/discovery", null);
        ServiceCache<String> cache = seeker.serviceCacheBuilder().name("shop").build();
        cache.start();
        ServiceProvider<String> provider = seeker.serviceProviderBuilder().serviceName("shop").build();
        provider.start();
        Suite.eventually("two instances", () -> cache.getInstances().size() == 2 && provider.getAllInstances().size() == 2);
        Suite.eventually("names", () -> Set.of("shop").equals(new HashSet<>(seeker.queryForNames())));
        Set<String> payloads = new HashSet<>();
        for (int i = 0; i < 4; i++) {
            payloads.add(provider.getInstance().getPayload());
        }
        Suite.equal(payloads, Set.of("p1", "p2"), "instances in turn");
        long session = first.getZookeeperClient().getZooKeeper().getSessionId();
        Suite.expire(first);
        Suite.eventually("registered again by a new session", () ->
                first.getZookeeperClient().getZooKeeper().getSessionId() != session && seeker.queryForInstances("shop").size() == 2);
        two.close();
        Suite.eventually("one instance", () -> cache.getInstances().size() == 1 && seeker.queryForInstances("shop").size() == 1);
        provider.close();
        cache.close();
        seeker.close();
        one.close();
    }

    static void memberKilled(Suite s) throws Exception {
        CuratorFramework c = s.client();
        ServiceDiscovery<String> mine = start(c, "/discoveryKilled", instance(1));
        ServiceDiscovery<String> seeker = start(s.client(), "/discoveryKilled", null);
        ServiceCache<String> cache = seeker.serviceCacheBuilder().name("shop").build();
        cache.start();
        Suite.eventually("one instance", () -> cache.getInstances().size() == 1);
        s.killServerOf(c);
        // Not at once: a discovery that is connected again deletes its node and makes it anew, for the watchers' sake.
        Suite.eventually("the instance after the kill", () -> seeker.queryForInstances("shop").size() == 1);
        ServiceDiscovery<String> more = start(s.client(), "/discoveryKilled", instance(2));
        Suite.eventually("two instances", () -> cache.getInstances().size() == 2);
        more.close();
        cache.close();
        seeker.close();
        mine.close();
        s.restart();
    }
}
