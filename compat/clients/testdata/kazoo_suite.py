"""Stations of the kazoo suite: see doc.go of the package beside testdata.

usage: kazoo_suite.py host:port,host:port,host:port
"""

import os
import signal
import subprocess
import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    BadVersionError, CancelledError, NoAuthError, NodeExistsError, NoNodeError,
    NotEmptyError, RolledBackError, RuntimeInconsistency)
from kazoo.protocol.states import EventType
from kazoo.recipe.watchers import ChildrenWatch, DataWatch
from kazoo.security import make_digest_acl

HOSTS = sys.argv[1]
EACH = HOSTS.split(',')
SESSION = 6.0
PATIENCE = 30.0


def connect(hosts=HOSTS, **options):
    c = KazooClient(hosts=hosts, timeout=SESSION, **options)
    c.start(timeout=PATIENCE)
    return c


def close(*clients):
    for c in clients:
        c.stop()
        c.close()


def equal(got, want, what):
    if got != want:
        raise AssertionError('%s: got %r, want %r' % (what, got, want))


def refused(error, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except error:
        return
    raise AssertionError('%r%r: no %s' % (call, args, error.__name__))


def until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError('not in time: ' + what)
        time.sleep(0.02)


def server_of(c):
    """Returns the port of the member that c is connected to."""
    return c._connection._socket.getpeername()[1]


class Events:
    """A watch function that keeps what it is told."""

    def __init__(self):
        self.seen = []
        self.changed = threading.Condition()

    def __call__(self, event):
        with self.changed:
            self.seen.append((event.type, event.path))
            self.changed.notify_all()

    def expect(self, *want):
        with self.changed:
            self.changed.wait_for(lambda: len(self.seen) >= len(want), PATIENCE)
            equal(self.seen, list(want), 'events')


def station_connect():
    for host in EACH:
        c = connect(host)
        equal(server_of(c), int(host.split(':')[1]), 'server')
        equal(c.get_children('/'), ['zookeeper'], 'children of /')
        close(c)


def station_data():
    c = connect()
    equal(c.create('/k-data', b'one'), '/k-data', 'create')
    refused(NodeExistsError, c.create, '/k-data')
    refused(NoNodeError, c.create, '/absent/child')
    data, stat = c.get('/k-data')
    equal((data, stat.version, stat.dataLength), (b'one', 0, 3), 'get')
    stat = c.set('/k-data', b'two!', version=0)
    equal((stat.version, stat.mzxid > stat.czxid), (1, True), 'set')
    refused(BadVersionError, c.set, '/k-data', b'', version=0)
    for host in EACH:
        reader = connect(host)
        reader.sync('/k-data')
        equal(reader.get('/k-data')[0], b'two!', 'get at ' + host)
        close(reader)
    c.ensure_path('/k-data/a/b/c')
    children, stat = c.get_children('/k-data', include_data=True)
    equal((children, stat.numChildren), (['a'], 1), 'children')
    refused(NotEmptyError, c.delete, '/k-data')
    path, stat = c.create('/k-data/with-stat', b'xy', include_data=True)
    equal((path, stat.dataLength), ('/k-data/with-stat', 2), 'create2')
    c.delete('/k-data', recursive=True)
    equal(c.exists('/k-data'), None, 'exists')
    big = os.urandom(1000 * 1000)
    c.create('/k-big', big)
    equal(c.get('/k-big')[0], big, 'a megabyte')
    # Many at once, in order.
    c.create('/k-many')
    calls = [c.create_async('/k-many/%04d' % i, b'x' * 100) for i in range(1000)]
    equal([x.get(timeout=PATIENCE) for x in calls], ['/k-many/%04d' % i for i in range(1000)], 'pipelined creates')
    equal(len(c.get_children('/k-many')), 1000, 'children after 1000 creates')
    close(c)


def station_acl():
    c, other = connect(), connect()
    c.add_auth('digest', 'me:secret')
    c.create('/k-acl', b'x', acl=[make_digest_acl('me', 'secret', all=True)])
    equal(c.get('/k-acl')[0], b'x', 'get by the owner')
    other.sync('/k-acl')
    refused(NoAuthError, other.get, '/k-acl')
    refused(NoAuthError, other.set, '/k-acl', b'')
    other.add_auth('digest', 'me:secret')
    equal(other.get('/k-acl')[0], b'x', 'get after auth')
    acls, stat = c.get_acls('/k-acl')
    equal((len(acls), acls[0].id.scheme, stat.aversion), (1, 'digest', 0), 'getACL')
    close(c, other)


def station_watches():
    watcher, writer = connect(EACH[0]), connect(EACH[1])
    events = Events()
    equal(watcher.exists('/k-watch', watch=events), None, 'exists')
    writer.create('/k-watch')
    events.expect((EventType.CREATED, '/k-watch'))
    events = Events()
    watcher.get('/k-watch', watch=events)
    writer.set('/k-watch', b'x')
    events.expect((EventType.CHANGED, '/k-watch'))
    equal(watcher.get('/k-watch')[0], b'x', 'get after the event')
    events = Events()
    watcher.get_children('/k-watch', watch=events)
    writer.create('/k-watch/c')
    events.expect((EventType.CHILD, '/k-watch'))
    writer.delete('/k-watch/c')
    watcher.sync('/k-watch')
    events = Events()
    watcher.get('/k-watch', watch=events)
    writer.delete('/k-watch')
    events.expect((EventType.DELETED, '/k-watch'))
    close(watcher, writer)


def station_watch_recipes():
    watcher, writer = connect(EACH[2]), connect(EACH[1])
    writer.create('/k-recipe', b'0')
    watcher.sync('/k-recipe')
    values, listings = [], []
    DataWatch(watcher, '/k-recipe', lambda data, stat: values.append(data))
    ChildrenWatch(watcher, '/k-recipe', lambda names: listings.append(sorted(names)))
    for i in range(1, 20):
        writer.set('/k-recipe', b'%d' % i)
        writer.create('/k-recipe/%02d' % i)
    until(lambda: values and values[-1] == b'19', 'DataWatch sees the last value')
    until(lambda: listings and len(listings[-1]) == 19, 'ChildrenWatch sees the last child')
    equal(values, sorted(values, key=int), 'order of values')
    close(watcher, writer)


def station_ephemerals():
    observer = connect(EACH[2])
    owner = connect(EACH[0])
    owner.create('/k-ephemeral', ephemeral=True)
    refused(Exception, owner.create, '/k-ephemeral/child')
    observer.sync('/k-ephemeral')
    events = Events()
    stat = observer.exists('/k-ephemeral', watch=events)
    equal(stat.ephemeralOwner, owner.client_id[0], 'owner')
    close(owner)
    events.expect((EventType.DELETED, '/k-ephemeral'))

    # A client that is killed: its ephemeral lives until the session expires.
    child = subprocess.Popen([sys.executable, __file__, HOSTS, 'hold', '/k-killed'], stdout=subprocess.PIPE)
    equal(child.stdout.readline(), b'held\n', 'the other client')
    observer.sync('/k-killed')
    events = Events()
    if observer.exists('/k-killed', watch=events) is None:
        raise AssertionError('the ephemeral of a live client is not there')
    child.send_signal(signal.SIGKILL)
    child.wait()
    start = time.monotonic()
    events.expect((EventType.DELETED, '/k-killed'))
    if time.monotonic() - start < SESSION / 2:
        raise AssertionError('gone before the session could expire')
    close(observer)


def hold(path):
    """Creates an ephemeral and waits to be killed."""
    c = connect()
    c.create(path, ephemeral=True)
    print('held', flush=True)
    time.sleep(10 * PATIENCE)


def station_sequences():
    c = connect()
    c.create('/k-seq')
    equal(c.create('/k-seq/n-', sequence=True), '/k-seq/n-0000000000', 'first')
    equal(c.create('/k-seq/n-', sequence=True, ephemeral=True), '/k-seq/n-0000000001', 'second')
    c.create('/k-seq/plain')
    equal(c.create('/k-seq/n-', sequence=True), '/k-seq/n-0000000003', 'after a plain one')
    close(c)


def station_multi():
    c = connect()
    t = c.transaction()
    t.create('/k-multi', b'a')
    t.set_data('/k-multi', b'b', version=0)
    t.check('/k-multi', version=1)
    t.create('/k-multi/child', ephemeral=True)
    results = t.commit()
    equal((results[0], results[1].version, results[2], results[3]), ('/k-multi', 1, True, '/k-multi/child'), 'multi')
    t = c.transaction()
    t.set_data('/k-multi', b'never')
    t.check('/k-multi', version=99)
    t.delete('/k-multi/child')
    results = t.commit()
    equal([type(r) for r in results], [RolledBackError, BadVersionError, RuntimeInconsistency], 'failed multi')
    equal(c.get('/k-multi')[0], b'b', 'data after a failed multi')
    equal(c.get_children('/k-multi'), ['child'], 'children after a failed multi')
    close(c)


def each_in_thread(clients, work):
    failures = []

    def run(i, c):
        try:
            work(i, c)
        except BaseException as e:
            failures.append(e)

    threads = [threading.Thread(target=run, args=x) for x in enumerate(clients)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(3 * PATIENCE)
        if t.is_alive():
            raise AssertionError('a client hangs')
    if failures:
        raise failures[0]


def crew(n=6):
    return [connect(EACH[i % len(EACH)]) for i in range(n)]


def station_lock():
    clients, inside, count = crew(), threading.Lock(), []

    def work(i, c):
        for _ in range(5):
            with c.Lock('/k-lock', 'client %d' % i):
                if not inside.acquire(blocking=False):
                    raise AssertionError('two hold the lock')
                c.sync('/k-lock')
                count.append(i)
                inside.release()

    each_in_thread(clients, work)
    equal(len(count), 30, 'times the lock was held')
    lock = clients[0].Lock('/k-lock', 'first')
    lock.acquire()
    equal(clients[1].Lock('/k-lock', 'second').acquire(blocking=False), False, 'a held lock')
    until(lambda: clients[1].Lock('/k-lock').contenders() == ['first'], 'contenders')
    close(clients[0])  # gives the lock back
    equal(clients[1].Lock('/k-lock', 'second').acquire(timeout=PATIENCE), True, 'the lock of a client that left')
    close(*clients[1:])


def station_rwlock_semaphore():
    clients = crew(3)
    readers = [c.ReadLock('/k-rw', 'r') for c in clients[:2]]
    for r in readers:
        equal(r.acquire(timeout=PATIENCE), True, 'two readers')
    writer = clients[2].WriteLock('/k-rw', 'w')
    equal(writer.acquire(blocking=False), False, 'writer beside readers')
    for r in readers:
        r.release()
    equal(writer.acquire(timeout=PATIENCE), True, 'writer alone')
    writer.release()
    leases = [c.Semaphore('/k-semaphore', max_leases=2) for c in clients]
    equal([s.acquire(blocking=False) for s in leases], [True, True, False], 'leases')
    leases[0].release()
    equal(leases[2].acquire(timeout=PATIENCE), True, 'a lease given back')
    close(*clients)


def station_election():
    clients, leading, terms = crew(4), threading.Lock(), []

    def work(i, c):
        def lead():
            if not leading.acquire(blocking=False):
                raise AssertionError('two lead')
            c.sync('/k-election')
            terms.append(i)
            leading.release()
        c.Election('/k-election', 'candidate %d' % i).run(lead)

    each_in_thread(clients, work)
    equal(sorted(terms), [0, 1, 2, 3], 'terms')
    close(*clients)


def station_counter():
    clients = crew(4)

    def work(i, c):
        counter = c.Counter('/k-counter')
        for _ in range(10):
            counter += 2
            counter -= 1

    each_in_thread(clients, work)
    clients[0].sync('/k-counter')
    equal(clients[0].Counter('/k-counter').value, 40, 'counter')
    close(*clients)


def station_barrier():
    clients = crew(4)
    barrier = clients[0].Barrier('/k-barrier')
    barrier.create()
    for c in clients:
        c.sync('/k-barrier')
    passed = []

    def wait(i, c):
        if i == 0:
            time.sleep(0.3)
            equal(passed, [], 'passed before the barrier fell')
            barrier.remove()
            return
        equal(c.Barrier('/k-barrier').wait(PATIENCE), True, 'barrier')
        passed.append(i)

    each_in_thread(clients, wait)
    equal(len(passed), 3, 'passed the barrier')

    entered, left = [], []

    def both(i, c):
        double = c.DoubleBarrier('/k-double', len(clients), identifier='c%d' % i)
        time.sleep(0.05 * i)
        double.enter()
        entered.append(i)
        double.leave()
        left.append(i)

    each_in_thread(clients, both)
    equal((len(entered), len(left)), (4, 4), 'double barrier')
    close(*clients)


def station_queue():
    clients = crew(3)
    queue = clients[0].Queue('/k-queue')
    for i in range(20):
        queue.put(b'%02d' % i)
    queue.put(b'first', priority=10)
    clients[1].sync('/k-queue')
    equal(clients[1].Queue('/k-queue').get(), b'first', 'priority')
    clients[0].sync('/k-queue')
    equal(len(queue), 20, 'length')
    got = []

    def take(i, c):
        locking = c.LockingQueue('/k-locking')
        if i == 0:
            locking.put_all([b'%d' % n for n in range(15)])
        for _ in range(5):
            got.append(locking.get(PATIENCE))
            if not locking.consume():
                raise AssertionError('consume')

    each_in_thread(clients, take)
    equal(sorted(got, key=int), [b'%d' % n for n in range(15)], 'each entry once')
    clients[2].sync('/k-queue')
    equal([clients[2].Queue('/k-queue').get() for _ in range(20)], [b'%02d' % i for i in range(20)], 'order')
    close(*clients)


def station_party():
    clients = crew(3)
    for i, c in enumerate(clients):
        c.Party('/k-party', 'guest %d' % i).join()
    clients[0].sync('/k-party')
    party = clients[0].Party('/k-party')
    equal(sorted(party), ['guest 0', 'guest 1', 'guest 2'], 'guests')
    close(clients[1])
    until(lambda: sorted(party) == ['guest 0', 'guest 2'], 'a guest who left')
    shallow = clients[2].ShallowParty('/k-shallow', 'alone')
    shallow.join()
    equal(list(shallow), ['alone'], 'shallow party')
    partitioner = clients[0].SetPartitioner('/k-partition', set=('a', 'b', 'c'), time_boundary=0.5)
    partitioner.wait_for_acquire(PATIENCE)
    equal(partitioner.acquired, True, 'partition acquired')
    equal(sorted(partitioner), ['a', 'b', 'c'], 'partition of one')
    partitioner.finish()
    close(clients[0], clients[2])


def station_failover():
    c = connect()
    states = []
    c.add_listener(states.append)
    c.create('/k-failover', b'v', ephemeral=True)
    party = c.Party('/k-failover-party', 'guest')
    party.join()
    # A plain watch function is told of the loss (kazoo sends no setWatches); the recipe re-arms.
    values, events = [], Events()
    DataWatch(c, '/k-failover', lambda data, stat: values.append(data))
    c.get('/k-failover', watch=events)
    session, server = c.client_id[0], server_of(c)
    print('kill', server, flush=True)
    equal(sys.stdin.readline(), 'done\n', 'answer of the test')
    until(lambda: KazooState.SUSPENDED in states and states[-1] == KazooState.CONNECTED, 'reconnected')
    equal(KazooState.LOST in states, False, 'session lost')
    equal((c.client_id[0], server_of(c) != server), (session, True), 'session kept, on another member')
    # The retry is for the time until the members left have elected.
    equal(c.retry(c.get, '/k-failover')[1].ephemeralOwner, session, 'owner')
    writer = connect('127.0.0.1:%d' % server_of(c))
    writer.retry(writer.set, '/k-failover', b'w')
    events.expect((EventType.NONE, None))
    until(lambda: values == [b'v', b'w'], 'DataWatch goes on')
    equal(list(party), ['guest'], 'party after the failover')
    close(c, writer)


def main():
    if sys.argv[2:3] == ['hold']:
        hold(sys.argv[3])
        return
    for name, station in list(globals().items()):
        if name.startswith('station_'):
            station()
            print('ok', name[len('station_'):], flush=True)
    print('passed', flush=True)


main()
