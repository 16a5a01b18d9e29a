#!/usr/bin/env python3
"""Records what a real kube-apiserver answers; the tests of this crate compare with its answers.

Usage: record.py SERVER TOKEN defaults|updates|validation|tables|conversions

SERVER is a throw-away kube-apiserver (nothing else running against its etcd, the plugins ServiceAccount
and TaintNodesByCondition disabled). One JSON document per line is written beside the manifests.
"""
import copy, json, pathlib, ssl, sys, time, urllib.error, urllib.request
import yaml

SERVER, TOKEN, TOPIC = sys.argv[1:4]
HERE = pathlib.Path(__file__).parent
CONTEXT = ssl._create_unverified_context()


class Loader(yaml.SafeLoader):
    """YAML with timestamps left as strings, as Kubernetes reads them."""


Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in entries if tag != "tag:yaml.org,2002:timestamp"]
    for key, entries in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def call(method, path, body=None, accept="application/json", content="application/json"):
    request = urllib.request.Request(
        SERVER + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + TOKEN, "Accept": accept, "Content-Type": content},
    )
    try:
        with urllib.request.urlopen(request, context=CONTEXT) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


RESOURCES = {}


def resource(api_version, kind):
    if api_version not in RESOURCES:
        base = "/api/" if "/" not in api_version else "/apis/"
        _, listed = call("GET", base + api_version)
        RESOURCES[api_version] = (base + api_version, {
            r["kind"]: r for r in listed.get("resources", []) if "/" not in r["name"]})
    base, kinds = RESOURCES[api_version]
    return base, kinds[kind]


def collection(api_version, kind, namespace):
    base, found = resource(api_version, kind)
    return base + (f"/namespaces/{namespace}" if found["namespaced"] else "") + "/" + found["name"]


def scrub(answer):
    answer = copy.deepcopy(answer)
    metadata = answer.get("metadata", {})
    uid = metadata.get("uid")
    for field in ("managedFields", "creationTimestamp", "resourceVersion", "uid"):
        metadata.pop(field, None)
    text = json.dumps(answer)
    return json.loads(text.replace(uid, "UID") if uid else text)


def manifests(name):
    text = (HERE / name).read_text().replace("NAMESPACE", "rec-" + TOPIC)
    return list(yaml.load_all(text, Loader=Loader))


def write(name, lines):
    with open(HERE / name, "w") as out:
        for line in lines:
            out.write(json.dumps(line, sort_keys=True) + "\n")
    print(len(lines), "recorded in", name)


namespace = "rec-" + TOPIC
call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
_, version = call("GET", "/version")
header = {"server": "kube-apiserver " + version["gitVersion"]}

if TOPIC == "defaults":
    lines = [header]
    for manifest in manifests("defaults/manifests.yaml"):
        path = collection(manifest["apiVersion"], manifest["kind"], namespace)
        status, answer = call("POST", path, manifest)
        if status != 201:
            sys.exit(f"{manifest['kind']} {manifest['metadata']['name']}: {answer.get('message')}")
        status, answer = call("GET", path + "/" + manifest["metadata"]["name"])
        lines.append({"input": manifest, "output": scrub(answer)})
    write("defaults/recorded.jsonl", lines)

if TOPIC == "validation":
    lines = [header]
    for case in manifests("validation/manifests.yaml"):
        # An update is a pair: `create` must be accepted, then `update` is put in its place.
        first = case.get("create", case)
        path = collection(first["apiVersion"], first["kind"], namespace)
        if "update" in case:
            status, answer = call("POST", path, first)
            if status != 201:
                sys.exit(f"{first['kind']} {first['metadata']['name']}: {answer.get('message')}")
            path += "/" + answer["metadata"]["name"]
            if "status" in case:
                answer["status"] = case["status"]
                call("PUT", path + "/status", answer)
            new = case["update"]
            line = {"old": scrub(answer), "new": new}
            status, answer = call("PUT", path, new)
            call("DELETE", path + "?propagationPolicy=Background&gracePeriodSeconds=0")
        else:
            line = {"new": first}
            status, answer = call("POST", path + "?fieldValidation=Strict", first)
            if status < 300:
                call("DELETE", path + "/" + answer["metadata"]["name"] + "?propagationPolicy=Background&gracePeriodSeconds=0")
        line["code"] = status
        if status >= 300:
            line["status"] = answer
        else:
            print("accepted:", json.dumps(case))
        lines.append(line)
    write("validation/recorded.jsonl", lines)

if TOPIC == "updates":
    lines = [header]
    for case in manifests("updates/manifests.yaml"):
        first, new = case["create"], case["update"]
        path = collection(first["apiVersion"], first["kind"], namespace)
        status, answer = call("POST", path, first)
        if status != 201:
            sys.exit(f"{first['kind']} {first['metadata']['name']}: {answer.get('message')}")
        path += "/" + answer["metadata"]["name"]
        if "status" in case:
            answer["status"] = case["status"]
            call("PUT", path + "/status", answer)
            _, answer = call("GET", path)
        old = scrub(answer)
        # Some kinds take no update without a resource version.
        sent = copy.deepcopy(new)
        sent["metadata"]["resourceVersion"] = answer["metadata"]["resourceVersion"]
        status, answer = call("PUT", path, sent)
        if status != 200:
            sys.exit(f"{first['kind']} {first['metadata']['name']}: {answer.get('message')}")
        lines.append({"old": old, "input": new, "output": scrub(answer)})
    write("updates/recorded.jsonl", lines)

if TOPIC == "tables":
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    columns = {}
    groups = [("v1", "/api/v1")]
    _, listed = call("GET", "/apis")
    groups += [(v["groupVersion"], "/apis/" + v["groupVersion"]) for g in listed["groups"] for v in g["versions"]]
    lines = [header]
    for manifest in manifests("tables/manifests.yaml"):
        path = collection(manifest["apiVersion"], manifest["kind"], namespace)
        status, answer = call("POST", path, manifest)
        if status != 201:
            sys.exit(f"{manifest['kind']} {manifest['metadata']['name']}: {answer.get('message')}")
        path += "/" + manifest["metadata"]["name"]
        if "status" in manifest:
            answer["status"] = manifest["status"]
            status, answer = call("PUT", path + "/status", answer)
            if status != 200:
                sys.exit(f"{manifest['kind']} {manifest['metadata']['name']}: {answer.get('message')}")
        if "deleted" in manifest.get("metadata", {}).get("labels", {}):
            call("DELETE", path + "?propagationPolicy=Background&gracePeriodSeconds=0")
        while True:
            now = int(time.time())
            _, answer = call("GET", path)
            _, rows = call("GET", path + "?includeObject=None", accept=table)
            if int(time.time()) == now:
                break
        answer["metadata"].pop("managedFields", None)
        lines.append({"now": now, "object": answer, "cells": rows["rows"][0]["cells"],
                      "conditions": rows["rows"][0].get("conditions")})
    for group_version, base in groups:
        _, listed = call("GET", base)
        for r in listed["resources"]:
            if "/" in r["name"] or "list" not in r["verbs"]:
                continue
            status, rows = call("GET", base + "/" + r["name"] + "?limit=1", accept=table)
            if status == 200 and rows["kind"] == "Table":
                columns[group_version + " " + r["kind"]] = rows["columnDefinitions"]
    write("tables/recorded.jsonl", lines)
    columns = {k: v for k, v in columns.items() if k.split("/")[0] not in ("resource.k8s.io", "flowcontrol.apiserver.k8s.io")}
    (HERE.parent.parent / "src/tables/columns.json").write_text(json.dumps(columns, indent=0, sort_keys=True) + "\n")

if TOPIC == "conversions":
    # Each object is created in one version or group and read in that and another.
    hpas = "horizontalpodautoscalers"
    one, two = "/apis/autoscaling/v1", "/apis/autoscaling/v2"
    core, events = "/api/v1", "/apis/events.k8s.io/v1"
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    regarding = {"kind": "Pod", "name": "p", "namespace": namespace}
    metrics = [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
        {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "500Mi"}}},
        {"type": "Pods", "pods": {"metric": {"name": "rps"}, "target": {"type": "AverageValue", "averageValue": "1k"}}},
    ]
    measured = {
        "currentReplicas": 1, "desiredReplicas": 2,
        "currentMetrics": [{"type": "Resource", "resource": {
            "name": "cpu", "current": {"averageUtilization": 12, "averageValue": "10m"}}}],
        "conditions": [{"type": "AbleToScale", "status": "True", "reason": "R", "message": "m",
                        "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }
    cases = [
        (two, one, hpas, {"metadata": {"name": "a"}, "spec": {"maxReplicas": 3, "scaleTargetRef": target}}),
        (two, one, hpas, {"metadata": {"name": "b"}, "status": measured, "spec": {
            "minReplicas": 2, "maxReplicas": 3, "scaleTargetRef": target, "metrics": metrics,
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}}),
        (one, two, hpas, {"metadata": {"name": "c"}, "spec": {
            "maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 70}}),
        (core, events, "events", {
            "metadata": {"name": "e"}, "involvedObject": regarding, "reason": "R", "message": "m", "type": "Normal",
            "source": {"component": "c", "host": "h"}, "firstTimestamp": "2026-01-01T00:00:00Z",
            "lastTimestamp": "2026-01-01T00:00:01Z", "count": 2}),
        (events, core, "events", {
            "metadata": {"name": "f"}, "regarding": regarding, "reason": "R", "note": "m", "type": "Normal",
            "action": "A", "reportingController": "example.com/c", "reportingInstance": "i",
            "eventTime": "2026-01-01T00:00:00.000000Z"}),
    ]
    lines = [header]
    for made, other, plural, manifest in cases:
        path = f"/namespaces/{namespace}/{plural}"
        status, answer = call("POST", made + path, manifest)
        if status != 201:
            sys.exit(answer.get("message"))
        path += "/" + manifest["metadata"]["name"]
        if "status" in manifest:
            answer["status"] = manifest["status"]
            call("PUT", made + path + "/status", answer)
        lines.append({"from": scrub(call("GET", made + path)[1]), "to": scrub(call("GET", other + path)[1])})
    write("conversions.jsonl", lines)
