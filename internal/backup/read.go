// Reading a backup: all of it is checked before the first token is given away.

package backup

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"iter"
	"strings"

	"example.com/tokenstore"
)

// maxLine bounds a line, so that what is no backup is not held in memory. No service keeps
// a token of this size.
const maxLine = 16 << 20

// Errors that say what a file is not. None has anything of the file in it.
var (
	ErrNotBackup = errors.New("this is no backup; restore reads what backup wrote, and import reads token files and databases")
	ErrDamaged   = errors.New("the backup is cut off or damaged; use another copy of it, or an earlier backup")
)

// Backup is a backup that was read to its end and is whole.
type Backup struct {
	Header
	// Count is how many tokens it has, and Unreadable how many of its store could not be
	// read when it was made.
	Count, Unreadable int

	open func() (io.Reader, error)
}

// Open reads a backup to its end and checks it. It may be encrypted; the key is asked for
// only if it is. open returns a reader from the file's beginning, each time that it is
// called. An error of it, or of the reader, is passed on.
func Open(ctx context.Context, open func() (io.Reader, error), key *Key) (*Backup, error) {
	b := &Backup{open: func() (io.Reader, error) {
		file, err := open()
		if err != nil {
			return nil, err
		}
		return key.decrypted(file)
	}}
	for _, err := range b.lines(ctx, b) {
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Tokens yields all tokens, each time the same in the same order. An error ends them: the
// file cannot be read any more, or was changed since it was opened.
func (b *Backup) Tokens(ctx context.Context) iter.Seq2[tokenstore.OAuthToken, error] {
	var again Backup
	return b.lines(ctx, &again)
}

// lines reads the backup, and notes in got what the first and the last line say.
func (b *Backup) lines(ctx context.Context, got *Backup) iter.Seq2[tokenstore.OAuthToken, error] {
	return func(yield func(tokenstore.OAuthToken, error) bool) {
		in, err := b.open()
		if err == nil {
			err = read(ctx, in, got, func(t tokenstore.OAuthToken) bool { return yield(t, nil) })
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(tokenstore.OAuthToken{}, err)
		}
	}
}

// errStopped says that whoever reads wants no more tokens.
var errStopped = errors.New("stopped")

// lineReader reads lines and digests them.
type lineReader struct {
	in     *bufio.Reader
	digest hash.Hash
}

// next returns the next line without its end.
func (r *lineReader) next() ([]byte, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull) && len(line) < maxLine:
		case errors.Is(err, io.EOF), errors.Is(err, bufio.ErrBufferFull):
			return nil, ErrDamaged
		default:
			return nil, err
		}
	}
}

// pass adds a line to the digest.
func (r *lineReader) pass(line []byte) {
	r.digest.Write(line)
	r.digest.Write([]byte{'\n'})
}

func read(ctx context.Context, in io.Reader, got *Backup, yield func(tokenstore.OAuthToken) bool) error {
	r := &lineReader{bufio.NewReaderSize(in, 64<<10), sha256.New()}
	if err := r.first(got); err != nil {
		return err
	}
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := r.next()
		if err != nil {
			return err
		}
		if bytes.HasPrefix(line, []byte(endMagic)) {
			return r.last(line, n, got)
		}
		r.pass(line)
		t, err := tokenstore.DecodeToken(line)
		if err != nil {
			return ErrDamaged
		}
		if !yield(t) {
			return errStopped
		}
	}
}

// first reads the first line.
func (r *lineReader) first(got *Backup) error {
	switch begin, err := r.in.Peek(len(plainMagic)); {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case err != nil && strings.HasPrefix(plainMagic, string(begin)):
		return ErrDamaged
	case string(begin) != plainMagic:
		return ErrNotBackup
	}
	line, err := r.next()
	if err != nil {
		return err
	}
	r.pass(line)
	// A later version may have other fields, but not another field for its version.
	var v struct {
		Version int `json:"tokenstore_backup"`
	}
	switch err := json.Unmarshal(line, &v); {
	case err != nil || v.Version < 1:
		return ErrDamaged
	case v.Version > version:
		return fmt.Errorf("the backup has format %d, and this release reads up to %d; restore it with the release that wrote it, or a later one", v.Version, version)
	}
	var head firstLine
	if err := json.Unmarshal(line, &head); err != nil {
		return ErrDamaged
	}
	got.Header = Header{head.Store, head.Time}
	return nil
}

// last checks the last line, behind which there must be nothing.
func (r *lineReader) last(line []byte, tokens int, got *Backup) error {
	r.digest.Write(line[:max(0, bytes.LastIndex(line, []byte(digestMagic)))])
	var end lastLine
	if json.Unmarshal(line, &end) != nil || end.Tokens != tokens || end.SHA256 != hex.EncodeToString(r.digest.Sum(nil)) {
		return ErrDamaged
	}
	switch _, err := r.in.ReadByte(); {
	case err == nil:
		return ErrDamaged
	case !errors.Is(err, io.EOF):
		return err
	}
	got.Count, got.Unreadable = end.Tokens, end.Unreadable
	return nil
}
