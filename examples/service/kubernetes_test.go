// The manifests are what Kubernetes' own types can hold, and fit the program.

package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

func TestManifests(t *testing.T) {
	text, err := os.ReadFile("kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var account core.ServiceAccount
	var deployment apps.Deployment
	var service core.Service
	var budget policy.PodDisruptionBudget
	parts := bytes.Split(text, []byte("\n---\n"))
	into := []any{&account, &deployment, &service, &budget}
	if len(parts) != len(into) {
		t.Fatalf("%d manifests, want %d", len(parts), len(into))
	}
	for i, part := range parts { // Unknown and repeated fields are errors.
		if err := yaml.UnmarshalStrict(part, into[i]); err != nil {
			t.Fatal(err)
		}
	}
	pod := deployment.Spec.Template
	if *deployment.Spec.Replicas != 2 || pod.Spec.ServiceAccountName != account.Name || len(pod.Spec.Containers) != 1 {
		t.Fatalf("the deployment is %+v", deployment.Spec)
	}
	for what, labels := range map[string]map[string]string{
		"deployment": deployment.Spec.Selector.MatchLabels, "service": service.Spec.Selector, "budget": budget.Spec.Selector.MatchLabels,
	} {
		if len(labels) != 1 || labels["app"] != pod.Labels["app"] || pod.Labels["app"] == "" {
			t.Errorf("%s: selects %v, the pods have %v", what, labels, pod.Labels)
		}
	}
	c := pod.Spec.Containers[0]
	needs := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + 2*grace
	if has := time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second; has <= needs {
		t.Errorf("a pod that is stopped has %s, and takes up to %s", has, needs)
	}
	if len(c.Ports) != 1 || service.Spec.Ports[0].TargetPort.StrVal != c.Ports[0].Name {
		t.Errorf("ports: %+v, %+v", c.Ports, service.Spec.Ports)
	}
	environment := map[string]string{}
	for _, e := range c.Env {
		environment[e.Name] = e.Value
	}
	if at, err := url.Parse(environment["TOKEN_STORE"]); err != nil || at.Scheme != "vault" {
		t.Errorf("TOKEN_STORE=%s", environment["TOKEN_STORE"])
	}
	if environment["LISTEN"] != ":8080" || c.Ports[0].ContainerPort != 8080 || environment["VAULT_KUBERNETES_ROLE"] == "" || environment["VAULT_ADDR"] == "" {
		t.Errorf("environment: %v", environment)
	}
	routes := newService(nil, nil)
	routes.stopping.Store(true) // Such a one has no need of a store.
	for path, want := range map[string]int{c.LivenessProbe.HTTPGet.Path: http.StatusOK, c.ReadinessProbe.HTTPGet.Path: http.StatusServiceUnavailable} {
		w := httptest.NewRecorder()
		routes.routes().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
