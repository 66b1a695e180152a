import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.recipes.locks.InterProcessLock;
import org.apache.curator.framework.recipes.locks.InterProcessMultiLock;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.framework.recipes.locks.InterProcessReadWriteLock;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreMutex;
import org.apache.curator.framework.recipes.locks.InterProcessSemaphoreV2;
import org.apache.curator.framework.recipes.locks.Lease;
import org.apache.curator.framework.recipes.locks.Revoker;

/** InterProcessMutex and the locks around it. */
class Locks {
    static void checks(String servers) {
        Suite.check(servers, "InterProcessMutex", s -> exclusive(s, c -> new InterProcessMutex(c, "/locks/mutex"), false));
        Suite.check(servers, "InterProcessMutex.reentrant", Locks::reentrant);
        Suite.check(servers, "InterProcessMutex.memberKilled", s -> exclusive(s, c -> new InterProcessMutex(c, "/locks/killed"), true));
        Suite.check(servers, "InterProcessMutex.expired", Locks::expired);
        Suite.check(servers, "InterProcessMutex.revoked", Locks::revoked);
        Suite.check(servers, "InterProcessSemaphoreMutex", s -> exclusive(s, c -> new InterProcessSemaphoreMutex(c, "/locks/semaphoreMutex"), false));
        Suite.check(servers, "InterProcessReadWriteLock", Locks::readWrite);
        Suite.check(servers, "InterProcessMultiLock", Locks::multi);
        Suite.check(servers, "InterProcessSemaphoreV2", Locks::semaphore);
    }

    interface Maker {
        InterProcessLock lock(CuratorFramework c);
    }

    private static boolean acquire(InterProcessLock l) throws Exception {
        return l.acquire(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
    }

    /** Five clients take a lock twenty times each, and never two at once. */
    static void exclusive(Suite s, Maker maker, boolean kill) throws Exception {
        ExecutorService pool = Executors.newCachedThreadPool();
        AtomicInteger inside = new AtomicInteger();
        AtomicInteger taken = new AtomicInteger();
        List<Future<?>> all = new ArrayList<>();
        CuratorFramework first = s.client();
        for (int i = 0; i < 5; i++) {
            InterProcessLock lock = maker.lock(i == 0 ? first : s.client());
            all.add(pool.submit(() -> {
                for (int n = 0; n < 20; n++) {
                    Suite.equal(acquire(lock), true, "acquired");
                    Suite.equal(inside.incrementAndGet(), 1, "inside the lock");
                    taken.incrementAndGet();
                    Thread.sleep(2);
                    inside.decrementAndGet();
                    lock.release();
                }
                return null;
            }));
        }
        if (kill) {
            Suite.eventually("some turns before the kill", () -> taken.get() > 5);
            s.killServerOf(first);
        }
        for (Future<?> f : all) {
            f.get(2 * Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        }
        Suite.equal(taken.get(), 100, "turns");
        pool.shutdown();
        if (kill) {
            s.restart();
        }
    }

    static void reentrant(Suite s) throws Exception {
        InterProcessMutex mine = new InterProcessMutex(s.client(), "/locks/reentrant");
        InterProcessMutex other = new InterProcessMutex(s.client(), "/locks/reentrant");
        Suite.equal(acquire(mine) && acquire(mine), true, "acquired twice");
        mine.release();
        Suite.equal(other.acquire(100, TimeUnit.MILLISECONDS), false, "acquired by another while held");
        Suite.eventually("one participant", () -> mine.getParticipantNodes().size() == 1);
        mine.release();
        Suite.equal(acquire(other), true, "acquired by another when free");
        other.release();
    }

    static void expired(Suite s) throws Exception {
        CuratorFramework one = s.client();
        InterProcessMutex mine = new InterProcessMutex(one, "/locks/expired");
        InterProcessMutex other = new InterProcessMutex(s.client(), "/locks/expired");
        Suite.equal(acquire(mine), true, "acquired");
        Suite.expire(one);
        Suite.equal(acquire(other), true, "acquired by another once the session is gone");
        other.release();
    }

    static void revoked(Suite s) throws Exception {
        CuratorFramework two = s.client();
        InterProcessMutex mine = new InterProcessMutex(s.client(), "/locks/revoked");
        AtomicInteger asked = new AtomicInteger();
        mine.makeRevocable(l -> asked.incrementAndGet());
        Suite.equal(acquire(mine), true, "acquired");
        Revoker.attemptRevoke(two, mine.getParticipantNodes().iterator().next());
        Suite.eventually("asked to give the lock up", () -> asked.get() > 0);
        mine.release();
    }

    static void readWrite(Suite s) throws Exception {
        InterProcessReadWriteLock one = new InterProcessReadWriteLock(s.client(), "/locks/readWrite");
        InterProcessReadWriteLock two = new InterProcessReadWriteLock(s.client(), "/locks/readWrite");
        Suite.equal(acquire(one.readLock()) && acquire(two.readLock()), true, "two readers");
        Suite.equal(two.writeLock().acquire(100, TimeUnit.MILLISECONDS), false, "writer beside readers");
        one.readLock().release();
        two.readLock().release();
        Suite.equal(acquire(one.writeLock()), true, "writer");
        Suite.equal(acquire(one.readLock()), true, "the writer reads as well");
        Suite.equal(two.readLock().acquire(100, TimeUnit.MILLISECONDS), false, "reader beside a writer");
        one.writeLock().release();
        Suite.equal(acquire(two.readLock()), true, "reader after the writer became one");
        one.readLock().release();
        two.readLock().release();
    }

    static void multi(Suite s) throws Exception {
        CuratorFramework one = s.client();
        CuratorFramework two = s.client();
        InterProcessMultiLock both = new InterProcessMultiLock(one, List.of("/locks/multi/a", "/locks/multi/b"));
        InterProcessMutex b = new InterProcessMutex(two, "/locks/multi/b");
        Suite.equal(acquire(b), true, "one of two");
        Suite.equal(both.acquire(200, TimeUnit.MILLISECONDS), false, "both while one is taken");
        b.release();
        Suite.equal(acquire(both), true, "both");
        Suite.equal(b.acquire(100, TimeUnit.MILLISECONDS), false, "one while both are taken");
        both.release();
    }

    static void semaphore(Suite s) throws Exception {
        InterProcessSemaphoreV2 one = new InterProcessSemaphoreV2(s.client(), "/locks/semaphore", 3);
        CuratorFramework client = s.client();
        InterProcessSemaphoreV2 two = new InterProcessSemaphoreV2(client, "/locks/semaphore", 3);
        List<Lease> leases = new ArrayList<>(one.acquire(2));
        leases.add(two.acquire(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS));
        Suite.equal(two.acquire(100, TimeUnit.MILLISECONDS), null, "a fourth lease");
        Suite.eventually("three leases", () -> one.getParticipantNodes().size() == 3);
        one.returnLease(leases.remove(0));
        Lease next = two.acquire(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS);
        Suite.equal(next != null, true, "a lease after one was returned");
        Suite.expire(client); // gives back two leases
        Suite.equal(one.acquire(2, Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS) != null, true, "leases of a session that ended");
    }
}
