// The part of the service's filter language that the driver and its tests use.

package gcpsmtest

import (
	"strings"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

// filter narrows a list: terms "field:part" and "field=value", optionally after NOT,
// joined with AND, and those joined with OR. It refuses the rest of the service's
// language. (filtering)
type filter [][]term

// term is one condition.
type term struct {
	field, text string
	whole, not  bool
}

// filterFields are the fields that a filter may name, besides labels.KEY.
var filterFields = map[string]bool{"name": true, "state": true}

// parseFilter reads a filter; an empty one matches everything.
func parseFilter(text string) (filter, error) {
	var f filter
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for either := range strings.SplitSeq(text, " OR ") {
		var all []term
		for part := range strings.SplitSeq(either, " AND ") {
			part = strings.TrimSpace(part)
			part, not := strings.CutPrefix(part, "NOT ")
			at := strings.IndexAny(part, ":=")
			if at < 1 || strings.ContainsAny(part, "()<>*") {
				return nil, invalid("Invalid filter [%s].", text)
			}
			t := term{field: part[:at], text: strings.Trim(part[at+1:], `"`), whole: part[at] == '=', not: not}
			if !filterFields[t.field] && !strings.HasPrefix(t.field, "labels.") {
				return nil, invalid("Invalid filter [%s]: field [%s].", text, t.field)
			}
			all = append(all, t)
		}
		f = append(f, all)
	}
	return f, nil
}

// matches reports whether fields match, ignoring case.
func (f filter) matches(fields map[string]string) bool {
	if f == nil {
		return true
	}
	for _, all := range f {
		fits := true
		for _, t := range all {
			fits = fits && t.matches(fields)
		}
		if fits {
			return true
		}
	}
	return false
}

func (t term) matches(fields map[string]string) bool {
	value, ok := fields[t.field]
	value, text := strings.ToLower(value), strings.ToLower(t.text)
	fits := ok && (value == text || !t.whole && strings.Contains(value, text))
	return fits != t.not
}

// secretFields returns a secret's fields for a filter. Its name is its ID.
func secretFields(id string, sec *secretmanagerpb.Secret) map[string]string {
	fields := map[string]string{"name": id}
	for k, v := range sec.GetLabels() {
		fields["labels."+k] = v
	}
	return fields
}

// versionFields returns a version's fields for a filter.
func versionFields(v *secretmanagerpb.SecretVersion) map[string]string {
	return map[string]string{"name": v.GetName(), "state": v.GetState().String()}
}
