"""Connects by TLS: see ../tls_test.go.

usage: kazoo_tls.py host:port ca alice.crt alice.key bob.crt bob.key"""

import sys
import threading

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.security import make_acl

HOST, CA = sys.argv[1:3]


def connect(cert, key, timeout=20):
    c = KazooClient(hosts=HOST, use_ssl=True, ca=CA, certfile=cert, keyfile=key, verify_certs=True)
    c.start(timeout=timeout)
    return c


alice, bob = connect(*sys.argv[3:5]), connect(*sys.argv[5:7])
alice.create('/kazoo-tls', b'x', acl=[make_acl('x509', credential='CN=alice', all=True)])
assert alice.get('/kazoo-tls')[0] == b'x'
try:
    bob.get('/kazoo-tls')
    raise AssertionError('bob may read what is for alice')
except NoAuthError:
    pass
seen = threading.Event()
bob.create('/kazoo-large', b'0123456789' * 50000)
assert len(alice.get('/kazoo-large', watch=lambda event: seen.set())[0]) == 500000
bob.set('/kazoo-large', b'')
assert seen.wait(10), 'no watch event'
assert bob.command(b'srvr').startswith('Zookeeper version'), 'four-letter words'
try:
    connect(None, None, timeout=3)
    raise AssertionError('no certificate is needed')
except KazooTimeoutError:
    pass
for c in (alice, bob):
    c.stop()
    c.close()
print('passed')
