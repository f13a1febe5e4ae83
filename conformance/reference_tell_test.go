package conformance

import (
	"context"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/rowstore"
)

// Warnings finds slips in the rows.
func (s *reference) Warnings(ctx context.Context) (map[string][]string, error) {
	return locked(s, func(d *data) (map[string][]string, error) {
		warnings := map[string][]string{}
		for _, r := range d.rows {
			if odd := rowstore.Warnings(r, d.odd[r.ID]); len(odd) > 0 {
				warnings[r.ID] = odd
			}
		}
		return warnings, ctx.Err()
	})
}

func (*reference) Identity(ctx context.Context) (string, error) { return "reference", ctx.Err() }

// Diagnose finds slips. White space it can mend.
func (s *reference) Diagnose(ctx context.Context, _ tokenstore.Role) ([]tokenstore.Finding, error) {
	warnings, err := s.Warnings(ctx)
	var findings []tokenstore.Finding
	for id, words := range warnings {
		for _, w := range words {
			f := tokenstore.SlipFinding(id, w)
			f.Mends = f.Code == tokenstore.CodeWhiteSpace
			findings = append(findings, f)
		}
	}
	return findings, err
}

func (s *reference) Mend(ctx context.Context, findings []tokenstore.Finding) error {
	_, err := locked(s, func(d *data) (bool, error) {
		for i, r := range d.rows {
			if ctx.Err() == nil && slices.ContainsFunc(findings, func(f tokenstore.Finding) bool { return f.Mends && f.Where == r.ID }) {
				d.rows[i] = tidy(r)
			}
		}
		return true, ctx.Err()
	})
	return err
}
