#!/usr/bin/env python3
"""Prints the questions that are put to Argo CD's own code, a line of JSON each."""

import itertools
import json
import pathlib

import yaml


def ask(question, **fields):
    print(json.dumps({"ask": question, **fields}, sort_keys=True, separators=(",", ":")))


URLS = [
    "", "https://github.com/argoproj/argocd-example-apps", "https://github.com/Argoproj/ArgoCD.git",
    "  https://github.com/a/b.git  ", "https://user:secret@github.com/a/b.git", "https://github.com/a/b.git/",
    "http://example.org:8080/a/b", "git@github.com:a/b.git", "git@github.com:a/b", "ssh://git@github.com/a/b.git",
    "ssh://git@github.com:22/a/b.git", "git@ssh.dev.azure.com:v3/org/project/repo", "user@host:2222/a/b.git",
    "https://dev.azure.com/org/my project/_git/repo", "https://example.org/ä/ö.git", "https://example.org/a%20b",
    "https://example.org/{a,b}/*", "https://*.example.org/*", "https://example.org/a?ref=b", "https://example.org/a#b",
    "oci://registry.example.org/charts", "registry.example.org/charts", "/srv/git/a.git", "file:///srv/git/a.git",
    "https://example.org/**", "*", "https://example.org/a|b", "https://example.org/[a-z]*", "../relative", "a@b@c:d",
    "https://example.org:abc/a", "https://example.org/%zz", "https://example.org/a%20{b}", "git@github.com", "https://git@github.com/a/b", "HTTPS://EXAMPLE.ORG/A.GIT", "https://example.org/a\\b",
]
REPOSITORY_RULES = [
    [], ["*"], ["!*"], ["https://github.com/argoproj/*"], ["https://github.com/**"], ["git@github.com:a/*"],
    ["https://github.com/a/b.git"], ["*", "!https://github.com/a/b"], ["!https://github.com/a/b"],
    ["https://github.com/argoproj/*", "!https://github.com/a/b"], ["https://*.example.org/*"],
    ["https://example.org/{a,b}*"], ["https://example.org/*"], ["ssh://git@github.com/a/?"], ["**"], ["["],
    ["https://example.org/[a-z]*"], ["!["], ["*", "!**"],
]
DESTINATIONS = [
    [], [{"server": "*", "namespace": "*"}], [{"server": "https://kubernetes.default.svc", "namespace": "a"}],
    [{"name": "in-cluster", "namespace": "team-*"}], [{"server": "*", "namespace": "!kube-system"}],
    [{"server": "*", "namespace": "*"}, {"server": "*", "namespace": "!kube-*"}],
    [{"server": "*", "namespace": "*"}, {"server": "!https://prod*", "namespace": "*"}],
    [{"name": "*", "namespace": "*"}, {"name": "!prod", "namespace": "*"}], [{"server": "*"}], [{"namespace": "*"}],
    [{"server": "*", "namespace": "*"}, {"server": "https://prod.example.org", "namespace": "!a"}],
    [{"server": "*", "namespace": "*"}, {"name": "!prod", "namespace": "kube-system"}],
    [{"server": "https://*.example.org", "namespace": "{a,b}"}], [{"server": "[", "namespace": "*"}],
    [{"server": "!https://prod*", "namespace": "!kube-*"}],
]
PLACES = [
    {"server": "https://kubernetes.default.svc", "name": "in-cluster"},
    {"server": "https://prod.example.org", "name": "prod"}, {"server": "https://prod.example.org"},
]
NAMESPACES = ["a", "b", "team-a", "kube-system", ""]
KIND_RULES = [
    {}, {"namespaceResourceWhitelist": []}, {"namespaceResourceWhitelist": [{"group": "*", "kind": "*"}]},
    {"namespaceResourceWhitelist": [{"group": "apps", "kind": "Deploy*"}]},
    {"namespaceResourceBlacklist": [{"group": "", "kind": "Secret"}]},
    {"namespaceResourceWhitelist": [{"group": "*", "kind": "*"}],
     "namespaceResourceBlacklist": [{"group": "[a-c]*", "kind": "?eployment"}]},
    {"clusterResourceWhitelist": [{"group": "*", "kind": "*"}]},
    {"clusterResourceWhitelist": [{"group": "", "kind": "Namespace", "name": "team-*"}]},
    {"clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
     "clusterResourceBlacklist": [{"group": "", "kind": "Namespace", "name": "kube-*"}]},
    {"clusterResourceWhitelist": [{"group": "[", "kind": "*"}]}, {"clusterResourceWhitelist": [{"group": "*", "kind": "["}]},
    {"clusterResourceWhitelist": [{"group": "*.io", "kind": "{A,B}"}]},
]
KINDS = [
    {"group": "apps", "kind": "Deployment", "namespaced": True, "name": "web"},
    {"group": "", "kind": "Secret", "namespaced": True, "name": "key"},
    {"group": "", "kind": "Namespace", "name": "team-a"}, {"group": "", "kind": "Namespace", "name": "kube-system"},
    {"group": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "admin"},
]
NAMESPACE_RULES = [[], ["*"], ["team-*"], ["/^team-[ab]$/"], ["team-a", "other"], ["/team/"], ["["], ["/(/"], ["{team-a,x}"]]


def thing(**metadata):
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", **metadata}}


def annotated(value, **extra):
    return {"annotations": {"argocd.argoproj.io/tracking-id": value, **extra}}


for url in URLS:
    ask("url", url=url)
for rules, url in itertools.product(REPOSITORY_RULES, URLS):
    ask("source", url=url, project={"sourceRepos": rules})
for rules, place, namespace in itertools.product(DESTINATIONS, PLACES, NAMESPACES):
    ask("destination", project={"destinations": rules}, namespace=namespace, **place)
for rules, kind in itertools.product(KIND_RULES, KINDS):
    ask("kind", project=rules, **kind)
for rules, namespace in itertools.product(NAMESPACE_RULES, ["team-a", "team-c", "argocd", "my-team-a"]):
    ask("namespace", project={"sourceNamespaces": rules}, namespace=namespace)

METHODS = ["annotation", "label", "annotation+label"]
OBJECTS = [
    thing(), thing(namespace="shop"), thing(namespace="shop", labels={"a": "b"}, annotations={"c": "d"}),
    thing(annotations={"argocd.argoproj.io/installation-id": "old", "argocd.argoproj.io/tracking-id": "x"}),
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": None}},
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "x-"}},
]
LONG = "a-rather-long-application-name-that-goes-on-and-on-until-it-has-sixty-three-.-and-more"
for method, thing_, instance, id_ in itertools.product(
    METHODS, OBJECTS, ["web", "team_web", LONG, LONG[:61] + "-._" + "x"], ["", "one"]
):
    if not (method == "label" and id_):
        ask("stamp", object=thing_, instance=instance, namespace="target", method=method, id=id_)
MARKS = [
    "web:apps/Deployment:shop/web", "web:/ConfigMap:shop/web", "web", "", "a:b:c", "a:b/c:d/e:f", "a:b/c:d/e/f",
    "a:b/c/d:e/f", ":/:/", "team_web:apps/Deployment:shop/web", "web:apps/Deployment:other/web",
]
for mark, id_, have in itertools.product(MARKS, ["", "one"], [None, "one", "two"]):
    extra = {"argocd.argoproj.io/installation-id": have} if have else {}
    ask("instance", object=thing(namespace="shop", **annotated(mark, **extra)), method="annotation", id=id_)
ask("instance", object=thing(labels={"app.kubernetes.io/instance": "web"}), method="label")
ask("instance", object=thing(labels={"app.kubernetes.io/instance": "web"}), method="annotation")
ask("instance", object=thing(labels={"app.kubernetes.io/instance": "web"}), method="annotation+label")

# Statuses that Windlass raised: read and printed by Argo CD's types.
DATA = pathlib.Path(__file__).parent / "../../crates/windlass-argo/tests/data"
for path in sorted(DATA.glob("raise/*.yaml")):
    ask("roundtrip", application={"status": yaml.safe_load(path.read_text())})


def tree():
    """The fields of an Application by name, from their recorded paths."""
    root = {}
    for line in (DATA / "application.fields").read_text().splitlines():
        path, kind, *more = line.split()
        if line.startswith("#") or path == ".":
            continue
        here, steps = root, path.replace("[]", ".[]").replace("{}", ".{}").split(".")[1:]
        for step in steps[:-1]:
            here = here[step][2]
        here[steps[-1]] = (kind, more, {})
    return root


def example(node, full):
    """A value for a field: everything set, or only objects and lists that hold nothing but what must be there."""
    kind, more, members = node
    if "[]" in members:
        return [example(members["[]"], full)]
    if "{}" in members:
        return {"key": example(members["{}"], full)} if full else {}
    if members:
        return {
            name: example(member, full)
            for name, member in members.items()
            if full or member[2] or "required" in member[1] or member[0] == "array"
        }
    if "format=" + json.dumps("date-time") in more:
        return "2026-01-01T00:00:00Z"
    if any(detail.startswith("enum=") for detail in more):
        return "Failed"
    scalar = {"string": "text", "integer": 7, "boolean": True, "-": 3, "object": {"a": {"b": 1}}, "array": []}
    return scalar[kind]


FIELDS = tree()
for full in [True, False]:
    ask("roundtrip", application={part: example(FIELDS[part], full) for part in ["spec", "status", "operation"]})
