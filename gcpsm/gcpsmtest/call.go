// Every call passes through here, so that permissions, quotas, lost replies and a test's
// interventions apply to all methods alike.

package gcpsmtest

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Principal is a caller of the service. It implements Google's generated server
// interface.
type Principal struct {
	secretmanagerpb.UnimplementedSecretManagerServiceServer
	service     *Service
	permissions []string        // nil: everything is allowed
	prefix      string          // of the IDs of the secrets for which they are granted
	used        map[string]bool // the permissions that its calls asked for
}

// As returns a principal that has the given permissions, such as
// "secretmanager.versions.access", and no others.
func (s *Service) As(permissions ...string) *Principal {
	return &Principal{service: s, permissions: append([]string{}, permissions...), used: map[string]bool{}}
}

// Used returns the permissions that the principal's calls have asked for, sorted,
// including those it lacks: what its role needs.
func (p *Principal) Used() []string {
	p.service.mu.Lock()
	defer p.service.mu.Unlock()
	return slices.Sorted(maps.Keys(p.used))
}

// On returns a principal whose permissions hold only for secrets whose ID begins with
// prefix, as with an IAM condition on resource.name. Creating and listing secrets are
// calls for the whole project and are not limited by it.
func (p *Principal) On(prefix string) *Principal {
	limited := p.service.As(p.permissions...)
	if p.permissions == nil {
		limited.permissions = nil
	}
	limited.prefix = prefix
	return limited
}

// may reports whether the principal has a permission.
func (p *Principal) may(permission string, r resource) bool {
	c := p.service.config
	if c.Project != "" && r.project != c.Project && (c.Number == "" || r.project != c.Number) {
		return false
	}
	return (p.permissions == nil || slices.Contains(p.permissions, permission)) &&
		(r.id == "" || strings.HasPrefix(r.id, p.prefix))
}

// method holds the service's rules for one of its methods.
type method struct {
	name       string
	permission string // https://docs.cloud.google.com/secret-manager/docs/access-control
	quota      string // write, read or access
	perSecret  string // the rate that applies to one secret or version
	form       *regexp.Regexp
}

var (
	createSecret   = method{"CreateSecret", "secretmanager.secrets.create", "Write", "", parentForm}
	getSecret      = method{"GetSecret", "secretmanager.secrets.get", "Read", "", secretForm}
	updateSecret   = method{"UpdateSecret", "secretmanager.secrets.update", "Write", "secret", secretForm}
	deleteSecret   = method{"DeleteSecret", "secretmanager.secrets.delete", "Write", "", secretForm}
	listSecrets    = method{"ListSecrets", "secretmanager.secrets.list", "Read", "", parentForm}
	addVersion     = method{"AddSecretVersion", "secretmanager.versions.add", "Write", "secret", secretForm}
	getVersion     = method{"GetSecretVersion", "secretmanager.versions.get", "Read", "", versionForm}
	accessVersion  = method{"AccessSecretVersion", "secretmanager.versions.access", "Access", "", versionForm}
	listVersions   = method{"ListSecretVersions", "secretmanager.versions.list", "Read", "", secretForm}
	enableVersion  = method{"EnableSecretVersion", "secretmanager.versions.enable", "Write", "version", versionForm}
	disableVersion = method{"DisableSecretVersion", "secretmanager.versions.disable", "Write", "version", versionForm}
	destroyVersion = method{"DestroySecretVersion", "secretmanager.versions.destroy", "Write", "version", versionForm}
)

// call admits a call, applies it under the service's lock, and sometimes loses its
// reply.
func call[T any](ctx context.Context, p *Principal, m method, name string, do func(*Service, resource) (T, error)) (T, error) {
	var none T
	s := p.service
	r, err := p.begin(ctx, m, name)
	if err != nil {
		return none, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := p.admit(m, r); err != nil {
		return none, err
	}
	out, err := do(s, r)
	if err == nil && m.quota == "Write" && s.chance(s.config.LoseReplies) {
		return none, s.lost()
	}
	return out, err
}

// begin counts a call, moves the clock and runs the function set by Before.
func (p *Principal) begin(ctx context.Context, m method, name string) (resource, error) {
	if err := ctx.Err(); err != nil {
		return resource{}, status.FromContextError(err).Err()
	}
	s := p.service
	r, err := s.parse(m.form, name)
	s.mu.Lock()
	s.calls[m.name]++
	p.used[m.permission] = true
	before := s.before
	s.before = nil // The function's own calls are not reported.
	s.mu.Unlock()
	s.clock.Advance(s.config.Latency)
	if before != nil {
		before(m.name, r.id)
		s.mu.Lock()
		if s.before == nil {
			s.before = before
		}
		s.mu.Unlock()
	}
	return r, err
}

// admit applies the reasons to refuse a call.
func (p *Principal) admit(m method, r resource) error {
	s := p.service
	if s.chance(s.config.LoseRequests) {
		return s.lost()
	}
	if s.config.Quotas {
		if err := s.quota(m, r); err != nil {
			return err
		}
	}
	missing := s.config.HideMissing && m.form != parentForm && s.find(r.id) == nil
	if missing || !p.may(m.permission, r) {
		return denied(m.permission, r)
	}
	return nil
}

func (s *Service) chance(share float64) bool { return share > 0 && s.random.Float64() < share }

// lost is the error that a caller gets when the connection breaks, or the reply does not
// come in time.
func (s *Service) lost() error {
	if s.random.IntN(4) == 0 {
		return status.Error(codes.DeadlineExceeded, "Deadline Exceeded")
	}
	return status.Error(codes.Unavailable, "The service is currently unavailable.")
}

// window counts the calls of one kind in one span of time.
type window struct {
	at    int64
	calls int
}

// quota counts a call and reports whether it is within every quota.
func (s *Service) quota(m method, r resource) error {
	limits := map[string]int{"Write": 600, "Read": 600, "Access": 90000}
	if !s.bears(m.quota, time.Minute, limits[m.quota]) {
		return exhausted(m.quota + " requests per minute")
	}
	second, minute, states := 2, 120, 1
	kind := r.secret()
	if s.config.Location != "" {
		second, minute, states = 80, 4800, 50
		kind = s.config.Location // The rate is that of the region.
	}
	switch m.perSecret {
	case "secret":
		if !s.bears("second of "+kind, time.Second, second) || !s.bears("minute of "+kind, time.Minute, minute) {
			return exhausted("Write requests per secret")
		}
	case "version":
		if !s.bears("state of "+r.String(), time.Second, states) {
			return exhausted("State changes per secret version")
		}
	}
	return nil
}

// bears counts a call in the current period and reports whether it is within the
// limit.
func (s *Service) bears(kind string, span time.Duration, limit int) bool {
	w, at := s.windows[kind], s.clock.Now().UnixNano()/int64(span)
	if w.at != at {
		if len(s.windows) > 4096 {
			s.forget()
		}
		w = window{at: at}
	}
	w.calls++
	s.windows[kind] = w
	return w.calls <= limit
}

// forget drops the counts of periods that are over.
func (s *Service) forget() {
	now := s.clock.Now()
	for kind, w := range s.windows {
		if w.at != now.UnixNano()/int64(time.Minute) && w.at != now.UnixNano()/int64(time.Second) {
			delete(s.windows, kind)
		}
	}
}

// exhausted returns the error of a quota, with Google's message and detail. (Seen,
// https://github.com/GoogleCloudPlatform/java-docs-samples/pull/2019.)
func exhausted(limit string) error {
	st := status.New(codes.ResourceExhausted, "Quota exceeded for quota metric '"+limit+"' of service 'secretmanager.googleapis.com'.")
	if detailed, err := st.WithDetails(&errdetails.ErrorInfo{Reason: "RATE_LIMIT_EXCEEDED", Domain: "googleapis.com"}); err == nil {
		st = detailed
	}
	return st.Err()
}
