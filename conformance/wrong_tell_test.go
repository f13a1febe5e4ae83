package conformance

import (
	"context"
	"errors"
	"slices"
	"strings"

	"example.com/tokenstore"
)

// telling is a reference that tells something else; nil functions are not replaced.
type telling struct {
	*reference
	warnings   func(ctx context.Context, s *reference) (map[string][]string, error)
	identity   func(ctx context.Context, s *reference) (string, error)
	diagnose   func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error)
	mend       func(ctx context.Context, s *reference, findings []tokenstore.Finding) error
	changeWith func(*telling) // Sets functions that share the state of a handle.
}

func (s telling) Warnings(ctx context.Context) (map[string][]string, error) {
	if s.warnings != nil {
		return s.warnings(ctx, s.reference)
	}
	return s.reference.Warnings(ctx)
}

func (s telling) Identity(ctx context.Context) (string, error) {
	if s.identity != nil {
		return s.identity(ctx, s.reference)
	}
	return s.reference.Identity(ctx)
}

func (s telling) Diagnose(ctx context.Context, role tokenstore.Role) ([]tokenstore.Finding, error) {
	if s.diagnose != nil {
		return s.diagnose(ctx, s.reference, role)
	}
	return s.reference.Diagnose(ctx, role)
}

func (s telling) Mend(ctx context.Context, findings []tokenstore.Finding) error {
	if s.mend != nil {
		return s.mend(ctx, s.reference, findings)
	}
	return s.reference.Mend(ctx, findings)
}

func (s telling) open(d *data) tokenstore.Store {
	s.reference = &reference{data: d}
	if s.changeWith != nil {
		s.changeWith(&s)
	}
	return s
}

func wrongWarnings() []wrongStore {
	warning := func(f func(ctx context.Context, s *reference) (map[string][]string, error)) func(*data) tokenstore.Store {
		return telling{warnings: f}.open
	}
	// each returns a store that changes what the rows are warned of.
	each := func(change func(row token, warnings []string) []string) func(*data) tokenstore.Store {
		return warning(func(ctx context.Context, s *reference) (map[string][]string, error) {
			right, err := s.Warnings(ctx)
			warnings := map[string][]string{}
			rows, _ := s.GetTokens(context.WithoutCancel(ctx))
			for _, row := range rows {
				if words := change(row, right[row.ID]); len(words) > 0 {
					warnings[row.ID] = words
				}
			}
			return warnings, err
		})
	}
	return []wrongStore{
		{"warns by quoting the value", "warnings", each(func(row token, warnings []string) []string {
			if len(warnings) > 0 {
				warnings = append(warnings, "refresh_token: white space around "+row.RefreshToken)
			}
			return warnings
		})},
		{"sees white space before a credential only", "warnings", each(func(row token, warnings []string) []string {
			if eachCredential(row, func(text string) string { return strings.TrimLeft(text, " ") }) == row {
				return nil
			}
			return warnings
		})},
		{"looks for spaces, not for line breaks", "warnings", each(func(row token, warnings []string) []string {
			if eachCredential(row, func(text string) string { return strings.Trim(text, " ") }) == row {
				return nil
			}
			return warnings
		})},
		{"looks at what is redeemed only", "warnings", each(func(_ token, warnings []string) []string {
			return slices.DeleteFunc(warnings, func(w string) bool { return strings.HasPrefix(w, "client_") })
		})},
		{"warns of white space wherever it is", "warnings", each(func(row token, warnings []string) []string {
			if strings.TrimSpace(row.APIDomain) != row.APIDomain {
				warnings = append(warnings, "api_domain: white space before or after the value")
			}
			return warnings
		})},
		{"warns of an unknown expiry", "warnings", each(func(row token, warnings []string) []string {
			if row.Expiry.IsZero() {
				warnings = append(warnings, "expiry_time: there is none")
			}
			return warnings
		})},
		{"warns without naming the field", "warnings", each(func(_ token, warnings []string) []string {
			if len(warnings) > 0 {
				return append(warnings, "white space")
			}
			return nil
		})},
		{"warns by user", "warnings", warning(func(ctx context.Context, s *reference) (map[string][]string, error) {
			right, err := s.Warnings(ctx)
			rows, _ := s.GetTokens(context.WithoutCancel(ctx))
			warnings := map[string][]string{}
			for _, row := range rows {
				warnings[row.UserName] = append(warnings[row.UserName], right[row.ID]...)
			}
			return warnings, err
		})},
		{"corrects what it warns of", "warnings", warning(func(ctx context.Context, s *reference) (map[string][]string, error) {
			warnings, err := s.Warnings(ctx)
			_, _ = locked(s, func(d *data) (bool, error) {
				for i, row := range d.rows {
					d.rows[i] = tidy(row)
				}
				return true, nil
			})
			return warnings, err
		})},
		{"warns of what it once saw", "warnings", telling{changeWith: func(w *telling) {
			seen := map[string][]string{}
			w.warnings = func(ctx context.Context, s *reference) (map[string][]string, error) {
				now, err := s.Warnings(ctx)
				for id, words := range now {
					seen[id] = words
				}
				return seen, err
			}
		}}.open},
		{"warns in an ended context", "warnings", warning(func(ctx context.Context, s *reference) (map[string][]string, error) {
			return s.Warnings(context.WithoutCancel(ctx))
		})},
		{"warns of no expiry", "warnings-expiry", each(func(_ token, warnings []string) []string {
			return slices.DeleteFunc(warnings, func(w string) bool { return strings.HasPrefix(w, "expiry_time: ") })
		})},
		{"quotes an expiry", "warnings-expiry", each(func(_ token, warnings []string) []string {
			if slices.ContainsFunc(warnings, func(w string) bool { return strings.HasPrefix(w, "expiry_time: ") }) {
				return []string{`expiry_time: parsing time "next week, fakecred"`}
			}
			return warnings
		})},
	}
}

func wrongIdentities() []wrongStore {
	identity := func(f func(ctx context.Context, s *reference) (string, error)) func(*data) tokenstore.Store {
		return telling{identity: f}.open
	}
	return []wrongStore{
		{"is the user of its first token", "identity", identity(func(ctx context.Context, s *reference) (string, error) {
			rows, err := s.GetTokens(ctx)
			if len(rows) > 0 {
				return rows[0].UserName, err
			}
			return "", err
		})},
		{"is the client", "identity", identity(func(ctx context.Context, s *reference) (string, error) {
			rows, err := s.GetTokens(ctx)
			if len(rows) > 0 {
				return rows[0].ClientID, err
			}
			return "", err
		})},
		{"is what a command has printed", "identity", identity(func(ctx context.Context, _ *reference) (string, error) { return "nobody\n", ctx.Err() })},
		{"is somebody in an ended context", "identity", identity(func(context.Context, *reference) (string, error) { return "somebody", nil })},
		{"has no identity, and says so with an error of its own", "identity", identity(func(ctx context.Context, _ *reference) (string, error) {
			return "", errors.Join(ctx.Err(), errors.New("not supported"))
		})},
	}
}

func wrongDiagnoses() []wrongStore {
	diagnosing := func(f func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error)) func(*data) tokenstore.Store {
		return telling{diagnose: f}.open
	}
	// finding returns a store with another finding, about its first row if there is one.
	finding := func(about func(row token) tokenstore.Finding) func(*data) tokenstore.Store {
		return diagnosing(func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
			findings, err := s.Diagnose(ctx, role)
			if rows, _ := s.GetTokens(ctx); len(rows) > 0 {
				findings = append(findings, about(rows[0]))
			}
			return findings, err
		})
	}
	probe := token{ID: "probe", AccessToken: "a probe"}
	return []wrongStore{
		{"quotes a credential in a finding", "diagnose", finding(func(row token) tokenstore.Finding {
			return tokenstore.Finding{Code: "refresh-token-short", Severity: tokenstore.SeverityNote, What: "it is short: " + row.RefreshToken, Repair: "replace it"}
		})},
		{"quotes a credential in the cause of a finding", "diagnose", finding(func(row token) tokenstore.Finding {
			return tokenstore.Finding{Code: "unparsable", Severity: tokenstore.SeverityNote, What: "it cannot be parsed", Repair: "replace it", Err: errors.New("parse " + row.AccessToken)}
		})},
		{"has a sentence for a code", "diagnose", finding(func(token) tokenstore.Finding {
			return tokenstore.Finding{Code: "The table is old", Severity: tokenstore.SeverityNote, What: "the table is old", Repair: "upgrade it"}
		})},
		{"has a severity of its own", "diagnose", finding(func(token) tokenstore.Finding {
			return tokenstore.Finding{Code: "old-table", Severity: "critical", What: "the table is old", Repair: "upgrade it"}
		})},
		{"does not say what helps", "diagnose", finding(func(token) tokenstore.Finding {
			return tokenstore.Finding{Code: "old-table", Severity: tokenstore.SeverityNote, What: "the table is old"}
		})},
		{"returns a fault that it meets", "diagnose", diagnosing(func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
			findings, err := s.Diagnose(ctx, role)
			if err == nil && len(findings) > 0 {
				err = tokenstore.ErrUnreadable
			}
			return findings, err
		})},
		{"makes a finding of an ended context", "diagnose", diagnosing(func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
			findings, err := s.Diagnose(ctx, role)
			if err != nil {
				findings = []tokenstore.Finding{{Code: "check-failed", Severity: tokenstore.SeverityError, What: err.Error(), Repair: "try again", Err: err}}
			}
			return findings, nil
		})},
		{"puts right what it finds", "diagnose", diagnosing(func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
			findings, err := s.Diagnose(ctx, role)
			return findings, errors.Join(err, s.Mend(ctx, findings))
		})},
		{"leaves its probe", "diagnose-traces", diagnosing(func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
			if role == tokenstore.RoleWriter {
				_, _ = s.SaveToken(ctx, probe)
			}
			return s.Diagnose(ctx, role)
		})},
		{"tries to write a token that is there", "diagnose-traces", diagnosing(func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
			if rows, _ := s.GetTokens(ctx); role == tokenstore.RoleOperator && len(rows) > 0 {
				_, _ = s.SaveToken(ctx, token{ID: rows[0].ID, APIDomain: "https://probe.example"})
			}
			return s.Diagnose(ctx, role)
		})},
		{"tries to delete, and puts the token back last", "diagnose-traces", diagnosing(func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
			if rows, _ := s.GetTokens(ctx); role == tokenstore.RoleWriter && len(rows) > 0 {
				_ = s.DeleteToken(ctx, rows[0].ID)
				_, _ = s.SaveToken(ctx, rows[0])
			}
			return s.Diagnose(ctx, role)
		})},
		{"removes what is foreign when it looks", "diagnose-traces", diagnosing(func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
			_, _ = locked(s, func(d *data) (bool, error) { d.foreign = nil; return true, nil })
			return s.Diagnose(ctx, role)
		})},
		{"a store is there once it was looked for", "diagnose-traces", func(d *data) tokenstore.Store { return &founding{reference: &reference{data: d}} }},
	}
}

// founding is a store that a diagnosis founds.
type founding struct {
	*reference
	founded bool
}

func (s *founding) Exists(ctx context.Context) (bool, error) {
	exists, err := s.reference.Exists(ctx)
	return exists || s.founded, err
}

func (s *founding) Diagnose(ctx context.Context, role tokenstore.Role) ([]tokenstore.Finding, error) {
	s.founded = s.founded || role == tokenstore.RoleOperator
	return s.reference.Diagnose(ctx, role)
}

func wrongMends() []wrongStore {
	mending := func(f func(ctx context.Context, s *reference, findings []tokenstore.Finding) error) func(*data) tokenstore.Store {
		return telling{mend: f}.open
	}
	return []wrongStore{
		{"mends what nobody asked for", "mend", mending(func(ctx context.Context, s *reference, _ []tokenstore.Finding) error {
			findings, err := s.Diagnose(ctx, tokenstore.RoleOperator)
			return errors.Join(err, s.Mend(ctx, findings))
		})},
		{"says that it mends, and does not", "mend", mending(func(ctx context.Context, _ *reference, _ []tokenstore.Finding) error { return ctx.Err() })},
		{"mends the first finding only", "mend", mending(func(ctx context.Context, s *reference, findings []tokenstore.Finding) error {
			return s.Mend(ctx, findings[:min(1, len(findings))])
		})},
		{"has nothing to mend", "mend", mending(func(ctx context.Context, s *reference, findings []tokenstore.Finding) error {
			if len(findings) == 0 {
				return tokenstore.ErrInvalidArgument
			}
			return s.Mend(ctx, findings)
		})},
		{"drops what it mends", "mend", mending(func(ctx context.Context, s *reference, findings []tokenstore.Finding) error {
			for _, f := range findings {
				if f.Mends && ctx.Err() == nil {
					_ = s.DeleteToken(ctx, f.Where)
				}
			}
			return ctx.Err()
		})},
		{"mends every field", "mend", mending(func(ctx context.Context, s *reference, findings []tokenstore.Finding) error {
			err := s.Mend(ctx, findings)
			_, _ = locked(s, func(d *data) (bool, error) {
				for i := range d.rows {
					if err == nil && slices.ContainsFunc(findings, func(f tokenstore.Finding) bool { return f.Mends && f.Where == d.rows[i].ID }) {
						d.rows[i].UserName = strings.ToUpper(d.rows[i].UserName)
					}
				}
				return true, nil
			})
			return err
		})},
		{"mends in an ended context", "mend", mending(func(ctx context.Context, s *reference, findings []tokenstore.Finding) error {
			return s.Mend(context.WithoutCancel(ctx), findings)
		})},
		{"removes what is foreign", "mend", mending(func(ctx context.Context, s *reference, findings []tokenstore.Finding) error {
			_, _ = locked(s, func(d *data) (bool, error) { d.foreign = nil; return true, nil })
			return s.Mend(ctx, findings)
		})},
		{"writes back what the diagnosis has read", "mend-changed", telling{changeWith: func(w *telling) {
			var read []token
			w.diagnose = func(ctx context.Context, s *reference, role tokenstore.Role) ([]tokenstore.Finding, error) {
				read, _ = s.GetTokens(context.WithoutCancel(ctx))
				return s.Diagnose(ctx, role)
			}
			w.mend = func(ctx context.Context, s *reference, findings []tokenstore.Finding) error {
				for _, row := range read {
					if slices.ContainsFunc(findings, func(f tokenstore.Finding) bool { return f.Mends && f.Where == row.ID }) && ctx.Err() == nil {
						_, _ = s.SaveToken(ctx, tidy(row))
					}
				}
				return ctx.Err()
			}
		}}.open},
		{"fails if a finding is out of date", "mend-changed", mending(func(ctx context.Context, s *reference, findings []tokenstore.Finding) error {
			for _, f := range findings {
				if _, err := s.FindTokenByID(ctx, f.Where); f.Mends && err != nil {
					return err
				}
			}
			return s.Mend(ctx, findings)
		})},
	}
}
