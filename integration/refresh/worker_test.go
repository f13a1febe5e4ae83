//go:build unix

package refresh

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/hashicorp/vault/api"
	"golang.org/x/oauth2"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
	"example.com/tokenstore/integration/internal/need"
	"example.com/tokenstore/secretstore"
	_ "example.com/tokenstore/sqlstore" // opens sqlite:
	"example.com/tokenstore/tokensource"
	tokenoauth2 "example.com/tokenstore/tokensource/oauth2"
	"example.com/tokenstore/vault"
)

// envOrders holds the orders of a process of a fleet, as JSON.
const envOrders = "TOKENSTORE_TEST_REFRESH"

// callers is the number of goroutines in a process that ask for the token.
const callers = 32

// claim is how long a claim lasts: the least that a Source accepts.
const claim = 30 * time.Second

// calm is how long a process that stops itself stays where it is after it goes on, so that the
// test can stop it again; see settle.
const calm = time.Second / 2

// orders are the instructions for a process.
type orders struct {
	Place   place
	Process int
	User    string
	Reuse   time.Duration
	// The accounts server.
	TokenURL, ClientID, ClientSecret string
	// StopOnce names a file. The process that creates it stops itself, as with SIGSTOP,
	// right after it has made its claim.
	StopOnce string
}

// place is where the store is, as every process reaches it.
type place struct {
	Kind    string // "sqlite", "vault" or "localstack"
	Address string // of the server
	Token   string // of Vault
	Prefix  string
	Path    string // of the SQLite database
}

// open opens the store.
func (p place) open(ctx context.Context, options ...secretstore.Option) (tokenstore.Store, error) {
	switch p.Kind {
	case "sqlite":
		return tokenstore.Open(ctx, "sqlite://"+p.Path)
	case "vault":
		config := api.DefaultConfig()
		if config.Error != nil {
			return nil, config.Error
		}
		config.Address = p.Address
		client, err := api.NewClient(config)
		if err != nil {
			return nil, err
		}
		client.SetToken(p.Token)
		return vault.New(client, vault.WithPrefix(p.Prefix), vault.WithStoreOptions(options...))
	}
	client := secretsmanager.New(secretsmanager.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(p.Address),
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
	return awssm.New(client, awssm.WithPrefix(p.Prefix), awssm.WithStoreOptions(options...))
}

// report is a line of a process.
type report struct {
	// What is "ready", "stopping", "got", "failed", "wrote" or "done".
	What string
	// Digest is that of the access token that a caller got.
	Digest string
	// Kind and Text are of a caller's error; Since is when the refresh token may have been
	// spent.
	Kind, Text string
	Since      time.Time
	// N counts writes of the token.
	N int
}

// The kinds of error that a process reports.
const (
	needsConsent = "needs consent"
	otherError   = "other"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(envOrders); text != "" {
		if err := obey(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(need.Main(m))
}

// worker is this process as a member of a fleet.
type worker struct {
	orders
	mu     sync.Mutex
	writes int // of the token
}

// tell writes one line for the parent, in a single call.
func tell(r report) {
	line, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	_, _ = os.Stdout.Write(append(line, '\n'))
}

// obey waits for a line on standard input, asks for the token, and tells what it got.
func obey(text string) error {
	w := &worker{}
	if err := json.Unmarshal([]byte(text), &w.orders); err != nil {
		return err
	}
	ctx := context.Background()
	store, err := w.Place.open(ctx, secretstore.WithObserver(w.call))
	if err != nil {
		return err
	}
	config := &oauth2.Config{
		ClientID: w.ClientID, ClientSecret: w.ClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: w.TokenURL, AuthStyle: oauth2.AuthStyleInParams},
	}
	redeemer := tokenoauth2.NewRedeemer(config, tokenoauth2.WithHTTPClient(&http.Client{Transport: named(w.Process)}))
	source, err := tokensource.New(store, redeemer, tokensource.WithReuse(w.Reuse), tokensource.WithClaim(claim), tokensource.WithObserver(w.step))
	if err != nil {
		return err
	}
	tell(report{What: "ready"})
	if _, err := bufio.NewReader(os.Stdin).ReadString('\n'); err != nil {
		return err
	}
	var asking sync.WaitGroup
	for range callers {
		asking.Go(func() { tell(w.ask(ctx, source)) })
	}
	asking.Wait()
	if err := source.Close(ctx); err != nil {
		return err
	}
	tell(report{What: "wrote", N: w.writes})
	tell(report{What: "done"})
	return nil
}

func (w *worker) ask(ctx context.Context, source *tokensource.Source) report {
	token, err := source.Token(ctx, tokenstore.OAuthToken{UserName: w.User})
	if err == nil {
		return report{What: "got", Digest: digest(token.AccessToken)}
	}
	r := report{What: "failed", Kind: otherError, Text: err.Error()}
	if errors.Is(err, tokensource.ErrNeedsConsent) {
		r.Kind = needsConsent
	}
	if e := (*tokensource.Error)(nil); errors.As(err, &e) {
		r.Since = e.Since
	}
	return r
}

// digest tells access tokens apart without showing them.
func digest(access string) string {
	sum := sha256.Sum256([]byte(access))
	return hex.EncodeToString(sum[:8])
}

// call counts the writes of the token itself: each is a version.
func (w *worker) call(_ context.Context, c secretstore.Call) {
	if c.Op == "put" && c.Err == nil && strings.Contains(c.Name, "tokens/") {
		w.count()
	}
}

// step counts them where the store has no calls that can be observed, and stops this process.
func (w *worker) step(_ context.Context, e tokensource.Event) {
	wrote := e.Step == tokensource.StepClaimed || e.Step == tokensource.StepSaved || e.Step == tokensource.StepRefused
	if wrote && e.Err == nil && w.Place.Kind == "sqlite" {
		w.count()
	}
	if e.Step != tokensource.StepClaimed || e.Err != nil || w.StopOnce == "" {
		return
	}
	file, err := os.OpenFile(w.StopOnce, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return // Another was first.
	}
	_ = file.Close()
	tell(report{What: "stopping"})
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	time.Sleep(calm) // The signal may take a moment to stop this thread too.
}

func (w *worker) count() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes++
}

// named is a transport that says which process asks.
type named int

func agent(process int) string { return fmt.Sprintf("process %d", process) }

func (n named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", agent(int(n)))
	return http.DefaultTransport.RoundTrip(r)
}
