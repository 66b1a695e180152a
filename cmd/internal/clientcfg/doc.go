// Package clientcfg is how a command reaches a server: by ZooKeeper's client
// properties, as zkCli.sh takes them with -client-configuration and in JVM flags, and by
// flags of our own.
//
//	CLIENT_JVMFLAGS, then the file, then --ca, --cert, --key, --tls ──▶ Config.Dial
//	likewise, then --jaas, --mechanism                              ──▶ Config.Login
//
// The keys are those of ZooKeeper's ZKClientConfig; of TLS they mean what they mean in a
// server (package server/secure). Those that have no meaning here are reported, not
// passed over in silence.
//
// Everything may be called from any goroutine; a Config is not changed after it is
// made. The stores and the JAAS file are read once.
package clientcfg
