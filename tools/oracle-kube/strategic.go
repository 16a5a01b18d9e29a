package main

import (
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

func pick[T any](choices ...T) T { return choices[rng.Intn(len(choices))] }

// oneOf picks among values of different types.
func oneOf(choices ...any) any { return choices[rng.Intn(len(choices))] }

func maybe(members object, name string, make func() any) {
	if rng.Intn(2) == 0 {
		members[name] = make()
	}
}

func randomContainers(patch bool) any {
	items := list{}
	seen := map[string]bool{}
	for range rng.Intn(3) + 1 {
		name := pick("a", "b", "c")
		if seen[name] {
			continue
		}
		seen[name] = true
		container := object{"name": name}
		maybe(container, "image", func() any { return pick("i:1", "i:2") })
		maybe(container, "env", func() any {
			env := list{}
			for _, name := range []string{"X", "Y", "Z"} {
				if rng.Intn(2) == 0 {
					item := object{"name": name, "value": pick("1", "2")}
					if patch && rng.Intn(4) == 0 {
						item = object{"name": name, "$patch": "delete"}
					}
					env = append(env, item)
				}
			}
			return env
		})
		maybe(container, "ports", func() any {
			ports := list{}
			for _, port := range []int{80, 81} {
				if rng.Intn(2) == 0 {
					ports = append(ports, object{"containerPort": port, "protocol": pick("TCP", "UDP")})
				}
			}
			return ports
		})
		maybe(container, "args", func() any { return pick(list{"x"}, list{"y", "z"}) })
		if patch && rng.Intn(6) == 0 {
			container = object{"name": name, "$patch": pick("delete", "replace", "merge")}
		}
		if patch && rng.Intn(8) == 0 {
			container["image"] = nil
		}
		items = append(items, container)
	}
	if patch && rng.Intn(8) == 0 {
		items = append(items, object{"$patch": "replace"})
	}
	return items
}

func randomPodSpec(patch bool) object {
	spec := object{"containers": randomContainers(patch)}
	maybe(spec, "nodeSelector", func() any { return pick(object{"a": "1"}, object{"b": "2", "a": "3"}) })
	maybe(spec, "volumes", func() any {
		volumes := list{}
		for _, name := range []string{"v", "w"} {
			if rng.Intn(2) == 0 {
				volume := object{"name": name}
				if source := pick("emptyDir", "hostPath"); source == "emptyDir" {
					volume["emptyDir"] = object{}
				} else {
					volume["hostPath"] = object{"path": "/p"}
				}
				if patch && rng.Intn(2) == 0 {
					volume["$retainKeys"] = list{"name", pick("emptyDir", "hostPath")}
				}
				volumes = append(volumes, volume)
			}
		}
		return volumes
	})
	maybe(spec, "imagePullSecrets", func() any { return pick(list{object{"name": "p"}}, list{object{"name": "q"}, object{"name": "p"}}) })
	if patch && rng.Intn(3) == 0 {
		spec["$setElementOrder/containers"] = list{object{"name": pick("a", "b")}, object{"name": "c"}}
	}
	return spec
}

func randomMeta(patch bool) object {
	meta := object{"name": "x"}
	maybe(meta, "labels", func() any { return pick(object{"a": "1"}, object{"b": "2"}, object{"a": "2", "b": "1"}) })
	maybe(meta, "finalizers", func() any { return pick(list{"f/a"}, list{"f/b", "f/a"}, list{"f/c"}) })
	if patch {
		maybe(meta, "annotations", func() any { return oneOf(nil, object{"a": nil}, object{"c": "d"}) })
		if rng.Intn(4) == 0 {
			meta["$deleteFromPrimitiveList/finalizers"] = list{pick("f/a", "f/b")}
		}
		if rng.Intn(4) == 0 {
			meta["$setElementOrder/finalizers"] = list{"f/a", "f/b", "f/c"}
		}
		if rng.Intn(10) == 0 {
			meta["labels"] = object{"$patch": pick("replace", "delete", "merge"), "z": "1"}
		}
	} else {
		maybe(meta, "annotations", func() any { return object{"a": "b", "c": "e"} })
	}
	return meta
}

func recordStrategic() {
	emit(object{"oracle": "k8s.io/apimachinery v0.36.3 strategicpatch with k8s.io/api v0.36.3"})
	run := func(kind string, original, patch any) {
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
			patched, err := strategicpatch.StrategicMergePatch(must(json.Marshal(original)), must(json.Marshal(patch)), typed)
			return string(patched), err
		}
		patched, err := attempt()
		// Go takes members in random order; a case whose outcome depends on it proves nothing.
		for range 40 {
			if again, why := attempt(); again != patched || fmt.Sprint(why) != fmt.Sprint(err) {
				return
			}
		}
		result := object{"kind": kind, "original": original, "patch": patch}
		if err != nil {
			result["error"] = err.Error()
		} else {
			result["result"] = json.RawMessage(patched)
		}
		emit(result)
	}
	for range 60 {
		run("Pod", object{"metadata": randomMeta(false), "spec": randomPodSpec(false)}, object{"metadata": randomMeta(true), "spec": randomPodSpec(true)})
	}
	for range 30 {
		make := func(patch bool) object {
			spec := object{"template": object{"spec": randomPodSpec(patch)}}
			maybe(spec, "strategy", func() any {
				if patch && rng.Intn(2) == 0 {
					return object{"$retainKeys": list{"type"}, "type": "Recreate"}
				}
				return object{"type": "RollingUpdate", "rollingUpdate": object{"maxSurge": oneOf(any(1), any("20%"))}}
			})
			maybe(spec, "replicas", func() any { return oneOf(any(1), any(2), any(nil)) })
			return object{"metadata": randomMeta(patch), "spec": spec}
		}
		run("Deployment", make(false), make(true))
	}
	cases := [][3]string{
		{"Service", `{"spec":{"ports":[{"port":80,"protocol":"TCP","name":"a"},{"port":80,"protocol":"UDP"}]}}`, `{"spec":{"ports":[{"port":80,"name":"b"}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":[{"port":80,"$patch":"delete"},{"port":81}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":[{"name":"nokey"}]}}`},
		{"Service", `{"spec":{"ports":[{"name":"nokey"}]}}`, `{"spec":{"ports":[{"port":80}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":null}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":null}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"$patch":"delete"}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"$patch":"replace","type":"NodePort"}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"$patch":"bogus","type":"NodePort"}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"$patch":"replace","metadata":{"name":"y"}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"$patch":"delete"}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":[{"port":81},{"$patch":"replace"}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":[{"$patch":"replace"}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":[{"$patch":"delete"}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":{"ports":"x"}}`},
		{"Service", `{"spec":{"ports":"x"}}`, `{"spec":{"ports":[{"port":80}]}}`},
		{"Service", `{"spec":{"ports":[{"port":80}]}}`, `{"spec":"x"}`},
		{"Service", `{"spec":{"externalIPs":["1","2"]}}`, `{"spec":{"externalIPs":["3"]}}`},
		{"Service", `{"spec":{"unknown":[{"a":1}]}}`, `{"spec":{"unknown":[{"b":1}]}}`},
		{"Service", `{"spec":{"type":"A"}}`, `{"spec":{"unknownMap":{"b":null,"c":1}}}`},
		{"Service", `{"spec":{"selector":{"a":"1"}}}`, `{"spec":{"selector":{"a":null,"b":"2"}}}`},
		{"ConfigMap", `{"data":{"a":"1"}}`, `{"data":{"a":null,"b":"2"}}`},
		{"ConfigMap", `{"data":{"a":"1"}}`, `{"data":{"$patch":"replace","b":"2"}}`},
		{"ConfigMap", `{}`, `{"data":{"a":null,"b":"2"}}`},
		{"ConfigMap", `{}`, `{"data":{"$patch":"delete","b":"2"}}`},
		{"ConfigMap", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"finalizers":["c","a"]}}`},
		{"ConfigMap", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"finalizers":["c"],"$setElementOrder/finalizers":["c","b"]}}`},
		{"ConfigMap", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"$setElementOrder/finalizers":["b","a"]}}`},
		{"ConfigMap", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"$setElementOrder/finalizers":["b"],"finalizers":["c"]}}`},
		{"ConfigMap", `{"metadata":{"finalizers":["a","b"]}}`, `{"metadata":{"$deleteFromPrimitiveList/finalizers":["a","b"]}}`},
		{"ConfigMap", `{"metadata":{"ownerReferences":[{"uid":"1","name":"a"}]}}`, `{"metadata":{"ownerReferences":[{"uid":"2","name":"b"},{"uid":"1","controller":true}]}}`},
		{"ConfigMap", `{"metadata":{"ownerReferences":[{"uid":"1","name":"a"}]}}`, `{"metadata":{"ownerReferences":[{"uid":"1","$patch":"delete"}]}}`},
		{"ConfigMap", `{"data":{"a":"1"}}`, `{"$retainKeys":["metadata"],"metadata":{"name":"n"}}`},
		{"ConfigMap", `{"data":{"a":"1"}}`, `{"$retainKeys":["metadata"],"immutable":true}`},
		{"ConfigMap", `{"data":{"a":"1"}}`, `{"$retainKeys":"x"}`},
		{"ConfigMap", `{"data":{"a":"1"}}`, `{"data":{"$patch":1}}`},
		{"Pod", `{"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}}`, `{"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"a"}],"containers":[{"name":"d"}]}}`},
		{"Pod", `{"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}}`, `{"spec":{"$setElementOrder/containers":[{"name":"c"},{"name":"b"},{"name":"a"}]}}`},
		{"Pod", `{"spec":{"containers":[{"name":"a","image":"1"},{"name":"a","image":"2"}]}}`, `{"spec":{"containers":[{"name":"a","image":"3"}]}}`},
		{"Pod", `{"spec":{"tolerations":[{"key":"a"}]}}`, `{"spec":{"tolerations":[{"key":"b"}]}}`},
		{"Pod", `{"spec":{"containers":[{"name":"a","volumeMounts":[{"mountPath":"/x","name":"n"}]}]}}`, `{"spec":{"containers":[{"name":"a","volumeMounts":[{"mountPath":"/x","readOnly":true},{"mountPath":"/y","name":"m"}]}]}}`},
		{"Pod", `{"spec":{"topologySpreadConstraints":[{"topologyKey":"z","maxSkew":1}]}}`, `{"spec":{"topologySpreadConstraints":[{"topologyKey":"z","maxSkew":2},{"topologyKey":"y"}]}}`},
		{"Pod", `{"spec":{"hostAliases":[{"ip":"1","hostnames":["a"]}]}}`, `{"spec":{"hostAliases":[{"ip":"1","hostnames":["b"]}]}}`},
	}
	for _, c := range cases {
		run(c[0], parse(c[1]), parse(c[2]))
	}
}
