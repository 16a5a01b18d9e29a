package main

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
)

var client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}

func call(method, path, contentType string, body any) (int, object) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(must(json.Marshal(body)))
	}
	request := must(http.NewRequest(method, serverURL+path, reader))
	request.Header.Set("Authorization", "Bearer "+token)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response := must(client.Do(request))
	defer response.Body.Close()
	text := must(io.ReadAll(response.Body))
	var decoded object
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&decoded); err != nil {
		panic(fmt.Sprintf("%s %s: %v: %s", method, path, err, text))
	}
	return response.StatusCode, decoded
}

// trim keeps the definitions that some kinds need, without what only people read.
func trim(definitions object, kinds []string) object {
	kept := object{}
	var keep func(name string)
	var visit func(value any) any
	visit = func(value any) any {
		switch value := value.(type) {
		case object:
			copied := object{}
			for key, member := range value {
				if _, isText := member.(string); key == "description" && isText {
					continue
				}
				if key == "enum" {
					continue
				}
				if reference, ok := member.(string); ok && key == "$ref" {
					keep(reference[strings.LastIndex(reference, "/")+1:])
				}
				copied[key] = visit(member)
			}
			return copied
		case list:
			copied := list{}
			for _, item := range value {
				copied = append(copied, visit(item))
			}
			return copied
		default:
			return value
		}
	}
	keep = func(name string) {
		if _, done := kept[name]; done {
			return
		}
		kept[name] = nil
		kept[name] = visit(definitions[name])
	}
	for _, kind := range kinds {
		keep(kind)
	}
	return kept
}

// recordSchema prints the types of a few kinds, as v3 and v2 documents.
func recordSchema() {
	kinds := []string{
		"io.k8s.api.core.v1.ConfigMap", "io.k8s.api.core.v1.Service", "io.k8s.api.core.v1.Pod", "io.k8s.api.apps.v1.Deployment",
	}
	all := object{}
	for _, path := range []string{"/openapi/v3/api/v1", "/openapi/v3/apis/apps/v1"} {
		_, document := call("GET", path, "", nil)
		for name, definition := range document["components"].(object)["schemas"].(object) {
			if _, have := all[name]; !have || definition.(object)["x-kubernetes-group-version-kind"] != nil {
				all[name] = definition
			}
		}
	}
	_, v2 := call("GET", "/openapi/v2", "", nil)
	emit(object{"oracle": "kube-apiserver v1.36.3 /openapi/v3, trimmed", "components": object{"schemas": trim(all, kinds)}})
	emit(object{"oracle": "kube-apiserver v1.36.3 /openapi/v2, trimmed", "definitions": trim(v2["definitions"].(object), kinds)})
}

type step struct {
	Verb        string `json:"verb"`
	Manager     string `json:"manager,omitempty"`
	Force       bool   `json:"force,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	Request     any    `json:"request"`
	Code        int    `json:"code"`
	Message     string `json:"message,omitempty"`
	Reason      any    `json:"reason,omitempty"`
	Causes      any    `json:"causes,omitempty"`
	Response    any    `json:"response,omitempty"`
}

type scenario struct {
	kind, apiVersion, path, name string
	live                         object
	steps                        []step
}

var nScenarios int

func newScenario(kind string) *scenario {
	nScenarios++
	s := &scenario{kind: kind, name: fmt.Sprintf("s%d", nScenarios)}
	switch kind {
	case "ConfigMap":
		s.apiVersion, s.path = "v1", "/api/v1/namespaces/default/configmaps"
	case "Service":
		s.apiVersion, s.path = "v1", "/api/v1/namespaces/default/services"
	case "Pod":
		s.apiVersion, s.path = "v1", "/api/v1/namespaces/default/pods"
	case "Deployment":
		s.apiVersion, s.path = "apps/v1", "/apis/apps/v1/namespaces/default/deployments"
	case "Lamp":
		s.apiVersion, s.path = "example.com/v1", "/apis/example.com/v1/namespaces/default/lamps"
	case "Blob":
		s.apiVersion, s.path = "example.com/v1", "/apis/example.com/v1/namespaces/default/blobs"
	}
	return s
}

func (s *scenario) do(verb, manager string, force bool, subresource string, body object) {
	body = maps.Clone(body)
	query := "?fieldManager=" + manager
	path := s.path + "/" + s.name
	method, contentType := "PATCH", ""
	if verb == "apply" || verb == "create" {
		meta := object{}
		if given, ok := body["metadata"].(object); ok {
			meta = maps.Clone(given)
		}
		if meta["name"] == nil {
			meta["name"] = s.name
		}
		body["metadata"] = meta
		for key, value := range map[string]string{"apiVersion": s.apiVersion, "kind": s.kind} {
			if body[key] == nil {
				body[key] = value
			}
		}
	}
	switch verb {
	case "apply":
		contentType = "application/apply-patch+yaml"
		if force {
			query += "&force=true"
		}
	case "create":
		method, path, contentType = "POST", s.path, "application/json"
	case "update":
		method, contentType = "PUT", "application/json"
	case "merge-patch":
		contentType = "application/merge-patch+json"
	}
	if subresource != "" {
		path += "/" + subresource
	}
	code, response := call(method, path+query, contentType, body)
	done := step{Verb: verb, Manager: manager, Force: force, Subresource: subresource, Request: body, Code: code}
	if code < 300 {
		s.live = response
		done.Response = response
	} else {
		done.Message, _ = response["message"].(string)
		done.Reason = response["reason"]
		if details, ok := response["details"].(object); ok {
			done.Causes = details["causes"]
		}
	}
	s.steps = append(s.steps, done)
}

// put updates the live object as a client does that read it before.
func (s *scenario) put(manager string, change func(object)) {
	copied := parse(string(must(json.Marshal(s.live)))).(object)
	change(copied)
	s.do("update", manager, false, "", copied)
}

func (s *scenario) end() {
	emit(object{"kind": s.kind, "name": s.name, "steps": s.steps})
	call("DELETE", s.path+"/"+s.name+"?gracePeriodSeconds=0", "", nil)
}

func randomLabels(meta object) object {
	maybe(meta, "labels", func() any {
		labels := object{}
		for _, key := range []string{"x", "y", "z"} {
			if rng.Intn(2) == 0 {
				labels[key] = pick("1", "2")
			}
		}
		return labels
	})
	maybe(meta, "annotations", func() any { return pick(object{"n": "1"}, object{"n": "2", "m": "1"}, object{}) })
	if rng.Intn(5) == 0 {
		meta["ownerReferences"] = list{object{"apiVersion": "v1", "kind": "Node", "name": pick("o", "p"), "uid": pick("u1", "u2")}}
	}
	return meta
}

func randomConfig(kind string) object {
	config := object{"metadata": randomLabels(object{})}
	switch kind {
	case "ConfigMap":
		maybe(config, "data", func() any {
			data := object{}
			for _, key := range []string{"a", "b", "c"} {
				if rng.Intn(2) == 0 {
					data[key] = pick("1", "2")
				}
			}
			return data
		})
	case "Service":
		spec := object{"selector": pick(object{"app": "a"}, object{"app": "b", "t": "c"}, object{"t": "d"})}
		ports := list{}
		for _, port := range []int{80, 81, 82} {
			if rng.Intn(2) == 0 {
				item := object{"port": port, "name": fmt.Sprintf("p%d", port)}
				maybe(item, "targetPort", func() any { return oneOf(any(8080), any("web")) })
				maybe(item, "protocol", func() any { return "TCP" })
				ports = append(ports, item)
			}
		}
		if len(ports) == 0 {
			ports = append(ports, object{"port": 80, "name": "p80"})
		}
		rng.Shuffle(len(ports), func(i, j int) { ports[i], ports[j] = ports[j], ports[i] })
		spec["ports"] = ports
		maybe(spec, "sessionAffinity", func() any { return pick("ClientIP", "None") })
		config["spec"] = spec
	case "Pod":
		containers := list{}
		for _, name := range []string{"a", "b"} {
			container := object{"name": name, "image": pick("i:1", "i:2")}
			containers = append(containers, container)
		}
		config["spec"] = object{"containers": containers}
	case "Deployment":
		containers := list{}
		for _, name := range []string{"a", "b", "c"} {
			if len(containers) > 0 && rng.Intn(2) == 0 {
				continue
			}
			container := object{"name": name, "image": pick("i:1", "i:1", "i:2")}
			maybe(container, "env", func() any {
				env := list{}
				for _, name := range []string{"X", "Y"} {
					if rng.Intn(2) == 0 {
						env = append(env, object{"name": name, "value": pick("1", "2")})
					}
				}
				return env
			})
			maybe(container, "ports", func() any {
				ports := list{object{"containerPort": 80}}
				if rng.Intn(2) == 0 {
					ports = append(ports, object{"containerPort": 80, "protocol": "UDP"})
				}
				return ports
			})
			maybe(container, "args", func() any { return pick(list{"x"}, list{"y", "z"}) })
			maybe(container, "resources", func() any { return object{"limits": object{"cpu": pick("100m", "0.1", "1")}} })
			containers = append(containers, container)
		}
		rng.Shuffle(len(containers), func(i, j int) { containers[i], containers[j] = containers[j], containers[i] })
		spec := object{
			"selector": object{"matchLabels": object{"app": "a"}},
			"template": object{"metadata": object{"labels": object{"app": "a"}}, "spec": object{"containers": containers}},
		}
		pod := spec["template"].(object)["spec"].(object)
		maybe(pod, "nodeSelector", func() any { return pick(object{"a": "1"}, object{"b": "1"}) })
		maybe(pod, "tolerations", func() any { return list{object{"key": pick("a", "b"), "operator": "Exists"}} })
		maybe(pod, "volumes", func() any { return list{object{"name": pick("v", "w"), "emptyDir": object{}}} })
		maybe(spec, "replicas", func() any { return pick(0, 1, 2) })
		if rng.Intn(4) == 0 {
			spec["strategy"] = object{"type": "Recreate"}
		}
		config["spec"] = spec
	case "Lamp", "Blob":
		spec := object{}
		maybe(spec, "colour", func() any { return pick("red", "blue") })
		maybe(spec, "level", func() any { return oneOf(any(1), any("50%")) })
		maybe(spec, "tags", func() any { return pick(list{"a"}, list{"b", "a"}, list{"c", "a", "b"}, list{}) })
		maybe(spec, "names", func() any { return pick(list{"a", "a"}, list{"b"}, list{}) })
		maybe(spec, "map", func() any { return pick(object{"a": "1"}, object{"b": "2", "a": "3"}, object{}) })
		maybe(spec, "whole", func() any { return pick(object{"a": "1"}, object{"b": "2"}, object{}) })
		maybe(spec, "bulbs", func() any {
			bulbs := list{}
			for _, name := range []string{"p", "q", "r"} {
				if rng.Intn(2) == 0 {
					bulb := object{"name": name}
					maybe(bulb, "port", func() any { return pick(80, 81) })
					maybe(bulb, "watt", func() any { return oneOf(any(5), any(10), any(7.5)) })
					maybe(bulb, "wires", func() any {
						return pick(list{object{"id": 1, "c": "x"}}, list{object{"id": 2}, object{"id": 1, "c": "y"}})
					})
					bulbs = append(bulbs, bulb)
				}
			}
			rng.Shuffle(len(bulbs), func(i, j int) { bulbs[i], bulbs[j] = bulbs[j], bulbs[i] })
			return bulbs
		})
		maybe(spec, "free", func() any {
			return pick(object{"k": list{1, object{"z": 2}}}, object{"k": "v", "l": object{"m": 1}}, object{})
		})
		maybe(spec, "template", func() any {
			return object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"labels": object{"a": pick("1", "2")}, "finalizers": list{pick("f/a", "f/b")}}}
		})
		if kind == "Blob" || rng.Intn(12) > 0 {
			config["spec"] = spec
		}
	}
	return config
}

func lampSchema() object {
	str, integer := object{"type": "string"}, object{"type": "integer"}
	strMap := func(kind string) object {
		return object{"type": "object", "additionalProperties": str, "x-kubernetes-map-type": kind}
	}
	return object{"type": "object", "properties": object{
		"spec": object{"type": "object", "properties": object{
			"colour": str, "level": object{"x-kubernetes-int-or-string": true},
			"tags":  object{"type": "array", "items": str, "x-kubernetes-list-type": "set"},
			"names": object{"type": "array", "items": str},
			"map":   object{"type": "object", "additionalProperties": str},
			"whole": strMap("atomic"),
			"bulbs": object{
				"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list{"name", "port"},
				"items": object{"type": "object", "required": list{"name"}, "properties": object{
					"name": str, "port": object{"type": "integer", "default": 80}, "watt": object{"type": "number"},
					"wires": object{
						"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list{"id"},
						"items": object{"type": "object", "required": list{"id"}, "properties": object{"id": integer, "c": str}},
					},
				}},
			},
			"free":     object{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
			"template": object{"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true},
		}},
		"status": object{"type": "object", "properties": object{
			"phase": str,
			"conditions": object{
				"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list{"type"},
				"items": object{"type": "object", "required": list{"type"}, "properties": object{"type": str, "status": str}},
			},
		}},
	}}
}

func installKinds() object {
	lamp := lampSchema()
	blob := object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	for plural, schema := range map[string]object{"lamps": lamp, "blobs": blob} {
		kind := strings.ToUpper(plural[:1]) + plural[1:len(plural)-1]
		version := object{"name": "v1", "served": true, "storage": true, "schema": object{"openAPIV3Schema": schema}}
		if plural == "lamps" {
			version["subresources"] = object{"status": object{}}
		}
		call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "application/json", object{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": object{"name": plural + ".example.com"},
			"spec": object{
				"group": "example.com", "scope": "Namespaced", "versions": list{version},
				"names": object{"plural": plural, "singular": plural[:len(plural)-1], "kind": kind, "listKind": kind + "List"},
			},
		})
		for code := 0; code != 200; {
			code, _ = callQuietly("/apis/example.com/v1/namespaces/default/" + plural)
		}
	}
	return object{"Lamp": lamp, "Blob": blob}
}

func callQuietly(path string) (int, object) {
	request := must(http.NewRequest("GET", serverURL+path, nil))
	request.Header.Set("Authorization", "Bearer "+token)
	response := must(client.Do(request))
	defer response.Body.Close()
	return response.StatusCode, nil
}

func recordApply() {
	emit(object{"oracle": "kube-apiserver v1.36.3", "schemas": installKinds()})
	appliers, updaters := []string{"m1", "m2", "m3", "kubectl"}, []string{"u1", "u2", "kubectl-edit"}
	counts := []struct {
		kind string
		n    int
	}{{"ConfigMap", 40}, {"Service", 25}, {"Pod", 12}, {"Deployment", 30}, {"Lamp", 50}, {"Blob", 10}}
	for _, count := range counts {
		for range count.n {
			s := newScenario(count.kind)
			if rng.Intn(3) == 0 {
				s.do("create", pick(updaters...), false, "", randomConfig(count.kind))
			} else {
				s.do("apply", pick(appliers...), false, "", randomConfig(count.kind))
			}
			for range rng.Intn(4) + 2 {
				if s.live == nil {
					break
				}
				switch rng.Intn(8) {
				case 0:
					s.do("merge-patch", pick(updaters...), false, "", randomConfig(count.kind))
				case 1:
					s.put(pick(updaters...), func(live object) {
						config := randomConfig(count.kind)
						if count.kind == "ConfigMap" {
							live["data"] = config["data"]
						} else if count.kind == "Lamp" || count.kind == "Blob" {
							live["spec"] = config["spec"]
						} else if count.kind == "Deployment" {
							live["spec"].(object)["replicas"] = rng.Intn(4)
						}
						live["metadata"].(object)["labels"] = config["metadata"].(object)["labels"]
					})
				case 2:
					if count.kind == "Lamp" {
						s.do("apply", pick(appliers...), false, "status", object{"status": object{
							"phase": pick("On", "Off"), "conditions": list{object{"type": pick("A", "B"), "status": "True"}},
						}})
					} else if count.kind == "Deployment" {
						s.do("merge-patch", pick(updaters...), false, "status", object{"status": object{
							"observedGeneration": 1, "conditions": list{object{"type": "Available", "status": pick("True", "False")}},
						}})
					}
				case 3, 4:
					s.do("apply", pick(appliers...), true, "", randomConfig(count.kind))
				default:
					s.do("apply", pick(appliers...), false, "", randomConfig(count.kind))
				}
			}
			s.end()
		}
	}
	special()
}

// special are the corners that chance does not find.
func special() {
	s := newScenario("ConfigMap")
	for i := range 14 {
		if i == 0 {
			s.do("create", "first", false, "", object{"data": object{"k": "0"}})
			continue
		}
		s.do("merge-patch", fmt.Sprintf("updater-%02d", i), false, "", object{"data": object{fmt.Sprintf("k%d", i): "v"}})
	}
	s.end()

	s = newScenario("ConfigMap")
	s.do("create", "first", false, "", object{"data": object{"k": "0", "l": "1"}})
	s.put("second", func(live object) { live["metadata"].(object)["managedFields"] = list{} })
	s.do("merge-patch", "third", false, "", object{"data": object{"m": "v"}})
	s.do("apply", "m1", false, "", object{"data": object{"k": "1"}})
	s.do("apply", "m1", true, "", object{"data": object{"k": "1"}})
	s.put("second", func(live object) { live["metadata"].(object)["managedFields"] = list{object{}} })
	s.do("apply", "m1", false, "", object{"data": object{"l": "1"}})
	s.end()

	for _, manager := range []string{"kubectl", "m1"} {
		s = newScenario("ConfigMap")
		last := `{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"1","b":"2"},"metadata":{"name":"` + s.name + `","namespace":"default"}}`
		s.do("create", "kubectl-client-side-apply", false, "", object{
			"metadata": object{"annotations": object{"kubectl.kubernetes.io/last-applied-configuration": last}},
			"data":     object{"a": "1", "b": "2"},
		})
		s.do("merge-patch", "editor", false, "", object{"data": object{"b": "3"}})
		s.do("apply", manager, false, "", object{"data": object{"a": "5", "b": "6"}})
		s.do("apply", manager, false, "", object{"data": object{"a": "5"}})
		s.do("apply", manager, false, "", object{"data": object{"a": "<&>"}})
		s.do("apply", manager, false, "", object{"data": object{"c": "1"}})
		s.end()
	}

	s = newScenario("Lamp")
	s.do("apply", "m1", false, "", object{"spec": object{"colour": "red", "map": object{"a": "1"}, "tags": list{"a", "b"}}})
	s.do("apply", "m2", false, "", object{"spec": object{"colour": "red", "tags": list{"b", "c"}}})
	s.do("apply", "m1", false, "", object{"spec": object{"map": object{"a": "1"}}})
	s.do("apply", "m1", false, "", object{"spec": object{"map": object{}}})
	s.do("apply", "m1", false, "", object{"spec": object{}})
	s.do("apply", "m1", false, "", object{})
	s.do("apply", "m2", false, "", object{"spec": object{"colour": nil}})
	s.do("apply", "m3", false, "", object{"status": object{"phase": "On"}})
	s.do("apply", "m3", false, "status", object{"status": object{"phase": "On"}, "spec": object{"colour": "green"}})
	s.end()

	bad := []struct {
		kind   string
		config object
	}{
		{"Lamp", object{"spec": object{"bulbs": list{object{"name": "a"}, object{"name": "a", "port": 80}}}}},
		{"Lamp", object{"spec": object{"bulbs": list{object{"name": "a"}, object{"port": 80}}}}},
		{"Lamp", object{"spec": object{"bulbs": list{"x"}}}},
		{"Lamp", object{"spec": object{"bulbs": list{nil}}}},
		{"Lamp", object{"spec": object{"bulbs": "x"}}},
		{"Lamp", object{"spec": object{"tags": list{"a", "b", "a"}}}},
		{"Lamp", object{"spec": object{"tags": list{object{}}}}},
		{"Lamp", object{"spec": object{"tags": list{list{}}}}},
		{"Lamp", object{"spec": object{"tags": list{nil}}}},
		{"Lamp", object{"spec": object{"colour": 1}}},
		{"Lamp", object{"spec": object{"colour": object{"a": 1}}}},
		{"Lamp", object{"spec": object{"unknown": 1}}},
		{"Lamp", object{"spec": "x"}},
		{"Lamp", object{"spec": list{1, "a", nil, true, 1.5, object{"k": "v"}}}},
		{"Lamp", object{"other": 1}},
		{"Lamp", object{"spec": object{"bulbs": list{object{"name": "a", "watt": "x"}}}}},
		{"Lamp", object{"spec": object{"level": object{"a": 1}}}},
		{"Lamp", object{"spec": object{"map": object{"a": 1}}}},
		{"Lamp", object{"metadata": object{"labels": list{"a"}}}},
		{"Lamp", object{"metadata": object{"managedFields": list{}}}},
		{"Lamp", object{"apiVersion": "example.com/v2"}},
		{"Lamp", object{"kind": "Other"}},
		{"ConfigMap", object{"data": object{"a": 1}}},
		{"ConfigMap", object{"data": object{"a": true}}},
		{"ConfigMap", object{"data": "x"}},
		{"ConfigMap", object{"dat": object{}}},
		{"ConfigMap", object{"immutable": "yes"}},
		{"Service", object{"spec": object{"ports": list{object{"port": 80}, object{"port": 80, "protocol": "TCP"}}}}},
		{"Service", object{"spec": object{"ports": list{object{"name": "x"}}}}},
		{"Service", object{"spec": object{"ports": list{object{"port": "80"}}}}},
		{"Deployment", object{"spec": object{"replicas": "2"}}},
		{"Deployment", object{"spec": object{"template": object{"spec": object{"containers": list{object{"name": "a", "bogus": 1}, object{"name": "a"}}}}}}},
		{"Deployment", object{"spec": object{"template": object{"spec": object{"containers": list{object{"image": "a"}}}}}}},
	}
	for _, b := range bad {
		s = newScenario(b.kind)
		s.do("apply", "m1", false, "", b.config)
		s.end()
	}
	_ = slices.Sort[[]string]
}
