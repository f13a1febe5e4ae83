// Package filestore keeps tokens in the token file of the Zoho CRM SDKs. It reads the
// files of every SDK language and generation, and writes a form that they can read,
// with the exceptions below.
//
//	store, err := filestore.Open("tokens.txt")
//
// tokenstore.Open takes the URLs "file:tokens.txt" and
// "file:/var/lib/app/tokens.txt", with these parameters, each true or false:
//
//   - readonly: nothing is ever written, neither the file nor one beside it,
//     and the file must exist. Use it for a source to import from. See
//     [WithReadOnly].
//   - in_place: the file is written in place and not replaced, which a crash can
//     leave half written. Use it for a file that is mounted by itself, or whose
//     folder is not yours. See [WithInPlace].
//   - upgrade: a file of the first generation may be written. See [WithUpgrade].
//   - quotes: whether values may be quoted. See [WithQuotes].
//
// # What is read
//
// The SDKs' files have a header and one row per token, with fields separated by commas:
//
//   - ten columns (SDK 5.0 and later): id, user_name, client_id, client_secret,
//     refresh_token, access_token, grant_token, expiry_time, redirect_url,
//     api_domain;
//   - nine columns (2.x): the same without api_domain;
//   - six columns (1.x): user_mail, client_id, refresh_token, access_token,
//     grant_token, expiry_time. Here the row's number, from 1, serves as its ID as
//     long as the file does not change.
//
// The names in the header decide which column is which, in any order and number, with
// other names that programs use, such as user_mail or email for user_name, redirect_uri
// for redirect_url, and expires_in or expires_at for expiry_time. Without a header, and
// for unknown names in a header of the SDKs' form, the position decides. Other columns
// are kept as they are.
//
// A byte order mark, line ends of LF, CR LF or CR CR LF, blank lines, a missing last
// line end, unnecessary quotes, quotes inside a value that does not begin with one, and
// a word for an absent value (null, NULL, \N, None, undefined, nil) are all read. A
// quoted "null" is the word itself.
//
// A file that is something else altogether, such as JSON, a Python pickle, an SQL dump
// or a table with semicolons, is refused with an error that says what it is.
//
// # What is not guessed
//
// Some rows cannot be read for certain: one with too many fields (a comma in an unquoted
// value) or too few, without an ID, or with the ID of another row (both are reported); a
// malformed quote; quotes that may or may not belong to the value; a time in the column
// beside the expiry, where a value with a comma has moved it; text that is not UTF-8.
// They are reported by line number, in an [UnreadableError] that matches
// tokenstore.ErrUnreadable and quotes nothing of the file.
//
// The other rows are still found and listed; GetTokens returns them together with the
// error. A token that is not found may be on one of those lines, so a find then returns
// that error and not tokenstore.ErrNotFound. The file is no longer written: saves and
// deletes fail with the same error until a person has corrected the lines.
//
// An expiry that cannot be understood otherwise is taken as unknown. It stays in the
// file until a save brings a new one or another access token, and is reported by
// [Store.Warnings], as is white space around a credential.
//
// # What is written
//
// Lines whose token did not change are written back byte for byte, and a changed line
// keeps the fields that did not change. The header keeps its names. New rows follow the
// file's line ends, its way of quoting, and its use of the word null; a file without a
// last line end stays without. Only what the SDKs need is added: a header to a file that
// lacks one, and the tenth column to a file of nine, as the SDKs do when they open it.
//
// A new file has ten columns, the name redirect_uri, line ends of LF, and quotes where
// CSV needs them. The SDKs read it, with two exceptions.
//
// The SDKs for Node, TypeScript, C# and Scala do not understand quotes, and split at
// every comma: open a file that is made for one of them with quotes=false the first
// time. A file that they have written can be recognised by its missing last line end,
// the word null, a quote in the middle of a value, or its header and line ends together.
// A value that would need quotes (it has a comma or a line break, begins with a quote, or
// is the word null) is not written to such a file: the error matches
// tokenstore.ErrInvalidToken and names the field. [WithQuotes] overrides this.
//
// The SDK for Scala fails at a row whose last fields are empty, as they are for a token
// without an API domain. It writes the word null for absent values, and so does this
// package in a file that has the word: let the SDK create the file, and save a token with
// absent values first.
//
// The Java SDK takes a backslash for an escape, also in its own files; the Python SDK
// reads no field of more than 131,072 characters, and takes a carriage return for a line
// feed.
//
// # IDs
//
// IDs are opaque strings. A generated ID is a decimal number, one higher than the highest
// so far: the SDKs count in the same way, and fail on IDs that are not numbers. Numbers
// above 2,147,483,647 are not counted, so that a generated ID has at most the ten digits
// that the SDKs' tables hold. After this package deletes a token, its generated ID is not
// used again: if the highest number is no longer in a row, it is kept in a file with
// ".last-id" after the name. An SDK does reuse the ID of a token that it deleted; so does
// this package if it has not seen the row since the program started.
//
// # Notes
//
// The notes of tokens (see tokenstore.Swapper) are in a JSON file with ".notes" after the
// name, which is created with the first note, with the mode of the token file: for the ID
// of a token and a digest of its grant, refresh and access token, a note. A note that
// belongs to another content, because an SDK has written the row since, does not count. A
// file that is written in place ([WithInPlace]) has no notes.
//
// # Sharing the file
//
// Any number of processes may use a file. Writers hold an advisory lock on a file beside
// it, with ".lock" after the name; readers need no lock and no permission to write. The
// file is replaced in one step after all of it was written to the disk, so that no reader
// ever sees half of it, and a process that is killed leaves either the old file or the
// new one. It may leave a temporary file, which the next writer removes.
//
// A new file has mode 0600; an existing one keeps its mode, even if others may read it
// (which [WithLogger] and [Store.Warnings] report), its owner and, on Linux, its
// POSIX access control list. A symbolic link stays a link, and its target is replaced.
// Other extended attributes, hard links, and access control lists on other systems are
// lost. A file that is a mount of its own, as containers sometimes have it, cannot be
// replaced: mount its folder or, at some risk, write it in place ([WithInPlace]). The
// same goes for a file in a folder that this process may not write. The folder must be readable, so that the change can be made
// to survive a power failure. A file that this process may not write is not replaced,
// even if its folder would allow it: the error matches tokenstore.ErrDenied. Nor is one
// whose owner the new file cannot be given: only that owner and root can save. To give
// the store to another user, change the owner of the folder, the token file, and the
// files with ".lock", ".last-id" and ".notes" after its name. What is no regular file, as a
// link or a FIFO, is never opened in the place of these three: the error matches
// tokenstore.ErrInvalidArgument.
//
// The SDKs take no lock, and write in place after emptying the file. A file that seems
// half written is read again, for up to 0.2 seconds by a find and up to five by a save or
// a delete. A file that has been empty for less than 30 seconds does not count as one
// without tokens: the error matches tokenstore.ErrConflict, and a retry may succeed. To
// have an empty store at once, remove the file. A file that changed between this
// package's read and its write is read again and not overwritten: its bytes are compared
// immediately before it is replaced.
//
// What was read last is kept, and read again if the file may have changed: if its size, one of
// its times or its identity is another, or was seen for the first time less than a tenth of a
// second before it was read (two seconds, if the file system counts whole seconds). So an edit
// is seen however quickly it follows another.
//
// Some things cannot be detected. A part of a file that ends with a whole line looks like
// a complete file; what others write in that last moment is lost; and an SDK overwrites
// whatever was written between its own read and write. If two programs use one file, at
// most one of them should be an SDK that saves.
package filestore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"sync/atomic"

	"example.com/tokenstore"
	"example.com/tokenstore/internal/plainfile"
	"example.com/tokenstore/internal/rowstore"
	"example.com/tokenstore/internal/streams"
)

// Store is a tokenstore.Store over one file. It is safe for concurrent use, and
// several stores, in one process or in many, may use one file.
type Store struct {
	path   string
	config config
	// readings is how often a change reads a file that is being written.
	readings int

	// writing holds a value during a write: the goroutines of one store queue here, in order, instead of polling for the file's lock.
	writing chan struct{}
	// last is what was read last.
	last atomic.Pointer[snapshot]
	// highest is the highest number that was seen as an ID.
	highest atomic.Int64
	// swept says that leftovers were looked for.
	swept atomic.Bool
	// warned says that it was looked at who may read the file.
	warned atomic.Bool
	closed atomic.Bool
}

var (
	_ tokenstore.OpenStore = (*Store)(nil)
	_ tokenstore.Exister   = (*Store)(nil)
	_ tokenstore.Pinger    = (*Store)(nil)
	_ tokenstore.Warner    = (*Store)(nil)
	_ tokenstore.Streamer  = (*Store)(nil)
)

// Open returns a store over the file of that name. If there is no such file, it
// is created by the first save; with [WithReadOnly] that is an error. The file
// is not read yet, and no file is held open between two calls.
func Open(path string, options ...Option) (*Store, error) {
	s := &Store{path: path, readings: changeReadings, writing: make(chan struct{}, 1)}
	if path != "" {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, failure("open", "", err)
		}
		s.path = absolute
	}
	for _, o := range options {
		o(&s.config)
	}
	if err := s.check(); err != nil {
		return nil, failure("open", "", err)
	}
	return s, nil
}

// Close ends the use of the store; every later call fails. Nothing waits to be
// written, and no file is open, so that a store need not be closed.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.last.Store(nil)
	return nil
}

// FindToken implements tokenstore.Store.
func (s *Store) FindToken(ctx context.Context, query tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	doc, err := s.view(ctx)
	if err != nil {
		return tokenstore.OAuthToken{}, failure("find token", query.ID, err)
	}
	found, err := rowstore.Find(&rows{doc: doc}, query)
	return found, failure("find token", query.ID, doc.orUnreadable(err))
}

// FindTokenByID implements tokenstore.Store.
func (s *Store) FindTokenByID(ctx context.Context, id string) (tokenstore.OAuthToken, error) {
	const op = "find token by ID"
	if id == "" {
		return tokenstore.OAuthToken{}, failure(op, "", errNoID)
	}
	doc, err := s.view(ctx)
	if err != nil {
		return tokenstore.OAuthToken{}, failure(op, id, err)
	}
	if r := doc.byID(id); r != nil {
		return r.token, nil
	}
	return tokenstore.OAuthToken{}, failure(op, id, doc.orUnreadable(tokenstore.ErrNotFound))
}

// GetTokens implements tokenstore.Store. The oldest token is on the first line.
func (s *Store) GetTokens(ctx context.Context) ([]tokenstore.OAuthToken, error) {
	doc, err := s.view(ctx)
	if err != nil {
		return nil, failure("get tokens", "", err)
	}
	if doc.foreign != "" {
		return nil, failure("get tokens", "", doc.unreadable())
	}
	tokens := []tokenstore.OAuthToken{}
	for t := range doc.tokens() {
		tokens = append(tokens, t)
	}
	return tokens, failure("get tokens", "", doc.unreadable())
}

// Tokens implements tokenstore.Streamer. The tokens are those of one moment, in the order
// of the file. As every call does, it holds the whole file.
func (s *Store) Tokens(ctx context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		const op = "list tokens"
		doc, err := s.view(ctx)
		if err == nil && doc.foreign != "" {
			err = doc.unreadable()
		}
		if err != nil {
			yield(tokenstore.OAuthToken{}, streams.End(failure(op, "", err)))
			return
		}
		for t := range doc.tokens() {
			if err := ctx.Err(); err != nil {
				yield(tokenstore.OAuthToken{}, failure(op, "", err))
				return
			}
			if !yield(t, nil) {
				return
			}
		}
		for _, fault := range rowstore.SplitErrors(doc.unreadable()) {
			if !yield(tokenstore.OAuthToken{}, failure(op, "", fault)) {
				return
			}
		}
	}
}

// FindTokens finds many tokens in the file as it is at one moment, each as FindToken would,
// and returns them in the order of the queries. Where a query finds nothing, the result is
// empty, and that is no error, unless the file has lines that cannot be read: the error then
// names them.
func (s *Store) FindTokens(ctx context.Context, queries []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	const op = "find tokens"
	found := make([]tokenstore.OAuthToken, len(queries))
	doc, err := s.view(ctx)
	if err != nil {
		return found, failure(op, "", err)
	}
	r := &rows{doc: doc.clone(), own: true}
	missing := false
	for i, query := range queries {
		if found[i], err = rowstore.Find(r, query); err != nil {
			missing = true
		}
	}
	if missing {
		return found, failure(op, "", doc.unreadable())
	}
	return found, nil
}

// SaveToken implements tokenstore.Store.
func (s *Store) SaveToken(ctx context.Context, token tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	var saved tokenstore.OAuthToken
	err := s.change(ctx, func(r *rows) error {
		var err error
		saved, err = rowstore.Save(r, token)
		return err
	})
	if err != nil {
		return tokenstore.OAuthToken{}, failure("save token", token.ID, err)
	}
	return saved, nil
}

// SaveTokens saves tokens in their order, as SaveToken would one after the
// other, and returns them as stored. All are saved in one step: if one
// cannot be saved, none is. The error then joins one for each token that cannot be
// saved, which says which of the tokens that is.
func (s *Store) SaveTokens(ctx context.Context, tokens []tokenstore.OAuthToken) ([]tokenstore.OAuthToken, error) {
	saved := make([]tokenstore.OAuthToken, len(tokens))
	var faults []error
	err := s.change(ctx, func(r *rows) error {
		faults = nil
		for i := range tokens {
			// A save that fails changes no row.
			var err error
			if saved[i], err = rowstore.Save(r, tokens[i]); err != nil {
				faults = append(faults, failure(fmt.Sprintf("save token %d of %d", i+1, len(tokens)), tokens[i].ID, err))
			}
		}
		return errors.Join(faults...)
	})
	switch {
	case len(faults) > 0:
		return nil, err
	case err != nil:
		return nil, failure("save tokens", "", err)
	}
	return saved, nil
}

// DeleteToken implements tokenstore.Store.
func (s *Store) DeleteToken(ctx context.Context, id string) error {
	if id == "" {
		return failure("delete token", "", errNoID)
	}
	err := s.change(ctx, func(r *rows) error {
		return r.remove(func(rec *record) bool { return rec.token.ID == id })
	})
	return failure("delete token", id, err)
}

// DeleteTokens implements tokenstore.Store. The file and its header stay.
func (s *Store) DeleteTokens(ctx context.Context) error {
	err := s.change(ctx, func(r *rows) error {
		return r.remove(func(*record) bool { return true })
	})
	return failure("delete tokens", "", err)
}

var _ tokenstore.Remover = (*Store)(nil)

// DeleteUnchanged implements tokenstore.Remover. The file is replaced once: if that fails,
// none is deleted.
func (s *Store) DeleteUnchanged(ctx context.Context, tokens []tokenstore.OAuthToken) []error {
	faults := make([]error, len(tokens))
	err := s.change(ctx, func(r *rows) error {
		gone := map[string]bool{}
		for i, t := range tokens {
			if faults[i] = rowstore.Unchanged(r, t); faults[i] == nil {
				if gone[t.ID] {
					faults[i] = tokenstore.ErrNotFound
				}
				gone[t.ID] = true
			}
		}
		return r.remove(func(rec *record) bool { return gone[rec.token.ID] })
	})
	for i, t := range tokens {
		if err != nil {
			faults[i] = err
		}
		faults[i] = failure("delete unchanged token", t.ID, faults[i])
	}
	return faults
}

// Exists implements tokenstore.Exister: it reports whether there is a file, and
// anything in it.
func (s *Store) Exists(ctx context.Context) (bool, error) {
	doc, err := s.view(ctx)
	if err != nil {
		return false, failure("look for the file", "", err)
	}
	return len(doc.records) > 0, nil
}

// Ping implements tokenstore.Pinger: it reads the file, unless it is as it was read last.
func (s *Store) Ping(ctx context.Context) error {
	doc, err := s.view(ctx)
	switch {
	case err != nil:
	case doc.foreign != "":
		err = doc.unreadable()
	case len(doc.records) == 0:
		err = tokenstore.ErrNotFound
	}
	return failure("ping", "", err)
}

// Warnings implements tokenstore.Warner.
func (s *Store) Warnings(ctx context.Context) (map[string][]string, error) {
	doc, err := s.view(ctx)
	if err != nil {
		return nil, failure("look for slips", "", err)
	}
	warnings := map[string][]string{}
	if plainfile.OpenToOthers(s.path) {
		warnings[""] = []string{"file: " + plainfile.OthersMayUse}
	}
	for _, r := range doc.records {
		if r.kind != rowLine {
			continue
		}
		if odd := rowstore.Warnings(r.token, r.oddExpiry); len(odd) > 0 {
			warnings[r.token.ID] = odd
		}
	}
	return warnings, nil
}
