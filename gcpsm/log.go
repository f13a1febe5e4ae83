package gcpsm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"

	"example.com/tokenstore/driver"
)

// remoteLog is the versions of one secret in the service.
type remoteLog struct {
	*secrets
	path string // of the secret: projects/…/secrets/…
	// fields are the data of the version that is to be added.
	fields map[string]json.RawMessage
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) int64 { return int64(crc32.Checksum(data, castagnoli)) }

// errDamaged is returned for a payload that does not fit its checksum.
var errDamaged = errors.New("the data does not fit its checksum")

func (l *remoteLog) add(ctx context.Context, v version) (version, error) {
	v.written = l.set.now().UnixMilli()
	payload := encode(v, l.fields)
	if len(payload) > maxPayload {
		return version{}, fmt.Errorf("%w: %d bytes with the driver's fields, and the service stores %d", driver.ErrTooLarge, len(payload), maxPayload)
	}
	sum := checksum(payload)
	out, f := call(ctx, l.set, "AddSecretVersion", never, l.api.AddSecretVersion, &secretmanagerpb.AddSecretVersionRequest{
		Parent: l.path, Payload: &secretmanagerpb.SecretPayload{Data: payload, DataCrc32C: &sum},
	})
	if f != nil {
		return version{}, f.give()
	}
	number, err := numberOf(out.GetName())
	if err != nil { // It was stored, under whatever number.
		return version{}, fmt.Errorf("%w: AddSecretVersion: %w", driver.ErrUnavailable, err)
	}
	v = decode(number, payload)
	v.etag = out.GetEtag()
	return v, nil
}

func (l *remoteLog) access(ctx context.Context, number int64) (version, error) {
	v, err := l.get(ctx, strconv.FormatInt(number, 10))
	v.number = number
	return v, err
}

func (l *remoteLog) latest(ctx context.Context) (version, error) { return l.get(ctx, "latest") }

// errEmpty is returned for a reply that holds no payload, such as a proxy's.
var errEmpty = errors.New("the reply has no data")

// get accesses a version. Only NOT_FOUND says that it is not there: a role that
// may not access it gets another answer, which is an error.
func (l *remoteLog) get(ctx context.Context, which string) (version, error) {
	in := &secretmanagerpb.AccessSecretVersionRequest{Name: l.path + "/versions/" + which}
	for try := 1; ; try++ {
		out, f := call(ctx, l.set, "AccessSecretVersion", ifUnanswered, l.api.AccessSecretVersion, in)
		switch {
		case f != nil && errors.Is(f.kind, driver.ErrNotFound):
			return version{}, nil
		case f != nil && f.grpc == codes.FailedPrecondition && errors.Is(f.kind, driver.ErrConflict):
			return version{state: gone}, nil
		case f != nil:
			return version{}, f.give()
		}
		payload := out.GetPayload()
		if payload == nil {
			return version{}, fmt.Errorf("%w: AccessSecretVersion: %w", driver.ErrUnavailable, errEmpty)
		}
		if sum := payload.DataCrc32C; sum != nil && *sum != checksum(payload.GetData()) {
			if try < looks {
				continue
			}
			return version{}, fmt.Errorf("%w: AccessSecretVersion: %w", driver.ErrUnavailable, errDamaged)
		}
		number, err := numberOf(out.GetName())
		if err != nil {
			return version{}, fmt.Errorf("%w: AccessSecretVersion: %w", driver.ErrUnavailable, err)
		}
		return decode(number, payload.GetData()), nil
	}
}

// destroy destroys a version. Its own one is named with its etag, so that no
// version of a later secret of that name is hit.
func (l *remoteLog) destroy(ctx context.Context, v version) error {
	_, f := call(ctx, l.set, "DestroySecretVersion", ifUnanswered, l.api.DestroySecretVersion, &secretmanagerpb.DestroySecretVersionRequest{
		Name: l.path + "/versions/" + strconv.FormatInt(v.number, 10), Etag: v.etag,
	})
	switch {
	case f == nil, errors.Is(f.kind, driver.ErrNotFound), errors.Is(f.kind, driver.ErrConflict):
		return nil
	}
	return f.give()
}

// numberOf returns the number at the end of a version's name.
func numberOf(name string) (int64, error) {
	n, err := strconv.ParseInt(name[strings.LastIndexByte(name, '/')+1:], 10, 64)
	if err != nil || n < 1 {
		return 0, errors.New("the reply names no version")
	}
	return n, nil
}
