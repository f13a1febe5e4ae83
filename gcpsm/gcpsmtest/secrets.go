// The methods for secrets. Their metadata and lists may be stale.

package gcpsmtest

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const latestAlias = "latest"

// CreateSecret creates a secret without versions.
func (p *Principal) CreateSecret(ctx context.Context, in *secretmanagerpb.CreateSecretRequest) (*secretmanagerpb.Secret, error) {
	return call(ctx, p, createSecret, in.GetParent(), func(s *Service, r resource) (*secretmanagerpb.Secret, error) {
		r.id = in.GetSecretId()
		return s.newSecret(r, in.GetSecret())
	})
}

func (s *Service) newSecret(r resource, in *secretmanagerpb.Secret) (*secretmanagerpb.Secret, error) {
	switch {
	case !idForm.MatchString(r.id):
		return nil, invalid("Secret ID [%s] does not match the expected format [[a-zA-Z_0-9-]{1,255}].", r.id)
	case in == nil:
		return nil, invalid("Secret must be provided.")
	}
	if err := check(in, s.config.Location); err != nil {
		return nil, err
	}
	if err := checkAliases(nil, in.GetVersionAliases()); err != nil {
		return nil, err
	}
	if s.find(r.id) != nil {
		return nil, status.Errorf(codes.AlreadyExists, "Secret [%s] already exists.", s.shown(r).secret())
	}
	meta, err := s.stored(in)
	if err != nil {
		return nil, err
	}
	meta.CreateTime = timestamppb.New(s.clock.Now())
	return s.reply(r, s.create(r.id, meta).now()), nil
}

// stored returns the stored form of a secret that a caller sent.
func (s *Service) stored(in *secretmanagerpb.Secret) (*secretmanagerpb.Secret, error) {
	meta, ok := proto.Clone(in).(*secretmanagerpb.Secret)
	if !ok {
		return nil, status.Error(codes.Internal, "a secret is not a secret")
	}
	now := s.clock.Now()
	if ttl := in.GetTtl(); ttl != nil {
		meta.Expiration = &secretmanagerpb.Secret_ExpireTime{ExpireTime: timestamppb.New(now.Add(ttl.AsDuration()))}
	}
	if at := meta.GetExpireTime(); at != nil && !at.AsTime().After(now) {
		return nil, invalid("The expiration must be in the future.")
	}
	meta.Name, meta.Etag = "", s.etag()
	return meta, nil
}

// reply returns a copy of a secret under the name that replies use.
func (s *Service) reply(r resource, meta *secretmanagerpb.Secret) *secretmanagerpb.Secret {
	out := &secretmanagerpb.Secret{}
	proto.Merge(out, meta)
	out.Name = s.shown(r).secret()
	return out
}

func (s *Service) missing(r resource) error {
	return notFound("Secret [%s] not found.", s.shown(r).secret())
}

// GetSecret returns a secret's metadata, which may be stale.
func (p *Principal) GetSecret(ctx context.Context, in *secretmanagerpb.GetSecretRequest) (*secretmanagerpb.Secret, error) {
	return call(ctx, p, getSecret, in.GetName(), func(s *Service, r resource) (*secretmanagerpb.Secret, error) {
		t := s.moment(s.config.Stale)
		l := s.seen(r.id, t)
		if l == nil {
			return nil, s.missing(r)
		}
		return s.reply(r, l.at(t)), nil
	})
}

// UpdateSecret replaces the fields of the mask. An etag, if given, must be the current
// one.
func (p *Principal) UpdateSecret(ctx context.Context, in *secretmanagerpb.UpdateSecretRequest) (*secretmanagerpb.Secret, error) {
	return call(ctx, p, updateSecret, in.GetSecret().GetName(), func(s *Service, r resource) (*secretmanagerpb.Secret, error) {
		l := s.find(r.id)
		if l == nil {
			return nil, s.missing(r)
		}
		if etag := in.GetSecret().GetEtag(); etag != "" && etag != l.now().GetEtag() {
			return nil, wrongEtag(s.shown(r).secret())
		}
		next, err := masked(l.now(), in.GetSecret(), in.GetUpdateMask().GetPaths())
		if err != nil {
			return nil, err
		}
		if err := check(next, s.config.Location); err != nil {
			return nil, err
		}
		if err := checkAliases(l, next.GetVersionAliases()); err != nil {
			return nil, err
		}
		if next, err = s.stored(next); err != nil {
			return nil, err
		}
		s.describe(l, next)
		return s.reply(r, next), nil
	})
}

// wrongEtag is the error of an etag that does not match. (etags)
func wrongEtag(name string) error {
	return precondition("The etag provided does not match the etag of [%s].", name)
}

// masked returns the current metadata with the fields of a mask replaced by those that
// were sent.
func masked(now, in *secretmanagerpb.Secret, paths []string) (*secretmanagerpb.Secret, error) {
	if len(paths) == 0 {
		return nil, invalid("The update mask must not be empty.")
	}
	next := &secretmanagerpb.Secret{}
	proto.Merge(next, now)
	for _, path := range paths {
		switch path {
		case "labels":
			next.Labels = in.GetLabels()
		case "annotations":
			next.Annotations = in.GetAnnotations()
		case "version_aliases":
			next.VersionAliases = in.GetVersionAliases()
		case "topics":
			next.Topics = in.GetTopics()
		case "rotation":
			next.Rotation = in.GetRotation()
		case "expire_time", "ttl":
			next.Expiration = in.GetExpiration()
		case "version_destroy_ttl":
			next.VersionDestroyTtl = in.GetVersionDestroyTtl()
		case "customer_managed_encryption":
			next.CustomerManagedEncryption = in.GetCustomerManagedEncryption()
		default:
			// (API, Secret: the name, the replication and the tags are immutable.)
			return nil, invalid("Field [%s] of the update mask cannot be changed.", path)
		}
	}
	return next, nil
}

// DeleteSecret removes a secret with all its versions, immediately and permanently.
func (p *Principal) DeleteSecret(ctx context.Context, in *secretmanagerpb.DeleteSecretRequest) (*emptypb.Empty, error) {
	return call(ctx, p, deleteSecret, in.GetName(), func(s *Service, r resource) (*emptypb.Empty, error) {
		l := s.find(r.id)
		switch {
		case l == nil:
			return nil, s.missing(r)
		case in.GetEtag() != "" && in.GetEtag() != l.now().GetEtag():
			return nil, wrongEtag(s.shown(r).secret())
		}
		l.ended = s.clock.Now()
		return &emptypb.Empty{}, nil
	})
}

// Page sizes. (API, ListSecretsRequest: at most 25,000; the default is not
// documented.)
const (
	pageSize    = 100
	maxPageSize = 25000
)

// ListSecrets lists secrets, the newest first.
func (p *Principal) ListSecrets(ctx context.Context, in *secretmanagerpb.ListSecretsRequest) (*secretmanagerpb.ListSecretsResponse, error) {
	return call(ctx, p, listSecrets, in.GetParent(), func(s *Service, r resource) (*secretmanagerpb.ListSecretsResponse, error) {
		f, err := parseFilter(in.GetFilter())
		if err != nil {
			return nil, err
		}
		var all []entry[*secretmanagerpb.Secret]
		for _, id := range slices.Sorted(maps.Keys(s.secrets)) {
			t := s.moment(s.config.Stale)
			l := s.seen(id, t)
			if l == nil {
				continue
			}
			r.id = id
			if out := s.reply(r, l.at(t)); f.matches(secretFields(id, out)) {
				all = append(all, entry[*secretmanagerpb.Secret]{int64(l.serial), out})
			}
		}
		page, next, err := paged(all, in.GetPageSize(), in.GetPageToken())
		out := &secretmanagerpb.ListSecretsResponse{Secrets: page, NextPageToken: next}
		if in.GetFilter() == "" { // (API, ListSecretsResponse.)
			out.TotalSize = int32(min(len(all), 1<<31-1))
		}
		return out, err
	})
}

// entry is a listed item, with its position in the order of creation.
type entry[T any] struct {
	serial int64
	item   T
}

// paged returns one page, the newest first, and the token of the next. A token is the
// serial of the last entry shown, so that additions and removals in between shift
// nothing.
func paged[T any](all []entry[T], size int32, token string) ([]T, string, error) {
	slices.SortFunc(all, func(a, b entry[T]) int { return int(b.serial - a.serial) })
	if size == 0 {
		size = pageSize
	}
	if size < 0 {
		return nil, "", invalid("The page size must not be negative.")
	}
	size = min(size, maxPageSize)
	before := int64(0)
	if token != "" {
		var err error
		if before, err = strconv.ParseInt(token, 36, 64); err != nil || before < 1 {
			return nil, "", invalid("The page token is not one of this service.")
		}
	}
	var page []T
	for i, e := range all {
		if before != 0 && e.serial >= before {
			continue
		}
		if len(page) == int(size) {
			return page, strconv.FormatInt(all[i-1].serial, 36), nil
		}
		page = append(page, e.item)
	}
	return page, "", nil
}
