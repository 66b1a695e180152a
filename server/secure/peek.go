package secure

// Hello reports whether bytes that begin a connection begin a TLS handshake: a
// record of that type and a version 3. Nothing that ZooKeeper's protocol begins with
// looks so. ZooKeeper: NettyServerCnxnFactory.DualModeSslHandler.
func Hello(first [4]byte) bool { return first[0] == 0x16 && first[1] == 3 }
