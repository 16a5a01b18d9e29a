#!/usr/bin/env python3
"""Prints questions about config management plugins, a line each."""
import json


def ask(kind, **fields):
    print(json.dumps({"ask": kind, **fields}, ensure_ascii=False, sort_keys=True))


BUILD = ["ARGOCD_APP_NAME=web", "ARGOCD_APP_NAMESPACE=shop", "KUBE_VERSION=1.36.3", "KUBE_API_VERSIONS=v1,apps/v1"]


def environment(env=(), parameters=None, **more):
    plugin = {"env": [{"name": name, "value": value} for name, value in env]}
    if parameters is not None:
        plugin["parameters"] = parameters
    ask("environment", build=BUILD, plugin={**plugin, **more})


environment()
environment([("A", "1"), ("B", "$ARGOCD_APP_NAME-$KUBE_VERSION"), ("C", "$$A ${UNKNOWN}x"), ("D", "$ARGOCD_ENV_A")])
environment([("A=B", "c"), ("", "x"), ("lower-case.é", "y"), ("A", "1"), ("A", "2")])
environment(parameters=[])
names = ["simple", "values-files", "a.b/c", "UPPER_1", "9", "é", "straße", "ſ", "ıi", "a b", "", "日本", "x=y", "ŉ", "ǆ"]
environment(parameters=[{"name": name, "string": "v"} for name in names])
environment(parameters=[{"name": "m", "map": {name: name for name in names}}])
environment(parameters=[{"name": "list", "array": ["a", "", "b=c", "<&>", "\u2028", "é"]}])
environment(parameters=[{"name": "empty-list", "array": []}, {"name": "empty-map", "map": {}}, {"name": "none"}])
environment(parameters=[{"name": "all", "string": "s\n\"x\"", "array": ["1"], "map": {"k": "v", "a": "b"}}])
environment(parameters=[{"name": "a", "string": "1"}, {"name": "A", "string": "2"}, {"name": "a-", "string": ""}])
environment(parameters=[{"string": "nameless"}], name="x")

PLUGIN = "apiVersion: argoproj.io/v1alpha1\nkind: ConfigManagementPlugin\nmetadata:\n  name: {name}\nspec:\n{spec}"
GENERATE = "  generate: {command: [cat, out]}\n"


def definition(spec="", name="p"):
    return PLUGIN.format(name=name, spec=spec + ("" if "generate" in spec else GENERATE))


for text in [
    definition(),
    definition("  version: v1.0\n"),
    definition("  version: ''\n"),
    definition(name="''"),
    definition(name="a/b"),
    definition().replace("ConfigManagementPlugin", "Other"),
    definition().replace("kind: ConfigManagementPlugin\n", ""),
    definition().replace("argoproj.io/v1alpha1", "v1"),
    definition("  generate: {command: []}\n"),
    definition("  generate: {args: [a]}\n"),
    definition("  generate: {}\n"),
    definition("  generate: {command: sh}\n"),
    definition("  version: 1\n"),
    definition("  version: true\n"),
    definition("  discover: {find: {glob: 1}}\n"),
    definition("  discover: x\n"),
    definition("  preserveFileMode: 'true'\n"),
    definition("  surprise: 1\n"),
    definition("  init: null\n"),
    "kind: [",
    "",
    "a: b",
    "[]",
]:
    ask("config", definition=text)

FILES = [
    "app/Gen.yaml", "app/sub/deep/x.gen", "app/sub/y.txt", "app/.hidden/z", "app/a.b", "app/[x]", "app/{a}", "app/a,b",
    "app/env/prod/values.yaml", "app/env/dev/values.yml", "app/ä.yaml", "app/A.YAML", "app/a b.txt", "beside/Gen.yaml", "top.gen",
    "app/!(x)", "app/ba", "app/ca", "app/x^y",
]
FILES = {name: "" for name in FILES}


def discover(folder="app", **fields):
    spec = "  discover: " + json.dumps(fields, ensure_ascii=False) + "\n"
    ask("discover", definition=definition(spec), files=FILES, folder=folder, env=["WHO", "me"])


for name in [
    "Gen.yaml", "gen.yaml", "./Gen.yaml", "*.yaml", "*.yml", "sub", "sub/", "sub/*", "sub/*/x.gen", "**/x.gen", "*/*/x.gen", "?.b",
    "[a-b].b", "[^b].b", "[!b].b", "\\[x\\]", "[x]", "[", "*[", "x[", "{a}", ".hidden/z", "*/z", "../top.gen", "../beside/*.yaml", "../../x",
    "../../*", "ä.yaml", "?.yaml", "a b.txt", "/Gen.yaml", "sub//y.txt", "sub/../Gen.yaml", "Gen.yaml/", "Gen.yaml/*", "none/*",
    "sub/y.txt/..", "*/", "*", "[]a]", "a[", "\\", "x\\^y", "",
]:
    discover(fileName=name)
for glob in [
    "**/x.gen", "**/*.gen", "**/*.yaml", "**/*.none", "*.yaml", "*.YAML", "**", "**/", "*", "sub/**", "sub/**/*.gen", "**/deep", "**/deep/*",
    "Gen.yaml", "none", "G?n.yaml", "?en.yaml", "[G]en.yaml", "*[G]en.yaml", "*en.ya[lm]l", "*.ya[!x]l", "*.ya[^x]l", "{Gen,none}.yaml", "*.{yaml,yml}",
    "**/values.{yaml,yml}", "**/values.{yml}", "{a}", "{}", "{,}", "*{", "{env,sub}/**/values.yaml", "e*/prod/*", "e*/*", "**/prod/values.yaml",
    ".*/z", "**/z", "*.b", "a*b", "**/a,b", "*\\[x\\]", "**/[[]x]", "a b.t*", "ä.*", "**/ä.yaml", "../*.gen", "../**/*.gen", "../beside/*.yaml",
    "../../**", "./*.yaml", "/*.yaml", "sub/*/*.gen", "sub//**/x.gen", "**/../*.yaml", "***/x.gen", "**x.gen", "**.gen", "*/**", "**/**/x.gen",
    "!(x)*", "*!(G)", "[ab]*", "[b-c]a*", "*[b-c]a", "{b,c}a", "*[", "*[a", "none/*", "Gen.yaml/*", "$HOME/*", "~/*", "**/x^y", "*^y", "sub*", "sub*/y.txt",
    "*/deep/**", "{sub}/y.txt", "{sub/y,x}.txt", "**/{x,y}.*", "", "*/", "sub/*/",
]:
    discover(find={"glob": glob})
for folder in ["", ".", "app/sub", "beside", "none"]:
    discover(folder, fileName="*.yaml")
    discover(folder, find={"glob": "**/*.gen"})
    discover(folder, find={"glob": "*"})
for command in [
    ["true"], ["echo"], ["echo", "x"], ["printf", "\\n"], ["printf", "\\n\\n"], ["printf", " "], ["false"], ["sh", "-c", "echo x; exit 1"],
    ["sh", "-c", "ls Gen.yaml"], ["sh", "-c", "ls none"], ["sh", "-c", "echo $WHO"], ["sh", "-c", "echo only >&2"], ["./none"],
]:
    discover(find={"command": command})
discover(find={"command": ["echo"], "args": ["x"]})
discover(fileName="none", find={"glob": "*", "command": ["echo", "x"]})
discover(find={"glob": "none*", "command": ["echo", "x"]})
discover()


def generate(out, spec="", **more):
    ask("generate", definition=definition(spec), files={"app/out": out, "app/x.txt": "in"}, folder="app", env=["A", "b c"], **more)


MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\n"
for out in [
    MAP % "a", MAP % "a" + "---\n" + MAP % "b", "---\n---\n" + MAP % "a" + "---\n", "", "\n", "null", "---\nnull\n---\n" + MAP % "a", "# only\n",
    "garbage", "garbage: {", MAP % "a" + "---\ngarbage: [\n", MAP % "a" + "---\nplain text\n", '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}',
    '{"apiVersion":"v1","kind":"A","metadata":{"name":"a"}}\n{"apiVersion":"v1","kind":"B","metadata":{"name":"b"}}', '{"a": 1', "[]", "- a\n", "1\n", "a: b\n",
    "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: A, metadata: {name: a}}\n", "apiVersion: v1\nkind: A\n", "kind: A\nmetadata: {name: x}\n",
    "apiVersion: v1\nmetadata: {name: x}\n", MAP % "a" + "data: {n: 0777, y: yes, f: 1e3}\n", "apiVersion: v1\nkind: A\nmetadata: {name: a}\nmetadata: {name: b}\n", "\tx",
]:
    generate(out)
for command in [
    ["sh", "-c", "echo 'apiVersion: v1'; echo 'kind: A'; printf 'metadata: {name: %s}' \"$A\""],
    ["sh", "-c", "cat x.txt >&2; exit 3"], ["false"], ["no-such-program"], ["sh", "-c", "echo out; echo '  words  ' >&2; exit 1"],
]:
    generate("", "  generate: {command: %s}\n" % json.dumps(command))
generate("", "  init: {command: [sh, -c, 'echo noise; cp x.txt made']}\n  generate: {command: [sh, -c, 'printf \"apiVersion: v1\\nkind: A\\nmetadata: {name: %s}\" $(cat made)']}\n")
generate(MAP % "a", "  init: {command: [sh, -c, 'echo no >&2; exit 2']}\n")
generate(MAP % "a", "  init: {args: [x]}\n")
generate("", "  generate: {command: [sh, -c], args: ['cat out']}\n")


def announce(spec, **more):
    ask("announce", definition=definition(spec), env=["A", "x"], **more)


STATIC = "    static:\n    - {name: image, title: Image, required: true, string: web}\n    - {name: files, collectionType: array, array: [a]}\n"
announce("")
announce("  parameters:\n" + STATIC)
for text in ["[]", '[{"name": "found", "map": {"a": "b"}}]', "null", "", "{}", "[1]", "not json", '[{"name": 1}]', '[{"name": "x", "other": 1}]']:
    announce("  parameters:\n" + STATIC + "    dynamic: {command: [printf, %s]}\n" % json.dumps(text.replace("%", "%%")))
announce("  parameters:\n    dynamic: {command: [sh, -c, 'echo no >&2; exit 1']}\n")
