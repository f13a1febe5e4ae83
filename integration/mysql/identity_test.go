package mysql_test

import (
	"strings"
	"testing"
)

// TestIdentity: the store tells as whom the server knows it.
func TestIdentity(t *testing.T) {
	d := newDatabase(t)
	name, err := d.open(t).Identity(t.Context())
	must(t, err)
	if user := d.url.Query().Get("user"); !strings.HasPrefix(name, user+"@") {
		t.Errorf("it acts as %q", name)
	}
}
