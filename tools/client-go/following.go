package main

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	watchtools "k8s.io/client-go/tools/watch"
)

// heard collects what an informer tells.
type heard struct {
	lock  sync.Mutex
	lines []string
}

func (h *heard) add(format string, arguments ...any) {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.lines = append(h.lines, fmt.Sprintf(format, arguments...))
}

func (h *heard) count() int {
	h.lock.Lock()
	defer h.lock.Unlock()
	return len(h.lines)
}

func (h *heard) handler() cache.ResourceEventHandlerDetailedFuncs {
	labels := func(object any) string {
		accessor, err := meta.Accessor(object)
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s %v", accessor.GetName(), accessor.GetLabels())
	}
	return cache.ResourceEventHandlerDetailedFuncs{
		AddFunc:    func(object any, initial bool) { h.add("added %s, at first %v", labels(object), initial) },
		UpdateFunc: func(before, after any) { h.add("updated %s to %s", labels(before), labels(after)) },
		DeleteFunc: func(object any) { h.add("deleted %s", labels(object)) },
	}
}

// tell prints what was heard once it is that many lines.
func (h *heard) tell(p *program, count int) {
	p.until(fmt.Sprintf("%d events", count), func() bool { return h.count() >= count })
	h.lock.Lock()
	defer h.lock.Unlock()
	for _, line := range h.lines {
		p.say("%s", line)
	}
}

func informersPart(p *program) {
	maps := p.typed.CoreV1().ConfigMaps(p.namespace)
	_, err := maps.Create(p.ctx, configMap("before", "1"), metav1.CreateOptions{})
	must(err)
	ctx, stop := context.WithCancel(p.ctx)
	defer stop()
	only := func(options *metav1.ListOptions) { options.LabelSelector = "app=one" }
	factory := informers.NewSharedInformerFactoryWithOptions(
		p.typed, 0, informers.WithNamespace(p.namespace), informers.WithTweakListOptions(only))
	informer := factory.Core().V1().ConfigMaps()
	var told heard
	_, err = informer.Informer().AddEventHandler(told.handler())
	must(err)
	factory.Start(ctx.Done())
	for of, synced := range factory.WaitForCacheSync(ctx.Done()) {
		p.say("%v synced %v", of, synced)
	}
	after, err := maps.Create(p.ctx, configMap("after", "1"), metav1.CreateOptions{})
	must(err)
	after.Labels["more"] = "yes"
	_, err = maps.Update(p.ctx, after, metav1.UpdateOptions{})
	must(err)
	_, err = maps.Patch(p.ctx, "before", types.MergePatchType, []byte(`{"metadata":{"labels":{"app":null}}}`), metav1.PatchOptions{})
	must(err)
	must(maps.Delete(p.ctx, "after", metav1.DeleteOptions{}))
	told.tell(p, 5)
	listed, err := informer.Lister().ConfigMaps(p.namespace).Get("after")
	p.say("kept: %v %s", listed == nil, verdict(err))

	created, err := maps.Create(p.ctx, configMap("watched", "1"), metav1.CreateOptions{})
	must(err)
	retrying, err := watchtools.NewRetryWatcherWithContext(ctx, created.ResourceVersion, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = "metadata.name=watched"
			return maps.Watch(ctx, options)
		},
	})
	must(err)
	must(maps.Delete(p.ctx, "watched", metav1.DeleteOptions{}))
	select {
	case event := <-retrying.ResultChan():
		p.say("watched: %s %s", event.Type, event.Object.(*corev1.ConfigMap).Name)
	case <-time.After(patience):
		p.say("watched: NOTHING")
	}
	_, err = maps.Watch(p.ctx, metav1.ListOptions{ResourceVersion: "nonsense"})
	p.say("watch of nonsense: %s", verdict(err))
	must(maps.Delete(p.ctx, "before", metav1.DeleteOptions{}))
}

func dynamicPart(p *program) {
	definitions := p.dynamic.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	group := p.namespace + ".example.com"
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "things." + group},
		"spec": map[string]any{
			"group": group, "scope": "Namespaced",
			"names": map[string]any{"plural": "things", "singular": "thing", "kind": "Thing"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{
					"type": "object", "properties": map[string]any{
						"spec": map[string]any{"type": "object", "properties": map[string]any{
							"size": map[string]any{"type": "integer", "minimum": int64(1), "default": int64(3)}}},
						"status": map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
					},
				}},
			}},
		},
	}}
	_, err := definitions.Create(p.ctx, definition, metav1.CreateOptions{})
	must(err)
	things := p.dynamic.Resource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "things"}).Namespace(p.namespace)
	p.until("the definition", func() bool {
		_, err := things.List(p.ctx, metav1.ListOptions{})
		return err == nil
	})
	ctx, stop := context.WithCancel(p.ctx)
	defer stop()
	factory := dynamicinformer.NewFilteredDynamicSharedInformerFactory(p.dynamic, 0, p.namespace, nil)
	informer := factory.ForResource(schema.GroupVersionResource{Group: group, Version: "v1", Resource: "things"}).Informer()
	var told heard
	_, err = informer.AddEventHandler(told.handler())
	must(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	thing := func(size any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": group + "/v1", "kind": "Thing", "metadata": map[string]any{"name": "a"},
			"spec": map[string]any{"size": size, "unknown": "x"}}}
	}
	_, err = things.Create(p.ctx, thing(int64(0)), metav1.CreateOptions{})
	p.say("too small: %s", verdict(err))
	made, err := things.Create(p.ctx, thing(int64(5)), metav1.CreateOptions{})
	p.say("made: %s %v", verdict(err), made.Object["spec"])
	must(unstructured.SetNestedField(made.Object, "yes", "status", "ready"))
	made, err = things.UpdateStatus(p.ctx, made, metav1.UpdateOptions{})
	p.say("status: %s %v", verdict(err), made.Object["status"])
	applied, err := things.Apply(p.ctx, "a", &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1", "kind": "Thing", "metadata": map[string]any{"name": "a", "labels": map[string]any{"l": "m"}}}},
		metav1.ApplyOptions{FieldManager: "one"})
	p.say("applied: %s %v generation %d", verdict(err), applied.GetLabels(), applied.GetGeneration())
	must(things.Delete(p.ctx, "a", metav1.DeleteOptions{}))
	told.tell(p, 4)
	must(definitions.Delete(p.ctx, "things."+group, metav1.DeleteOptions{}))
}

func leadingPart(p *program) {
	var told heard
	elect := func(name string) (context.CancelFunc, <-chan struct{}) {
		ctx, stop := context.WithCancel(p.ctx)
		lock, err := resourcelock.New(resourcelock.LeasesResourceLock, p.namespace, "leader",
			p.typed.CoreV1(), p.typed.CoordinationV1(), resourcelock.ResourceLockConfig{Identity: name})
		must(err)
		done := make(chan struct{})
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 200 * time.Millisecond,
			ReleaseOnCancel: true,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { told.add("%s leads", name) },
				OnStoppedLeading: func() { told.add("%s led", name) },
			},
		})
		must(err)
		go func() {
			defer close(done)
			elector.Run(ctx)
		}()
		return stop, done
	}
	stopFirst, firstDone := elect("first")
	p.until("the first", func() bool { return told.count() == 1 })
	stopSecond, secondDone := elect("second")
	lease, err := p.typed.CoordinationV1().Leases(p.namespace).Get(p.ctx, "leader", metav1.GetOptions{})
	must(err)
	p.say("held by %s for %d s, %v", *lease.Spec.HolderIdentity, *lease.Spec.LeaseDurationSeconds, lease.Spec.RenewTime.IsZero())
	stopFirst()
	<-firstDone
	p.until("the second", func() bool { return told.count() == 3 })
	stopSecond()
	<-secondDone
	// The second may lead before the first has said that it no longer does.
	p.until("both ends", func() bool { return told.count() == 4 })
	sort.Strings(told.lines)
	told.tell(p, 4)
	lease, err = p.typed.CoordinationV1().Leases(p.namespace).Get(p.ctx, "leader", metav1.GetOptions{})
	must(err)
	p.say("held by %q after %d changes", *lease.Spec.HolderIdentity, *lease.Spec.LeaseTransitions)
}

func askingPart(p *program) {
	may, err := p.typed.AuthorizationV1().SelfSubjectAccessReviews().Create(p.ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "create", Resource: "pods", Namespace: p.namespace}}}, metav1.CreateOptions{})
	p.say("I may: %s %v", verdict(err), may.Status.Allowed)
	account := "system:serviceaccount:" + p.namespace + ":default"
	other, err := p.typed.AuthorizationV1().SubjectAccessReviews().Create(p.ctx, &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{User: account, ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: "create", Resource: "pods", Namespace: p.namespace}}}, metav1.CreateOptions{})
	p.say("the account may: %s %v", verdict(err), other.Status.Allowed)
	seconds := int64(1200)
	token, err := p.typed.CoreV1().ServiceAccounts(p.namespace).CreateToken(p.ctx, "default", &authenticationv1.TokenRequest{
		Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &seconds}}, metav1.CreateOptions{})
	must(err)
	p.say("token for %d s: %v %v", *token.Spec.ExpirationSeconds, token.Status.Token != "",
		time.Until(token.Status.ExpirationTimestamp.Time) > 19*time.Minute)
	review, err := p.typed.AuthenticationV1().TokenReviews().Create(p.ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: token.Status.Token}}, metav1.CreateOptions{})
	p.say("it is of: %s %v %s %v", verdict(err), review.Status.Authenticated, review.Status.User.Username, review.Status.User.Groups)
	review, err = p.typed.AuthenticationV1().TokenReviews().Create(p.ctx, &authenticationv1.TokenReview{
		Spec: authenticationv1.TokenReviewSpec{Token: "nonsense"}}, metav1.CreateOptions{})
	p.say("nonsense is of: %s %v %s", verdict(err), review.Status.Authenticated, review.Status.User.Username)
	version, err := p.discovery.ServerVersion()
	p.say("version: %s %s.%s", verdict(err), version.Major, version.Minor)
}

func metadataPart(p *program) {
	gvr := corev1.SchemeGroupVersion.WithResource("secrets")
	ctx, stop := context.WithCancel(p.ctx)
	defer stop()
	factory := metadatainformer.NewFilteredSharedInformerFactory(p.metadata, 0, p.namespace, nil)
	var told heard
	_, err := factory.ForResource(gvr).Informer().AddEventHandler(told.handler())
	must(err)
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	secrets := p.typed.CoreV1().Secrets(p.namespace)
	_, err = secrets.Create(p.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "s", Labels: map[string]string{"a": "b"}},
		StringData: map[string]string{"k": "v"}}, metav1.CreateOptions{})
	must(err)
	client := p.metadata.Resource(gvr).Namespace(p.namespace)
	one, err := client.Get(p.ctx, "s", metav1.GetOptions{})
	p.say("one: %s %s %s %v", verdict(err), one.Kind, one.Name, one.Labels)
	list, err := client.List(p.ctx, metav1.ListOptions{LabelSelector: "a"})
	p.say("list: %s %d", verdict(err), len(list.Items))
	patched, err := client.Patch(p.ctx, "s", types.MergePatchType, []byte(`{"metadata":{"annotations":{"x":"y"}}}`), metav1.PatchOptions{})
	p.say("patched: %s %v", verdict(err), patched.Annotations)
	p.say("deleted: %s", verdict(client.Delete(p.ctx, "s", metav1.DeleteOptions{})))
	told.tell(p, 3)
}
