package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"example.com/tokenstore"
)

// disk is a reference on disk: every call reads the file and rewrites it, under a lock.
// Each field makes it unsafe in one way.
type disk struct {
	dir      string
	unlocked bool
	inPlace  bool // Overwrites the old rows,
	slow     bool // and in two steps.
	late     bool // Writes a save only with the next call.
}

func openDisk(d disk) OpenDir {
	return func(_ context.Context, dir string) (tokenstore.Store, error) {
		d.dir = dir
		s := &diskStore{disk: d}
		return s, s.do(func(*reference) error { return nil })
	}
}

type diskStore struct {
	disk
	pending *token
}

// do reads the rows, lets f work on them, and writes them.
func (s *diskStore) do(f func(*reference) error) error {
	lock := flock.New(filepath.Join(s.dir, "lock"))
	if !s.unlocked {
		if err := lock.Lock(); err != nil {
			return err
		}
		defer func() { _ = lock.Close() }()
	}
	r, path := newReference(), filepath.Join(s.dir, "rows")
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	lines := strings.Split(strings.TrimSpace("0\n"+string(before)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &r.data.last); err != nil {
		return err
	}
	for _, line := range lines[1:max(1, len(lines)-1)] {
		tok, err := tokenstore.DecodeToken([]byte(line))
		if err != nil {
			return err
		}
		r.data.rows = append(r.data.rows, tok)
	}
	if s.pending != nil {
		if _, err := r.SaveToken(context.Background(), *s.pending); err != nil {
			return err
		}
		s.pending = nil
	}
	if err := f(r); err != nil {
		return err
	}
	return s.write(path, before, r)
}

func (s *diskStore) write(path string, before []byte, r *reference) error {
	var b bytes.Buffer
	for _, row := range r.data.rows {
		line, err := tokenstore.EncodeToken(row)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	if bytes.Equal(b.Bytes(), before) {
		return nil
	}
	last, _ := json.Marshal(r.data.last)
	b.Write(append(last, '\n')) // The last line is the last ID.
	if s.inPlace {
		if s.slow {
			if err := os.WriteFile(path, b.Bytes()[:b.Len()/2], 0o600); err != nil {
				return err
			}
			time.Sleep(30 * time.Millisecond)
		}
		return os.WriteFile(path, b.Bytes(), 0o600)
	}
	if err := os.WriteFile(path+".new", b.Bytes(), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (s *diskStore) FindToken(ctx context.Context, q token) (found token, err error) {
	err = s.do(func(r *reference) error { found, err = r.FindToken(ctx, q); return err })
	return found, err
}

func (s *diskStore) SaveToken(ctx context.Context, t token) (saved token, err error) {
	errLate := errors.New("not yet")
	err = s.do(func(r *reference) error {
		saved, err = r.SaveToken(ctx, t)
		if err == nil && s.late {
			return errLate
		}
		return err
	})
	if errors.Is(err, errLate) {
		s.pending = &t
		return saved, nil
	}
	return saved, err
}

func (s *diskStore) FindTokenByID(ctx context.Context, id string) (found token, err error) {
	err = s.do(func(r *reference) error { found, err = r.FindTokenByID(ctx, id); return err })
	return found, err
}

func (s *diskStore) DeleteToken(ctx context.Context, id string) error {
	return s.do(func(r *reference) error { return r.DeleteToken(ctx, id) })
}

func (s *diskStore) GetTokens(ctx context.Context) (tokens []token, err error) {
	err = s.do(func(r *reference) error { tokens, err = r.GetTokens(ctx); return err })
	return tokens, err
}

func (s *diskStore) DeleteTokens(ctx context.Context) error {
	return s.do(func(r *reference) error { return r.DeleteTokens(ctx) })
}

// inMemory puts the test's folders on a file system in memory, if there is one: these
// tests kill processes, not the machine.
func inMemory(t *testing.T) {
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err == nil && info.IsDir() {
		t.Setenv("TMPDIR", shm)
	}
}

func TestProcesses(t *testing.T) {
	inMemory(t)
	for _, f := range processes(t, 3, 5, openDisk(disk{inPlace: true})) {
		t.Error(f)
	}
}

func TestKill(t *testing.T) {
	inMemory(t)
	Kill(t, 4, openDisk(disk{}))
}

func TestProcessesFindALostUpdate(t *testing.T) {
	inMemory(t)
	// Where one processor runs everything, the workers may come one after the other.
	for range 20 {
		if len(processes(t, 3, 5, openDisk(disk{unlocked: true, inPlace: true}))) > 0 {
			return
		}
	}
	t.Error("the suite did not catch a store without a lock")
}

func TestKillFindsWhatIsLost(t *testing.T) {
	for name, d := range map[string]disk{"in place": {inPlace: true, slow: true}, "late": {late: true}} {
		t.Run(name, func(t *testing.T) {
			inMemory(t)
			// The kill must come at the right moment, which may take several tries on a slow machine.
			for range 4 {
				if len(kill(t, 8, openDisk(d))) > 0 {
					return
				}
			}
			t.Error("the suite did not catch the store")
		})
	}
}

func TestWorkerThatCannotOpen(t *testing.T) {
	none := func(ctx context.Context, dir string) (tokenstore.Store, error) {
		if os.Getenv(workerRole) != "" {
			return nil, errors.New("no such thing")
		}
		return openDisk(disk{})(ctx, dir)
	}
	if found := processes(t, 2, 5, none); len(found) == 0 {
		t.Error("the suite did not catch a store that does not open")
	}
}
