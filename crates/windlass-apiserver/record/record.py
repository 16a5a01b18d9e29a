#!/usr/bin/env python3
"""Records what a real kube-apiserver says of itself into assets/kubernetes-<version>.bin.

Usage: record.py URL TOKEN

URL is a freshly started kube-apiserver with no custom resource definitions, TOKEN one of its
administrator's bearer tokens. The asset holds, each deflated on its own so that a reader inflates
only what it needs:

  version                 GET /version
  discovery/api, /apis    the aggregated discovery documents (apidiscovery.k8s.io/v2)
  storage-version-hashes  {"group/version/resource": hash}, which only legacy discovery tells
  openapi/v2              GET /openapi/v2
  paths/<group version>   of each OpenAPI v3 document everything but components.schemas
  descriptions            components.schemas of all OpenAPI v3 documents, merged
  schemas                 the same without descriptions: what validation and merging need

Layout: u32 little endian length of the header; the header, deflated JSON
{"version", "documents": [[name, offset, length, inflated length]]}; the documents, offsets from the
end of the header.
"""
import json, ssl, struct, sys, urllib.request, zlib, pathlib

url, token = sys.argv[1].rstrip('/'), sys.argv[2]
context = ssl._create_unverified_context()
AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'


def get(path, accept='application/json'):
    request = urllib.request.Request(url + path, headers={'Authorization': 'Bearer ' + token, 'Accept': accept})
    with urllib.request.urlopen(request, context=context) as response:
        return json.load(response)


def stripped(node):
    """The node without descriptions, keeping properties that are called description."""
    if isinstance(node, list):
        return [stripped(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key == 'description' and isinstance(value, str):
            continue
        if key == 'properties':
            out[key] = {name: stripped(schema) for name, schema in value.items()}
        else:
            out[key] = stripped(value)
    return out


documents = {}
version = get('/version')
documents['version'] = version
hashes = {}
for name in ('api', 'apis'):
    found = get('/' + name, AGGREGATED)
    documents['discovery/' + name] = found
    for group in found['items']:
        group_name = group['metadata'].get('name', '')
        for group_version in group['versions']:
            path = f'/apis/{group_name}/' if group_name else '/api/'
            for resource in get(path + group_version['version'])['resources']:
                if resource.get('storageVersionHash'):
                    hashes[f"{group_name}/{group_version['version']}/{resource['name']}"] = resource['storageVersionHash']
documents['storage-version-hashes'] = hashes
documents['openapi/v2'] = get('/openapi/v2')
schemas = {}
for path, entry in get('/openapi/v3')['paths'].items():
    document = get(entry['serverRelativeURL'])
    for name, schema in (document.get('components') or {}).pop('schemas', {}).items():
        # DeleteOptions and WatchEvent list other kinds in each document; the longest list is kept.
        if len(json.dumps(schemas.setdefault(name, schema))) < len(json.dumps(schema)):
            schemas[name] = schema
    documents['paths/' + path] = document
documents['descriptions'] = schemas
documents['schemas'] = {name: stripped(schema) for name, schema in schemas.items()}

index, body = [], b''
for name, document in documents.items():
    raw = json.dumps(document, separators=(',', ':')).encode()
    packed = zlib.compress(raw, 9)
    index.append([name, len(body), len(packed), len(raw)])
    body += packed
    print(f'{name:60} {len(raw):9} {len(packed):9}', file=sys.stderr)
header = zlib.compress(json.dumps({'version': version['gitVersion'], 'documents': index}).encode(), 9)
target = pathlib.Path(__file__).parent.parent / 'assets' / f"kubernetes-{version['gitVersion'].lstrip('v')}.bin"
target.write_bytes(struct.pack('<I', len(header)) + header + body)
print(target.name, target.stat().st_size, file=sys.stderr)
