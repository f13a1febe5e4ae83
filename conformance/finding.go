// The results of a run. They are values, so that programs other than tests can use the suites.

package conformance

import "strings"

// Finding is a broken rule.
type Finding struct {
	// Case is the name of the case that found it, for example "F05".
	Case string
	// Rule is the rule in words.
	Rule string
	// Detail is what happened instead. It holds no credentials except the suite's own
	// fakes.
	Detail string

	// refusal marks a proper refusal, which a store may declare as missing.
	refusal bool
	// hard marks a finding that no declaration excuses, such as a credential in an error.
	hard bool
}

// String returns "case: detail; the rule: rule".
func (f Finding) String() string {
	return f.Case + ": " + f.Detail + "\n\tthe rule: " + f.Rule
}

// Outcome is how a case ended.
type Outcome int

// The outcomes. Missing means that the case failed, as declared with [WithMissing].
const (
	Passed Outcome = iota
	Failed
	Missing
)

// String returns "passed", "failed" or "missing".
func (o Outcome) String() string {
	switch o {
	case Passed:
		return "passed"
	case Missing:
		return "missing"
	default:
		return "failed"
	}
}

// Result is how one case ended.
type Result struct {
	// Case is the case's name.
	Case string
	// Rule is the rule that the case tests, in words.
	Rule string
	// Outcome is how it ended.
	Outcome Outcome
	// Reason is the declared reason if the case is missing, and empty otherwise.
	Reason string
	// Findings are the broken rules. They are not empty if the case failed; if it is
	// missing, they are the ones that the declaration excuses.
	Findings []Finding
}

// String returns the result on one line, and each finding of a failed case on a line of
// its own.
func (r Result) String() string {
	var b strings.Builder
	b.WriteString(r.Case + " " + r.Outcome.String())
	if r.Reason != "" {
		b.WriteString(": " + r.Reason)
	}
	if r.Outcome == Failed {
		for _, f := range r.Findings {
			b.WriteString("\n" + f.String())
		}
	}
	return b.String()
}
