import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.leader.LeaderSelector;
import org.apache.curator.framework.recipes.leader.LeaderSelectorListenerAdapter;

/** LeaderLatch and LeaderSelector. */
class Leaders {
    static void checks(String servers) {
        Suite.check(servers, "LeaderLatch", Leaders::latch);
        Suite.check(servers, "LeaderLatch.memberKilled", Leaders::latchMemberKilled);
        Suite.check(servers, "LeaderLatch.expired", Leaders::latchExpired);
        Suite.check(servers, "LeaderSelector", Leaders::selector);
    }

    private static long leading(List<LeaderLatch> latches) {
        return latches.stream().filter(LeaderLatch::hasLeadership).count();
    }

    static void latch(Suite s) throws Exception {
        List<LeaderLatch> latches = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            LeaderLatch l = new LeaderLatch(s.client(), "/leaders/latch", "id" + i);
            l.start();
            latches.add(l);
        }
        while (!latches.isEmpty()) {
            Suite.eventually("one of " + latches.size() + " leads", () -> leading(latches) == 1);
            LeaderLatch leader = latches.stream().filter(LeaderLatch::hasLeadership).findFirst().get();
            for (LeaderLatch l : latches) {
                Suite.equal(l.getLeader().getId(), leader.getId(), "leader as another sees it");
                Suite.equal(l.getParticipants().size(), latches.size(), "participants");
            }
            leader.close();
            latches.remove(leader);
        }
    }

    static void latchMemberKilled(Suite s) throws Exception {
        CuratorFramework one = s.client();
        LeaderLatch first = new LeaderLatch(one, "/leaders/killed", "first");
        first.start();
        Suite.equal(first.await(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "first leads");
        LeaderLatch second = new LeaderLatch(s.client(), "/leaders/killed", "second");
        second.start();
        long session = one.getZookeeperClient().getZooKeeper().getSessionId();
        s.killServerOf(one);
        // A latch steps down while it is cut off, and may come back behind the other one.
        Suite.eventually("one leads again", () -> first.hasLeadership() != second.hasLeadership());
        Suite.equal(one.getZookeeperClient().getZooKeeper().getSessionId(), session, "session after the kill");
        (first.hasLeadership() ? first : second).close();
        Suite.eventually("the other leads", () -> first.hasLeadership() != second.hasLeadership());
        (first.hasLeadership() ? first : second).close();
        s.restart();
    }

    static void latchExpired(Suite s) throws Exception {
        CuratorFramework one = s.client();
        LeaderLatch first = new LeaderLatch(one, "/leaders/expired", "first");
        first.start();
        Suite.equal(first.await(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "first leads");
        LeaderLatch second = new LeaderLatch(s.client(), "/leaders/expired", "second");
        second.start();
        Suite.expire(one);
        Suite.equal(second.await(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "second leads");
        Suite.eventually("first is a participant again", () -> second.getParticipants().size() == 2 && !first.hasLeadership());
        first.close();
        second.close();
    }

    static void selector(Suite s) throws Exception {
        AtomicInteger leading = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch turns = new CountDownLatch(12);
        List<LeaderSelector> selectors = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            LeaderSelector l = new LeaderSelector(s.client(), "/leaders/selector", new LeaderSelectorListenerAdapter() {
                @Override
                public void takeLeadership(CuratorFramework c) throws Exception {
                    most.accumulateAndGet(leading.incrementAndGet(), Math::max);
                    try {
                        Thread.sleep(10);
                        turns.countDown();
                    } finally {
                        leading.decrementAndGet(); // close interrupts
                    }
                }
            });
            l.setId("id" + i);
            l.autoRequeue();
            l.start();
            selectors.add(l);
        }
        Suite.equal(turns.await(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS), true, "twelve turns");
        Suite.equal(selectors.get(0).getParticipants().size() > 0, true, "participants");
        selectors.forEach(LeaderSelector::close);
        Suite.equal(most.get(), 1, "leaders at once");
    }
}
