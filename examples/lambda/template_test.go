// The template is what the SAM schema allows, and fits the program.

package main

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/awslabs/goformation/v7/schema"
	"github.com/xeipuuv/gojsonschema"
	"sigs.k8s.io/yaml"

	"example.com/tokenstore"
	"example.com/tokenstore/awssm"
)

// properties are what is checked of the template's function.
type properties struct {
	Code             string `json:"CodeUri"`
	Runtime, Handler string
	Timeout          int
	Environment      struct{ Variables map[string]any }
	Policies         []policy
}

type policy struct {
	Version   string
	Statement []struct {
		Sid, Effect string
		Action      []string
		Resource    any
	}
}

func readTemplate(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("template.yaml")
	if err != nil {
		t.Fatal(err)
	}
	data, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTemplateFitsTheSchema(t *testing.T) {
	sam := gojsonschema.NewStringLoader(schema.SamSchema)
	good := string(readTemplate(t))
	bad := strings.Replace(good, `"Timeout":`, `"Timeuot":`, 1)
	for text, valid := range map[string]bool{good: true, bad: false} {
		result, err := gojsonschema.Validate(sam, gojsonschema.NewStringLoader(text))
		if err != nil {
			t.Fatal(err)
		}
		if result.Valid() != valid {
			t.Errorf("valid: %t, want %t: %v", result.Valid(), valid, result.Errors())
		}
	}
}

// TestTemplateFitsTheProgram: the runtime, the variable that newFunction reads, and the
// policy that the command prints for a writer.
func TestTemplateFitsTheProgram(t *testing.T) {
	var template struct {
		Resources struct {
			Company struct{ Properties properties }
		}
	}
	if err := json.Unmarshal(readTemplate(t), &template); err != nil {
		t.Fatal(err)
	}
	got := template.Resources.Company.Properties
	if got.Runtime != "provided.al2023" || got.Handler != "bootstrap" || got.Code != "../function.zip" || got.Timeout < 30 {
		t.Errorf("the function is %+v", got)
	}
	if _, ok := got.Environment.Variables["TOKEN_PREFIX"]; !ok || len(got.Environment.Variables) != 1 {
		t.Errorf("the variables are %v", got.Environment.Variables)
	}
	tokenstore.RegisterPolicy("awssm", awssm.Policy)
	printed, err := tokenstore.PolicyFor(t.Context(), "awssm://crm?region=eu-central-1", tokenstore.PolicyRequest{Role: tokenstore.RoleWriter})
	if err != nil {
		t.Fatal(err)
	}
	var want policy
	if err := json.Unmarshal([]byte(printed.Text), &want); err != nil {
		t.Fatal(err)
	}
	for i := range want.Statement {
		if want.Statement[i].Sid == "KeepTokens" {
			want.Statement[i].Resource = map[string]any{"Fn::Sub": "arn:${AWS::Partition}:secretsmanager:${AWS::Region}:${AWS::AccountId}:secret:${TokenPrefix}/*"}
		}
	}
	if len(got.Policies) != 1 || !reflect.DeepEqual(got.Policies[0], want) {
		t.Errorf("the policy is %+v, want %+v", got.Policies, want)
	}
}
