package suites

import (
	"fmt"

	"holt/compat/ensemble"
)

// state is how a test ended.
type state string

const (
	passed  state = "passed"
	failed  state = "failed"
	skipped state = "skipped" // by itself: the suite has a condition that does not hold
)

// outcome is one test of a suite.
type outcome struct {
	test   string
	state  state
	output string // what a failure said
}

// judge compares what a suite did with what is expected of it and returns all that is wrong.
// A suite of which fewer than least tests passed did not really run.
func judge(suite string, kind ensemble.Kind, outcomes []outcome, exceptions []Exception, least int) []string {
	var wrong []string
	passes := 0
	fails := make([]int, len(exceptions)) // excused by each exception
	for _, o := range outcomes {
		switch o.state {
		case passed:
			passes++
		case failed:
			if i := excuse(suite, kind, o.test, exceptions); i >= 0 {
				fails[i]++
			} else {
				wrong = append(wrong, fmt.Sprintf("%s failed:\n%s", o.test, o.output))
			}
		}
	}
	for i, e := range exceptions {
		if e.covers(suite, kind, e.Pattern) && fails[i] == 0 {
			wrong = append(wrong, fmt.Sprintf("no failed test for the exception %q: remove it", e.Pattern))
		}
	}
	if passes < least {
		wrong = append(wrong, fmt.Sprintf("%d tests passed of %d: want at least %d", passes, len(outcomes), least))
	}
	return wrong
}

// excuse returns the index of the exception that covers test, or −1.
func excuse(suite string, kind ensemble.Kind, test string, exceptions []Exception) int {
	for i := range exceptions {
		if exceptions[i].covers(suite, kind, test) {
			return i
		}
	}
	return -1
}
