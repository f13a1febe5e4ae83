// Zoho's data centres. A token belongs to one of them, and a request that is sent to another
// one carries a credential to a server that has no use for it. So hosts are compared
// exactly, and an unknown one is an error.

package zoho

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// DataCenter is one of Zoho's data centres, by its name in the location parameter of a
// login. The zero value is none.
type DataCenter string

// The data centres.
const (
	US DataCenter = "us"
	EU DataCenter = "eu"
	IN DataCenter = "in"
	AU DataCenter = "au"
	JP DataCenter = "jp"
	CN DataCenter = "cn"
	CA DataCenter = "ca"
	SA DataCenter = "sa"
	UK DataCenter = "uk"
	AE DataCenter = "ae"
)

// hosts are a data centre's accounts server and the domain of its API.
type hosts struct {
	dataCenter     DataCenter
	accounts, apis string
}

// table lists the hosts. Sources: https://www.zoho.com/accounts/protocol/oauth/multi-dc.html
// for the accounts servers, and the constants of the CRM SDKs for the API domains. The
// SDKs lack UK and AE, whose hosts are those that Zoho's pages and public code name.
var table = []hosts{
	{US, "accounts.zoho.com", "zohoapis.com"},
	{EU, "accounts.zoho.eu", "zohoapis.eu"},
	{IN, "accounts.zoho.in", "zohoapis.in"},
	{AU, "accounts.zoho.com.au", "zohoapis.com.au"},
	{JP, "accounts.zoho.jp", "zohoapis.jp"},
	{CN, "accounts.zoho.com.cn", "zohoapis.com.cn"},
	{CA, "accounts.zohocloud.ca", "zohoapis.ca"},
	{SA, "accounts.zoho.sa", "zohoapis.sa"},
	{UK, "accounts.zoho.uk", "zohoapis.uk"},
	{AE, "accounts.zoho.ae", "zohoapis.ae"},
}

// environments are the hosts of the API in each data centre: production, and the two for
// tests.
var environments = []string{"www", "sandbox", "developer"}

// DataCenters returns all data centres.
func DataCenters() []DataCenter {
	all := make([]DataCenter, len(table))
	for i, h := range table {
		all[i] = h.dataCenter
	}
	return all
}

// AccountsURL returns the base URL of the accounts server, where tokens are issued, for
// example https://accounts.zoho.eu. For an unknown data centre it returns "".
func (d DataCenter) AccountsURL() string {
	h, err := d.hosts()
	if err != nil {
		return ""
	}
	return "https://" + h.accounts
}

// APIDomain returns the base URL of the API in production, for example
// https://www.zohoapis.eu, which is what a token keeps as its API domain. For an unknown
// data centre it returns "".
func (d DataCenter) APIDomain() string {
	h, err := d.hosts()
	if err != nil {
		return ""
	}
	return "https://" + environments[0] + "." + h.apis
}

// ByLocation returns the data centre with the given location, as a login's redirect names
// it in its location parameter.
func ByLocation(location string) (DataCenter, error) {
	h, err := DataCenter(location).hosts()
	return h.dataCenter, err
}

// hosts returns the hosts of a data centre, whose name may be in capitals.
func (d DataCenter) hosts() (hosts, error) {
	return search("location", string(d), func(h hosts) bool { return strings.EqualFold(string(h.dataCenter), string(d)) })
}

// ByAccountsServer returns the data centre of an accounts server, given as its base URL, as
// a login's redirect has it in its accounts-server parameter.
func ByAccountsServer(server string) (DataCenter, error) {
	host, err := hostOf(server)
	if err != nil {
		return "", fmt.Errorf("accounts server: %w", err)
	}
	h, err := search("accounts server", host, func(h hosts) bool { return h.accounts == host })
	return h.dataCenter, err
}

// ByAPIDomain returns the data centre of an API domain, given as its base URL: that of
// production, of the sandbox or of the developer environment.
func ByAPIDomain(domain string) (DataCenter, error) {
	host, err := hostOf(domain)
	if err != nil {
		return "", fmt.Errorf("API domain: %w", err)
	}
	environment, apis, _ := strings.Cut(host, ".")
	h, err := search("API domain", host, func(h hosts) bool { return h.apis == apis && slices.Contains(environments, environment) })
	return h.dataCenter, err
}

func search(what, value string, is func(hosts) bool) (hosts, error) {
	if i := slices.IndexFunc(table, is); i >= 0 {
		return table[i], nil
	}
	return hosts{}, fmt.Errorf("%s %q is none of Zoho's data centres", what, shorten(value))
}

// hostOf returns the host of a base URL. Only https without a port, a user or a path is
// accepted, and a final slash.
func hostOf(base string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Port() != "" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("not a base URL such as %s", EU.APIDomain())
	}
	return strings.ToLower(u.Host), nil
}

// shorten cuts a value that comes from elsewhere to what fits in an error.
func shorten(value string) string {
	const most = 60
	if len(value) > most {
		return value[:most] + "…"
	}
	return value
}
