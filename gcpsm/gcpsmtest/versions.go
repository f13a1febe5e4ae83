// The methods for versions. Only an access by number is strongly consistent.

package gcpsmtest

import (
	"context"
	"hash/crc32"
	"slices"
	"strconv"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// castagnoli is the table of crc32c.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) int64 { return int64(crc32.Checksum(data, castagnoli)) }

// AddSecretVersion adds a version under the next number. It has no precondition, and
// leaves the secret's etag unchanged. (etags)
func (p *Principal) AddSecretVersion(ctx context.Context, in *secretmanagerpb.AddSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	return call(ctx, p, addVersion, in.GetParent(), func(s *Service, r resource) (*secretmanagerpb.SecretVersion, error) {
		payload := in.GetPayload()
		if err := s.checkPayload(payload); err != nil {
			return nil, err
		}
		l := s.find(r.id)
		if l == nil {
			return nil, s.missing(r)
		}
		v := s.add(l, slices.Clone(payload.GetData()), payload.DataCrc32C != nil)
		return s.replyVersion(r, l, v, v.states[0]), nil
	})
}

func (s *Service) checkPayload(payload *secretmanagerpb.SecretPayload) error {
	data := payload.GetData()
	switch {
	case len(data) == 0:
		return invalid("Secret Payload cannot be empty.")
	case s.config.Size > 0 && len(data) > s.config.Size:
		return invalid("The payload is larger than %d bytes.", s.config.Size)
	case payload.DataCrc32C != nil && payload.GetDataCrc32C() != checksum(data):
		// (API, SecretPayload: verified if it is given.)
		return invalid("The payload does not match its checksum.")
	}
	return nil
}

// replyVersion describes a version in one of its states.
func (s *Service) replyVersion(r resource, l *life, v *version, c change) *secretmanagerpb.SecretVersion {
	out := &secretmanagerpb.SecretVersion{
		Name: s.shown(r).at(v.number), CreateTime: timestamppb.New(v.created()), State: c.state, Etag: c.etag,
		ClientSpecifiedPayloadChecksum: v.checked, ReplicationStatus: replicationStatus(l.now()),
	}
	if c.state == destroyed {
		out.DestroyTime = timestamppb.New(c.since)
	}
	if !c.due.IsZero() {
		out.ScheduledDestroyTime = timestamppb.New(c.due)
	}
	if key := l.now().GetCustomerManagedEncryption(); key != nil {
		out.CustomerManagedEncryption = keyStatus(key)
	}
	return out
}

func replicationStatus(sec *secretmanagerpb.Secret) *secretmanagerpb.ReplicationStatus {
	if managed := sec.GetReplication().GetUserManaged(); managed != nil {
		status := &secretmanagerpb.ReplicationStatus_UserManagedStatus{}
		for _, replica := range managed.GetReplicas() {
			status.Replicas = append(status.Replicas, &secretmanagerpb.ReplicationStatus_UserManagedStatus_ReplicaStatus{
				Location: replica.GetLocation(), CustomerManagedEncryption: keyStatus(replica.GetCustomerManagedEncryption()),
			})
		}
		return &secretmanagerpb.ReplicationStatus{ReplicationStatus: &secretmanagerpb.ReplicationStatus_UserManaged{UserManaged: status}}
	}
	if automatic := sec.GetReplication().GetAutomatic(); automatic != nil {
		return &secretmanagerpb.ReplicationStatus{ReplicationStatus: &secretmanagerpb.ReplicationStatus_Automatic{
			Automatic: &secretmanagerpb.ReplicationStatus_AutomaticStatus{CustomerManagedEncryption: keyStatus(automatic.GetCustomerManagedEncryption())},
		}}
	}
	return nil
}

func keyStatus(key *secretmanagerpb.CustomerManagedEncryption) *secretmanagerpb.CustomerManagedEncryptionStatus {
	if key == nil {
		return nil
	}
	return &secretmanagerpb.CustomerManagedEncryptionStatus{KmsKeyVersionName: key.GetKmsKeyName() + "/cryptoKeyVersions/1"}
}

// resolve returns the version that a name refers to, with its state as the caller sees
// it. A number is looked up in current data, unless metadata is requested; metadata,
// aliases and latest may be stale. (consistency)
func (s *Service) resolve(r resource, metadata bool) (*life, *version, change, error) {
	number, err := strconv.ParseInt(r.version, 10, 64)
	byNumber := err == nil
	late := s.config.Stale
	if byNumber && !metadata {
		late = s.config.StatesLate
	}
	t := s.moment(late)
	l := s.seen(r.id, t)
	if byNumber && !metadata {
		if now := s.find(r.id); now != nil {
			l = now
		}
	}
	if l == nil {
		return nil, nil, change{}, notFound("Secret [%s] not found or has no versions.", s.shown(r).secret())
	}
	var v *version
	switch alias, ok := l.at(t).GetVersionAliases()[r.version]; {
	case byNumber:
		v = l.version(number)
	case r.version == latestAlias:
		// The newest version, in any state. (API, AccessSecretVersionRequest; seen,
		// https://github.com/google-github-actions/get-secretmanager-secrets/issues/268.)
		if v = l.latest(t); v == nil {
			return nil, nil, change{}, notFound("Secret [%s] not found or has no versions.", s.shown(r).secret())
		}
	case ok:
		v = l.version(alias)
	}
	if v == nil || (metadata || !byNumber) && v.created().After(t) {
		return nil, nil, change{}, notFound("Secret Version [%s/versions/%s] not found.", s.shown(r).secret(), r.version)
	}
	return l, v, v.at(t), nil
}

// AccessSecretVersion returns the data of a version that is enabled.
func (p *Principal) AccessSecretVersion(ctx context.Context, in *secretmanagerpb.AccessSecretVersionRequest) (*secretmanagerpb.AccessSecretVersionResponse, error) {
	return call(ctx, p, accessVersion, in.GetName(), func(s *Service, r resource) (*secretmanagerpb.AccessSecretVersionResponse, error) {
		_, v, c, err := s.resolve(r, false)
		if err != nil {
			return nil, err
		}
		if c.state != enabled {
			return nil, wrongState(s.shown(r).at(v.number), c)
		}
		data := slices.Clone(v.payload)
		sum := checksum(data)
		if s.chance(s.config.Damage) {
			data[s.random.IntN(len(data))] ^= 0x20
		}
		return &secretmanagerpb.AccessSecretVersionResponse{
			Name: s.shown(r).at(v.number), Payload: &secretmanagerpb.SecretPayload{Data: data, DataCrc32C: &sum},
		}, nil
	})
}

// wrongState has the service's message. (Seen,
// https://github.com/google-github-actions/get-secretmanager-secrets/issues/268.)
func wrongState(name string, c change) error {
	return precondition("Secret Version [%s] is in %s state.", name, c.state)
}

// GetSecretVersion returns a version without its data.
func (p *Principal) GetSecretVersion(ctx context.Context, in *secretmanagerpb.GetSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
	return call(ctx, p, getVersion, in.GetName(), func(s *Service, r resource) (*secretmanagerpb.SecretVersion, error) {
		l, v, c, err := s.resolve(r, true)
		if err != nil {
			return nil, err
		}
		return s.replyVersion(r, l, v, c), nil
	})
}

// ListSecretVersions lists the versions of a secret, the newest first, including
// destroyed ones.
func (p *Principal) ListSecretVersions(ctx context.Context, in *secretmanagerpb.ListSecretVersionsRequest) (*secretmanagerpb.ListSecretVersionsResponse, error) {
	return call(ctx, p, listVersions, in.GetParent(), func(s *Service, r resource) (*secretmanagerpb.ListSecretVersionsResponse, error) {
		f, err := parseFilter(in.GetFilter())
		if err != nil {
			return nil, err
		}
		t := s.moment(s.config.Stale)
		l := s.seen(r.id, t)
		if l == nil {
			return nil, s.missing(r)
		}
		var all []entry[*secretmanagerpb.SecretVersion]
		for _, v := range l.versions {
			if v.created().After(t) {
				break
			}
			if out := s.replyVersion(r, l, v, v.at(t)); f.matches(versionFields(out)) {
				all = append(all, entry[*secretmanagerpb.SecretVersion]{v.number, out})
			}
		}
		page, next, err := paged(all, in.GetPageSize(), in.GetPageToken())
		out := &secretmanagerpb.ListSecretVersionsResponse{Versions: page, NextPageToken: next}
		if in.GetFilter() == "" { // (API, ListSecretVersionsResponse.)
			out.TotalSize = int32(min(len(all), 1<<31-1))
		}
		return out, err
	})
}
