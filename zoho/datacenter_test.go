package zoho_test

import (
	"strings"
	"testing"

	"example.com/tokenstore/zoho"
)

// TestDataCenters: every way to name a data centre leads to it.
func TestDataCenters(t *testing.T) {
	for _, c := range []struct {
		d                       zoho.DataCenter
		location, accounts, api string
	}{
		{zoho.US, "us", "https://accounts.zoho.com", "https://www.zohoapis.com"},
		{zoho.EU, "eu", "https://accounts.zoho.eu", "https://www.zohoapis.eu"},
		{zoho.IN, "in", "https://accounts.zoho.in", "https://www.zohoapis.in"},
		{zoho.AU, "au", "https://accounts.zoho.com.au", "https://www.zohoapis.com.au"},
		{zoho.JP, "jp", "https://accounts.zoho.jp", "https://www.zohoapis.jp"},
		{zoho.CN, "cn", "https://accounts.zoho.com.cn", "https://www.zohoapis.com.cn"},
		{zoho.CA, "ca", "https://accounts.zohocloud.ca", "https://www.zohoapis.ca"},
		{zoho.SA, "sa", "https://accounts.zoho.sa", "https://www.zohoapis.sa"},
		{zoho.UK, "uk", "https://accounts.zoho.uk", "https://www.zohoapis.uk"},
		{zoho.AE, "ae", "https://accounts.zoho.ae", "https://www.zohoapis.ae"},
	} {
		if c.d.AccountsURL() != c.accounts || c.d.APIDomain() != c.api {
			t.Errorf("%s: %s and %s, want %s and %s", c.d, c.d.AccountsURL(), c.d.APIDomain(), c.accounts, c.api)
		}
		sandbox := strings.Replace(c.api, "www.", "sandbox.", 1)
		developer := strings.Replace(c.api, "www.", "developer.", 1)
		for _, look := range []struct {
			by    func(string) (zoho.DataCenter, error)
			value string
		}{
			{zoho.ByLocation, c.location}, {zoho.ByLocation, strings.ToUpper(c.location)},
			{zoho.ByAccountsServer, c.accounts}, {zoho.ByAccountsServer, c.accounts + "/"},
			{zoho.ByAPIDomain, c.api}, {zoho.ByAPIDomain, sandbox}, {zoho.ByAPIDomain, developer},
		} {
			if got, err := look.by(look.value); got != c.d || err != nil {
				t.Errorf("%s: %q, %v, want %q", look.value, got, err, c.d)
			}
		}
	}
	if n := len(zoho.DataCenters()); n != 10 {
		t.Errorf("%d data centres", n)
	}
}

// TestUnknownDataCenters: what is not exactly a host of Zoho's is an error, never a guess.
func TestUnknownDataCenters(t *testing.T) {
	for _, location := range []string{"", "xx", "eu ", "europe"} {
		if d, err := zoho.ByLocation(location); err == nil {
			t.Errorf("location %q is %q", location, d)
		}
	}
	for _, server := range []string{
		"", "accounts.zoho.eu", "http://accounts.zoho.eu", "https://accounts.zoho.example", "https://accounts.zoho.eu.evil.example",
		"https://accounts.zoho.eu@evil.example", "https://evil.example/accounts.zoho.eu", "https://accounts.zoho.eu:8443", "https://accounts.zoho.ca",
		"https://accounts.zoho.eu/path", "https://accounts.zoho.eu?query", "https://accounts.zoho.eu#fragment", "https://zoho.eu", "https://xaccounts.zoho.eu",
	} {
		if d, err := zoho.ByAccountsServer(server); err == nil {
			t.Errorf("accounts server %q is %q", server, d)
		}
	}
	for _, domain := range []string{
		"", "www.zohoapis.eu", "http://www.zohoapis.eu", "https://zohoapis.eu", "https://www.zohoapis.example", "https://www.zohoapis.eu.evil.example",
		"https://evil.zohoapis.eu", "https://www.zohoapis.eu:443", "https://user@www.zohoapis.eu", "https://www.zohoapis.eu/crm", "https://www.zoho.eu",
	} {
		if d, err := zoho.ByAPIDomain(domain); err == nil {
			t.Errorf("API domain %q is %q", domain, d)
		}
	}
	if none := zoho.DataCenter("mars"); none.AccountsURL() != "" || none.APIDomain() != "" {
		t.Errorf("an unknown data centre has the hosts %q and %q", none.AccountsURL(), none.APIDomain())
	}
}
