// Package kdc runs a Kerberos realm of its own for a test: MIT's KDC from Debian's packages, on a
// free port of 127.0.0.1, with all its files in a directory of the test's. Nothing of the
// machine's own Kerberos is read or written.
//
// A program under test finds the realm by the file KDC.Krb5Conf: those of MIT by the environment
// that KDC.Env gives, Java by -Djava.security.krb5.conf.
//
// A KDC is for one goroutine; it ends with the test.
package kdc
