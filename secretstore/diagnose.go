// Diagnose and Mend: what an operator should know of a store, and the safe part of putting it
// right.

package secretstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/tokenstore"
	"example.com/tokenstore/index"
)

var _ tokenstore.Diagnoser = (*Store)(nil)

// Diagnose implements tokenstore.Diagnoser. It does what Check does, and for a role that
// writes it creates, replaces and deletes a secret under the prefix that no list of tokens
// has, doctor/probe: so it learns which permissions are missing, and how far the clocks are
// apart.
func (s *Store) Diagnose(ctx context.Context, role tokenstore.Role) ([]tokenstore.Finding, error) {
	const op = "diagnose"
	if !slices.Contains(tokenstore.Roles(), role) {
		return nil, s.fail(op, "", fmt.Errorf("%w: the roles are reader, writer and operator", tokenstore.ErrInvalidArgument))
	}
	findings := s.examine(ctx, role)
	if len(findings) == 0 || findings[len(findings)-1].Code != CodeCheckFailed {
		findings = append(findings, s.probe(ctx, role)...)
	}
	return findings, s.fail(op, "", ctx.Err())
}

// needsList reports whether a role has to list secrets: without an index of documents the
// list is all that names the tokens.
func (s *Store) needsList(role tokenstore.Role) bool {
	return role == tokenstore.RoleOperator || s.form() == index.EntriesForm
}

// examine checks the tokens and the index. If that fails, the last finding says so.
func (s *Store) examine(ctx context.Context, role tokenstore.Role) []tokenstore.Finding {
	r := s.newRepair(ReindexOptions{DryRun: true})
	err := r.run(bulk(ctx))
	if errors.Is(err, tokenstore.ErrDenied) && !s.needsList(role) {
		r = s.newRepair(ReindexOptions{DryRun: true})
		err = r.tokensOnly(ctx)
		r.find(tokenstore.Finding{
			Code: CodeIndexUnchecked, Severity: tokenstore.SeverityNote, What: "a role that may not list cannot check the index",
			Repair: "run {name} doctor {store} --role operator with the operator's credentials",
		})
	}
	findings := r.findings()
	if err != nil && !errors.Is(err, tokenstore.ErrUnreadable) {
		err = s.fail("check", "", err)
		findings = append(findings, tokenstore.Finding{
			Code: CodeCheckFailed, Severity: tokenstore.SeverityError, What: err.Error(), Repair: repairOf(err, role), Err: err,
		})
	}
	return findings
}

// repairOf says what helps against an error that ends a check or a probe.
func repairOf(err error, role tokenstore.Role) string {
	switch {
	case errors.Is(err, tokenstore.ErrDenied):
		return fmt.Sprintf("check the credentials, and grant what {name} policy {store} --role %s prints", role)
	case errors.Is(err, tokenstore.ErrNoContainer):
		return "correct the URL, or what the environment adds to it, then run {name} doctor {store} again"
	case errors.Is(err, tokenstore.ErrUnavailable):
		return "see that the service is running and can be reached from here, then run {name} doctor {store} again"
	}
	return "see what the guide to this service says of the error, then run {name} doctor {store} again"
}

// tokensOnly looks at the tokens that the index names.
func (r *repair) tokensOnly(ctx context.Context) error {
	for row, err := range r.s.listed(ctx, "check", r.s.readChunks) {
		if row == nil {
			return err
		}
		r.warn(row)
		if row.state == live {
			r.meet(row)
		}
	}
	return nil
}

// Mend implements tokenstore.Diagnoser: one Reindex repairs all that it can.
func (s *Store) Mend(ctx context.Context, findings []tokenstore.Finding) error {
	if !slices.ContainsFunc(findings, func(f tokenstore.Finding) bool { return f.Mends }) {
		return nil
	}
	_, err := s.reindex(ctx, ReindexOptions{})
	if errors.Is(err, tokenstore.ErrUnreadable) {
		err = nil // Secrets of the index that a person has to delete; the next diagnosis names them.
	}
	return s.fail("mend", "", err)
}
