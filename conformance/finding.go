package conformance

import "strings"

// Finding is one rule that was seen broken.
type Finding struct {
	// Case is the name of the case that saw it, for example "F05".
	Case string
	// Rule is the rule in words.
	Rule string
	// Detail is what was seen instead. It holds no credential but the suite's
	// own fakes.
	Detail string

	// refusal marks what a store may declare as missing: it refused properly.
	refusal bool
	// hard marks what no declaration excuses, such as a credential in an error.
	hard bool
}

// String returns "case: detail; the rule: rule".
func (f Finding) String() string {
	return f.Case + ": " + f.Detail + "\n\tthe rule: " + f.Rule
}

// Outcome is how a case ended.
type Outcome int

// The outcomes. Missing means that the case failed, as was declared with
// [WithMissing].
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
	// Rule is the rule that the case is about, in words.
	Rule string
	// Outcome is how it ended.
	Outcome Outcome
	// Reason is why the case is missing, as it was declared; else empty.
	Reason string
	// Findings are the rules that were broken. They are not empty if the case
	// failed; if it is missing, they are what the declaration excuses.
	Findings []Finding
}

// String returns the result in a line, and each finding of a failed case in a
// line of its own.
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
