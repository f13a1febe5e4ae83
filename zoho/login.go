// Login: from a person's consent to a stored token.

package zoho

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/tokenstore"
	"example.com/tokenstore/tokensource"
)

// The errors of [Login.Exchange] beside those of the store and of package tokensource.
var (
	// ErrDeclined: the person did not consent.
	ErrDeclined = errors.New("zoho: consent was declined")
	// ErrCallback: the parameters of the callback are not those of a login that this
	// application began.
	ErrCallback = errors.New("zoho: not the callback of a login")
)

// Login sends people to Zoho's consent page, and makes stored tokens of their answers. All
// fields without "optional" must be set. It is safe for concurrent use.
type Login struct {
	// ClientID and ClientSecret are those of the client, from Zoho's API console.
	ClientID, ClientSecret string
	// Secrets are the secrets of data centres in which the client has another one.
	// Optional.
	Secrets map[DataCenter]string
	// RedirectURL is where the consent page sends people: the URL of the callback.
	RedirectURL string
	// Scopes are what to ask for. To find the user's name, CRM's users and organisation
	// are read, see [CRMScopes].
	Scopes []string
	// DataCenter is where the client was registered. People from another one are sent on
	// by Zoho itself. The default is US.
	DataCenter DataCenter
	// Store keeps the tokens, and Source redeems them: a source over the same store, with
	// a [Redeemer].
	Store  tokenstore.Store
	Source *tokensource.Source
	// UserName returns the name under which a token is stored. The default is
	// [CRMUserName]. Optional.
	UserName func(ctx context.Context, t tokenstore.OAuthToken) (string, error)
	// HTTP reads the user's name; nil means http.DefaultClient. Optional.
	HTTP *http.Client
	// Log gets remarks, such as a user who got a longer name. Optional.
	Log *slog.Logger
}

// AuthURL returns the URL of the consent page. It asks for a refresh token (offline access)
// and always shows the page, without which Zoho gives no refresh token the second time.
// state comes back with the callback; [Login.Start] and [Login.Callback] handle it. If
// DataCenter is unknown, the result is "".
func (l *Login) AuthURL(state string) string {
	query := url.Values{
		"response_type": {"code"},
		"client_id":     {l.ClientID},
		"scope":         {strings.Join(l.Scopes, ",")},
		"redirect_uri":  {l.RedirectURL},
		"access_type":   {"offline"},
		"prompt":        {"consent"},
		"state":         {state},
	}
	home, err := l.home()
	if err != nil {
		return ""
	}
	return home.AccountsURL() + "/oauth/v2/auth?" + query.Encode()
}

// ready returns an error that names the fields that are missing, of those that both halves of a
// login need, and of more.
func (l *Login) ready(more map[string]bool) error {
	var missing []string
	set := map[string]bool{"ClientID": l.ClientID != "", "RedirectURL": l.RedirectURL != ""}
	maps.Copy(set, more)
	for name, ok := range set {
		if !ok {
			missing = append(missing, "Login."+name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return invalid("%s must be set", strings.Join(missing, " and "))
	}
	_, err := l.home()
	return err
}

// home returns where the client was registered.
func (l *Login) home() (DataCenter, error) {
	d, err := ByLocation(cmp.Or(string(l.DataCenter), string(US)))
	if err != nil {
		return "", invalid("Login.DataCenter: %v", err)
	}
	return d, nil
}

// Exchange makes a stored token of the parameters with which Zoho called back: it redeems
// the code, finds the user's name, and saves the token by it. A returning user keeps the
// row, with its ID. The caller has checked the state.
//
// The code is redeemed once, however many processes get the same callback at once; each
// returns the token. Once it is stored for its user, the code is spent, and gives an error
// that matches ErrCallback: whoever finds an old callback, in a history or a log, is not
// logged in by it. If the name cannot be found, the token stays stored under its grant,
// and until its access token ends Exchange can be called again.
func (l *Login) Exchange(ctx context.Context, callback url.Values) (tokenstore.OAuthToken, error) {
	if err := l.ready(map[string]bool{"Store": l.Store != nil, "Source": l.Source != nil}); err != nil {
		return tokenstore.OAuthToken{}, err
	}
	d, err := l.answered(callback)
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	granted, err := l.redeem(ctx, d, callback.Get("code"))
	if err != nil {
		return tokenstore.OAuthToken{}, err
	}
	if granted.UserName != "" { // Another process got the same callback, and was faster.
		return granted, nil
	}
	name, err := l.userName(ctx, granted)
	if err == nil && name == "" {
		err = errors.New("Login.UserName returned no name")
	}
	if err != nil {
		return tokenstore.OAuthToken{}, fmt.Errorf("zoho: the token is stored, but not yet for its user: %w", err)
	}
	return l.saveFor(ctx, name, granted)
}

// answered returns the data centre whose accounts server gave the code.
func (l *Login) answered(callback url.Values) (DataCenter, error) {
	switch {
	case callback.Get("error") == "access_denied":
		return "", ErrDeclined
	case callback.Has("error"):
		return "", fmt.Errorf("%w: Zoho refused the request; check the client's ID, its redirect URL and the scopes", ErrCallback)
	case callback.Get("code") == "":
		return "", fmt.Errorf("%w: it has no code", ErrCallback)
	}
	d, err := l.home()
	if err != nil {
		return "", err
	}
	if server := callback.Get("accounts-server"); server != "" {
		if d, err = ByAccountsServer(server); err != nil {
			return "", fmt.Errorf("%w: %w", ErrCallback, err)
		}
	}
	if location := callback.Get("location"); location != "" {
		at, err := ByLocation(location)
		if err == nil && callback.Get("accounts-server") != "" && at != d {
			err = errors.New("location and accounts-server contradict each other")
		}
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrCallback, err)
		}
		d = at
	}
	return d, nil
}

// errSpent is the answer to a code that has led to a token.
var errSpent = fmt.Errorf("%w: its code has been used; begin again", ErrCallback)

// redeem stores the grant and has it redeemed, by whichever process claims it first. A
// grant that is refused is not kept.
func (l *Login) redeem(ctx context.Context, d DataCenter, code string) (tokenstore.OAuthToken, error) {
	secret := l.ClientSecret
	if other, ok := l.Secrets[d]; ok {
		secret = other
	}
	grant := tokenstore.OAuthToken{ClientID: l.ClientID, ClientSecret: secret, GrantToken: code}
	// Nothing is written over the token of a code that is used again.
	pending, err := l.Store.FindToken(ctx, grant)
	if errors.Is(err, tokenstore.ErrNotFound) {
		row := grant
		row.RedirectURL, row.APIDomain = l.RedirectURL, d.APIDomain()
		pending, err = l.Store.SaveToken(ctx, row)
	}
	switch {
	case err != nil:
		return tokenstore.OAuthToken{}, err
	case spent(pending):
		return tokenstore.OAuthToken{}, errSpent
	}
	granted, err := l.Source.Token(ctx, tokenstore.OAuthToken{ID: pending.ID})
	switch {
	case errors.Is(err, tokensource.ErrNeedsConsent) && pending.RefreshToken == "":
		err = errors.Join(err, l.Store.DeleteToken(ctx, pending.ID))
	case errors.Is(err, tokenstore.ErrNotFound): // Another process has given it to a user who returns.
		granted, err = l.Store.FindToken(ctx, grant)
	}
	return granted, err
}

// spent reports whether the login of a grant is over: its token has a user, or has waited
// for one until its access token ended.
func spent(t tokenstore.OAuthToken) bool {
	return t.UserName != "" || t.AccessToken != "" && !t.Expiry.IsZero() && !t.Expiry.After(time.Now())
}

func (l *Login) userName(ctx context.Context, t tokenstore.OAuthToken) (string, error) {
	if l.UserName != nil {
		return l.UserName(ctx, t)
	}
	return CRMUserName(ctx, l.HTTP, t)
}

// saveFor saves a token by its user. If the user has a row, that of the grant goes; if not,
// that of the grant becomes the user's.
func (l *Login) saveFor(ctx context.Context, name string, granted tokenstore.OAuthToken) (tokenstore.OAuthToken, error) {
	row := granted
	row.ID, row.UserName = "", name
	if err := l.join(ctx, name, &row); err != nil {
		return tokenstore.OAuthToken{}, err
	}
	saved, err := l.Store.SaveToken(ctx, row)
	if err != nil || saved.ID == granted.ID {
		return saved, err
	}
	if err := l.Store.DeleteToken(ctx, granted.ID); err != nil {
		return saved, fmt.Errorf("zoho: the token is stored for its user; deleting the row of the grant failed: %w", err)
	}
	return saved, nil
}

// join directs the save to the row that is stored under the user's mail alone, if there is
// one: SDKs without the scope of the organisation store it so.
func (l *Login) join(ctx context.Context, name string, row *tokenstore.OAuthToken) error {
	mail, _, whole := strings.Cut(name, ":")
	if !whole {
		return nil
	}
	_, err := l.Store.FindToken(ctx, tokenstore.OAuthToken{UserName: name})
	if !errors.Is(err, tokenstore.ErrNotFound) {
		return err
	}
	old, err := l.Store.FindToken(ctx, tokenstore.OAuthToken{UserName: mail})
	switch {
	case errors.Is(err, tokenstore.ErrNotFound):
		return nil
	case err != nil:
		return err
	case old.ClientID != "" && old.ClientID != l.ClientID, !together(old.APIDomain, row.APIDomain):
		return nil // Another client's, or of another account of that mail.
	}
	row.ID = old.ID
	if l.Log != nil {
		l.Log.InfoContext(ctx, "zoho: the token stored under the mail alone is now stored under mail and organisation", "id", tokenstore.Redact(old.ID))
	}
	return nil
}

// together reports whether two API domains are of one data centre, as far as they say.
func together(old, now string) bool {
	if old == "" {
		return true
	}
	a, err := ByAPIDomain(old)
	b, err2 := ByAPIDomain(now)
	return err == nil && err2 == nil && a == b
}
