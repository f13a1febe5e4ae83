// A secret's versions in the service: the calls, and the stored form. The data's fields
// come first, then the driver's, which the rule in history.go needs.

package gcpsm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc/codes"

	"example.com/tokenstore/driver"
)

// remoteLog is the log of one secret's versions in the service.
type remoteLog struct {
	*secrets
	path string // of the secret: projects/…/secrets/…
	// fields are the data of the version to be added.
	fields map[string]json.RawMessage
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(data []byte) int64 { return int64(crc32.Checksum(data, castagnoli)) }

// errDamaged is returned for a payload that does not match its checksum.
var errDamaged = errors.New("checksum mismatch; retry later")

func (l *remoteLog) add(ctx context.Context, v version) (version, error) {
	v.written = l.set.now().UnixMilli()
	payload := encode(v, l.fields)
	if len(payload) > maxPayload {
		return version{}, fmt.Errorf("%w: %d bytes with the driver's fields exceeds the limit of %d", driver.ErrTooLarge, len(payload), maxPayload)
	}
	sum := checksum(payload)
	out, f := call(ctx, l.set, "AddSecretVersion", never, l.api.AddSecretVersion, &secretmanagerpb.AddSecretVersionRequest{
		Parent: l.path, Payload: &secretmanagerpb.SecretPayload{Data: payload, DataCrc32C: &sum},
	})
	if f != nil {
		return version{}, f.give()
	}
	number, err := numberOf(out.GetName())
	if err != nil { // It was stored, under an unknown number.
		return version{}, fmt.Errorf("%w: AddSecretVersion: %w", driver.ErrUnavailable, err)
	}
	if at := out.GetCreateTime(); at.IsValid() {
		l.secrets.lastAdded.Store(&added{l.path, at.AsTime()})
	}
	v = decode(number, payload)
	v.etag = out.GetEtag()
	return v, nil
}

func (l *remoteLog) access(ctx context.Context, number int64) (version, error) {
	v, err := l.get(ctx, strconv.FormatInt(number, 10))
	if err == nil && v.state == stored && v.number != number {
		err = fmt.Errorf("%w: AccessSecretVersion: the reply is for another version; check any proxy", driver.ErrUnavailable)
	}
	v.number = number
	return v, err
}

func (l *remoteLog) latest(ctx context.Context) (version, error) { return l.get(ctx, "latest") }

// errEmpty is returned for a reply without a payload, such as a proxy's.
var errEmpty = errors.New("the reply has no data; check the endpoint and any proxy")

// get accesses a version. Only NOT_FOUND means that it does not exist: a role that
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

// destroy destroys a version. This process names its own by its etag, so that it
// cannot hit a version of a later secret with the same name.
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
		return 0, errors.New("the reply names no version; check the endpoint and any proxy")
	}
	return n, nil
}

// The fields that the driver adds to each version, strings like all others.
const (
	generationField = driver.Reserved + "generation"
	baseField       = driver.Reserved + "base"
	nonceField      = driver.Reserved + "nonce"
	writtenField    = driver.Reserved + "written"
	oldestField     = driver.Reserved + "oldest"
	deletedField    = driver.Reserved + "deleted"
)

const (
	// maxPayload is the size of the largest version, in bytes.
	// https://docs.cloud.google.com/secret-manager/quotas
	maxPayload = 64 << 10
	// overhead is more than the driver's fields need.
	overhead = 320
	maxSize  = maxPayload - overhead
)

// checkData returns the fields of data that can be stored.
func checkData(data []byte) (map[string]json.RawMessage, error) {
	if err := driver.CheckData(data, maxSize); err != nil {
		return nil, err
	}
	return object(data), nil
}

// object returns the fields of a JSON object, or nil if data is something else.
func object(data []byte) map[string]json.RawMessage {
	var fields map[string]json.RawMessage
	if !utf8.Valid(data) || json.Unmarshal(data, &fields) != nil {
		return nil
	}
	return fields
}

// withoutOurs returns an object without the driver's fields.
func withoutOurs(fields map[string]json.RawMessage) []byte {
	return join(fields, theirs(fields))
}

// theirs returns the names of the fields that are not the driver's.
func theirs(fields map[string]json.RawMessage) []string {
	names := slices.Sorted(maps.Keys(fields))
	return slices.DeleteFunc(names, func(name string) bool { return strings.HasPrefix(name, driver.Reserved) })
}

// join writes an object, with its values unchanged.
func join(fields map[string]json.RawMessage, names []string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		_ = enc.Encode(name) // A string cannot fail.
		b.Truncate(b.Len() - 1)
		b.WriteByte(':')
		b.Write(fields[name])
	}
	b.WriteByte('}')
	return b.Bytes()
}

// encode returns the stored form of a version: the data's fields first, for people who
// edit them, then the driver's.
func encode(v version, fields map[string]json.RawMessage) []byte {
	names, all := theirs(fields), maps.Clone(fields)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	set := func(name, value string) {
		if value != "" {
			all[name] = json.RawMessage(strconv.Quote(value))
			names = append(names, name)
		}
	}
	set(generationField, strconv.FormatInt(v.generation, 10))
	set(baseField, v.base)
	set(nonceField, v.nonce)
	set(writtenField, strconv.FormatInt(v.written, 10))
	set(oldestField, strconv.FormatInt(v.oldest, 10))
	if v.deleted {
		set(deletedField, "true")
	}
	return join(all, names)
}

// decode reads a version. One without the driver's fields was stored by a person and
// stays as it is.
func decode(number int64, payload []byte) version {
	v := version{number: number, state: stored, data: payload}
	if !bytes.Contains(payload, []byte(driver.Reserved)) {
		return v
	}
	fields := object(payload)
	if len(theirs(fields)) == len(fields) {
		return v
	}
	v.data = withoutOurs(fields)
	nonce, generation := text(fields[nonceField]), text(fields[generationField])
	n, err := strconv.ParseInt(generation, 10, 64)
	if nonce == "" || err != nil || n < 0 {
		return v
	}
	v.nonce, v.generation, v.base = nonce, n, text(fields[baseField])
	v.written, _ = strconv.ParseInt(text(fields[writtenField]), 10, 64)
	v.oldest, _ = strconv.ParseInt(text(fields[oldestField]), 10, 64)
	v.deleted = text(fields[deletedField]) == "true"
	return v
}

func text(value json.RawMessage) string {
	var s string
	_ = json.Unmarshal(value, &s) // Anything else counts as empty.
	return s
}
