// The service over HTTP with JSON, whose errors look different from those of gRPC.

package gcpsmtest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	secretmanager "cloud.google.com/go/secretmanager/apiv1"
	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
)

// RESTClient returns Google's client for HTTP with JSON, connected to the service in
// memory as this principal, without credentials. It retries as that of
// [Principal.Client] does. Options may add to it.
func (p *Principal) RESTClient(ctx context.Context, options ...option.ClientOption) (*secretmanager.Client, error) {
	client, err := secretmanager.NewRESTClient(ctx, append(options, option.WithHTTPClient(&http.Client{Transport: direct{p}}))...)
	if err != nil {
		return nil, err
	}
	client.CallOptions.AccessSecretVersion = append(client.CallOptions.AccessSecretVersion, gax.WithRetry(p.service.hasty))
	return client, nil
}

// direct hands requests to a handler without a network.
type direct struct{ handler http.Handler }

// RoundTrip answers a request.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.handler.ServeHTTP(recorder, r)
	response := recorder.Result()
	response.Request = r
	return response, nil
}

// ServeHTTP answers a request in the service's JSON, as this principal.
func (p *Principal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		writeError(w, invalid("The request could not be read."))
		return
	}
	out, err := p.route(r, body)
	if err != nil {
		writeError(w, err)
		return
	}
	data, err := protojson.MarshalOptions{UseEnumNumbers: true}.Marshal(out)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	_, _ = w.Write(data) //nolint:gosec // Browsers do not render JSON as a page.
}

// route finds the method for a request by the bindings of the service's definition: the
// last part of the path, and the verb after a colon. (API, google.api.http)
func (p *Principal) route(r *http.Request, body []byte) (proto.Message, error) {
	name, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if !ok {
		return nil, status.Error(codes.NotFound, "Not Found")
	}
	name, custom := cutLast(name, ":")
	parent, last := cutLast(name, "/")
	_, kind := cutLast(parent, "/")
	query := r.URL.Query()
	size, _ := strconv.ParseInt(query.Get("pageSize"), 10, 32)
	switch verb := r.Method + " " + custom; {
	case verb == "GET " && last == "secrets":
		return p.ListSecrets(r.Context(), &secretmanagerpb.ListSecretsRequest{
			Parent: parent, PageSize: int32(size), PageToken: query.Get("pageToken"), Filter: query.Get("filter"),
		})
	case verb == "GET " && last == "versions":
		return p.ListSecretVersions(r.Context(), &secretmanagerpb.ListSecretVersionsRequest{
			Parent: parent, PageSize: int32(size), PageToken: query.Get("pageToken"), Filter: query.Get("filter"),
		})
	case verb == "GET " && kind == "secrets":
		return p.GetSecret(r.Context(), &secretmanagerpb.GetSecretRequest{Name: name})
	case verb == "GET " && kind == "versions":
		return p.GetSecretVersion(r.Context(), &secretmanagerpb.GetSecretVersionRequest{Name: name})
	case verb == "GET access":
		return p.AccessSecretVersion(r.Context(), &secretmanagerpb.AccessSecretVersionRequest{Name: name})
	case verb == "DELETE " && kind == "secrets":
		return p.DeleteSecret(r.Context(), &secretmanagerpb.DeleteSecretRequest{Name: name, Etag: query.Get("etag")})
	case verb == "POST " && last == "secrets":
		in := &secretmanagerpb.CreateSecretRequest{Parent: parent, SecretId: query.Get("secretId"), Secret: &secretmanagerpb.Secret{}}
		return with(r.Context(), body, in.Secret, in, p.CreateSecret)
	case verb == "PATCH " && kind == "secrets":
		in := &secretmanagerpb.UpdateSecretRequest{Secret: &secretmanagerpb.Secret{}, UpdateMask: &fieldmaskpb.FieldMask{}}
		mask, err := json.Marshal(query.Get("updateMask"))
		if err != nil || protojson.Unmarshal(mask, in.UpdateMask) != nil {
			return nil, invalid("The update mask cannot be read.")
		}
		return with(r.Context(), body, in.Secret, in, p.UpdateSecret)
	}
	return p.routeCustom(r.Context(), r.Method+" "+custom, name, body)
}

// routeCustom finds the methods that have a verb after a colon and a body.
func (p *Principal) routeCustom(ctx context.Context, verb, name string, body []byte) (proto.Message, error) {
	switch verb {
	case "POST addVersion":
		in := &secretmanagerpb.AddSecretVersionRequest{}
		return with(ctx, body, in, in, func(ctx context.Context, in *secretmanagerpb.AddSecretVersionRequest) (*secretmanagerpb.SecretVersion, error) {
			in.Parent = name
			return p.AddSecretVersion(ctx, in)
		})
	case "POST enable":
		in := &secretmanagerpb.EnableSecretVersionRequest{}
		return with(ctx, body, in, in, p.EnableSecretVersion)
	case "POST disable":
		in := &secretmanagerpb.DisableSecretVersionRequest{}
		return with(ctx, body, in, in, p.DisableSecretVersion)
	case "POST destroy":
		in := &secretmanagerpb.DestroySecretVersionRequest{}
		return with(ctx, body, in, in, p.DestroySecretVersion)
	}
	return nil, status.Error(codes.NotFound, "Not Found")
}

// with reads a body into the part of a request that it holds and makes the call.
func with[In, Out proto.Message](ctx context.Context, body []byte, part proto.Message, in In, do func(context.Context, In) (Out, error)) (proto.Message, error) {
	if err := protojson.Unmarshal(body, part); err != nil {
		// The error of the library may quote the body.
		return nil, invalid("Invalid JSON payload received.")
	}
	return do(ctx, in)
}

// cutLast splits a string at the last separator, which must be in its last path
// segment.
func cutLast(text, separator string) (before, after string) {
	i := strings.LastIndex(text, separator)
	if i < 0 || i < strings.LastIndex(text, "/") {
		return text, ""
	}
	return text[:i], text[i+1:]
}

// statuses maps the codes of the service's errors to HTTP statuses.
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto)
var statuses = map[codes.Code]int{
	codes.InvalidArgument: http.StatusBadRequest, codes.FailedPrecondition: http.StatusBadRequest,
	codes.PermissionDenied: http.StatusForbidden, codes.NotFound: http.StatusNotFound,
	codes.AlreadyExists: http.StatusConflict, codes.ResourceExhausted: http.StatusTooManyRequests,
	codes.Unavailable: http.StatusServiceUnavailable, codes.DeadlineExceeded: http.StatusGatewayTimeout,
}

// writeError writes an error in the format of Google's APIs.
func writeError(w http.ResponseWriter, err error) {
	st := status.Convert(err)
	code, ok := statuses[st.Code()]
	if !ok {
		code = http.StatusInternalServerError
	}
	details := []json.RawMessage{}
	for _, detail := range st.Proto().GetDetails() {
		if data, err := protojson.Marshal(detail); err == nil {
			details = append(details, data)
		}
	}
	data, err := json.Marshal(map[string]any{"error": map[string]any{
		"code": code, "message": st.Message(), "status": statusName(st.Code()), "details": details,
	}})
	if err != nil {
		code, data = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(code)
	_, _ = w.Write(data) // On an error the caller is gone.
}

// statusName returns a code's name in Google's JSON, such as NOT_FOUND.
func statusName(code codes.Code) string {
	var name strings.Builder
	for i, r := range code.String() {
		if i > 0 && r >= 'A' && r <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(r)
	}
	return strings.ToUpper(name.String())
}
