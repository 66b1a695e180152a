package metadata

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
)

func encode64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func decode64(s string) ([]byte, error) { return base64.StdEncoding.DecodeString(s) }

// aclRetries bounds how often a change of one resource's rules is tried against
// others. (Kafka: AclAuthorizer.maxUpdateRetries)
const aclRetries = 100

// AlterACLs changes a resource's rules and notifies all brokers, at once. change gets
// the present ones, its own copy, and returns the new; with none left the node goes.
// It may be called again when somebody else was first. ErrChanged: somebody else
// was first, time and again.
func (c *Client) AlterACLs(ctx context.Context, r Resource, change func([]ACL) []ACL) error {
	changes := aclChangesPath
	if r.Pattern == Prefixed {
		changes = aclPrefixedChangesPath
	}
	for range aclRetries {
		write, needed, err := c.aclWrite(ctx, r, change)
		if err != nil {
			return err
		}
		if !needed {
			return nil
		}
		_, err = c.Multi(ctx, write, CreateSequential(changes+"/"+aclChangePrefix, encodeACLChange(r)))
		var refused *OpError
		switch {
		case err == nil:
			c.purgeChanges(ctx, changes, aclChangePrefix)
			return nil
		case errors.Is(err, ErrConnectionLoss) && !isDone(err) && !errors.Is(err, ErrClosed):
		case errors.Is(err, ErrBadVersion), errors.Is(err, ErrNodeExists):
		case errors.Is(err, ErrNoNode) && errors.As(err, &refused) && (refused.Index == 1 || write.Kind == OpCreate):
			if err := c.EnsureACLPaths(ctx); err != nil {
				return err
			}
		case errors.Is(err, ErrNoNode):
		default:
			return fmt.Errorf("alter acls of %v: %w", r, err)
		}
	}
	return fmt.Errorf("alter acls of %v: %w", r, ErrChanged)
}

// aclWrite reads the rules and returns the write that changes them, if one is needed.
func (c *Client) aclWrite(ctx context.Context, r Resource, change func([]ACL) []ACL) (write Op, needed bool, err error) {
	data, stat, err := c.Get(ctx, r.path(), false)
	missing := errors.Is(err, ErrNoNode)
	if err != nil && !missing {
		return Op{}, false, fmt.Errorf("alter acls of %v: %w", r, err)
	}
	rules, err := DecodeACLs(data)
	if err != nil {
		return Op{}, false, fmt.Errorf("alter acls of %v: %w", r, err)
	}
	rules = change(rules)
	switch {
	case missing && len(rules) == 0:
		return Op{}, false, nil
	case missing:
		return Create(r.path(), EncodeACLs(rules)), true, nil
	case len(rules) == 0:
		return Delete(r.path(), stat.Version), true, nil
	}
	return Set(r.path(), EncodeACLs(rules), stat.Version), true, nil
}
