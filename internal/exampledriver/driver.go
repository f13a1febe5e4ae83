// Package exampledriver is the worked example of docs/adapters.md. Read it; do not import it.
package exampledriver

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"example.com/tokenstore/driver"
)

// Dir keeps secrets in a directory that any number of processes may use at the same time.
type Dir struct{ Root *os.Root }

// Get needs no lock: Put replaces the whole file at once.
func (d *Dir) Get(ctx context.Context, name string) (driver.Secret, error) {
	if err := cmp.Or(ctx.Err(), driver.CheckName(name)); err != nil {
		return driver.Secret{}, err
	}
	content, err := d.Root.ReadFile(fileOf(name))
	if err != nil {
		return driver.Secret{}, d.fault(err)
	}
	data := content // returned as it is if a person wrote something other than an object
	if object := fields(content); object != nil {
		maps.DeleteFunc(object, func(field string, _ json.RawMessage) bool { return strings.HasPrefix(field, driver.Reserved) })
		data, _ = json.Marshal(object)
	}
	return driver.Secret{Name: name, Data: data, Revision: revisionOf(content)}, nil
}

// Put adds a field of its own, so that no two writes, and no two revisions, are equal.
func (d *Dir) Put(ctx context.Context, s driver.Secret) (string, error) {
	object := fields(s.Data)
	if object == nil {
		return "", fmt.Errorf("%w: the data is not a JSON object", driver.ErrInvalid) // and is not quoted
	}
	object[driver.Reserved+"nonce"] = json.RawMessage(`"` + rand.Text() + `"`)
	content, _ := json.Marshal(object) // cannot fail: all of it was decoded from JSON
	err := d.change(ctx, s.Name, s.Revision, func(file string) error { return d.replace(file, content) })
	return revisionOf(content), err
}

// Delete checks whether the secret is gone only after it has tried to delete it.
func (d *Dir) Delete(ctx context.Context, name, revision string) error {
	err := d.change(ctx, name, revision, d.Root.Remove)
	if _, after := d.Get(ctx, name); errors.Is(after, driver.ErrNotFound) {
		return nil // this process removed it, or another did
	}
	return err
}

// List walks the directory and skips files that Put does not create.
func (d *Dir) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		err := fs.WalkDir(d.Root.FS(), ".", func(file string, _ fs.DirEntry, err error) error {
			if err := cmp.Or(ctx.Err(), err); err != nil {
				return err
			}
			if name := nameOf(file); file != fileOf(name) || !strings.HasPrefix(name, prefix) || yield(name, nil) {
				return nil
			}
			return fs.SkipAll
		})
		if err != nil {
			yield("", d.fault(err))
		}
	}
}

// change compares the revision and calls do, while no other process can write.
func (d *Dir) change(ctx context.Context, name, revision string, do func(file string) error) error {
	lock := flock.New(filepath.Join(d.Root.Name(), ".lock"))
	if _, err := lock.TryLockContext(ctx, time.Millisecond); err != nil {
		return d.fault(err)
	}
	defer func() { _ = lock.Close() }()
	if current, err := d.Get(ctx, name); err != nil && !errors.Is(err, driver.ErrNotFound) {
		return err
	} else if current.Revision != revision {
		return driver.ErrConflict
	}
	return d.fault(do(fileOf(name)))
}

// replace writes a file whole or not at all. The caller holds the lock.
func (d *Dir) replace(file string, content []byte) error {
	made := d.Root.MkdirAll(filepath.Dir(file), 0o700)
	if err := errors.Join(made, d.Root.WriteFile(file+".tmp", content, 0o600)); err != nil {
		return err
	}
	return d.Root.Rename(file+".tmp", file)
}

var special, escape = regexp.MustCompile(`[^a-z0-9-]`), regexp.MustCompile(`_[0-9a-f]+_`)

// fileOf escapes capitals too, since some file systems ignore case, and splits a
// name that is too long for a file name into directories.
func fileOf(name string) string {
	rest, dir := special.ReplaceAllStringFunc(name, func(c string) string { return fmt.Sprintf("_%x_", c) }), ""
	for ; len(rest) > 100; rest = rest[100:] {
		dir += rest[:100] + "/"
	}
	return dir + rest + ".json"
}

func nameOf(file string) string {
	escaped := strings.ReplaceAll(strings.TrimSuffix(file, ".json"), "/", "")
	return escape.ReplaceAllStringFunc(escaped, func(c string) string {
		decoded, _ := hex.DecodeString(strings.Trim(c, "_"))
		return string(decoded)
	})
}

func fields(data []byte) (object map[string]json.RawMessage) {
	_ = json.Unmarshal(data, &object) // nil if it is not an object
	return object
}

// revisionOf hashes the whole file, so that a person's edit is a new revision.
func revisionOf(content []byte) string { return fmt.Sprintf("%x", sha256.Sum256(content)) }

// fault wraps an error of the file system in the matching sentinel. If the
// directory itself is gone, a missing file says nothing about its secret.
func (d *Dir) fault(err error) error {
	_, gone := os.Stat(d.Root.Name())
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(gone, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", driver.ErrNoContainer, err)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", driver.ErrNotFound, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: %w", driver.ErrDenied, err)
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
}
