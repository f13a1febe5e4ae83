// The label under which a candidate is stored, from its PutSecretValue to the move of
// AWSCURRENT: without one it would become current at once. On AWS all writers share one
// label, as a version that loses its label survives. Emulators drop it, and then even take
// AWSCURRENT off the version that the move was to replace; with them each process writes
// under its own label.

package awssm

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

const (
	// sharedLabel is the label on AWS. A process's own begins with ownLabel.
	sharedLabel = "tokenstore-candidate"
	ownLabel    = sharedLabel + "-"
	// abandoned is the age at which a candidate is no longer in use.
	abandoned = 10 * time.Minute
)

// labelFor returns the label under which a process writes, and whether no other process
// uses it.
func labelFor(api API) (label string, private bool) {
	if !emulated(api) {
		return sharedLabel, false
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // It never fails.
	return ownLabel + hex.EncodeToString(b[:]), true
}

// emulated reports whether a client's endpoint is not AWS.
func emulated(api API) bool {
	c, ok := api.(interface{ Options() secretsmanager.Options })
	if !ok {
		return false
	}
	endpoint := c.Options().BaseEndpoint
	if endpoint == nil {
		return false
	}
	u, err := url.Parse(*endpoint)
	return err == nil && !ofAWS(u.Hostname())
}

// ofAWS reports whether a host belongs to AWS.
func ofAWS(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, domain := range []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".amazonaws.eu"} {
		if strings.HasSuffix(host, domain) {
			return true
		}
	}
	return false
}

// takeOff removes a label from a version that became current, so that processes leave
// none behind. If that fails, another process cleans up later.
func (s *secrets) takeOff(ctx context.Context, encoded, id, label string) {
	_, _ = call(ctx, "UpdateSecretVersionStage", s.api.UpdateSecretVersionStage, &secretsmanager.UpdateSecretVersionStageInput{
		SecretId: aws.String(encoded), VersionStage: aws.String(label), RemoveFromVersionId: aws.String(id),
	})
}

// cleanUp removes the labels that ended processes have left on candidates, when this
// process first writes to a secret and then periodically. A candidate that did not become
// current keeps its label until its process writes again, so a secret never has more of
// these labels than there are processes.
func (s *secrets) cleanUp(ctx context.Context, encoded string) {
	if !s.private || !s.due(encoded) {
		return
	}
	d, f := s.describe(ctx, encoded)
	if f != nil || d.current == "" {
		return
	}
	for id, labels := range d.stages {
		for _, label := range labels {
			if label == s.label || !strings.HasPrefix(label, ownLabel) {
				continue // Our own, or a person's.
			}
			if v, f := s.readVersion(ctx, encoded, id); f == nil && s.set.now().Sub(v.created) > abandoned {
				s.takeOff(ctx, encoded, id, label)
			}
		}
	}
}

// due reports whether it is time to clean up a secret's labels, and records it.
func (s *secrets) due(encoded string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.set.now()
	if last, ok := s.swept.Get(encoded); ok && now.Sub(last) < abandoned {
		return false
	}
	s.swept.Put(encoded, now)
	return true
}
