// What can go wrong with a token request, as a test plans it or as chance has it.

package accountstest

import (
	"context"
	"net/http"
	"slices"
	"time"
)

// Fault is what goes wrong with one token request. The zero Fault is nothing.
type Fault struct {
	// Latency is how long the request waits before it is carried out, beyond that of the
	// configuration.
	Latency time.Duration
	// ReplyLatency is how long its reply waits after that.
	ReplyLatency time.Duration
	// LoseRequest closes the connection without doing anything.
	LoseRequest bool
	// LoseReply carries the request out and closes the connection.
	LoseReply bool
	// Late closes the connection, and carries the request out that much later: with
	// the next request or look at the server after that time, or at [Server.Deliver].
	Late time.Duration
	// Throttle refuses the request in the form of Config.Throttles.
	Throttle bool
	// Error refuses it with this code, such as "invalid_client", in the form of
	// Config.Form, or with Status.
	Error string
	// Status, without Error, answers with this status and a page that is no JSON, as a
	// gateway does.
	Status int
	// RetryAfter is added to a refusal that has a Status, and is how long Throttle says.
	RetryAfter time.Duration
}

// Next plans faults for the next token requests, one each, before those of Before.
func (s *Server) Next(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Before sets a function that is called with each token request for which no other fault is
// planned, and returns one. Time, Outcome and ReplyLost are not known yet. It may wait.
func (s *Server) Before(plan func(Request) Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan = plan
}

// After sets a function that is called with each token request that has been carried out,
// before its reply is sent. It may wait: that is the moment in which a new refresh
// token exists that nobody knows yet.
func (s *Server) After(f func(Request)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = f
}

// chance returns the fault that the shares of the configuration give.
func (s *Server) chance() (f Fault) {
	c, roll := s.config, s.random.Float64()
	switch {
	case roll < c.LoseRequests:
		f.LoseRequest = true
	case roll < c.LoseRequests+c.LoseReplies:
		f.LoseReply = true
	case roll < c.LoseRequests+c.LoseReplies+c.LateRequests && c.LateBy > 0:
		f.Late = 1 + time.Duration(s.random.Int64N(int64(c.LateBy)))
	}
	return f
}

// late is a request that its sender has given up.
type late struct {
	form    tokenForm
	request Request
	due     time.Time
}

func (s *Server) postpone(form tokenForm, request Request, by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	request.Late = true
	s.pending = append(s.pending, late{form, request, s.now().Add(by)})
	slices.SortStableFunc(s.pending, func(a, b late) int { return a.due.Compare(b.due) })
}

// Deliver carries out the late requests that have not arrived yet, and returns their
// number.
func (s *Server) Deliver() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.pending)
	for len(s.pending) > 0 {
		s.deliver(s.now())
	}
	return n
}

// settle carries out the late requests whose time has come.
func (s *Server) settle() {
	for now := s.now(); len(s.pending) > 0 && !s.pending[0].due.After(now); {
		s.deliver(s.pending[0].due)
	}
}

func (s *Server) deliver(at time.Time) {
	l := s.pending[0]
	s.pending = s.pending[1:]
	s.describe(&l.request, l.form)
	l.request.At, l.request.ReplyLost = at, true
	l.request.Outcome = s.decide(l.form, Fault{}, at).outcome
	s.requests = append(s.requests, l.request)
}

// lose closes a connection without a reply, and counts it.
func (s *Server) lose(w http.ResponseWriter, counter *int) {
	s.mu.Lock()
	*counter++
	s.mu.Unlock()
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return // Not HTTP/1.1, which this server speaks.
	}
	if conn, _, err := hijacker.Hijack(); err == nil {
		_ = conn.Close()
	}
}

func (s *Server) wait(ctx context.Context, d time.Duration) {
	if d > 0 {
		_ = s.config.Sleep(ctx, d) // The context does not end.
	}
}

// now is called with the server locked or not: the clock is not part of what it guards.
func (s *Server) now() time.Time { return s.config.Now() }
