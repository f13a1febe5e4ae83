// The custom roles, and the bindings that limit them to the secrets of one store: project,
// location and prefix come from its URL. policy_test.go compares them with the calls that
// each role makes.

package gcpsm

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"

	"example.com/tokenstore"
	"example.com/tokenstore/secretstore"
)

// Permissions, by Google's names.
// https://docs.cloud.google.com/secret-manager/docs/access-control
const (
	createSecrets   = "secretmanager.secrets.create"
	deleteSecrets   = "secretmanager.secrets.delete"
	getSecrets      = "secretmanager.secrets.get"
	listSecrets     = "secretmanager.secrets.list"
	updateSecrets   = "secretmanager.secrets.update"
	accessVersions  = "secretmanager.versions.access"
	addVersions     = "secretmanager.versions.add"
	destroyVersions = "secretmanager.versions.destroy"
	enableVersions  = "secretmanager.versions.enable"
)

// permissions returns what a role may do.
func permissions(role tokenstore.Role) []string {
	switch role {
	case tokenstore.RoleReader:
		return []string{accessVersions}
	case tokenstore.RoleOperator:
		return []string{createSecrets, deleteSecrets, getSecrets, listSecrets, updateSecrets, accessVersions, addVersions, destroyVersions, enableVersions}
	}
	return []string{createSecrets, deleteSecrets, getSecrets, updateSecrets, accessVersions, addVersions, destroyVersions, enableVersions}
}

// numberForm matches a project's number. An ID begins with a letter.
var numberForm = regexp.MustCompile(`^[0-9]+$`)

// Policy is a tokenstore.PolicyFunc: it returns the policy of a role for the store that a URL
// names. Package command/stores registers it; programs that only use a store do not link it.
func Policy(_ context.Context, u *url.URL, request tokenstore.PolicyRequest) (tokenstore.Policy, error) {
	if err := tokenstore.CheckParams(u, parameters...); err != nil {
		return tokenstore.Policy{}, err
	}
	options, err := urlOptions(u)
	if err != nil {
		return tokenstore.Policy{}, invalidURL(err)
	}
	set, err := configure(&secretmanager.Client{}, u.Host, options) // It makes no call.
	if err != nil {
		return tokenstore.Policy{}, invalidURL(err)
	}
	if request.Account != "" && !numberForm.MatchString(request.Account) {
		return tokenstore.Policy{}, invalidURL(errors.New("the account must be the project's number"))
	}
	if set.prefix == "" {
		set.prefix = secretstore.DefaultPrefix
	}
	return tokenstore.Policy{Text: set.commands(request), Remarks: set.remarks(request.Role)}, nil
}

// commands returns the commands that create a role and grant it.
func (s *settings) commands(request tokenstore.PolicyRequest) string {
	role := string(request.Role)
	project, number := s.project, request.Account
	switch {
	case numberForm.MatchString(s.project):
		project, number = "$(gcloud projects describe "+s.project+" --format='value(projectId)')", s.project
	case number == "":
		number = "$(gcloud projects describe \"$project\" --format='value(projectNumber)')"
	}
	name := "tokenstore" + strings.ToUpper(role[:1]) + role[1:]
	return fmt.Sprintf(`# The %[1]s of the secrets that begin with %[2]s. The role is created once in a project, and
# granted to MEMBER, such as serviceAccount:NAME@PROJECT.iam.gserviceaccount.com.
: "${MEMBER:?set it to who gets the role}"
project=%[3]s
number=%[4]s
gcloud iam roles create %[5]s --project="$project" --stage=GA --title='tokenstore %[1]s' \
  --permissions=%[6]s
gcloud projects add-iam-policy-binding "$project" --member="$MEMBER" \
  --role="projects/$project/roles/%[5]s" \
  --condition='title=tokenstore %[1]s,expression=%[7]s'
`, role, names.Escape(s.prefix), project, number, name, strings.Join(permissions(request.Role), ","), s.condition())
}

// condition returns the condition that limits a grant on the project to the store's
// secrets, for a shell, between quotes, with the project's number as a variable. Creating and
// listing are checked on the project.
func (s *settings) condition() string {
	parent := `projects/'"$number"'/`
	if s.location != "" {
		parent += "locations/" + s.location + "/"
	}
	below := names.Escape(s.prefix)
	if len(below) > keptLen { // What follows may be a hash.
		below = below[:whole(below, keptLen)]
	}
	return `resource.type == "cloudresourcemanager.googleapis.com/Project" || resource.name.startsWith("` + parent + "secrets/" + below + `")`
}

// remarks say what the condition cannot limit.
func (s *settings) remarks(role tokenstore.Role) []string {
	var all []string
	switch role {
	case tokenstore.RoleWriter:
		all = append(all, "no condition limits "+createSecrets+": the role can create secrets of any name in the project, but not read them")
	case tokenstore.RoleOperator:
		all = append(all, "no condition limits "+createSecrets+" and "+listSecrets+": the role can create secrets of any name in the project, and sees the names of all its secrets, but reads only the store's")
	}
	if s.kmsKey != "" {
		all = append(all, "the KMS key is used by Secret Manager's service agent, which needs roles/cloudkms.cryptoKeyEncrypterDecrypter on it; the role needs no right on it")
	}
	return all
}
