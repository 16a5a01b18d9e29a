package main

import (
	"context"
	"fmt"
	"sort"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	appsapply "k8s.io/client-go/applyconfigurations/apps/v1"
	coreapply "k8s.io/client-go/applyconfigurations/core/v1"
	metaapply "k8s.io/client-go/applyconfigurations/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/pager"
	"k8s.io/client-go/util/retry"
)

func discoveryPart(p *program) {
	lists, err := discovery.ServerPreferredResources(p.discovery)
	must(err)
	served := map[string]metav1.APIResource{}
	for _, list := range lists {
		for _, one := range list.APIResources {
			served[list.GroupVersion+"/"+one.Name] = one
		}
	}
	for _, name := range sortedKeys(served) {
		one := served[name]
		sort.Strings(one.Verbs)
		p.say("%s %s %v %v %v", name, one.Kind, one.Namespaced, one.ShortNames, one.Verbs)
	}
	mapper := restmapper.NewShortcutExpander(
		restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(p.discovery)), p.discovery, nil)
	for _, word := range []string{"po", "deploy", "hpa", "netpol", "nothing"} {
		gvr, err := mapper.ResourceFor(schema.GroupVersionResource{Resource: word})
		p.say("%s is %v %v", word, gvr, meta.IsNoMatchError(err))
	}
	_, err = p.discovery.ServerResourcesForGroupVersion("none.example.com/v1")
	p.say("of no group: %s", verdict(err))
}

func configMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": "one"}},
		Data:       map[string]string{"value": value}, BinaryData: map[string][]byte{"bytes": {0, 1, 255}},
	}
}

func deployment(name string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	port := intstr.FromString("http")
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "main", Image: "image:1", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}},
					Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("0.25")}},
					ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
						HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: port}}},
				}}},
			},
		},
	}
}

// shown is an object as JSON without what differs in each run.
func shown(object runtime.Object) string {
	accessor, err := meta.Accessor(object)
	must(err)
	accessor.SetUID("")
	accessor.SetResourceVersion("")
	accessor.SetCreationTimestamp(metav1.Time{})
	managed := accessor.GetManagedFields()
	for i := range managed {
		managed[i].Time = nil
	}
	tree, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	must(err)
	return fmt.Sprint(tree)
}

func objectsPart(p *program) {
	maps := p.typed.CoreV1().ConfigMaps(p.namespace)
	created, err := maps.Create(p.ctx, configMap("a", "1"), metav1.CreateOptions{FieldManager: "maker"})
	must(err)
	p.say("created %v %v", created.UID != "", created.Generation)
	stale := created.DeepCopy()
	created.Data["value"] = "2"
	updated, err := maps.Update(p.ctx, created, metav1.UpdateOptions{})
	p.say("updated %s: %v", verdict(err), updated.Data)
	_, err = maps.Update(p.ctx, stale, metav1.UpdateOptions{})
	p.say("updated what was old: %s", verdict(err))
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		current, err := maps.Get(p.ctx, "a", metav1.GetOptions{})
		if err != nil {
			return err
		}
		current.Labels["more"] = "yes"
		_, err = maps.Update(p.ctx, current, metav1.UpdateOptions{})
		return err
	})
	p.say("updated again: %s", verdict(err))
	for _, one := range []struct {
		of   types.PatchType
		text string
	}{
		{types.JSONPatchType, `[{"op":"add","path":"/data/json","value":"y"}]`},
		{types.MergePatchType, `{"data":{"merge":"y","json":null}}`},
		{types.StrategicMergePatchType, `{"metadata":{"labels":{"$patch":"replace","only":"this"}}}`},
		{types.ApplyYAMLPatchType, `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"applied":"y"}}`},
	} {
		patched, err := maps.Patch(p.ctx, "a", one.of, []byte(one.text), metav1.PatchOptions{FieldManager: "patcher"})
		p.say("%s: %s %v %v", one.of, verdict(err), patched.Data, patched.Labels)
	}
	got, err := maps.Get(p.ctx, "a", metav1.GetOptions{})
	must(err)
	p.say("%s", shown(got))
	uid := types.UID("other")
	err = maps.Delete(p.ctx, "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	p.say("deleted another: %v", err != nil)
	p.say("deleted: %s", verdict(maps.Delete(p.ctx, "a", metav1.DeleteOptions{})))
	_, err = maps.Get(p.ctx, "a", metav1.GetOptions{})
	p.say("got: %s", verdict(err))

	deployments := p.typed.AppsV1().Deployments(p.namespace)
	made, err := deployments.Create(p.ctx, deployment("d", 2), metav1.CreateOptions{})
	must(err)
	p.say("%s", shown(made))
	made.Status.Replicas = 2
	made.Status.ObservedGeneration = 1
	made, err = deployments.UpdateStatus(p.ctx, made, metav1.UpdateOptions{})
	p.say("status: %s %+v", verdict(err), made.Status)
	p.say("deleted: %s", verdict(deployments.Delete(p.ctx, "d", metav1.DeleteOptions{})))

	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "job-"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: "Never", Containers: []corev1.Container{{Name: "main", Image: "image"}}}}},
	}
	generated, err := p.typed.BatchV1().Jobs(p.namespace).Create(p.ctx, job, metav1.CreateOptions{DryRun: []string{"All"}})
	p.say("job: %s %d %v", verdict(err), len(generated.Name), *generated.Spec.Completions)
}

func refusalsPart(p *program) {
	maps := p.typed.CoreV1().ConfigMaps(p.namespace)
	_, err := maps.Get(p.ctx, "none", metav1.GetOptions{})
	p.say("get: %s", verdict(err))
	_, err = maps.Create(p.ctx, configMap("Not a name", ""), metav1.CreateOptions{})
	p.say("create: %s", verdict(err))
	_, err = maps.Create(p.ctx, configMap("twice", ""), metav1.CreateOptions{})
	p.say("once: %s", verdict(err))
	_, err = maps.Create(p.ctx, configMap("twice", ""), metav1.CreateOptions{})
	p.say("twice: %s", verdict(err))
	_, err = maps.Patch(p.ctx, "twice", types.JSONPatchType, []byte(`[{"op":"test","path":"/data/value","value":"x"}]`), metav1.PatchOptions{})
	p.say("test: %s", verdict(err))
	_, err = maps.List(p.ctx, metav1.ListOptions{LabelSelector: "a in b"})
	p.say("selector: %s", verdict(err))
	_, err = maps.List(p.ctx, metav1.ListOptions{FieldSelector: "data.x=y"})
	p.say("field selector: %s", verdict(err))
	_, err = maps.List(p.ctx, metav1.ListOptions{Continue: "nonsense"})
	p.say("continue: %s", verdict(err))
	wrong := deployment("wrong", 1)
	wrong.Spec.Template.Labels = nil
	_, err = p.typed.AppsV1().Deployments(p.namespace).Create(p.ctx, wrong, metav1.CreateOptions{})
	p.say("deployment: %s", verdict(err))
	p.say("rest: %s", verdict(p.typed.CoreV1().RESTClient().Get().AbsPath("/api/v1/nothings").Do(p.ctx).Error()))
	must(maps.Delete(p.ctx, "twice", metav1.DeleteOptions{}))
}

func pagesPart(p *program) {
	maps := p.typed.CoreV1().ConfigMaps(p.namespace)
	for i := range 23 {
		_, err := maps.Create(p.ctx, configMap(fmt.Sprintf("page-%02d", i), "x"), metav1.CreateOptions{})
		must(err)
	}
	pages := pager.New(func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
		list, err := maps.List(ctx, options)
		if err == nil {
			p.say("a page of %d, remaining %v, more %v", len(list.Items), list.RemainingItemCount != nil, list.Continue != "")
		}
		return list, err
	})
	pages.PageSize = 10
	names := []string{}
	must(pages.EachListItem(p.ctx, metav1.ListOptions{LabelSelector: "app=one"}, func(object runtime.Object) error {
		names = append(names, object.(*corev1.ConfigMap).Name)
		return nil
	}))
	p.say("%v", names)
	must(pages.EachListItem(p.ctx, metav1.ListOptions{FieldSelector: "metadata.name!=kube-root-ca.crt"}, func(runtime.Object) error { return nil }))
	first, err := maps.List(p.ctx, metav1.ListOptions{Limit: 5, LabelSelector: "app=one"})
	must(err)
	must(maps.Delete(p.ctx, "page-10", metav1.DeleteOptions{}))
	second, err := maps.List(p.ctx, metav1.ListOptions{Limit: 10, LabelSelector: "app=one", Continue: first.Continue})
	p.say("the same state: %s %d %s", verdict(err), len(second.Items), second.Items[5].Name)
	exact, err := maps.List(p.ctx, metav1.ListOptions{
		LabelSelector: "app=one", ResourceVersion: first.ResourceVersion, ResourceVersionMatch: metav1.ResourceVersionMatchExact})
	p.say("exactly: %s %d", verdict(err), len(exact.Items))
	must(maps.DeleteCollection(p.ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "app=one"}))
	left, err := maps.List(p.ctx, metav1.ListOptions{LabelSelector: "app=one"})
	p.say("left: %s %d", verdict(err), len(left.Items))
}

func applyingPart(p *program) {
	maps := p.typed.CoreV1().ConfigMaps(p.namespace)
	mine := coreapply.ConfigMap("applied", p.namespace).WithLabels(map[string]string{"by": "one"}).
		WithData(map[string]string{"a": "1", "b": "1"})
	applied, err := maps.Apply(p.ctx, mine, metav1.ApplyOptions{FieldManager: "one"})
	p.say("one: %s %v", verdict(err), applied.Data)
	theirs := coreapply.ConfigMap("applied", p.namespace).WithData(map[string]string{"b": "2", "c": "2"})
	_, err = maps.Apply(p.ctx, theirs, metav1.ApplyOptions{FieldManager: "two"})
	p.say("two: %s", verdict(err))
	applied, err = maps.Apply(p.ctx, theirs, metav1.ApplyOptions{FieldManager: "two", Force: true})
	p.say("two, forced: %s %v", verdict(err), applied.Data)
	extracted, err := coreapply.ExtractConfigMap(applied, "one")
	p.say("what is left of one: %s %v", verdict(err), extracted.Data)
	applied, err = maps.Apply(p.ctx, coreapply.ConfigMap("applied", p.namespace), metav1.ApplyOptions{FieldManager: "one"})
	p.say("one gives up: %s %v %v", verdict(err), applied.Data, applied.Labels)
	labels := map[string]string{"app": "applied"}
	wanted := appsapply.Deployment("applied", p.namespace).WithSpec(appsapply.DeploymentSpec().WithReplicas(1).
		WithSelector(metaapply.LabelSelector().WithMatchLabels(labels)).
		WithTemplate(coreapply.PodTemplateSpec().WithLabels(labels).WithSpec(coreapply.PodSpec().WithContainers(
			coreapply.Container().WithName("main").WithImage("image:1").WithEnv(coreapply.EnvVar().WithName("A").WithValue("1"))))))
	deployments := p.typed.AppsV1().Deployments(p.namespace)
	made, err := deployments.Apply(p.ctx, wanted, metav1.ApplyOptions{FieldManager: "one"})
	p.say("deployment: %s %s", verdict(err), shown(made))
	p.say("deleted: %s", verdict(deployments.Delete(p.ctx, "applied", metav1.DeleteOptions{})))
}

func scalingPart(p *program) {
	deployments := p.typed.AppsV1().Deployments(p.namespace)
	_, err := deployments.Create(p.ctx, deployment("scaled", 1), metav1.CreateOptions{})
	must(err)
	scale, err := deployments.GetScale(p.ctx, "scaled", metav1.GetOptions{})
	p.say("scale: %s %+v %s", verdict(err), scale.Spec, scale.Status.Selector)
	scale.Spec.Replicas = 4
	scale, err = deployments.UpdateScale(p.ctx, "scaled", scale, metav1.UpdateOptions{})
	p.say("scaled: %s %+v", verdict(err), scale.Spec)
	scale.ResourceVersion = "1"
	_, err = deployments.UpdateScale(p.ctx, "scaled", scale, metav1.UpdateOptions{})
	p.say("scaled what was old: %s", verdict(err))
	got, err := deployments.Get(p.ctx, "scaled", metav1.GetOptions{})
	p.say("deployment: %s %d generation %d", verdict(err), *got.Spec.Replicas, got.Generation)
	must(deployments.Delete(p.ctx, "scaled", metav1.DeleteOptions{}))
}

func evictingPart(p *program) {
	pods := p.typed.CoreV1().Pods(p.namespace)
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "evicted", Labels: map[string]string{"app": "evicted"}},
		Spec: corev1.PodSpec{SchedulerName: "none", AutomountServiceAccountToken: new(bool),
			Containers: []corev1.Container{{Name: "main", Image: "image"}}},
	}
	_, err := pods.Create(p.ctx, pod, metav1.CreateOptions{})
	must(err)
	eviction := func(name string) *policyv1.Eviction {
		return &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: p.namespace}}
	}
	p.say("evicted: %s", verdict(pods.EvictV1(p.ctx, eviction("evicted"))))
	_, err = pods.Get(p.ctx, "evicted", metav1.GetOptions{})
	p.say("then: %s", verdict(err))
	p.say("nobody: %s", verdict(pods.EvictV1(p.ctx, eviction("nobody"))))
}
