#!/usr/bin/env python3
"""Records what kube-apiserver answers to custom resources that break their schema.

Usage: custom.py URL TOKEN

Creates the definition of tests/data/custom-definition.json (and deletes it again), sends each spec below as
a server-side dry run with strict field validation, and writes requests and answers to
tests/data/custom-answers.json.
"""
import json, pathlib, ssl, sys, time, urllib.error, urllib.request

url, token = sys.argv[1].rstrip('/'), sys.argv[2]
context = ssl._create_unverified_context()
data = pathlib.Path(__file__).parent.parent / 'tests' / 'data'


def call(method, path, body=None):
    request = urllib.request.Request(url + path, method=method, data=json.dumps(body).encode() if body else None,
                                     headers={'Authorization': 'Bearer ' + token, 'Content-Type': 'application/json'})
    try:
        with urllib.request.urlopen(request, context=context) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        return json.load(error)


SPECS = [
    {}, None, 'text', {'size': 'small'}, {'size': 'medium'}, {'size': 3}, {'size': None},
    {'size': 'small', 'replicas': 0}, {'size': 'small', 'replicas': 11}, {'size': 'small', 'replicas': '3'},
    {'size': 'small', 'replicas': 1.5}, {'size': 'small', 'replicas': None}, {'size': 'small', 'replicas': True},
    {'size': 'small', 'name': 'A'}, {'size': 'small', 'name': 'toolong'}, {'size': 'small', 'name': 'ok'},
    {'size': 'small', 'list': []}, {'size': 'small', 'list': ['a', 'b', 'c']}, {'size': 'small', 'list': ['a', 1]},
    {'size': 'small', 'list': 'a'}, {'size': 'small', 'list': [None]}, {'size': 'small', 'set': ['a', 'a', 'b', 'b']},
    {'size': 'small', 'ports': [{'port': 1}, {'port': 1}]}, {'size': 'small', 'ports': [{'name': 'x'}]},
    {'size': 'small', 'ports': [{'port': 1}, {'port': 2, 'name': 'y', 'junk': 1}]},
    {'size': 'small', 'labels': {'a': 'b', 'c': 'd'}}, {'size': 'small', 'labels': {'a': 1}},
    {'size': 'small', 'labels': []}, {'size': 'small', 'any': {'x': {'y': [1, {'z': None}]}}},
    {'size': 'small', 'ios': 5}, {'size': 'small', 'ios': 'five'}, {'size': 'small', 'ios': 1.5},
    {'size': 'small', 'flag': 'yes'}, {'size': 'small', 'num': 0}, {'size': 'small', 'num': 0.7},
    {'size': 'small', 'num': 1.5}, {'size': 'small', 'when': 'yesterday'}, {'size': 'small', 'when': '2026-01-02T03:04:05Z'},
    {'size': 'small', 'nul': None}, {'size': 'small', 'flag': None}, {'size': 'small', 'one': {}},
    {'size': 'small', 'one': {'a': 'x', 'b': 'y'}}, {'size': 'small', 'one': {'a': 'x'}},
    {'size': 'small', 'i32': 3000000000}, {'size': 'small', 'unknown': 1, 'other': {'deep': 2}},
    {'size': 'tiny', 'replicas': 99, 'name': '1', 'list': []}, [], {'size': ['small']}, {'size': {'a': 1}},
    {'size': 'small', 'ports': [5]}, {'size': 'small', 'ports': {'port': 1}}, {'size': 'small', 'i32': 1e3},
    {'size': 'small', 'min': 'x', 'pat': 'y'}, {'size': 'small', 'all': 'abc'}, {'size': 'small', 'any2': True},
    {'size': 'small', 'not': 'x'}, {'size': 'small', 'uri': 'not a uri'}, {'size': 'small', 'ip': '1.2.3'},
    {'size': 'small', 'ip': '1.2.3.4'}, {'size': 'small', 'date': '2026-13-01'}, {'size': 'small', 'dur': '1x'},
    {'size': 'small', 'dur': '1h30m'}, {'size': 'small', 'uuid': 'abc'}, {'size': 'small', 'bytes': '???'},
    {'size': 'small', 'enumnum': 3}, {'size': 'small', 'props': {}},
]
definition = json.loads((data / 'custom-definition.json').read_text())
name = definition['metadata']['name']
call('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/' + name)
time.sleep(2)
answer = call('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', definition)
assert answer['kind'] == 'CustomResourceDefinition', answer
path = '/apis/example.com/v1/namespaces/default/widgets'
for _ in range(100):
    time.sleep(0.1)
    if call('GET', path).get('kind') == 'WidgetList':
        break
cases = []
for spec in SPECS:
    for validation in ('Strict', 'Ignore'):
        body = {'apiVersion': 'example.com/v1', 'kind': 'Widget', 'metadata': {'name': 'w'}, 'spec': spec}
        answer = call('POST', f'{path}?dryRun=All&fieldValidation={validation}', body)
        if answer['kind'] == 'Widget':
            answer = {'spec': answer['spec']}
        cases.append({'spec': spec, 'validation': validation, 'answer': answer})
call('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/' + name)
version = call('GET', '/version')['gitVersion']
(data / 'custom-answers.json').write_text('{"version": %s, "cases": [\n' % json.dumps(version)
    + ',\n'.join(json.dumps(case) for case in cases) + '\n]}\n')
print(len(cases), 'answers recorded from', version)
