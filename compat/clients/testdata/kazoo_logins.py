"""Proves itself by certificate, SASL and digest over TLS: see ../logins_test.go.

usage: kazoo_logins.py host:port ca alice.crt alice.key"""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import make_acl, make_digest_acl

HOST, CA, CERT, KEY = sys.argv[1:5]


def connect(user=None, password=None, cert=True, digest=None):
    options = {'sasl_options': {'mechanism': 'DIGEST-MD5', 'username': user, 'password': password}} if user else {}
    if digest:
        options['auth_data'] = [('digest', digest)]
    c = KazooClient(hosts=HOST, use_ssl=True, ca=CA, certfile=CERT if cert else None, keyfile=KEY if cert else None,
                    verify_certs=True, **options)
    c.start(timeout=20)
    return c


def refused(call, *args):
    try:
        call(*args)
    except NoAuthError:
        return
    raise AssertionError('%r%r: no NoAuthError' % (call, args))


paths = {
    '/k-x509': make_acl('x509', credential='CN=alice', all=True),
    '/k-sasl': make_acl('sasl', credential='bob', all=True),
    '/k-digest': make_digest_acl('u', 'p', all=True),
}
everything = connect('bob', 'builder', digest='u:p')
for path, acl in paths.items():
    everything.create(path, b'x', acl=[acl])
    assert everything.get(path)[0] == b'x'
clients = {
    '/k-x509': connect(),
    '/k-sasl': connect('bob', 'builder', cert=False),
    '/k-digest': connect(cert=False, digest='u:p'),
}
root = connect('root', 'toor', cert=False)
for path, client in clients.items():
    for other in paths:
        if other == path:
            assert client.get(other)[0] == b'x'
        else:
            refused(client.get, other)
        assert root.get(other)[0] == b'x'
for c in [everything, root, *clients.values()]:
    c.stop()
    c.close()
print('passed')
