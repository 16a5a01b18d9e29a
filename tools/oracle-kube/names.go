package main

import (
	"strings"

	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func recordNames() {
	emit(object{"oracle": "k8s.io/apimachinery v0.36.3 validation"})
	texts := []string{
		"", "a", "A", "a-b", "-a", "a-", "a.b", "a..b", ".a", "a_b", "1", "1a", "a1", "a b", "é", "example.com/a", "/a", "a/", "a/b/c", "UP.com/a",
		"a/B_c.d", "..", ".", "a%b", "a:b", "system:node", strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("a", 253), strings.Repeat("a", 254),
		strings.Repeat("a.", 130) + "a", strings.Repeat("p", 254) + "/a", "a\n", "my.name", "kubectl.kubernetes.io/last-applied-configuration",
	}
	for _, text := range texts {
		some := func(messages []string) []string { return append([]string{}, messages...) }
		emit(object{
			"text": text, "dns1123_label": some(utilvalidation.IsDNS1123Label(text)), "dns1123_subdomain": some(utilvalidation.IsDNS1123Subdomain(text)),
			"dns1035_label": some(utilvalidation.IsDNS1035Label(text)), "label_key": some(utilvalidation.IsQualifiedName(text)),
			"label_value": some(utilvalidation.IsValidLabelValue(text)), "path_segment": some(path.IsValidPathSegmentName(text)),
		})
	}
	maps := []map[string]string{
		{"a": "b"}, {"a b": "c d"}, {"A.com/x": "y"}, {"a": strings.Repeat("v", 64)}, {"": ""}, {"a": strings.Repeat("v", 262145)},
	}
	for _, labels := range maps {
		errors := func(list field.ErrorList) []string {
			messages := []string{}
			for _, err := range list {
				messages = append(messages, err.Error())
			}
			return messages
		}
		recorded := object{"annotation_errors": errors(validation.ValidateAnnotations(labels, field.NewPath("metadata", "annotations")))}
		if len(labels["a"]) > 1000 {
			recorded["long"] = len(labels["a"])
		} else {
			recorded["map"] = labels
			recorded["label_errors"] = errors(metavalidation.ValidateLabels(labels, field.NewPath("metadata", "labels")))
		}
		emit(recorded)
	}
}
