// Answers which sync phases annotations name, and when a hook is deleted, with gitops-engine's own functions.
// ../README.md says how it is built and what its answers are for.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync/common"
	"github.com/argoproj/argo-cd/gitops-engine/v3/pkg/sync/hook"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const (
	own             = "argocd.argoproj.io/hook"
	foreign         = "helm.sh/hook"
	ownDeletion     = "argocd.argoproj.io/hook-delete-policy"
	foreignDeletion = "helm.sh/hook-delete-policy"
)

func answer(annotations map[string]string) string {
	object := &unstructured.Unstructured{Object: map[string]any{}}
	object.SetAnnotations(annotations)
	if hook.Skip(object) {
		return "skipped"
	}
	if !hook.IsHook(object) {
		return "member"
	}
	types := hook.Types(object)
	var phases []string
	for _, phase := range []common.HookType{common.HookTypePreSync, common.HookTypeSync, common.HookTypePostSync, common.HookTypeSyncFail} {
		if slices.Contains(types, phase) {
			phases = append(phases, string(phase))
		}
	}
	policies := map[string]bool{}
	for _, policy := range hook.DeletePolicies(object) {
		policies[string(policy)] = true
	}
	var said []string
	for _, name := range []string{"BeforeHookCreation", "HookFailed", "HookSucceeded"} {
		if policies[name] {
			said = append(said, name)
		}
	}
	return fmt.Sprintf("hook %s delete %s", strings.Join(phases, ","), strings.Join(said, ","))
}

func main() {
	out := json.NewEncoder(os.Stdout)
	ask := func(annotations map[string]string) {
		_ = out.Encode(map[string]any{"annotations": annotations, "answer": answer(annotations)})
	}
	owns := []string{"-", "", "PreSync", "Sync", "PostSync", "SyncFail", "Skip", "PreSync,PostSync", " PostSync , PreSync ", "Skip,PreSync", "Sync,Sync", "presync", "Garbage", "Garbage,Sync", "PreDelete", "PostDelete", "PreSync,PreDelete", ",", "PreSync PostSync"}
	foreigns := []string{"-", "", "pre-install", "pre-upgrade", "post-install", "post-upgrade", "pre-install,post-upgrade", "pre-upgrade, pre-install", "crd-install", "crd-install,pre-install", "test", "test-success", "pre-rollback", "pre-delete", "post-delete", "pre-delete,pre-install", "Pre-Install"}
	for _, o := range owns {
		for _, f := range foreigns {
			annotations := map[string]string{}
			if o != "-" {
				annotations[own] = o
			}
			if f != "-" {
				annotations[foreign] = f
			}
			ask(annotations)
		}
	}
	for _, o := range []string{"-", "", "HookSucceeded", "HookFailed", "BeforeHookCreation", "HookSucceeded,HookFailed", " HookFailed , BeforeHookCreation", "hookSucceeded", "garbage"} {
		for _, f := range []string{"-", "", "hook-succeeded", "hook-failed", "before-hook-creation", "hook-succeeded,before-hook-creation", "hook-failed, hook-succeeded", "HookSucceeded"} {
			annotations := map[string]string{own: "PreSync"}
			if o != "-" {
				annotations[ownDeletion] = o
			}
			if f != "-" {
				annotations[foreignDeletion] = f
			}
			ask(annotations)
		}
	}
}
