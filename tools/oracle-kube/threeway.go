package main

import (
	"encoding/json"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// recordThreeWay records what becomes of live objects by the patches that "kubectl apply" makes.
func recordThreeWay() {
	emit(object{"oracle": "k8s.io/apimachinery v0.36.3 strategicpatch with k8s.io/api v0.36.3"})
	run := func(kind string, applied, wanted, live any) {
		var typed any
		switch kind {
		case "Deployment":
			typed = appsv1.Deployment{}
		case "Pod":
			typed = corev1.Pod{}
		case "Service":
			typed = corev1.Service{}
		case "ConfigMap":
			typed = corev1.ConfigMap{}
		}
		attempt := func() (string, error) {
			meta := must(strategicpatch.NewPatchMetaFromStruct(typed))
			current := must(json.Marshal(live))
			patch, err := strategicpatch.CreateThreeWayMergePatch(must(json.Marshal(applied)), must(json.Marshal(wanted)), current, meta, true)
			if err != nil {
				return "", err
			}
			result, err := strategicpatch.StrategicMergePatch(current, patch, typed)
			return string(result), err
		}
		result, err := attempt()
		for range 40 {
			if again, why := attempt(); again != result || fmt.Sprint(why) != fmt.Sprint(err) {
				return
			}
		}
		if err != nil {
			// What kubectl cannot do we do in a way of our own.
			return
		}
		if strings.Contains(result, `"$`) {
			// An item that was applied, is wanted and is gone gets directives for its members, which nobody carries
			// out: kubectl brings back what was to go.
			return
		}
		// The server drops nulls as it decodes.
		emit(object{"kind": kind, "applied": applied, "wanted": wanted, "live": live, "result": withoutNulls(parse(result))})
	}
	for range 120 {
		pod := func() object { return object{"metadata": randomMeta(false), "spec": randomPodSpec(false)} }
		run("Pod", pod(), pod(), pod())
	}
	for range 80 {
		deployment := func() object {
			spec := object{"template": object{"spec": randomPodSpec(false)}}
			maybe(spec, "strategy", func() any {
				if rng.Intn(2) == 0 {
					return object{"type": "Recreate"}
				}
				return object{"type": "RollingUpdate", "rollingUpdate": object{"maxSurge": oneOf(any(1), any("20%"))}}
			})
			maybe(spec, "replicas", func() any { return oneOf(any(1), any(2), any(nil)) })
			return object{"metadata": randomMeta(false), "spec": spec}
		}
		run("Deployment", deployment(), deployment(), withoutNulls(deployment()))
	}
	cases := [][4]string{
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":[{"port":81}]}}`, `{"spec":{"ports":[{"port":80,"nodePort":3},{"port":82}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":[]}}`, `{"spec":{"ports":[{"port":80},{"port":82}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{}}`, `{"spec":{"ports":[{"port":80},{"port":82}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":null}}`, `{"spec":{"ports":[{"port":80},{"port":82}]}}`},
		{"Service", `{}`, `{"spec":{"selector":{"a":"1"}}}`, `{"spec":{"selector":{"b":"2"}}}`},
		{"Service", `{"spec":{"selector":{"b":"2"}}}`, `{"spec":{"selector":{"a":"1"}}}`, `{"spec":{"selector":{"b":"2","c":"3"}}}`},
		{"Service", `{"spec":{"externalIPs":["1"]}}`, `{"spec":{"externalIPs":["2"]}}`, `{"spec":{"externalIPs":["1","3"]}}`},
		{"ConfigMap", `{"data":{"a":"1"}}`, `{}`, `{"data":{"a":"1","b":"2"}}`},
		{"ConfigMap", `{"data":{"a":"1"}}`, `{"data":{}}`, `{"data":{"a":"1","b":"2"}}`},
		{"ConfigMap", `{"metadata":{"finalizers":["a"]}}`, `{"metadata":{"finalizers":["b"]}}`, `{"metadata":{"finalizers":["c","a","d"]}}`},
		{"ConfigMap", `{"metadata":{"finalizers":["a"]}}`, `{"metadata":{"finalizers":[]}}`, `{"metadata":{"finalizers":["c","a","d"]}}`},
		{"ConfigMap", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"finalizers":["b","a"]}}`, `{"metadata":{"finalizers":["a","x","b"]}}`},
		{"ConfigMap", `{}`, `{"metadata":{"ownerReferences":[{"uid":"2","name":"b"}]}}`, `{"metadata":{"ownerReferences":[{"uid":"1","name":"a"}]}}`},
		{"Pod", `{"spec":{"containers":[{"name":"a"},{"name":"b"}]}}`, `{"spec":{"containers":[{"name":"b"},{"name":"a"}]}}`, `{"spec":{"containers":[{"name":"a"},{"name":"side"},{"name":"b"}]}}`},
		{"Pod", `{"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"}]}]}}`, `{"spec":{"containers":[{"name":"a"}]}}`, `{"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}]}]}}`},
		{"Pod", `{"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"}]}]}}`, `{"spec":{"containers":[{"name":"a","env":[{"name":"Z","value":"1"}]}]}}`, `{"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}]}]}}`},
		{"Pod", `{"spec":{"volumes":[{"name":"v","emptyDir":{}}]}}`, `{"spec":{"volumes":[{"name":"v","hostPath":{"path":"/p"}}]}}`, `{"spec":{"volumes":[{"name":"v","emptyDir":{}},{"name":"t","projected":{}}]}}`},
		{"Pod", `{"spec":{"tolerations":[{"key":"a"}]}}`, `{"spec":{"tolerations":[{"key":"b"}]}}`, `{"spec":{"tolerations":[{"key":"a"},{"key":"c"}]}}`},
		{"Pod", `{"spec":{"containers":[{"name":"a","volumeMounts":[{"mountPath":"/x","name":"n"}]}]}}`, `{"spec":{"containers":[{"name":"a","volumeMounts":[{"mountPath":"/y","name":"n"}]}]}}`, `{"spec":{"containers":[{"name":"a","volumeMounts":[{"mountPath":"/x","name":"n"},{"mountPath":"/token","name":"t"}]}]}}`},
	}
	for _, c := range cases {
		run(c[0], parse(c[1]), parse(c[2]), parse(c[3]))
	}
}

func withoutNulls(value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			if member == nil {
				delete(value, name)
			} else {
				value[name] = withoutNulls(member)
			}
		}
	case []any:
		for idx, item := range value {
			value[idx] = withoutNulls(item)
		}
	}
	return value
}
