// Prints the protobuf form of every built-in Kubernetes kind: the number, JSON name and type of each field of
// each struct, as the embedded API needs them to read what Go clients send.
//
//	go run . > ../../crates/windlass-apiserver/src/protobuf/fields.txt
//
// With `objects` it prints objects of every kind with all their fields, as JSON and as Go's own protobuf of it:
//
//	go run . objects > ../../crates/windlass-apiserver/tests/data/protobuf.jsonl.gz
package main

import (
	"bufio"
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
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
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
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	resourcev1 "k8s.io/api/resource/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

var (
	structs = map[string][]string{}
	scalars = map[reflect.Type]string{
		reflect.TypeFor[resource.Quantity]():                            "quantity",
		reflect.TypeFor[intstr.IntOrString]():                           "intstr",
		reflect.TypeFor[metav1.Time]():                                  "time",
		reflect.TypeFor[metav1.MicroTime]():                             "microtime",
		reflect.TypeFor[metav1.Duration]():                              "duration",
		reflect.TypeFor[metav1.FieldsV1]():                              "raw",
		reflect.TypeFor[runtime.RawExtension]():                         "raw",
		reflect.TypeFor[apiextensionsv1.JSON]():                         "raw",
		reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrBool]():        "schemaorbool",
		reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrArray]():       "schemaorarray",
		reflect.TypeFor[apiextensionsv1.JSONSchemaPropsOrStringArray](): "schemaorstrings",
	}
)

func name(t reflect.Type) string {
	parts := strings.Split(t.PkgPath(), "/")
	return strings.Join(parts[max(0, len(parts)-2):], ".") + "." + t.Name()
}

func typeOf(t reflect.Type) string {
	if s, ok := scalars[t]; ok {
		return s
	}
	switch t.Kind() {
	case reflect.Pointer:
		return "*" + typeOf(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if _, ok := reflect.PointerTo(t).MethodByName("Unmarshal"); ok {
			return "=" + typeOf(t.Elem())
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
		return t.Kind().String()
	}
}

func visit(t reflect.Type) {
	key := name(t)
	if _, seen := structs[key]; seen {
		return
	}
	structs[key] = nil
	var lines []string
	for i := range t.NumField() {
		f := t.Field(i)
		proto := strings.Split(f.Tag.Get("protobuf"), ",")
		if len(proto) < 2 || f.Tag.Get("protobuf") == "-" {
			continue
		}
		tag := strings.Split(f.Tag.Get("json"), ",")
		json := tag[0]
		if json == "" || json == "-" {
			json = "-"
		}
		flags := ""
		for _, option := range tag[1:] {
			if option == "omitempty" || option == "omitzero" {
				flags = "?"
			}
		}
		lines = append(lines, fmt.Sprintf("%s %s%s %s", proto[1], json, flags, typeOf(f.Type)))
	}
	structs[key] = lines
}

// isData tells what is written as an object from what is not.
func isData(gvk schema.GroupVersionKind) bool {
	return gvk.Version != runtime.APIVersionInternal && gvk.Kind != "WatchEvent" && gvk.Kind != "Table" && gvk.Kind != "TableOptions"
}

// known is a scheme of all kinds that are served.
func known() *runtime.Scheme {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		corev1.AddToScheme, appsv1.AddToScheme, batchv1.AddToScheme, networkingv1.AddToScheme,
		rbacv1.AddToScheme, policyv1.AddToScheme, autoscalingv1.AddToScheme, autoscalingv2.AddToScheme,
		storagev1.AddToScheme, coordinationv1.AddToScheme, schedulingv1.AddToScheme, discoveryv1.AddToScheme,
		eventsv1.AddToScheme, admissionregistrationv1.AddToScheme, certificatesv1.AddToScheme, nodev1.AddToScheme,
		authenticationv1.AddToScheme, authorizationv1.AddToScheme, apiextensionsv1.AddToScheme,
		apiregistrationv1.AddToScheme, apidiscoveryv2.AddToScheme, flowcontrolv1.AddToScheme, resourcev1.AddToScheme,
		metav1.AddMetaToScheme,
	} {
		if err := add(scheme); err != nil {
			panic(err)
		}
	}
	return scheme
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "objects" {
		objects(os.Stdout)
		return
	}
	scheme := known()
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	fmt.Fprintln(out, "# Written by tools/oracle-apiserver-protobuf from k8s.io/api v0.36.3. Do not edit.")
	var kinds []string
	for gvk, t := range scheme.AllKnownTypes() {
		if !isData(gvk) {
			continue
		}
		if _, ok := t.FieldByName("TypeMeta"); !ok {
			continue
		}
		visit(t)
		if gvk.Kind == "DeleteOptions" && gvk.Group != "" {
			continue
		}
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
