"""A kazoo client that lives through a move. Reads commands on standard input:

    check   the session is the one it began with, its nodes are there, it can write; prints ok

Prints every change of the connection's state. LOST is the end of the session.
"""
import logging
import sys

from kazoo.client import KazooClient

logging.basicConfig(level=logging.CRITICAL)
hosts = sys.argv[1]
zk = KazooClient(hosts=hosts, timeout=40, connection_retry={"max_tries": -1, "delay": 0.05, "max_delay": 0.5},
                 command_retry={"max_tries": -1, "delay": 0.05, "max_delay": 0.5}, randomize_hosts=False)
zk.add_listener(lambda state: print("state", state, flush=True))
zk.start(timeout=60)
session = zk.client_id
zk.create("/kazoo", b"mine", ephemeral=True)
path = zk.create("/kazoo-", b"mine", ephemeral=True, sequence=True)
events = []
zk.get("/watched", watch=lambda e: events.append(e.type))
print("session %x %s" % (session[0] & (2**64 - 1), path), flush=True)
for line in sys.stdin:
    command = line.strip()
    if command == "check":
        n = zk.retry(zk.get, "/counter")[0]
        zk.retry(zk.set, "/counter", b"%d" % (int(n) + 1))
        assert zk.client_id == session, "another session: %r, was %r" % (zk.client_id, session)
        for p in ("/kazoo", path):
            data, stat = zk.retry(zk.get, p)
            assert data == b"mine" and stat.ephemeralOwner & (2**64 - 1) == session[0] & (2**64 - 1), (p, data, stat)
        print("ok", flush=True)
    elif command == "watch":
        print("events", " ".join(events), flush=True)
    elif command == "end":
        break
zk.stop()
