// Command costs says what expressions cost in Kubernetes' own CEL environment: a JSON list of values with expressions
// about them comes in, the same list with results and costs goes out (tests/apimachinery/golden/cel_costs.json is
// such a list). Where a value has a schema it is "self", as in rules of custom resources; without, it is "object" and
// of no type, as in admission policies.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"

	"github.com/google/cel-go/cel"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	v1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	celschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/cel/environment"
)

type subject struct {
	Schema   *v1.JSONSchemaProps `json:"schema,omitempty"`
	Value    any                 `json:"value"`
	Examples []example           `json:"examples"`
}

type example struct {
	Expression string `json:"expression"`
	Estimate   uint64 `json:"estimate,omitempty"` // the most that it may cost, of any value with that schema
	Cost       uint64 `json:"cost"`
	Result     string `json:"result"`
}

func main() {
	var subjects []subject
	if err := json.NewDecoder(os.Stdin).Decode(&subjects); err != nil {
		panic(err)
	}
	base := environment.MustBaseEnvSet(version.MajorMinor(1, 35))
	for i := range subjects {
		for j := range subjects[i].Examples {
			evaluate(&subjects[i], &subjects[i].Examples[j], base)
		}
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(subjects); err != nil {
		panic(err)
	}
}

func evaluate(of *subject, each *example, base *environment.EnvSet) {
	program, activation, err := prepared(of, each, base)
	if err != nil {
		each.Cost, each.Result = 0, "refused: "+err.Error()
		return
	}
	value, details, err := program.ContextEval(context.Background(), activation)
	each.Cost = *details.ActualCost()
	if err != nil {
		each.Result = "error: " + err.Error()
	} else {
		each.Result = fmt.Sprint(value.Value())
	}
}

func prepared(of *subject, each *example, base *environment.EnvSet) (cel.Program, map[string]any, error) {
	value := whole(of.Value)
	if of.Schema == nil {
		env, err := base.StoredExpressionsEnv().Extend(cel.Variable("object", cel.DynType))
		if err != nil {
			return nil, nil, err
		}
		ast, issues := env.Compile(each.Expression)
		if issues != nil && issues.Err() != nil {
			return nil, nil, fmt.Errorf("compilation failed: %w", issues.Err())
		}
		program, err := env.Program(ast, cel.CostLimit(math.MaxUint64))
		return program, map[string]any{"object": value}, err
	}
	internal := &apiextensions.JSONSchemaProps{}
	if err := v1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(of.Schema, internal, nil); err != nil {
		return nil, nil, err
	}
	structural, err := schema.NewStructural(internal)
	if err != nil {
		return nil, nil, err
	}
	structural.XValidations = v1.ValidationRules{{Rule: each.Expression}}
	results, err := celschema.Compile(structural, model.SchemaDeclType(structural, false), math.MaxUint64, base, celschema.StoredExpressionsEnvLoader())
	if err != nil {
		return nil, nil, err
	}
	if results[0].Error != nil {
		return nil, nil, results[0].Error
	}
	each.Estimate = results[0].MaxCost
	self := common.UnstructuredToVal(value, &model.Structural{Structural: structural})
	return results[0].Program, map[string]any{"self": self}, nil
}

// whole gives whole numbers the type that they have in Kubernetes.
func whole(value any) any {
	switch found := value.(type) {
	case map[string]any:
		for name, each := range found {
			found[name] = whole(each)
		}
	case []any:
		for index, each := range found {
			found[index] = whole(each)
		}
	case float64:
		if found == math.Trunc(found) {
			return int64(found)
		}
	}
	return value
}
