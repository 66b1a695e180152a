package metadata

import (
	"slices"
	"strings"
)

// configuration takes what was read below /config.
func (b *builder) configuration(r reply) error {
	if r.path == ConfigChangesPath {
		b.configChanges(r)
		return nil
	}
	if strings.HasPrefix(r.path, ConfigChangesPath) {
		if r.missing {
			return nil // purged before it was read: it was 15 minutes old, or another reader's clock is off
		}
		e, err := decodeConfigChange(r.data)
		if err == nil {
			b.mark(e.Path(), r, false)
		}
		return err
	}
	if r.kind == readListingOnce {
		b.configList(r)
		return nil
	}
	e := Entity(r.path[len(ConfigPath)+1:])
	b.touched.configs[e] = struct{}{}
	old, known := b.image.configs.get(hashName(e), e)
	if r.missing {
		if known {
			b.image.removeConfig(e)
		}
		return nil
	}
	if known && old.modified >= r.stat.Modified {
		return nil
	}
	values, err := DecodeConfig(r.data)
	if err != nil {
		return err
	}
	b.image.setConfig(e, config{values: values, modified: r.stat.Modified, version: r.stat.Version})
	return nil
}

// configList marks the entities of a kind, and the clients of users.
func (b *builder) configList(r reply) {
	for _, name := range r.children {
		path := r.path + "/" + name
		b.mark(path, r, false)
		if r.path == ConfigPath+"/"+string(UserKind) {
			b.mark(path+"/clients", r, false)
		}
	}
}

// configChanges marks notifications that are new.
func (b *builder) configChanges(r reply) {
	seen := b.changeSeen
	for _, name := range r.children {
		n := sequence(name, configChangePrefix)
		if n >= b.changeSeen && !b.loading {
			b.mark(ConfigChangesPath+"/"+name, r, false)
		}
		seen = max(seen, n+1)
	}
	b.changeSeen = seen
}

// acl takes what was read below /kafka-acl and its relatives.
func (b *builder) acl(r reply) error {
	for _, changes := range []string{aclChangesPath, aclPrefixedChangesPath} {
		if r.path == changes {
			b.aclChanges(r)
			return nil
		}
		if strings.HasPrefix(r.path, changes+"/") {
			if r.missing {
				return nil
			}
			res, err := decodeACLChange(r.data)
			if err == nil {
				b.mark(res.path(), r, false)
			}
			return err
		}
	}
	if r.kind == readListingOnce {
		for _, name := range r.children {
			b.mark(r.path+"/"+name, r, false)
		}
		return nil
	}
	res, ok := parseACLPath(r.path)
	if !ok {
		return nil
	}
	hash := hashName(res.Name)
	old, known := b.image.acls.get(hash, res)
	if r.missing {
		if known {
			b.touched.acls[res] = struct{}{}
			b.image.acls.remove(hash, res)
		}
		return nil
	}
	if known && old.modified >= r.stat.Modified {
		return nil
	}
	rules, err := DecodeACLs(r.data)
	if err != nil {
		return err
	}
	b.touched.acls[res] = struct{}{}
	b.image.acls.set(hash, res, resourceACLs{rules: rules, modified: r.stat.Modified})
	return nil
}

func (b *builder) aclChanges(r reply) {
	seen := b.aclSeen[r.path]
	for _, name := range r.children {
		n := sequence(name, aclChangePrefix)
		if n >= seen && !b.loading {
			b.mark(r.path+"/"+name, r, false)
		}
		b.aclSeen[r.path] = max(b.aclSeen[r.path], n+1)
	}
}

// adminNode takes what waits for the controller.
func (b *builder) adminNode(r reply) error {
	a := &b.image.admin
	switch r.path {
	case DeleteTopicsPath:
		return b.adminList(&a.Deleting, r)
	case ISRChangesPath:
		return b.adminList(&a.ISRChanges, r)
	case LogDirEventsPath:
		return b.adminList(&a.LogDirEvents, r)
	case ReassignPath:
		return adminPayload(b, r, &a.ReassignNode, &a.Reassignments, DecodeReassignments)
	case PreferredElectionPath:
		return adminPayload(b, r, &a.ElectionNode, &a.Elections, DecodePartitions)
	}
	return nil
}

func (b *builder) adminList(list *[]string, r reply) error {
	names := slices.Sorted(slices.Values(r.children))
	if !slices.Equal(names, *list) {
		*list = names
		b.touched.admin = true
	}
	return nil
}

func adminPayload[T any](b *builder, r reply, node *NodeVersion, payload *[]T, decode func([]byte) ([]T, error)) error {
	is := NodeVersion{Exists: !r.missing, Version: r.stat.Version, Created: r.stat.Created}
	if r.missing {
		is = NodeVersion{}
	}
	was := *node
	was.Invalid = false
	if is == was {
		return nil
	}
	b.touched.admin = true
	*node, *payload = is, nil
	if r.missing {
		return nil
	}
	values, err := decode(r.data)
	if err != nil {
		node.Invalid = true
		return err
	}
	*payload = values
	return nil
}
