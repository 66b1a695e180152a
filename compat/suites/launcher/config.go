package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// config is a zoo.cfg as a suite wrote it.
type config struct {
	path  string
	lines []string
}

func readConfig(path string) (*config, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return &config{path: path, lines: strings.Split(string(b), "\n")}, nil
}

// get returns the value of key, or "".
func (c *config) get(key string) string {
	for _, l := range c.lines {
		if value, ok := strings.CutPrefix(l, key+"="); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// remove drops the lines that set key.
func (c *config) remove(key string) {
	c.lines = slices.DeleteFunc(c.lines, func(l string) bool { return strings.HasPrefix(l, key+"=") })
}

func (c *config) set(key, value string) {
	c.remove(key)
	c.lines = append(c.lines, key+"="+value)
}

// write puts the configuration beside the suite's own file and returns its path.
func (c *config) write() (string, error) {
	path := c.path + ".launched"
	if err := os.WriteFile(path, []byte(strings.Join(c.lines, "\n")), 0o600); err != nil {
		return "", fmt.Errorf("write configuration: %w", err)
	}
	return path, nil
}
