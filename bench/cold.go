// Programs that are built and run: what a Lambda function weighs and how soon it has its first token, beside one with
// the SDK's client alone; and the command and the engine as they were before, built from the repository's history.

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"example.com/tokenstore/awssm"
	"example.com/tokenstore/awssm/awssmtest"
)

// build builds a program as for a release: a Lambda function as AWS's guide says, the command as the README says.
func build(ctx context.Context, module, pkg, to string) error {
	return goTool(ctx, module, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-tags=lambda.norpc,grpcnotrace", "-o", to, pkg)
}

func goTool(ctx context.Context, folder string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // The arguments are this program's.
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// megabytes returns a file's size.
func megabytes(path string) (float64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}

// start is what a program needs from its start to its first token.
type start struct{ wall, cpu time.Duration }

// coldStart is a Lambda function's size and start.
type coldStart struct {
	size   float64 // megabytes
	starts []start
}

// coldStarts builds both functions and starts them by turns, against a service on this machine.
func coldStarts(ctx context.Context, folder string, times int) (store, bare coldStart, err error) {
	fake := awssmtest.New(awssmtest.Real(), nil)
	t := newToken(0)
	writer, err := awssm.New(fake)
	if err != nil {
		return store, bare, err
	}
	if _, err := writer.SaveToken(ctx, t); err != nil {
		return store, bare, err
	}
	if err := write(ctx, awsBare{fake}.create, "bare", plain(t)); err != nil {
		return store, bare, err
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return store, bare, err
	}
	server := &http.Server{Handler: served(fake), ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	defer func() {
		if closed := errors.Join(server.Close(), <-done); !errors.Is(closed, http.ErrServerClosed) {
			err = errors.Join(err, closed)
		}
	}()
	endpoint := "http://" + listener.Addr().String()
	programs := []struct {
		pkg, event string
		result     *coldStart
	}{{"./cold/store", t.UserName, &store}, {"./cold/bare", "bare", &bare}}
	for _, p := range programs {
		path := filepath.Join(folder, filepath.Base(p.pkg))
		if err := build(ctx, ".", p.pkg, path); err != nil {
			return store, bare, err
		}
		if p.result.size, err = megabytes(path); err != nil {
			return store, bare, err
		}
	}
	for range times {
		for _, p := range programs {
			s, err := startOf(ctx, filepath.Join(folder, filepath.Base(p.pkg)), endpoint, p.event)
			if err != nil {
				return store, bare, err
			}
			p.result.starts = append(p.result.starts, s)
		}
	}
	return store, bare, nil
}

// served serves the service's protocol over HTTP.
func served(fake *awssmtest.Service) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reply, err := fake.Do(r)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer reply.Body.Close()
		w.Header().Set("Content-Type", reply.Header.Get("Content-Type"))
		w.WriteHeader(reply.StatusCode)
		_, _ = io.Copy(w, reply.Body)
	})
}

// startOf runs a program that reads one token and ends.
func startOf(ctx context.Context, program, endpoint, event string) (start, error) {
	cmd := exec.CommandContext(ctx, program)
	cmd.Env = []string{
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=eu-central-1", "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_SECRETS_MANAGER=" + endpoint, "EVENT=" + event, "HOME=" + filepath.Dir(program),
	}
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	s := start{wall: time.Since(begun)}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", filepath.Base(program), err, out)
	}
	s.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if strings.TrimSpace(string(out)) != strconv.Itoa(len(newToken(0).AccessToken)) {
		return s, fmt.Errorf("%s printed %q instead of the token's length", filepath.Base(program), out)
	}
	return s, nil
}

// checkout writes the tree of a commit into a folder.
func checkout(ctx context.Context, commit, folder string) error {
	cmd := exec.CommandContext(ctx, "git", "archive", "--format=tar", commit) //nolint:gosec // The user names the commit.
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("git archive %s: %w: %s", commit, err, stderr.Bytes())
	}
	for r := tar.NewReader(bytes.NewReader(out)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !filepath.IsLocal(h.Name) || h.Typeflag != tar.TypeReg {
			continue
		}
		path := filepath.Join(folder, h.Name) //nolint:gosec // The name is local.
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		data, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			return err
		}
	}
}

// edition is the command and the engine's benchmarks at one commit.
type edition struct{ command, engine string }

func builtFrom(ctx context.Context, module, folder string) (edition, error) {
	e := edition{filepath.Join(folder, "tokenstore"), filepath.Join(folder, "engine.test")}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return e, err
	}
	engine := "./secretstore"
	if _, err := os.Stat(filepath.Join(module, engine)); errors.Is(err, fs.ErrNotExist) {
		engine = "." // The root had the engine once.
	}
	return e, errors.Join(build(ctx, module, "./cmd/tokenstore", e.command), goTool(ctx, module, "test", "-c", "-o", e.engine, engine))
}

// find is what a find by user costs in the engine's own benchmark.
type find struct {
	cpu    time.Duration
	allocs float64
}

var benchLine = regexp.MustCompile(`(?m)^BenchmarkFindByUser/16_documents/1000\S*\s+\d+\s.*?(\d+) allocs/op`)

// find runs the benchmark with many finds and with one, which takes what it takes to store the tokens.
func (e edition) find(ctx context.Context) (find, error) {
	const many = 50_000
	begun, _, err := e.finding(ctx, 1)
	if err != nil {
		return find{}, err
	}
	all, allocs, err := e.finding(ctx, many+1)
	return find{(all - begun) / many, allocs}, err
}

// finding returns the CPU time of the benchmark with n finds, and the allocations of one.
func (e edition) finding(ctx context.Context, n int) (cpu time.Duration, allocs float64, err error) {
	cmd := exec.CommandContext(ctx, e.engine, "-test.run=^$", "-test.bench=FindByUser/16_documents", fmt.Sprintf("-test.benchtime=%dx", n), "-test.cpu=1") //nolint:gosec // It was built a moment ago.
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, 0, fmt.Errorf("the engine's benchmark: %w\n%s", err, out)
	}
	found := benchLine.FindSubmatch(out)
	if found == nil {
		return 0, 0, fmt.Errorf("the engine's benchmark says\n%s", out)
	}
	allocs, err = strconv.ParseFloat(string(found[1]), 64)
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), allocs, err
}

// importing returns the CPU time of an import of a token file into a new SQLite database.
func (e edition) importing(ctx context.Context, file string) (time.Duration, error) {
	folder, err := os.MkdirTemp(filepath.Dir(e.command), "import")
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, e.command, "import", "file:"+file, "--to", "sqlite:"+filepath.Join(folder, "tokens.db"), "--json") //nolint:gosec // It was built a moment ago.
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("import: %w\n%s", err, out[max(0, len(out)-1000):])
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
