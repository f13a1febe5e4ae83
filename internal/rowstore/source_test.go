package rowstore_test

import (
	"slices"
	"testing"
	"time"

	"example.com/tokenstore/internal/rowstore"
)

func TestColumnsGoByManyNames(t *testing.T) {
	for name, want := range map[string]rowstore.Column{
		"id": rowstore.IDColumn, "user_name": rowstore.UserColumn, "user_mail": rowstore.UserColumn, "user_email": rowstore.UserColumn,
		"email": rowstore.UserColumn, "useridentifier": rowstore.UserColumn, "userEmailId": rowstore.UserColumn, " User Name ": rowstore.UserColumn,
		"clientId": rowstore.ClientIDColumn, "client-secret": rowstore.ClientSecretColumn, "REFRESH_TOKEN": rowstore.RefreshColumn,
		"accesstoken": rowstore.AccessColumn, "code": rowstore.GrantColumn, "expires_in": rowstore.ExpiryColumn, "expires_at": rowstore.ExpiryColumn,
		"expiry": rowstore.ExpiryColumn, "expiryTime": rowstore.ExpiryColumn, "redirect_uri": rowstore.RedirectColumn, "apiDomain": rowstore.DomainColumn,
		"user_id": rowstore.UnknownColumn, "created_at": rowstore.UnknownColumn, "token": rowstore.UnknownColumn, "": rowstore.UnknownColumn,
	} {
		if got, twice := rowstore.ColumnsOf([]string{name}); got[0] != want || twice {
			t.Errorf("%q is %v, want %v", name, got[0], want)
		}
	}
}

func TestOneOfSeveralColumnsOfOneMeaningIsRead(t *testing.T) {
	const unknown = rowstore.UnknownColumn
	for _, c := range []struct {
		names []string
		want  []rowstore.Column
		twice bool
	}{
		{[]string{"email", "user_name"}, []rowstore.Column{unknown, rowstore.UserColumn}, false},
		{[]string{"user_name", "email"}, []rowstore.Column{rowstore.UserColumn, unknown}, false},
		{[]string{"expires_at", "expiry", "expires_in"}, []rowstore.Column{unknown, unknown, rowstore.ExpiryColumn}, false},
		{[]string{"user_name", "userName"}, []rowstore.Column{rowstore.UserColumn, unknown}, true},
	} {
		if got, twice := rowstore.ColumnsOf(c.names); !slices.Equal(got, c.want) || twice != c.twice {
			t.Errorf("%q: %v, %t, want %v, %t", c.names, got, twice, c.want, c.twice)
		}
	}
}

func TestExpiriesOfOtherPrograms(t *testing.T) {
	at := time.Date(2025, 11, 23, 12, 13, 20, 0, time.UTC)
	const duration, odd, zone = "expiry_time: a duration", "expiry_time: not a time", "expiry_time: has no time zone"
	for text, want := range map[string]struct {
		at     time.Time
		remark string
	}{
		"": {}, "1763900000000": {at, ""}, "1763900000": {at, ""}, " 1763900000000\t": {at, ""},
		"1763900000000.0": {at, ""}, "1763900000.0": {at, ""}, "1.7639e12": {at, ""}, "1.7639E+09": {at, ""},
		"1763900000.5": {at.Add(500 * time.Millisecond), ""}, "1763900000000.9": {at, ""}, "1763900000.123": {at.Add(123 * time.Millisecond), ""},
		"3600": {time.Time{}, duration}, "3600000": {time.Time{}, duration}, "3599.5": {time.Time{}, duration}, "0": {time.Time{}, duration},
		"0000000003600": {time.Time{}, duration}, "0000003600": {time.Time{}, duration}, "1970-01-01T01:00:00Z": {time.Time{}, duration},
		"2025-11-23T12:13:20Z": {at, ""}, "2025-11-23T13:13:20+01:00": {at, ""}, "2025-11-23T13:13:20+0100": {at, ""},
		"2025-11-23T12:13:20.123456Z": {at.Add(123 * time.Millisecond), ""}, "2025-11-23 12:13:20+00": {at, ""},
		"2025-11-23 12:13:20.000000+00:00": {at, ""}, "2025-11-23 12:13:20 UTC": {at, ""}, "2025-11-23 12:13:20 +0000 UTC": {at, ""},
		"Sun, 23 Nov 2025 12:13:20 GMT": {at, ""}, "Sun Nov 23 2025 13:13:20 GMT+0100": {at, ""},
		"2025-11-23 12:13:20": {at, zone}, "2025-11-23T12:13:20": {at, zone}, "2025-11-23T12:13:20.0": {at, zone},
		"tomorrow": {time.Time{}, odd}, "-5": {time.Time{}, odd}, "1e300": {time.Time{}, odd}, "NaN": {time.Time{}, odd}, "Inf": {time.Time{}, odd},
		"17639000000": {time.Time{}, odd}, "17639000000000": {time.Time{}, odd}, "2025-11-23": {time.Time{}, odd}, "9999-12-31T00:00:00Z": {time.Time{}, odd},
	} {
		got, remark := rowstore.ReadExpiry(text)
		if !got.Equal(want.at) || (remark == "") != (want.remark == "") || len(remark) < len(want.remark) || remark[:len(want.remark)] != want.remark {
			t.Errorf("%q: %v, %q, want %v, %q", text, got, remark, want.at, want.remark)
		}
	}
}

func TestWordsForNothing(t *testing.T) {
	for _, text := range []string{"NULL", "null", `\N`, "None", "undefined", "nil", "NaN", "(null)", "<null>", "[NULL]", "<nil>"} {
		if !rowstore.IsNull(text) {
			t.Errorf("%q is a word", text)
		}
	}
	for _, text := range []string{"", "N", "0", "nullable", "none@zylker.example", " null", "na", "false", "NULL NULL"} {
		if rowstore.IsNull(text) {
			t.Errorf("%q is a word for nothing", text)
		}
	}
}
