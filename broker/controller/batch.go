package controller

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"holt/broker/metadata"
)

// errFenced says that there is a controller of a later epoch.
var errFenced = errors.New("fenced by a later controller")

// write sends a batch, in a goroutine of its own. When one of its writes is refused it
// is looked up, and the others are tried again in two halves: several that are to be
// refused do not take as many turns of the whole.
func (t *term) write(batch []*Write) report {
	ops := make([]metadata.Op, 1, opsOf(batch)+1)
	ops[0] = t.fence()
	for _, w := range batch {
		ops = append(ops, w.Ops...)
	}
	results, err := t.cfg.Client.Multi(t.ctx, ops...)
	var refused *metadata.OpError
	switch {
	case err == nil:
		r := report{done: batch}
		rest := results[1:]
		for _, w := range batch {
			r.results = append(r.results, rest[:len(w.Ops)])
			rest = rest[len(w.Ops):]
		}
		return r
	case errors.As(err, &refused) && refused.Index == 0:
		return report{over: fmt.Errorf("%w: %w", errFenced, err)}
	case errors.As(err, &refused):
		return t.refused(batch, refused)
	case errors.Is(err, metadata.ErrConnectionLoss) && t.ctx.Err() == nil:
		return t.unknown(batch)
	}
	return report{over: err}
}

// refused looks up the write that a batch has failed for.
func (t *term) refused(batch []*Write, refused *metadata.OpError) report {
	index := refused.Index - 1
	culprit := 0
	for index >= len(batch[culprit].Ops) {
		index -= len(batch[culprit].Ops)
		culprit++
	}
	w := batch[culprit]
	t.cfg.Logger.Debug("write refused", zap.String("what", w.What), zap.Error(refused))
	fresh, err := t.lookUp([]*Write{w})
	if err != nil {
		return report{over: err}
	}
	r := report{failed: []*Write{w}, fresh: fresh}
	others := append(append([]*Write{}, batch[:culprit]...), batch[culprit+1:]...)
	half := len(others) / 2
	for _, part := range [][]*Write{others[:half], others[half:]} {
		if len(part) > 0 {
			r.again = append(r.again, part)
		}
	}
	return r
}

// unknown looks up all that a batch was about: whether it was made is seen by that.
func (t *term) unknown(batch []*Write) report {
	if err := t.cfg.Client.Sync(t.ctx); err != nil {
		return report{over: err}
	}
	fresh, err := t.lookUp(batch)
	if err != nil {
		return report{over: err}
	}
	return report{failed: batch, fresh: fresh}
}

// lookUp reads what writes were about, all at a time; the Coordinator bounds how many
// are under way.
func (t *term) lookUp(writes []*Write) ([][]Fresh, error) {
	fresh := make([][]Fresh, len(writes))
	type answer struct {
		write int
		fresh Fresh
		err   error
	}
	answers := make(chan answer)
	count := 0
	for i, w := range writes {
		for _, path := range w.Paths() {
			count++
			go func() {
				data, stat, err := t.cfg.Client.Get(t.ctx, path, false)
				f := Fresh{Path: path, Data: data, Stat: stat}
				if errors.Is(err, metadata.ErrNoNode) {
					f.Missing, err = true, nil
				}
				answers <- answer{i, f, err}
			}()
		}
	}
	var failure error
	for range count {
		a := <-answers
		if a.err != nil {
			failure = a.err
		}
		fresh[a.write] = append(fresh[a.write], a.fresh)
	}
	return fresh, failure
}

// readLogDirs reads notifications of failed log directories.
func (t *term) readLogDirs(names []string) report {
	r := report{logDirs: map[string]int32{}}
	for _, name := range names {
		data, _, err := t.cfg.Client.Get(t.ctx, metadata.LogDirEventsPath+"/"+name, false)
		broker := int32(-1)
		switch {
		case errors.Is(err, metadata.ErrNoNode):
		case err != nil:
			r.over = err
			return r
		default:
			if broker, err = metadata.DecodeLogDirEvent(data); err != nil {
				t.cfg.Logger.Warn("notification of an unknown form, deleted", zap.String("path", name), zap.Error(err))
			}
		}
		r.logDirs[name] = broker
	}
	return r
}

// removeTries bounds how often a topic's tree is looked at while others add to it.
const removeTries = 5

// remove deletes a topic with all below it, its configuration and the request, in a
// goroutine of its own. The request goes in the same multi as the topic's node: until
// then another controller would begin anew.
func (t *term) remove(w *Write) report {
	var err error
	for range removeTries {
		if err = t.removeOnce(w.Remove); err == nil {
			return report{removal: true, done: []*Write{w}, results: [][]metadata.Result{nil}}
		}
		var refused *metadata.OpError
		if errors.As(err, &refused) && refused.Index == 0 {
			return report{removal: true, over: fmt.Errorf("%w: %w", errFenced, err)}
		}
		if t.ctx.Err() != nil || errors.Is(err, metadata.ErrClosed) || errors.Is(err, metadata.ErrSessionExpired) {
			return report{removal: true, over: err}
		}
	}
	t.cfg.Logger.Warn("topic not deleted, trying again", zap.String("topic", w.Remove), zap.Error(err))
	return report{removal: true, failed: []*Write{w}, fresh: [][]Fresh{nil}}
}

func (t *term) removeOnce(topic string) error {
	below, err := t.descendants(t.ctx, metadata.TopicPath(topic))
	if err != nil {
		return err
	}
	var last []metadata.Op
	for _, path := range []string{metadata.TopicPath(topic), metadata.TopicEntity(topic).Path(), metadata.DeleteTopicPath(topic)} {
		switch _, err := t.cfg.Client.Exists(t.ctx, path, false); {
		case err == nil:
			last = append(last, metadata.Delete(path, metadata.AnyVersion))
		case !errors.Is(err, metadata.ErrNoNode):
			return err
		}
	}
	for len(below)+len(last) > t.cfg.BatchOps && len(below) > 0 {
		n := min(len(below), t.cfg.BatchOps)
		if err := t.deleteAll(below[:n], nil); err != nil {
			return err
		}
		below = below[n:]
	}
	return t.deleteAll(below, last)
}

func (t *term) deleteAll(paths []string, last []metadata.Op) error {
	ops := []metadata.Op{t.fence()}
	for _, path := range paths {
		ops = append(ops, metadata.Delete(path, metadata.AnyVersion))
	}
	ops = append(ops, last...)
	_, err := t.cfg.Client.Multi(t.ctx, ops...)
	return err
}

// descendants lists what is below a path, children before their parents.
func (t *term) descendants(ctx context.Context, path string) ([]string, error) {
	names, _, err := t.cfg.Client.Children(ctx, path, false)
	if errors.Is(err, metadata.ErrNoNode) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	type answer struct {
		paths []string
		err   error
	}
	answers := make(chan answer)
	for _, name := range names {
		go func() {
			child := path + "/" + name
			below, err := t.descendants(ctx, child)
			answers <- answer{append(below, child), err}
		}()
	}
	var all []string
	for range names {
		a := <-answers
		all = append(all, a.paths...)
		if a.err != nil {
			err = a.err
		}
	}
	return all, err
}
