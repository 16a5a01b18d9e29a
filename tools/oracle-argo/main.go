// Answers questions about Argo CD's rules with Argo CD's own code: reads lines of JSON, writes lines of JSON.
// README.md says how it is built and what its answers are for.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/argo"
	"github.com/argoproj/argo-cd/v3/util/git"
)

type question struct {
	Ask string `json:"ask"`

	URL         string                   `json:"url,omitempty"`
	Project     *v1alpha1.AppProjectSpec `json:"project,omitempty"`
	Server      string                   `json:"server,omitempty"`
	Name        string                   `json:"name,omitempty"`
	Namespace   string                   `json:"namespace,omitempty"`
	Group       string                   `json:"group,omitempty"`
	Kind        string                   `json:"kind,omitempty"`
	Namespaced  bool                     `json:"namespaced,omitempty"`
	Object      map[string]any           `json:"object,omitempty"`
	Instance    string                   `json:"instance,omitempty"`
	Method      string                   `json:"method,omitempty"`
	ID          string                   `json:"id,omitempty"`
	Application json.RawMessage          `json:"application,omitempty"`
}

func answer(q question) (any, error) {
	project := v1alpha1.AppProject{ObjectMeta: metav1.ObjectMeta{Name: "team"}}
	if q.Project != nil {
		project.Spec = *q.Project
	}
	switch q.Ask {
	case "url":
		return git.NormalizeGitURL(q.URL), nil
	case "source":
		return project.IsSourcePermitted(v1alpha1.ApplicationSource{RepoURL: q.URL}), nil
	case "destination":
		cluster := &v1alpha1.Cluster{Server: q.Server, Name: q.Name}
		return project.IsDestinationPermitted(cluster, q.Namespace, func(string) ([]*v1alpha1.Cluster, error) { return nil, nil })
	case "kind":
		return project.IsGroupKindNamePermitted(schema.GroupKind{Group: q.Group, Kind: q.Kind}, q.Name, q.Namespaced), nil
	case "namespace":
		app := &v1alpha1.Application{ObjectMeta: metav1.ObjectMeta{Namespace: q.Namespace}}
		return project.IsAppNamespacePermitted(app, "argocd"), nil
	case "stamp":
		object := &unstructured.Unstructured{Object: q.Object}
		err := argo.NewResourceTracking().SetAppInstance(object, "app.kubernetes.io/instance", q.Instance, q.Namespace, v1alpha1.TrackingMethod(q.Method), q.ID)
		return object.Object["metadata"], err
	case "instance":
		object := &unstructured.Unstructured{Object: q.Object}
		return argo.NewResourceTracking().GetAppName(object, "app.kubernetes.io/instance", v1alpha1.TrackingMethod(q.Method), q.ID), nil
	case "roundtrip":
		var app v1alpha1.Application
		if err := json.Unmarshal(q.Application, &app); err != nil {
			return nil, err
		}
		return map[string]any{"spec": app.Spec, "status": app.Status, "operation": app.Operation}, nil
	}
	return nil, fmt.Errorf("unknown question %q", q.Ask)
}

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	for in.Scan() {
		if len(in.Bytes()) == 0 {
			continue
		}
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		result, err := answer(q)
		line := map[string]any{"question": json.RawMessage(append([]byte{}, in.Bytes()...)), "answer": result}
		if err != nil {
			line["error"] = err.Error()
		}
		if err := out.Encode(line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
