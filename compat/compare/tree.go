package compare

import (
	"encoding/binary"

	"holt/wire"
)

// path returns the path of a tree or remove step.
func (s *Step) path() string { return s.Args[0].s }

// tree reads every node from path down, level by level: data, ACL, children and stat.
func (r *Run) tree(cl *client, path string) {
	level := []string{path}
	for len(level) > 0 && cl.conn != nil {
		var next []string
		for len(level) > 0 && cl.conn != nil {
			some := level[:min(len(level), turnMax/4)]
			level = level[len(some):]
			mark := len(r.out)
			r.askAll(cl, some, wire.OpGetData, wire.OpGetACL, wire.OpGetChildren2)
			next = append(next, childrenIn(r.out[mark:])...)
		}
		level = next
	}
}

// remove deletes everything below path, deepest first, then path itself unless it is "/". Below
// "/" the nodes of the server are spared.
func (r *Run) remove(cl *client, path string) {
	all, level := []string{path}, []string{path}
	for len(level) > 0 && cl.conn != nil {
		mark := len(r.out)
		r.askAll(cl, level[:min(len(level), turnMax)], wire.OpGetChildren2)
		level = level[min(len(level), turnMax):]
		children := childrenIn(r.out[mark:])
		all, level = append(all, children...), append(level, children...)
	}
	for len(all) > 0 && cl.conn != nil {
		cl.out = cl.out[:0]
		for n := 0; len(all) > 0 && n < turnMax; n++ {
			p := all[len(all)-1]
			all = all[:len(all)-1]
			switch p {
			case "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config":
				continue
			}
			body := wire.AppendInt32(wire.AppendString(nil, p), -1)
			cl.request(&Step{Code: wire.OpDelete, Raw: body, Cut: -1}, r.canon, false)
			cl.await[len(cl.await)-1].note = p
		}
		cl.ping()
		cl.flush()
		r.drain(cl)
	}
}

// askAll sends each of the read requests ops for each path.
func (r *Run) askAll(cl *client, paths []string, ops ...wire.OpCode) {
	cl.out = cl.out[:0]
	for _, p := range paths {
		for _, op := range ops {
			body := wire.AppendString(nil, p)
			if op != wire.OpGetACL {
				body = wire.AppendBool(body, false)
			}
			cl.request(&Step{Code: op, Raw: body, Cut: -1}, r.canon, false)
			cl.await[len(cl.await)-1].note = p
		}
	}
	cl.ping()
	cl.flush()
	r.drain(cl)
}

// childrenIn returns the paths that the replies to getChildren2 among the frames name.
func childrenIn(frames Transcript) []string {
	var paths []string
	for i := range frames {
		f := &frames[i]
		if f.Kind != Reply || f.Op != wire.OpGetChildren2 || binary.BigEndian.Uint32(f.Data[12:]) != 0 {
			continue
		}
		var resp wire.GetChildren2Response
		resp.Decode(wire.NewDecoder(f.Data[replyHeaderSize:]))
		for _, name := range resp.Children {
			if f.Note == "/" {
				paths = append(paths, "/"+name)
			} else {
				paths = append(paths, f.Note+"/"+name)
			}
		}
	}
	return paths
}
