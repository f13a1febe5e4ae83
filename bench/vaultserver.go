// As much of Vault's KV version 2 engine as the store and a plain client use, in the process: an http.RoundTripper
// over maps. integration/vault tests the store on the real one.

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	vaultMount = "secret"
	vaultMost  = 1 << 20 // bytes of an entry, in raft storage
)

// vaultServer answers requests in memory.
type vaultServer struct {
	latency time.Duration

	mu      sync.Mutex
	made    map[string]int
	entries map[string]*vaultEntry
}

// vaultEntry is one name's versions, of which only the newest has data: nobody here reads another.
type vaultEntry struct {
	version int
	data    map[string]json.RawMessage
}

func newVaultServer(latency time.Duration) *vaultServer {
	return &vaultServer{latency: latency, made: map[string]int{}, entries: map[string]*vaultEntry{}}
}

func (s *vaultServer) calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.made)
}

// RoundTrip answers a request after one round trip.
func (s *vaultServer) RoundTrip(r *http.Request) (*http.Response, error) {
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	if s.latency > 0 {
		time.Sleep(s.latency)
	}
	status, reply := s.answer(r, body)
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(bytes.NewReader(reply)), ContentLength: int64(len(reply)),
	}, nil
}

const vaultTime = "2026-01-05T09:00:00Z"

// answer decides on the status and the body.
func (s *vaultServer) answer(r *http.Request, body []byte) (int, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := strings.TrimPrefix(r.URL.Path, "/v1/")
	if at == "sys/internal/ui/mounts/"+vaultMount {
		return http.StatusOK, []byte(`{"data":{"type":"kv","path":"` + vaultMount + `/","options":{"version":"2"}}}`)
	}
	part, name, _ := strings.Cut(strings.TrimPrefix(at, vaultMount+"/"), "/")
	s.made[r.Method+" "+part]++
	switch {
	case part == "metadata" && (r.Method == "LIST" || r.URL.Query().Get("list") == "true"):
		return s.keys(name)
	case part == "metadata" && r.Method == http.MethodDelete:
		delete(s.entries, name)
		return http.StatusNoContent, nil
	case part == "metadata" || part == "destroy": // Older versions are not kept anyway.
		return http.StatusNoContent, nil
	case part != "data":
		return http.StatusNotFound, []byte(`{"errors":[]}`)
	case r.Method == http.MethodGet:
		return s.read(name)
	default:
		return s.write(name, body, r.Method == http.MethodPatch)
	}
}

func (s *vaultServer) read(name string) (int, []byte) {
	e, ok := s.entries[name]
	if !ok {
		return http.StatusNotFound, []byte(`{"errors":[]}`)
	}
	// The fields are stored encoded: putting them together costs little beside what a client does with them.
	reply := make([]byte, 0, 1024)
	reply = append(reply, `{"data":{"data":{`...)
	for i, field := range slices.Sorted(maps.Keys(e.data)) {
		if i > 0 {
			reply = append(reply, ',')
		}
		reply = strconv.AppendQuote(reply, field)
		reply = append(append(reply, ':'), e.data[field]...)
	}
	reply = append(reply, `},"metadata":{"version":`...)
	reply = strconv.AppendInt(reply, int64(e.version), 10)
	return http.StatusOK, append(reply, `,"created_time":"`+vaultTime+`","deletion_time":"","destroyed":false}}}`...)
}

func (s *vaultServer) write(name string, body []byte, patch bool) (int, []byte) {
	var in struct {
		Options struct {
			CAS *int `json:"cas"`
		} `json:"options"`
		Data map[string]json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return http.StatusBadRequest, []byte(`{"errors":["error parsing JSON"]}`)
	}
	if len(body) > vaultMost {
		return http.StatusRequestEntityTooLarge, []byte(`{"errors":["put failed due to value being too large"]}`)
	}
	e, ok := s.entries[name]
	if !ok && patch {
		return http.StatusNotFound, []byte(`{"errors":[]}`)
	}
	if !ok {
		e = &vaultEntry{}
	}
	if in.Options.CAS != nil && *in.Options.CAS != e.version {
		return http.StatusBadRequest, []byte(`{"errors":["check-and-set parameter did not match the current version"]}`)
	}
	if patch {
		fields := maps.Clone(e.data)
		for field, value := range in.Data {
			if fields[field] = value; string(value) == "null" {
				delete(fields, field)
			}
		}
		in.Data = fields
	}
	e.version++
	e.data = in.Data
	s.entries[name] = e
	return http.StatusOK, fmt.Appendf(nil, `{"data":{"version":%d,"created_time":%q,"deletion_time":"","destroyed":false}}`, e.version, vaultTime)
}

// keys lists a folder.
func (s *vaultServer) keys(folder string) (int, []byte) {
	if folder != "" && !strings.HasSuffix(folder, "/") {
		folder += "/"
	}
	found := map[string]bool{}
	for name := range s.entries {
		if rest, ok := strings.CutPrefix(name, folder); ok {
			first, _, deeper := strings.Cut(rest, "/")
			if deeper {
				first += "/"
			}
			found[first] = true
		}
	}
	if len(found) == 0 {
		return http.StatusNotFound, []byte(`{"errors":[]}`)
	}
	reply, err := json.Marshal(map[string]any{"data": map[string]any{"keys": slices.Sorted(maps.Keys(found))}})
	if err != nil {
		return http.StatusInternalServerError, nil
	}
	return http.StatusOK, reply
}
