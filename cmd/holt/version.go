package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"holt/server/admin"
)

func (a *app) newVersion() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Example: `  holt version
  holt version -o json`,
		Args: atMost(0),
		RunE: func(*cobra.Command, []string) error { return a.version(output) },
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (a *app) version(output string) error {
	version, date := admin.BuildVersion()
	switch output {
	case "text":
		_, err := fmt.Fprintf(a.stdout, "holt %s, for ZooKeeper clients as %s\n%s %s/%s\n",
			version, admin.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return err
	case "json":
		facts := struct {
			Version  string    `json:"version"`
			Date     time.Time `json:"date,omitzero"`
			Protocol string    `json:"protocol"`
			Go       string    `json:"go"`
			Platform string    `json:"platform"`
		}{version, date, admin.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
		return json.NewEncoder(a.stdout).Encode(facts)
	}
	return usageError("--output %s: not text or json", output)
}
