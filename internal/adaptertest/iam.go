// An evaluator of IAM policies, as far as the policies of this module need one, so that a
// test can tell whether a policy allows the calls that were made, and nothing else.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html

package adaptertest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// IAM is a policy, and what of it was needed so far.
type IAM struct {
	statements []iamStatement
	used       map[string]bool
}

// IAMRequest asks for an action on a resource. Context holds the condition keys.
type IAMRequest struct {
	Action, Resource string
	Context          map[string][]string
}

type iamStatement struct {
	Sid, Effect, Resource string
	Action                []string
	Condition             map[string]map[string]iamValues
}

// iamValues are one string or several.
type iamValues []string

// UnmarshalJSON takes a string or a list.
func (v *iamValues) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*v = iamValues{one}
		return nil
	}
	var all []string
	err := json.Unmarshal(data, &all)
	*v = all
	return err
}

// ParseIAM reads a policy.
func ParseIAM(text string) (*IAM, error) {
	var document struct {
		Version   string
		Statement []iamStatement
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&document); err != nil {
		return nil, err
	}
	if document.Version != "2012-10-17" || len(document.Statement) == 0 {
		return nil, errors.New("no statements, or another version")
	}
	for _, s := range document.Statement {
		if s.Effect != "Allow" || s.Resource == "" || len(s.Action) == 0 {
			return nil, fmt.Errorf("statement %s allows nothing", s.Sid)
		}
	}
	return &IAM{document.Statement, map[string]bool{}}, nil
}

// Actions returns the actions that are allowed on anything.
func (p *IAM) Actions() (all []string) {
	for _, s := range p.statements {
		all = append(all, s.Action...)
	}
	return all
}

// Allows reports whether a request is allowed, and remembers what allowed it.
func (p *IAM) Allows(r IAMRequest) bool {
	allowed := false
	for _, s := range p.statements {
		if slices.Contains(s.Action, r.Action) && wildcard(s.Resource, r.Resource) && s.holds(r.Context) {
			p.used[s.Sid+" "+r.Action] = true
			allowed = true
		}
	}
	return allowed
}

// Unused returns the statements and actions that no request has needed.
func (p *IAM) Unused() (all []string) {
	for _, s := range p.statements {
		for _, a := range s.Action {
			if !p.used[s.Sid+" "+a] {
				all = append(all, s.Sid+" "+a)
			}
		}
	}
	return all
}

// holds reports whether all conditions hold.
func (s iamStatement) holds(context map[string][]string) bool {
	for _, operator := range slices.Sorted(maps.Keys(s.Condition)) {
		for key, wanted := range s.Condition[operator] {
			got, present := context[key]
			var holds bool
			switch operator {
			case "StringEquals":
				holds = len(got) == 1 && slices.Contains(wanted, got[0])
			case "StringEqualsIfExists":
				holds = !present || len(got) == 1 && slices.Contains(wanted, got[0])
			case "ForAnyValue:StringEquals":
				holds = slices.ContainsFunc(got, func(value string) bool { return slices.Contains(wanted, value) })
			case "Null":
				holds = slices.Equal(wanted, iamValues{fmt.Sprint(!present)})
			}
			if !holds { // So does an operator that is not known here.
				return false
			}
		}
	}
	return true
}

// wildcard reports whether a pattern with * and ? matches all of a text.
func wildcard(pattern, text string) bool {
	p := regexp.QuoteMeta(pattern)
	p = strings.ReplaceAll(strings.ReplaceAll(p, `\*`, `.*`), `\?`, `.`)
	return regexp.MustCompile(`(?s)^` + p + `$`).MatchString(text)
}
