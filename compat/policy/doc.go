// Package policy holds the tests of rules that concern the whole source tree
// and that no compiler checks: which package may import which, what the
// deterministic ones must not touch, that every package says what it is, and that
// the links of the pages lead somewhere.
//
// The lattice is text in lattice.txt: a line per package, with the packages of
// ours it may import. A new package needs a line, and where it stands is part of
// its design. What only tests import has lines of its own.
//
// The rules work on the syntax of the files of the module, without building
// them: they cover every platform and every build tag at once.
package policy
