// Package clientcfg reads the client configuration that zkCli.sh takes with
// -client-configuration and in JVM flags: how to reach a server with TLS.
//
// The keys are those of ZooKeeper's ZKClientConfig. Those that have no meaning here
// are reported, not passed over in silence.
//
// Key and trust stores must be PEM files. Left out: JKS, PKCS12 and BCFKS stores and
// encrypted keys, which the standard library cannot read; certificate revocation; SASL.
//
// Everything may be called from any goroutine; a Config is not changed after it is made.
package clientcfg
