package main

import (
	"context"
	"encoding/json"
	"os"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	schemacel "k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
	"k8s.io/apiserver/pkg/cel/environment"
)

type ruleCase struct {
	Name   string                `json:"name"`
	Schema apiv1.JSONSchemaProps `json:"schema"`
	Object any                   `json:"object"`
	Old    any                   `json:"old,omitempty"`
	Root   bool                  `json:"root"`
}

type ruleAnswer struct {
	Name     string   `json:"name"`
	Compiled []string `json:"compiled"`
	Costs    []uint64 `json:"costs"`
	Errors   []string `json:"errors"`
	Left     int64    `json:"left"`
}

// rules compiles the rules at the root of each schema and validates the object with all of the schema.
func rules(file string) {
	var cases []ruleCase
	check(json.Unmarshal(must(os.ReadFile(file)), &cases))
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for _, asked := range cases {
		told := ruleAnswer{Name: asked.Name, Compiled: []string{}, Costs: []uint64{}, Errors: []string{}}
		var internal apiextensions.JSONSchemaProps
		check(apiv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(&asked.Schema, &internal, nil))
		structural := must(schema.NewStructural(&internal))
		compiled, err := schemacel.Compile(structural, model.SchemaDeclType(structural, asked.Root), celconfig.PerCallLimit,
			base(), schemacel.NewExpressionsEnvLoader())
		check(err)
		for _, one := range compiled {
			text := ""
			if one.Error != nil {
				text = one.Error.Error()
			} else if one.MessageExpressionError != nil {
				text = one.MessageExpressionError.Error()
			}
			told.Compiled = append(told.Compiled, text)
			told.Costs = append(told.Costs, one.MaxCost)
		}
		_ = environment.DefaultCompatibilityVersion
		if validator := schemacel.NewValidator(structural, asked.Root, celconfig.PerCallLimit); validator != nil {
			var options []schemacel.Option
			if asked.Old != nil {
				options = append(options, schemacel.WithRatcheting(common.NewCorrelatedObject(integers(asked.Object), integers(asked.Old), &model.Structural{Structural: structural})))
			}
			errs, left := validator.Validate(context.Background(), field.NewPath("root"), structural, integers(asked.Object), integers(asked.Old),
				celconfig.RuntimeCELCostBudget, options...)
			for _, err := range errs {
				told.Errors = append(told.Errors, err.Error())
			}
			told.Left = left
		}
		check(out.Encode(told))
	}
}

// integers makes whole numbers what the server decodes them to.
func integers(value any) any {
	switch value := value.(type) {
	case float64:
		if value == float64(int64(value)) {
			return int64(value)
		}
	case []any:
		for idx := range value {
			value[idx] = integers(value[idx])
		}
	case map[string]any:
		for key := range value {
			value[key] = integers(value[key])
		}
	}
	return value
}
