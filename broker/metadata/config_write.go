package metadata

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// changeKept is how long a notification of a changed configuration stays, for
// brokers that are cut off. (Kafka: ZkNodeChangeNotificationListener)
const changeKept = 15 * time.Minute

// changesPurged bounds how many notifications one writer purges.
const changesPurged = 100

// AlterConfig changes an entity's configuration and notifies all brokers, at once.
// change gets the present values, its own copy, and returns the new ones, or an
// error that AlterConfig returns as it is; it may be called again when somebody else
// was first.
func (c *Client) AlterConfig(ctx context.Context, e Entity, change func(map[string]string) (map[string]string, error)) error {
	if !e.valid() {
		return fmt.Errorf("alter configuration: %q is no entity", e)
	}
	for {
		write, err := c.configWrite(ctx, e, change)
		if err != nil {
			return err
		}
		_, err = c.Multi(ctx, write, CreateSequential(ConfigChangesPath+"/"+configChangePrefix, encodeConfigChange(e)))
		switch {
		case err == nil:
			c.purgeChanges(ctx, ConfigChangesPath, configChangePrefix)
			return nil
		case errors.Is(err, ErrConnectionLoss) && !isDone(err) && !errors.Is(err, ErrClosed):
		case errors.Is(err, ErrBadVersion), errors.Is(err, ErrNodeExists):
		case errors.Is(err, ErrNoNode) && write.Kind == OpSet:
		case errors.Is(err, ErrNoNode):
			if err := c.ensure(ctx, parent(e.Path()), nil); err != nil {
				return fmt.Errorf("alter configuration of %s: %w", e, err)
			}
		default:
			return fmt.Errorf("alter configuration of %s: %w", e, err)
		}
	}
}

// configWrite reads what is there and returns the write that changes it.
func (c *Client) configWrite(ctx context.Context, e Entity, change func(map[string]string) (map[string]string, error)) (Op, error) {
	data, stat, err := c.Get(ctx, e.Path(), false)
	missing := errors.Is(err, ErrNoNode)
	if err != nil && !missing {
		return Op{}, fmt.Errorf("alter configuration of %s: %w", e, err)
	}
	values, err := DecodeConfig(data)
	if err != nil {
		return Op{}, fmt.Errorf("alter configuration of %s: %w", e, err)
	}
	if values == nil {
		values = map[string]string{}
	}
	if values, err = change(values); err != nil {
		return Op{}, err
	}
	if missing {
		return Create(e.Path(), EncodeConfig(values)), nil
	}
	return Set(e.Path(), EncodeConfig(values), stat.Version), nil
}

// SetConfig is AlterConfig with keys to set and keys to delete.
func (c *Client) SetConfig(ctx context.Context, e Entity, set map[string]string, remove ...string) error {
	return c.AlterConfig(ctx, e, func(values map[string]string) (map[string]string, error) {
		for _, key := range remove {
			delete(values, key)
		}
		maps.Copy(values, set)
		return values, nil
	})
}

// purgeChanges deletes notifications that everybody has had time to read. It is
// nobody's outcome: what stays is purged with the next change.
func (c *Client) purgeChanges(ctx context.Context, dir, prefix string) {
	names, _, err := c.Children(ctx, dir, false)
	if err != nil {
		return
	}
	slices.SortFunc(names, func(a, b string) int { return int(sequence(a, prefix) - sequence(b, prefix)) })
	limit := c.now().Add(-changeKept).UnixMilli()
	for _, name := range names[:min(len(names), changesPurged)] {
		stat, err := c.Exists(ctx, dir+"/"+name, false)
		if err != nil || stat.CreatedAt > limit {
			return // the rest is younger
		}
		if _, err := c.one(ctx, Delete(dir+"/"+name, AnyVersion)); err != nil && !errors.Is(err, ErrNoNode) {
			return
		}
	}
}

// ErrProducerIDsExhausted says that all producer ids were given out.
var ErrProducerIDsExhausted = errors.New("no producer ids left")

// NextProducerIDs takes the next size ids for a broker. A block whose taking was lost
// with a connection is nobody's. (Kafka: ZkProducerIdManager)
func (c *Client) NextProducerIDs(ctx context.Context, broker int32, size int64) (ProducerIDBlock, error) {
	for {
		data, stat, err := c.Get(ctx, ProducerIDBlockPath, false)
		if err != nil {
			return ProducerIDBlock{}, fmt.Errorf("take producer ids: %w", err)
		}
		block := ProducerIDBlock{Broker: broker, First: 0, Last: size - 1}
		if len(data) > 0 {
			last, err := DecodeProducerIDBlock(data)
			if err != nil {
				return ProducerIDBlock{}, fmt.Errorf("take producer ids: %w", err)
			}
			if last.Last > math.MaxInt64-size {
				return ProducerIDBlock{}, fmt.Errorf("take producer ids after %d: %w", last.Last, ErrProducerIDsExhausted)
			}
			block.First, block.Last = last.Last+1, last.Last+size
		}
		_, err = c.one(ctx, Set(ProducerIDBlockPath, block.Encode(), stat.Version))
		switch {
		case err == nil:
			return block, nil
		case errors.Is(err, ErrBadVersion), errors.Is(err, ErrConnectionLoss) && !isDone(err) && !errors.Is(err, ErrClosed):
		default:
			return ProducerIDBlock{}, fmt.Errorf("take producer ids: %w", err)
		}
	}
}

// ScramCredential is what a server keeps of a password. Salt and keys are bytes.
type ScramCredential struct {
	Salt, StoredKey, ServerKey []byte
	Iterations                 int
}

// String is the credential as a configuration value. (Kafka: ScramCredentialUtils)
func (s ScramCredential) String() string {
	return "salt=" + encode64(s.Salt) + ",stored_key=" + encode64(s.StoredKey) + ",server_key=" + encode64(s.ServerKey) +
		",iterations=" + strconv.Itoa(s.Iterations)
}

// ParseScramCredential reads what String wrote.
func ParseScramCredential(s string) (ScramCredential, error) {
	var c ScramCredential
	seen := 0
	for _, part := range strings.Split(s, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return c, fmt.Errorf("scram credential: no value in %q", key)
		}
		var err error
		switch key {
		case "salt":
			c.Salt, err = decode64(value)
		case "stored_key":
			c.StoredKey, err = decode64(value)
		case "server_key":
			c.ServerKey, err = decode64(value)
		case "iterations":
			c.Iterations, err = strconv.Atoi(value)
		default:
			continue
		}
		if err != nil {
			return c, fmt.Errorf("scram credential: %s: %w", key, err)
		}
		seen++
	}
	if seen != 4 {
		return c, fmt.Errorf("scram credential: %d of 4 parts", seen)
	}
	return c, nil
}

// ScramUser is a change of one credential of a user: Credential nil deletes it.
type ScramUser struct {
	Mechanism  string // SCRAM-SHA-256 or SCRAM-SHA-512
	Credential *ScramCredential
}

// AlterScram changes a user's credentials. What has not been there is deleted
// without error.
func (c *Client) AlterScram(ctx context.Context, user string, changes ...ScramUser) error {
	return c.AlterConfig(ctx, UserEntity(user), func(values map[string]string) (map[string]string, error) {
		for _, change := range changes {
			if change.Credential == nil {
				delete(values, change.Mechanism)
			} else {
				values[change.Mechanism] = change.Credential.String()
			}
		}
		return values, nil
	})
}

// Scram returns a user's credential; false if there is none that can be read.
func (i *Image) Scram(user, mechanism string) (ScramCredential, bool) {
	value, ok := i.Config(UserEntity(user))[mechanism]
	if !ok {
		return ScramCredential{}, false
	}
	credential, err := ParseScramCredential(value)
	return credential, err == nil
}
