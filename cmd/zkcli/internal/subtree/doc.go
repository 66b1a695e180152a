// Package subtree reads and writes a node with everything below it.
//
//	Walk ──▶ Node, Node, … ──▶ Writer ──▶ creations and changes in batches    (copy)
//	     │                       ▲
//	     └──▶ Document ──JSON──▶ Document.Read                                (export, import)
//
// A walk goes depth first, a node before its children and children by name. It is
// no snapshot: it takes as many requests as there are nodes, and nodes may change
// between them. A node that goes away meanwhile is left out.
//
// A Document is one JSON object with a line for each node, so that two of them can
// be compared with line tools:
//
//	{"format":"znodes","version":1,"root":"/app","nodes":[
//	{"path":"/","data":"…","acl":[…],"stat":{…}},
//	{"path":"/config","data_b64":"…","acl":[…],"stat":{…}}
//	]}
//
// Paths in it are relative to the root, which is "/". Data that is not text is in
// base64; a node without data or data_b64 has null data.
//
// Functions may be called from any goroutine; a Writer belongs to one.
//
// Left out: what no client can tell or set: the kinds container and TTL, times and
// zxids. Ephemeral nodes are read, and not written: they belong to another session.
package subtree
