// Resource names, with the exact messages of the service for the ones it refuses.

package gcpsmtest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// resource is a name of the service, split into its parts.
type resource struct {
	project  string
	location string
	id       string // of the secret
	version  string // a number, an alias or latest
}

// parent returns the name of the project, or of its location.
func (r resource) parent() string {
	if r.location != "" {
		return "projects/" + r.project + "/locations/" + r.location
	}
	return "projects/" + r.project
}

func (r resource) secret() string { return r.parent() + "/secrets/" + r.id }

func (r resource) at(number int64) string {
	return r.secret() + "/versions/" + strconv.FormatInt(number, 10)
}

// String returns the name as it was sent.
func (r resource) String() string {
	switch {
	case r.version != "":
		return r.secret() + "/versions/" + r.version
	case r.id != "":
		return r.secret()
	}
	return r.parent()
}

// shown returns the resource as named in replies.
func (s *Service) shown(r resource) resource {
	if s.config.Number != "" {
		r.project = s.config.Number
	}
	return r
}

// The forms of names; the numbers of the parts are those of resource's fields.
var (
	parentForm  = regexp.MustCompile(`^projects/([^/]+)(?:/locations/([^/]+))?()()$`)
	secretForm  = regexp.MustCompile(`^projects/([^/]+)(?:/locations/([^/]+))?/secrets/([^/]+)()$`)
	versionForm = regexp.MustCompile(`^projects/([^/]+)(?:/locations/([^/]+))?/secrets/([^/]+)/versions/([^/]+)$`)
	idForm      = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`) // (API, CreateSecretRequest)
)

// parse splits a name. It refuses a regional name at the global service and vice versa,
// with the global service's message. (Seen,
// https://github.com/quarkiverse/quarkus-google-cloud-services/issues/919.)
func (s *Service) parse(form *regexp.Regexp, name string) (resource, error) {
	m := form.FindStringSubmatch(name)
	if m == nil || m[2] != s.config.Location || m[3] != "" && !idForm.MatchString(m[3]) {
		expected := "projects/*"
		if s.config.Location != "" {
			expected += "/locations/" + s.config.Location
		}
		if form != parentForm {
			expected += "/secrets/*"
		}
		if form == versionForm {
			expected += "/versions/*"
		}
		return resource{}, invalid("The provided Secret ID [%s] does not match the expected format [%s]", name, expected)
	}
	return resource{project: m[1], location: m[2], id: m[3], version: m[4]}, nil
}

func invalid(format string, a ...any) error {
	return status.Error(codes.InvalidArgument, fmt.Sprintf(format, a...))
}

func notFound(format string, a ...any) error {
	return status.Error(codes.NotFound, fmt.Sprintf(format, a...))
}

func precondition(format string, a ...any) error {
	return status.Error(codes.FailedPrecondition, fmt.Sprintf(format, a...))
}

// denied has Google's message, which hides whether the resource exists. (Seen,
// https://github.com/GoogleCloudPlatform/k8s-config-connector/issues/711.)
func denied(permission string, r resource) error {
	return status.Error(codes.PermissionDenied,
		fmt.Sprintf("Permission '%s' denied for resource '%s' (or it may not exist).", permission, strings.TrimSuffix(r.String(), "/")))
}
