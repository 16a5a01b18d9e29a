package main

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
)

func recordTakeOver() {
	emit(object{"oracle": "k8s.io/client-go v0.36.3 csaupgrade"})
	for range 40 {
		entries := list{}
		seen := map[string]bool{}
		for range rng.Intn(5) {
			entry := object{
				"manager": pick("csa", "ssa", "other"), "operation": pick("Update", "Update", "Apply"), "apiVersion": pick("v1", "v1", "v2"),
				"fieldsType": "FieldsV1", "time": "2026-01-01T00:00:00Z", "fieldsV1": parse(string(must(randomSet().ToJSON()))),
			}
			if rng.Intn(5) == 0 {
				entry["subresource"] = "status"
			}
			id := fmt.Sprint(entry["manager"], entry["operation"], entry["subresource"])
			if entry["operation"] == "Update" {
				id += fmt.Sprint(entry["apiVersion"])
			}
			if !seen[id] {
				seen[id] = true
				entries = append(entries, entry)
			}
		}
		live := &unstructured.Unstructured{Object: object{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": "x", "resourceVersion": "1", "managedFields": entries},
		}}
		result := object{"object": live.DeepCopy().Object}
		patch := must(csaupgrade.UpgradeManagedFieldsPatch(live, sets.New("csa"), "ssa"))
		if patch != nil {
			var operations list
			if err := json.Unmarshal(patch, &operations); err != nil {
				panic(err)
			}
			result["managedFields"] = operations[0].(object)["value"]
		}
		emit(result)
	}
}
