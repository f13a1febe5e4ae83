// A backup from standard input has to be read more than once. It is kept in a temporary
// file, encrypted with a key that only this process has, since the backup itself need not
// be.

package backup

import (
	"context"
	"io"
	"os"

	"filippo.io/age"
)

// Spool copies a stream into a temporary file, and returns what opens it from the
// beginning. remove deletes the file.
func Spool(ctx context.Context, in io.Reader) (open func() (io.Reader, error), remove func(), err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, nil, err
	}
	file, err := os.CreateTemp("", "tokenstore-restore-*")
	if err != nil {
		return nil, nil, err
	}
	remove = func() {
		_ = file.Close() // Nothing of it is needed any more,
		_ = os.Remove(file.Name())
	}
	out, err := age.Encrypt(file, identity.Recipient())
	if err == nil {
		err = copyUntil(ctx, out, in)
	}
	if err == nil {
		err = out.Close()
	}
	var info os.FileInfo
	if err == nil {
		info, err = file.Stat()
	}
	if err != nil {
		remove()
		return nil, nil, err
	}
	return func() (io.Reader, error) {
		return age.Decrypt(io.NewSectionReader(file, 0, info.Size()), identity)
	}, remove, nil
}

// copyUntil copies until the stream or the context ends, which a read of standard input does
// not see.
func copyUntil(ctx context.Context, out io.Writer, in io.Reader) error {
	done := make(chan error, 1)
	go func() {
		_, err := io.Copy(out, in)
		done <- err
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-done:
		return err
	}
}
