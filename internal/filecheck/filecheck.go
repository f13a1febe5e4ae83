// Package filecheck finds what is wrong with the permissions of files that hold tokens, and
// puts it right, for the stores that keep them in a file.
package filecheck

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/fsfault"
	"example.com/tokenstore/internal/plainfile"
)

// The codes of the findings, beside tokenstore.CodeFileOpen.
const (
	CodeFolderOpen = "folder-open"
	CodeDenied     = "denied-write"
	CodeLeftover   = "file-left"
	codeCheck      = "check-failed"
)

// Modes returns the findings about files, of which some may not exist, and about the folder
// of the first one.
func Modes(paths ...string) []tokenstore.Finding {
	var all []tokenstore.Finding
	for _, path := range paths {
		if plainfile.OpenToOthers(path) {
			all = append(all, tokenstore.Finding{
				Code: tokenstore.CodeFileOpen, Severity: tokenstore.SeverityWarning, Where: path, What: "other users of this machine may read or write it",
				Repair: "chmod o-rw " + Quote(path), Mends: true,
			})
		}
	}
	if folder, open := openFolder(paths[0]); open {
		all = append(all, tokenstore.Finding{
			Code: CodeFolderOpen, Severity: tokenstore.SeverityWarning, Where: folder, What: "other users of this machine may replace the files in this folder",
			Repair: "chmod o-w " + Quote(folder),
		})
	}
	return all
}

const (
	othersRights os.FileMode = 0o006
	othersWrite  os.FileMode = 0o002
)

// openFolder returns the folder of a file, and whether others may replace what is in it.
func openFolder(path string) (folder string, open bool) {
	target, err := filepath.EvalSymlinks(path)
	if err == nil {
		target, err = filepath.Abs(target)
	}
	if err != nil {
		return "", false
	}
	folder = filepath.Dir(target)
	info, err := os.Stat(folder)
	open = err == nil && plainfile.HasModes && info.Mode().Perm()&othersWrite != 0 && info.Mode()&os.ModeSticky == 0
	return folder, open && plainfile.Reachable(folder)
}

// Failed returns the finding for an error that ended a diagnosis.
func Failed(err error) tokenstore.Finding {
	return tokenstore.Finding{
		Code: codeCheck, Severity: tokenstore.SeverityError, What: err.Error(),
		Repair: "do what the error says, then run {name} doctor {store} again", Err: err,
	}
}

// Mend takes the rights of others from the files that the findings name. No file is opened:
// closing it would drop the locks of this process on a database.
func Mend(ctx context.Context, findings []tokenstore.Finding) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, f := range findings {
		if f.Code != tokenstore.CodeFileOpen || !plainfile.OpenToOthers(f.Where) {
			continue
		}
		info, err := os.Stat(f.Where)
		if err == nil {
			err = os.Chmod(f.Where, info.Mode().Perm()&^othersRights)
		}
		if err != nil {
			return fsfault.Of(err)
		}
	}
	return nil
}

// Denied returns the finding for a file that a role has to write and may not.
func Denied(path string, err error) tokenstore.Finding {
	return tokenstore.Finding{
		Code: CodeDenied, Severity: tokenstore.SeverityError, Where: path, What: "this user may not write it, or create files beside it",
		Repair: "run the program as the owner of " + Quote(path) + " and its folder", Err: fsfault.Of(err),
	}
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// Quote returns a path as a shell takes it.
func Quote(path string) string {
	if plain.MatchString(path) && !strings.HasPrefix(path, "-") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
