// Prints how Go reads and writes every built-in Kubernetes kind: the fields of each struct with their
// JSON names, types and omission rules, as the embedded API's normalisation needs them.
//
//	go run . > ../../crates/windlass-apiserver/src/defaults/shapes.txt
//
// With the argument `quantities` it prints instead how Go prints quantities after reading them:
//
//	go run . quantities > ../../crates/windlass-apiserver/tests/data/quantities.txt
package main

import (
	"bufio"
	"encoding"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

var (
	structs = map[string][]string{}
	textual = reflect.TypeFor[encoding.TextUnmarshaler]()
	custom  = reflect.TypeFor[json.Unmarshaler]()
	scalars = map[reflect.Type]string{
		reflect.TypeFor[resource.Quantity]():  "quantity",
		reflect.TypeFor[intstr.IntOrString](): "intstr",
		reflect.TypeFor[metav1.Time]():        "time",
		reflect.TypeFor[metav1.MicroTime]():   "microtime",
		reflect.TypeFor[metav1.Duration]():    "duration",
	}
)

func name(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	group := strings.Join(parts[max(0, len(parts)-2):], ".")
	return group + "." + t.Name()
}

func typeOf(t reflect.Type) string {
	if s, ok := scalars[t]; ok {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + typeOf(t.Elem())
	}
	if reflect.PointerTo(t).Implements(custom) || reflect.PointerTo(t).Implements(textual) {
		return "raw"
	}
	switch t.Kind() {
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		return "[]" + typeOf(t.Elem())
	case reflect.Map:
		return "{}" + typeOf(t.Elem())
	case reflect.Struct:
		visit(t)
		return "@" + name(t)
	case reflect.Interface:
		return "raw"
	default:
		if t.PkgPath() != "" {
			return t.Kind().String() + ":" + t.String()
		}
		return t.Kind().String()
	}
}

func visit(t reflect.Type) {
	key := name(t)
	if _, seen := structs[key]; seen {
		return
	}
	structs[key] = nil
	structs[key] = fields(t)
}

func fields(t reflect.Type) []string {
	var lines []string
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "-" || !f.IsExported() {
			continue
		}
		parts := strings.Split(tag, ",")
		if f.Anonymous && parts[0] == "" {
			lines = append(lines, fields(f.Type)...)
			continue
		}
		flags := ""
		for _, option := range parts[1:] {
			switch option {
			case "omitempty":
				flags += "?"
			case "omitzero":
				flags += "!"
			}
		}
		lines = append(lines, fmt.Sprintf("%s%s %s", parts[0], flags, typeOf(f.Type)))
	}
	return lines
}

// quantities prints each text and its canonical form, or `-` where Go refuses it.
func quantities() {
	fmt.Println("# Written by tools/oracle-apiserver-shapes from k8s.io/apimachinery v0.36.3. Do not edit.")
	numbers := []string{"0", "1", "5", "10", "100", "999", "1000", "1023", "1024", "1500", "1536", "2048", "4096", "1000000", "1048576",
		"123456789", "9223372036854775807", "9223372036854775808", "0.1", "0.5", "1.5", "0.001", "0.0001", "0.0000000001", "2.25", "1.0", "00012", ".5", "5.",
		"-1", "-1.5", "+3", "-1024", "-0.1", "1.23456789012345"}
	suffixes := []string{"", "n", "u", "m", "k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "e3", "E6", "e-3", "e0", "e1", "e2", "K", "Kib", "x"}
	for _, n := range numbers {
		for _, s := range suffixes {
			q, err := resource.ParseQuantity(n + s)
			if err != nil {
				fmt.Println(n+s, "-")
				continue
			}
			fmt.Println(n+s, q.String())
		}
	}
	for _, odd := range []string{"abc", "1 ", "--1", "1..5", "Mi", "1e", "e3", "."} {
		if q, err := resource.ParseQuantity(odd); err == nil {
			fmt.Printf("%q %s\n", odd, q.String())
		}
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "quantities" {
		quantities()
		return
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, networkingv1.AddToScheme,
		rbacv1.AddToScheme, policyv1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme,
		storagev1.AddToScheme, coordinationv1.AddToScheme, schedulingv1.AddToScheme, discoveryv1.AddToScheme,
		eventsv1.AddToScheme, admissionregistrationv1.AddToScheme, certificatesv1.AddToScheme, nodev1.AddToScheme,
		authenticationv1.AddToScheme, authorizationv1.AddToScheme, apiextensionsv1.AddToScheme,
		apiregistrationv1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, "# Written by tools/oracle-apiserver-shapes from k8s.io/api v0.36.3. Do not edit.")
	var kinds []string
	for gvk, t := range scheme.AllKnownTypes() {
		if strings.HasSuffix(gvk.Kind, "List") || strings.HasSuffix(gvk.Kind, "Options") || gvk.Kind == "WatchEvent" || gvk.Version == runtime.APIVersionInternal {
			continue
		}
		if strings.Contains(t.PkgPath(), "apis/meta/") {
			continue
		}
		if _, ok := t.FieldByName("ObjectMeta"); !ok {
			continue
		}
		if gvk.GroupVersion() == (schema.GroupVersion{Version: "v1"}) && gvk.Kind == "SerializedReference" {
			continue
		}
		visit(t)
		kinds = append(kinds, fmt.Sprintf("kind %s %s %s", gvk.GroupVersion(), gvk.Kind, name(t)))
	}
	sort.Strings(kinds)
	for _, kind := range kinds {
		fmt.Fprintln(out, kind)
	}
	var names []string
	for n := range structs {
		names = append(names, n)
	}
	sort.Strings(names)
	for _, n := range names {
		fmt.Fprintln(out, "struct "+n)
		for _, f := range structs[n] {
			fmt.Fprintln(out, " "+f)
		}
	}
}
