"""Logs in by DIGEST-MD5: see ../sasl_test.go. usage: kazoo_sasl.py host:port"""

import sys
import time

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.protocol.states import KeeperState
from kazoo.security import make_acl

HOST = sys.argv[1]


def connect(user, password):
    c = KazooClient(hosts=HOST, sasl_options={'mechanism': 'DIGEST-MD5', 'username': user, 'password': password})
    c.start(timeout=20)
    return c


def refused(error, call, *args):
    try:
        call(*args)
    except error:
        return
    raise AssertionError('%r%r: no %s' % (call, args, error.__name__))


bob = connect('bob', 'builder\'s "secret"')
bob.create('/kazoo-sasl', b'x', acl=[make_acl('sasl', credential='bob', all=True)])
alice = connect('alice', 'wonder')
refused(NoAuthError, alice.get, '/kazoo-sasl')
root = connect('root', 'toor')
assert root.get('/kazoo-sasl')[0] == b'x'
wrong, nobody = connect('bob', 'wrong'), connect('nobody', 'wrong')
for c in (wrong, nobody):
    deadline = time.monotonic() + 10  # it learns of it behind start's back
    while c.client_state not in (KeeperState.AUTH_FAILED, KeeperState.CLOSED):
        assert time.monotonic() < deadline, c.client_state
        time.sleep(0.01)
for c in (bob, alice, root, wrong, nobody):
    c.stop()
    c.close()
print('passed')
