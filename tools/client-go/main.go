// Program client-go does with a cluster what controllers written in Go do, by way of client-go's own parts, and
// prints what it met. Two servers that behave alike get the same lines.
//
//	client-go -kubeconfig FILE -namespace NAME [-watch-list=false]
//
// The namespace must not exist. Typed clients speak protobuf.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// patience bounds every wait, so that a server that differs is told and not waited for.
const patience = 60 * time.Second

// program is what every part has.
type program struct {
	ctx       context.Context
	namespace string
	config    *rest.Config
	typed     kubernetes.Interface
	dynamic   dynamic.Interface
	metadata  metadata.Interface
	discovery discovery.DiscoveryInterface
}

// part is one chapter of the transcript.
type part struct {
	name string
	run  func(*program)
}

func main() {
	kubeconfig := flag.String("kubeconfig", os.Getenv("KUBECONFIG"), "how to reach the cluster")
	namespace := flag.String("namespace", "client-go", "a namespace that is made, and taken away at the end")
	watchList := flag.Bool("watch-list", true, "whether informers stream their first list")
	only := flag.String("only", "", "one part")
	flag.Parse()
	// It is read when a client is made for the first time.
	must(os.Setenv("KUBE_FEATURE_WatchListClient", fmt.Sprint(*watchList)))
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	must(err)
	config.QPS = -1
	config.UserAgent = "client-go/test"
	inProtobuf := rest.CopyConfig(config)
	inProtobuf.ContentType = "application/vnd.kubernetes.protobuf"
	inProtobuf.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p := &program{
		ctx:       ctx,
		namespace: *namespace,
		config:    inProtobuf,
		typed:     kubernetes.NewForConfigOrDie(inProtobuf),
		dynamic:   dynamic.NewForConfigOrDie(config),
		metadata:  metadata.NewForConfigOrDie(inProtobuf),
		discovery: discovery.NewDiscoveryClientForConfigOrDie(config),
	}
	p.begin()
	for _, part := range []part{
		{"discovery", discoveryPart}, {"objects", objectsPart}, {"refusals", refusalsPart}, {"pages", pagesPart},
		{"informers", informersPart}, {"dynamic", dynamicPart}, {"applying", applyingPart}, {"scaling", scalingPart},
		{"leading", leadingPart}, {"evicting", evictingPart}, {"asking", askingPart}, {"metadata", metadataPart},
	} {
		if *only == "" || *only == part.name {
			fmt.Println("#", part.name)
			part.run(p)
		}
	}
	must(p.typed.CoreV1().Namespaces().Delete(ctx, *namespace, metav1.DeleteOptions{}))
}

func (p *program) begin() {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}
	_, err := p.typed.CoreV1().Namespaces().Create(p.ctx, namespace, metav1.CreateOptions{})
	must(err)
	p.until("the default service account", func() bool {
		_, err := p.typed.CoreV1().ServiceAccounts(p.namespace).Get(p.ctx, "default", metav1.GetOptions{})
		return err == nil
	})
}

// until waits for something that happens by itself.
func (p *program) until(what string, is func() bool) {
	for end := time.Now().Add(patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.say("WAITED IN VAIN for %s", what)
			return
		}
	}
}

// say prints a line, without what differs in each run.
func (p *program) say(format string, arguments ...any) {
	fmt.Println(strings.ReplaceAll(fmt.Sprintf(format, arguments...), p.namespace, "NAMESPACE"))
}

// verdict is what a client makes of an error.
func verdict(err error) string {
	if err == nil {
		return "done"
	}
	for name, is := range map[string]func(error) bool{
		"not found": apierrors.IsNotFound, "exists": apierrors.IsAlreadyExists, "conflict": apierrors.IsConflict,
		"invalid": apierrors.IsInvalid, "bad request": apierrors.IsBadRequest, "gone": apierrors.IsResourceExpired,
		"forbidden": apierrors.IsForbidden, "too many requests": apierrors.IsTooManyRequests,
		"not acceptable": apierrors.IsNotAcceptable, "not allowed": apierrors.IsMethodNotSupported,
		"unauthorized": apierrors.IsUnauthorized,
	} {
		if is(err) {
			return name + ": " + err.Error()
		}
	}
	return "other: " + err.Error()
}

func sortedKeys[V any](of map[string]V) []string {
	keys := make([]string, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func must(err error) {
	if err != nil {
		fmt.Println("FAILED:", err)
		os.Exit(1)
	}
}
