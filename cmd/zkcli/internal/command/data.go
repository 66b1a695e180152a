package command

import (
	"context"
	"encoding/base64"
	"strconv"

	"holt/cmd/zkcli/internal/cmdline"
	"holt/cmd/zkcli/internal/render"
	"holt/wire"
)

// node is a node with its data for JSON.
type node struct {
	Path string `json:"path"`
	render.Data
	Stat *render.Stat `json:"stat"`
}

// get: GetCommand.
func get() *Command {
	return &Command{
		Name: "get", Args: "[-s] [-w] [-b] [-x] path", Help: "show the data of a node",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "s", Help: "Print znode stats additionally"},
			{Name: "w", Help: "Watch for changes on the znode"},
			{Name: "b", Help: "Output data in base64 format"},
			{Name: "x", Help: "Output data in hexdump format"},
		}},
		table: true, operands: 1,
		run: runGet,
	}
}

func runGet(ctx context.Context, c *Call) error {
	if err := c.again("'get path [watch]' has been deprecated. Please use 'get [-s] [-w] path' instead."); err != nil {
		return err
	}
	data, stat, err := c.Session.GetData(ctx, c.path(), c.Has("w"))
	if err != nil {
		return err
	}
	c.Out.Emit(render.Result{
		Data: node{c.path(), render.NewData(data), render.NewStat(stat)},
		Text: func(p *render.Page) {
			p.Raw(append(dataText(c.Parsed, data), '\n'))
			if c.Has("s") {
				render.StatText(p, stat, c.Zone)
			}
		},
	})
	return nil
}

// dataText is data in the form that the options ask for. Null data is the word null.
//
// Differs from ZooKeeper: data that is not UTF-8 is written as it is, not with
// replacement characters.
func dataText(p *cmdline.Parsed, data []byte) []byte {
	if data == nil {
		data = []byte("null")
	}
	switch {
	case p.Has("x"):
		return []byte(render.HexDump(data))
	case p.Has("b"):
		return base64.StdEncoding.AppendEncode(nil, data)
	}
	return data[:len(data):len(data)]
}

// set: SetCommand.
func set() *Command {
	return &Command{
		Name: "set", Args: "path data [-s] [-v version] [-b]", Help: "replace the data of a node",
		syntax: cmdline.Syntax{Options: []cmdline.Option{
			{Name: "s", Help: "Print znode stats additionally"},
			{Name: "v", Arg: true, Help: "Set with an expected version"},
			{Name: "b", Help: "Supply data in base64 format"},
		}},
		table: true, operands: 2,
		run: runSet,
	}
}

func runSet(ctx context.Context, c *Call) error {
	data := []byte(c.Args[2])
	if c.Has("b") {
		var err error
		if data, err = decodeBase64(c.Args[2]); err != nil {
			return failf("data is not base64: %v", err)
		}
	}
	version, err := c.version()
	if err != nil {
		return err
	}
	stat, err := c.Session.SetData(ctx, c.path(), data, version)
	if err != nil {
		return err
	}
	c.Out.Emit(c.statResult(c.path(), stat))
	return nil
}

// decodeBase64 takes padding or none, as Java does.
func decodeBase64(s string) ([]byte, error) {
	if len(s)%4 == 0 {
		return base64.StdEncoding.DecodeString(s)
	}
	return base64.RawStdEncoding.DecodeString(s)
}

// version is the value of -v, −1 if it was not given. The original dies of a value
// that is no number.
func (c *Call) version() (int32, error) {
	if !c.Has("v") {
		return -1, nil
	}
	n, err := strconv.ParseInt(c.Value("v"), 10, 32)
	if err != nil {
		return 0, failf("-v argument must be an int value: %q", c.Value("v"))
	}
	return int32(n), nil
}

// statResult is the stat of a changed node, whose text appears with -s only.
func (c *Call) statResult(path string, stat *wire.Stat) render.Result {
	r := statOf(path, stat)
	if c.Has("s") {
		r.Text = func(p *render.Page) { render.StatText(p, stat, c.Zone) }
	}
	return r
}

func statOf(path string, stat *wire.Stat) render.Result {
	return render.Result{Data: struct {
		Path string       `json:"path"`
		Stat *render.Stat `json:"stat"`
	}{path, render.NewStat(stat)}}
}
