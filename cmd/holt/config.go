package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"holt/server/zoocfg"
)

// configFlags are the flags of holt config check and show.
type configFlags struct {
	settingFlags
	output string
	origin bool
	given  bool
}

func (a *app) newConfig() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check a zoo.cfg, or show what holds and where it comes from",
		Example: `  holt config check /etc/zookeeper/conf/zoo.cfg
  holt config show --origin zoo.cfg`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SuggestionsMinimumDistance = 2
	cmd.AddCommand(a.newConfigCheck())
	cmd.AddCommand(a.newConfigShow())
	return cmd
}

func (a *app) newConfigCheck() *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:   "check [zoo.cfg]",
		Short: "Say all that is wrong with a configuration, or what Holt makes of it",
		Long: `Say all that is wrong with a configuration, or what Holt makes of it.

The file is read as holt serve would, with the settings of the environment and
of -D, and so are the key and trust stores that it names; nothing is started,
written or connected to. Each error is one line with
file, line, cause and remedy on standard error, and the exit code is 2. If there
is none, standard output has a line for each key that does not do here what it
does in ZooKeeper, and for each key store with a certificate that is not valid
now, and the exit code is 0.`,
		Example: `  holt config check zoo.cfg
  holt config check zoo.cfg --myid 2 -o json`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.configCheck(args, &f) },
	}
	f.settingFlags.add(cmd)
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) configCheck(args []string, f *configFlags) error {
	if f.output != "text" && f.output != "json" {
		return usageError("--output %s: not text or json", f.output)
	}
	path := a.configPath(args)
	res, err := a.readWithStores(path, &f.settingFlags)
	var untimely []zoocfg.Note
	if err == nil {
		untimely = res.Untimely()
		res.Notes = append(res.Notes, untimely...)
	}
	if f.output == "json" {
		if werr := writeFindings(a.stdout, path, res, err, len(untimely) > 0); werr != nil {
			return werr
		}
	}
	if err != nil {
		return err
	}
	if f.output == "json" {
		return nil
	}
	for _, n := range res.Notes {
		if _, err := fmt.Fprintln(a.stdout, n); err != nil {
			return err
		}
	}
	verdict := "fine"
	if len(untimely) > 0 {
		verdict = "a member starts with it, and its certificate is refused by whoever looks at it"
	}
	_, err = fmt.Fprintf(a.stdout, "%s: %s\n", path, verdict)
	return err
}

// finding is an error or note in JSON.
type finding struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Key    string `json:"key,omitempty"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// writeFindings writes what a check found as one JSON object. What is untimely is no error, and not fine.
func writeFindings(w io.Writer, path string, res *zoocfg.Result, err error, untimely bool) error {
	out := struct {
		File   string    `json:"file"`
		Fine   bool      `json:"fine"`
		Errors []finding `json:"errors"`
		Notes  []finding `json:"notes"`
	}{path, err == nil && !untimely, []finding{}, []finding{}}
	for _, e := range zoocfg.Errors(err) {
		out.Errors = append(out.Errors, finding{File: e.File, Line: e.Line, Text: e.Cause, Remedy: e.Remedy})
	}
	if res != nil {
		for _, n := range res.Notes {
			out.Notes = append(out.Notes, finding{File: n.File, Line: n.Line, Key: n.Key, Text: n.Text})
		}
	}
	return json.NewEncoder(w).Encode(out)
}

func (a *app) newConfigShow() *cobra.Command {
	var f configFlags
	cmd := &cobra.Command{
		Use:   "show [zoo.cfg]",
		Short: "Print the effective value of each key, and where it comes from",
		Long: `Print the effective value of each key that Holt uses.

Without --origin the output is a zoo.cfg itself. With it each value is followed
by the place that set it: file and line, JVMFLAGS or SERVER_JVMFLAGS, -D, or
default. Passwords and the like are not shown. The exit code is 2 if the
configuration is refused.`,
		Example: `  holt config show zoo.cfg
  holt config show --origin --given zoo.cfg -D tickTime=1000`,
		Args: atMost(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.configShow(args, &f) },
	}
	f.settingFlags.add(cmd)
	cmd.Flags().BoolVar(&f.origin, "origin", false, "where each value comes from")
	cmd.Flags().BoolVar(&f.given, "given", false, "only what is not a default")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) configShow(args []string, f *configFlags) error {
	if f.output != "text" && f.output != "json" {
		return usageError("--output %s: not text or json", f.output)
	}
	res, err := a.readConfig(a.configPath(args), &f.settingFlags)
	if err != nil {
		return err
	}
	var shown []zoocfg.Setting
	for _, s := range res.Settings() {
		if !f.given || !s.Default() {
			shown = append(shown, s)
		}
	}
	switch {
	case f.output == "json":
		return writeSettings(a.stdout, shown)
	case f.origin:
		table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		for _, s := range shown {
			fmt.Fprintf(table, "%s\t%s\t%s\n", s.Key, s.Value, s.Origin())
		}
		return table.Flush()
	}
	for _, s := range shown {
		line := s.String()
		if s.Value == "" || s.Key == "myid" { // what is off has no line, and the id a file of its own
			line = "# " + line
		}
		if _, err := fmt.Fprintln(a.stdout, line); err != nil {
			return err
		}
	}
	return nil
}

func writeSettings(w io.Writer, settings []zoocfg.Setting) error {
	type setting struct {
		Key    string `json:"key"`
		Value  string `json:"value"`
		Origin string `json:"origin"`
	}
	out := []setting{}
	for _, s := range settings {
		out = append(out, setting{s.Key, s.Value, s.Origin()})
	}
	return json.NewEncoder(w).Encode(out)
}

// settingFlags are the flags of each command that reads a zoo.cfg.
type settingFlags struct {
	defines []string
	myID    uint64
}

func (f *settingFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.defines, "define", "D", nil, "a setting, as name=value, that wins over the file")
	cmd.Flags().Uint64Var(&f.myID, "myid", 0, "this member's id, instead of the file dataDir/myid")
}

// readWithStores is readConfig for whoever starts a member by it, or says whether one would
// start: the error is about the key stores, too.
func (a *app) readWithStores(path string, f *settingFlags) (*zoocfg.Result, error) {
	res, err := a.readConfig(path, f)
	if err != nil {
		return nil, err
	}
	if err := res.CheckStores(); err != nil {
		return nil, &exitError{exitUsage, &configError{err}}
	}
	return res, nil
}

// readConfig reads a zoo.cfg with the settings of the environment and of flags.
// The error, if it is about the configuration, has exit code 2.
func (a *app) readConfig(path string, f *settingFlags) (*zoocfg.Result, error) {
	res, err := zoocfg.Read(path, zoocfg.Options{Sources: a.environmentSources(), Defines: f.defines, MyID: f.myID})
	if err != nil {
		return nil, &exitError{exitUsage, &configError{err}}
	}
	return res, nil
}
