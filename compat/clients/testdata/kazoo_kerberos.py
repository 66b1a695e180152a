"""Logs in by GSSAPI as bob: see ../gssapi_test.go. usage: kazoo_kerberos.py host:port"""

import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import make_acl

HOST = sys.argv[1]

bob = KazooClient(hosts=HOST, sasl_options={'mechanism': 'GSSAPI'})
bob.start(timeout=20)
bob.create('/kazoo-kerberos', b'x', acl=[make_acl('sasl', credential='bob@HOLT.TEST', all=True)])
assert bob.get('/kazoo-kerberos')[0] == b'x'
nobody = KazooClient(hosts=HOST)
nobody.start(timeout=20)
try:
    nobody.get('/kazoo-kerberos')
except NoAuthError:
    print('passed')
for c in (bob, nobody):
    c.stop()
    c.close()
