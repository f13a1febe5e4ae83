// Enabling, disabling and destroying versions, separate as the service's states take
// effect late.

package gcpsmtest

import (
	"context"
	"strconv"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
)

// EnableSecretVersion makes a version readable, and cancels its scheduled destruction.
// (delay)
func (p *Principal) EnableSecretVersion(ctx context.Context, in *secretmanagerpb.EnableSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	return p.setState(ctx, enableVersion, in.GetName(), in.GetEtag(), enabled)
}

// DisableSecretVersion makes a version unreadable until it is enabled, and cancels its
// scheduled destruction. (delay)
func (p *Principal) DisableSecretVersion(ctx context.Context, in *secretmanagerpb.DisableSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	return p.setState(ctx, disableVersion, in.GetName(), in.GetEtag(), disabled)
}

// DestroySecretVersion destroys a version's data permanently, or, if the secret has a
// version_destroy_ttl, disables it now and destroys it later. (delay)
func (p *Principal) DestroySecretVersion(ctx context.Context, in *secretmanagerpb.DestroySecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	return p.setState(ctx, destroyVersion, in.GetName(), in.GetEtag(), destroyed)
}

// setState changes the state of a version, given by its number. It uses current data; a
// destroyed version stays destroyed.
func (p *Principal) setState(ctx context.Context, m method, name, etag string, state secretmanagerpb.SecretVersion_State) (*secretmanagerpb.SecretVersion, error) {
	return call(ctx, p, m, name, func(s *Service, r resource) (*secretmanagerpb.SecretVersion, error) {
		number, err := strconv.ParseInt(r.version, 10, 64)
		if err != nil {
			// (API: an alias is for Get- and AccessSecretVersion only.)
			return nil, invalid("Version [%s] is not a number.", r.version)
		}
		l := s.find(r.id)
		if l == nil {
			return nil, s.missing(r)
		}
		v := l.version(number)
		if v == nil {
			return nil, notFound("Secret Version [%s] not found.", s.shown(r))
		}
		now := v.at(s.clock.Now())
		switch {
		case etag != "" && etag != now.etag:
			return nil, wrongEtag(s.shown(r).String())
		case now.state == destroyed:
			return nil, wrongState(s.shown(r).String(), now)
		}
		s.change(l, v, state)
		return s.replyVersion(r, l, v, v.states[len(v.states)-1]), nil
	})
}
