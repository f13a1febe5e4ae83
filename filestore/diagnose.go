// What is wrong with the file: who may read it, whether this user may write it, and what a
// writer that was killed has left.

package filestore

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/filecheck"
)

var _ tokenstore.Diagnoser = (*Store)(nil)

// Diagnose implements tokenstore.Diagnoser. It writes nothing. What [Store.Warnings] reports of
// single tokens is not in it.
func (s *Store) Diagnose(ctx context.Context, role tokenstore.Role) ([]tokenstore.Finding, error) {
	if err := s.usable(ctx); err != nil {
		return nil, failure("diagnose", "", err)
	}
	path, err := target(s.path)
	if err != nil {
		return []tokenstore.Finding{filecheck.Failed(failure("diagnose", "", err))}, nil
	}
	findings := filecheck.Modes(path, path+notesSuffix, path+lastIDSuffix)
	if role != tokenstore.RoleReader {
		err := mayWrite(path)
		if err == nil && !s.config.inPlace {
			err = filecheck.MayCreate(filepath.Dir(path))
		}
		if err != nil {
			findings = append(findings, filecheck.Denied(path, err))
		}
	}
	for _, name := range leftovers(path) {
		findings = append(findings, tokenstore.Finding{
			Code: filecheck.CodeLeftover, Severity: tokenstore.SeverityWarning, Where: name, What: "a writer that was killed has left this file, which may hold tokens",
			Repair: "rm " + filecheck.Quote(name), Mends: !s.config.inPlace,
		})
	}
	return findings, nil
}

// leftAfter is how old a temporary file must be to be a leftover: a writer needs far less.
const leftAfter = time.Minute

// leftovers returns the temporary files that writers of the file have left.
func leftovers(path string) []string {
	var all []string
	for _, name := range temporaries(path) {
		if info, err := os.Stat(name); err == nil && time.Since(info.ModTime()) > leftAfter {
			all = append(all, name)
		}
	}
	return all
}

// Mend implements tokenstore.Diagnoser.
func (s *Store) Mend(ctx context.Context, findings []tokenstore.Finding) error {
	if s.config.readOnly {
		return failure("mend", "", errReadOnly)
	}
	err := filecheck.Mend(ctx, findings)
	left := func(f tokenstore.Finding) bool { return f.Code == filecheck.CodeLeftover && f.Mends }
	if err == nil && slices.ContainsFunc(findings, left) {
		s.swept.Store(false)
		err = s.change(ctx, func(*rows) error { return nil }) // It sweeps.
	}
	return failure("mend", "", err)
}
