// The report of a verb that changes tokens: each token with what became of it, also if the
// verb ended before it was done.

package command

import (
	"errors"
	"fmt"
	"io"

	"example.com/tokenstore"
	"github.com/spf13/cobra"
)

// The outcomes that several verbs have.
const (
	outcomeMissing  = "not there"
	outcomeChanged  = "changed meanwhile"
	outcomeFailed   = "failed"
	outcomeNotTried = "not tried"
)

// change is what became of one token.
type change struct {
	ID      string `json:"id,omitempty"`
	User    string `json:"user_name,omitempty"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// changes is the report. Nothing in it is a credential.
type changes struct {
	DryRun bool     `json:"dry_run"`
	Tokens []change `json:"tokens"`
}

// add adds a row and returns its place.
func (r *changes) add(c change) int {
	r.Tokens = append(r.Tokens, c)
	return len(r.Tokens) - 1
}

func (r *changes) print(verb *cobra.Command) error {
	w := verb.OutOrStdout()
	if wantsJSON(verb) {
		if r.Tokens == nil {
			r.Tokens = []change{}
		}
		return printJSON(w, r)
	}
	if len(r.Tokens) == 0 {
		return nil // The error says why.
	}
	t := newTable(w, "ID", "USER", "OUTCOME", "REMARK")
	counts := map[string]int{}
	var outcomes []string // in the order of their first rows
	for _, c := range r.Tokens {
		t.row(c.ID, c.User, c.Outcome, c.Reason)
		if counts[c.Outcome]++; counts[c.Outcome] == 1 {
			outcomes = append(outcomes, c.Outcome)
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	summary := "\n" + count(len(r.Tokens), "token") + ":"
	for i, outcome := range outcomes {
		if i > 0 {
			summary += ","
		}
		summary += fmt.Sprintf(" %d %s", counts[outcome], outcome)
	}
	if r.DryRun {
		summary += " (dry run: nothing was changed)"
	}
	_, err := io.WriteString(w, wrapLines(w, summary)+"\n")
	return err
}

// finish prints the report of a verb that ended with err, and returns the error of the verb: what
// ended it, or else the worst of the outcomes.
func (r *changes) finish(verb *cobra.Command, err error) error {
	if e := errors.Join(err, r.print(verb)); e != nil {
		return e
	}
	return r.end()
}

// end returns the error of a verb that went through all tokens: the worst of the outcomes.
func (r *changes) end() error {
	has := map[string]bool{}
	for _, c := range r.Tokens {
		has[c.Outcome] = true
	}
	switch {
	case has[outcomeFailed]:
		return errors.New("some tokens failed; the report says why; run the command again")
	case has[outcomeChanged], has[outcomeRefused], has[outcomeLeft], has[outcomeUnreadable]:
		return &incompleteError{}
	case has[outcomeMissing], has[outcomeNotKept]:
		return tokenstore.ErrNotFound
	}
	return nil
}
