// Package sdk compares the stores of this project with the real Zoho CRM SDKs.
package sdk

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"

	"example.com/tokenstore"
	"example.com/tokenstore/integration/internal/need"
)

//go:embed testdata/filestore.py
var pythonScript string

//go:embed testdata/filestore.mjs
var nodeScript string

// An sdk is a running process that calls an SDK's FileStore.
type sdk struct {
	name string
	in   *json.Encoder
	out  *bufio.Reader
	// quotes says that the SDK writes and reads quoted values.
	quotes bool
}

type request struct {
	Op    string          `json:"op"`
	Path  string          `json:"path"`
	ID    string          `json:"id,omitempty"`
	Token json.RawMessage `json:"token,omitempty"`
}

type reply struct {
	Token  json.RawMessage   `json:"token"`
	Tokens []json.RawMessage `json:"tokens"`
	Error  string            `json:"error"`
}

// eachSDK runs test with each SDK's FileStore.
func eachSDK(t *testing.T, test func(t *testing.T, s *sdk)) {
	t.Run("python", func(t *testing.T) { test(t, python(t)) })
	t.Run("node", func(t *testing.T) { test(t, node(t)) })
}

func python(t *testing.T) *sdk {
	cmd := exec.CommandContext(t.Context(), need.ZohoPython(t), "-c", pythonScript)
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1") // It writes in the locale's encoding.
	cmd.Dir = t.TempDir()
	s := start(t, "python", cmd)
	s.quotes = true
	return s
}

func node(t *testing.T) *sdk {
	program, folder := need.ZohoNode(t)
	cmd := exec.CommandContext(t.Context(), program, "--input-type=module", "-e", nodeScript)
	cmd.Dir = folder
	return start(t, "node", cmd)
}

func start(t *testing.T, name string, cmd *exec.Cmd) *sdk {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	encoder := json.NewEncoder(in)
	encoder.SetEscapeHTML(false)
	return &sdk{name: name, in: encoder, out: bufio.NewReader(out)}
}

// try makes one call.
func (s *sdk) try(t *testing.T, r request) reply {
	t.Helper()
	if err := s.in.Encode(r); err != nil {
		t.Fatal(err)
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil {
		t.Fatalf("the %s process ended: %v", s.name, err)
	}
	var answer reply
	if err := json.Unmarshal(line, &answer); err != nil {
		t.Fatalf("the %s process said %q", s.name, line)
	}
	return answer
}

// call makes one call, which must succeed.
func (s *sdk) call(t *testing.T, r request) reply {
	t.Helper()
	answer := s.try(t, r)
	if answer.Error != "" {
		t.Fatalf("%s, %s: %s", s.name, r.Op, answer.Error)
	}
	return answer
}

func (s *sdk) list(t *testing.T, path string) []tokenstore.OAuthToken {
	t.Helper()
	tokens := []tokenstore.OAuthToken{}
	for _, raw := range s.call(t, request{Op: "list", Path: path}).Tokens {
		tokens = append(tokens, decoded(t, raw))
	}
	return tokens
}

func (s *sdk) find(t *testing.T, path string, query tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	return decoded(t, s.call(t, request{Op: "find", Path: path, Token: encoded(t, query)}).Token)
}

func (s *sdk) byID(t *testing.T, path, id string) tokenstore.OAuthToken {
	t.Helper()
	return decoded(t, s.call(t, request{Op: "by id", Path: path, ID: id}).Token)
}

func (s *sdk) save(t *testing.T, path string, token tokenstore.OAuthToken) tokenstore.OAuthToken {
	t.Helper()
	return decoded(t, s.call(t, request{Op: "save", Path: path, Token: encoded(t, token)}).Token)
}

func (s *sdk) delete(t *testing.T, path, id string) {
	t.Helper()
	s.call(t, request{Op: "delete", Path: path, ID: id})
}

func encoded(t *testing.T, token tokenstore.OAuthToken) json.RawMessage {
	t.Helper()
	data, err := tokenstore.EncodeToken(token)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func decoded(t *testing.T, data json.RawMessage) tokenstore.OAuthToken {
	t.Helper()
	if len(data) == 0 || string(data) == "null" {
		t.Fatal("the SDK found nothing")
	}
	token, err := tokenstore.DecodeToken(data)
	if err != nil {
		t.Fatal(err)
	}
	return token
}
