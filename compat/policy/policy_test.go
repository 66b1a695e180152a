package policy

import (
	_ "embed"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

//go:embed lattice.txt
var latticeText string

func ourFiles(t *testing.T) []file {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, err := readTree(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 10 {
		t.Fatalf("only %d files found below %s", len(files), root)
	}
	return files
}

func TestImportLattice(t *testing.T) {
	l, err := parseLattice(latticeText)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range l.check(ourFiles(t)) {
		t.Error(wrong)
	}
}

// TestPackageComments asks every package for a comment that begins as godoc
// wants it, in exactly one file: the first place a newcomer looks.
func TestPackageComments(t *testing.T) {
	comments, names := map[string][]string{}, map[string]string{}
	for _, f := range ourFiles(t) {
		if f.test {
			continue
		}
		names[f.pkg] = f.syntax.Name.Name
		if f.syntax.Doc != nil {
			comments[f.pkg] = append(comments[f.pkg], f.syntax.Doc.Text())
		}
	}
	for pkg, name := range names {
		begin := "Package " + name + " "
		if name == "main" {
			begin = "Command "
		}
		switch c := comments[pkg]; {
		case len(c) == 0:
			t.Errorf("%s: no package comment", pkg)
		case len(c) > 1:
			t.Errorf("%s: %d package comments", pkg, len(c))
		case !strings.HasPrefix(c[0], begin):
			t.Errorf("%s: the package comment does not begin with %q", pkg, begin)
		}
	}
}

// pure are the packages that must give the same answer on every member and in
// every run, with what would make them not.
var (
	pure      = []string{"znode", "session", "server/apply", "server/watch", "wire"}
	forbidden = []string{"os", "log", "log/slog", "math/rand", "math/rand/v2", "crypto/rand", "go.uber.org/zap"}
	clock     = []string{"Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker", "Sleep"}
)

func TestDeterministicPackages(t *testing.T) {
	for _, wrong := range impurities(ourFiles(t)) {
		t.Error(wrong)
	}
}

func impurities(files []file) (wrong []string) {
	for _, f := range files {
		if f.test || !slices.Contains(pure, f.pkg) {
			continue
		}
		for _, p := range f.imports() {
			if slices.Contains(forbidden, p) {
				wrong = append(wrong, f.where()+": imports "+p)
			}
		}
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
					wrong = append(wrong, f.where()+": reads the clock by time."+n.Sel.Name)
				}
			case *ast.GoStmt:
				wrong = append(wrong, f.where()+": starts a goroutine")
			}
			return true
		})
	}
	return wrong
}

// TestRulesFind shows that the rules see what they are for.
func TestRulesFind(t *testing.T) {
	l, err := parseLattice(latticeText)
	if err != nil {
		t.Fatal(err)
	}
	source := func(pkg, name, text string) file {
		syntax, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		return file{pkg, name, strings.HasSuffix(name, "_test.go"), syntax}
	}
	for _, tc := range []struct {
		f    file
		want string // "" is allowed
	}{
		{source("wire", "a.go", `package wire; import "holt/znode"`), "wire/a.go: wire must not import znode"},
		{source("quorum", "a.go", `package quorum; import "holt/wire"`), "quorum/a.go: quorum must not import wire"},
		{source("quorum", "a.go", `package quorum; import "holt/wire/metric"`), ""},
		{source("quorum", "a_test.go", `package quorum; import "holt/quorum/simnet"`), ""},
		{source("quorum", "a.go", `package quorum; import "holt/quorum/simnet"`), "quorum/a.go: quorum must not import quorum/simnet"},
		{source("server/apply", "a_test.go", `package apply; import "holt/znode/store"`), ""},
		{source("server/apply", "a.go", `package apply; import "holt/znode/store"`), "server/apply/a.go: server/apply must not import znode/store"},
		{source("server", "a_test.go", `package server; import "holt/compat/ensemble"`), "server/a_test.go: server must not import compat/ensemble"},
		{source("cmd/holt", "a.go", `package main; import "holt/server"`), ""},
		{source("cmd/holt", "a.go", `package main; import "holt/compat/ensemble"`), "cmd/holt/a.go: cmd/holt must not import compat/ensemble"},
		{source("util", "a.go", `package util`), "util/a.go: package util is not in lattice.txt"},
	} {
		if got := strings.Join(l.check([]file{tc.f}), "; "); got != tc.want {
			t.Errorf("got %q, want %q", got, tc.want)
		}
	}
	got := impurities([]file{source("znode", "a.go", `package znode; import ("os"; "time"); func f() { go f(); _ = time.Now() }`)})
	if len(got) != 3 {
		t.Errorf("impurities: got %q, want three", got)
	}
}
