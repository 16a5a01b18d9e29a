package main

//go:generate sh -c "go run . > ../../crates/windlass-render/tests/data/jsonnet.jsonl"

// one is a program of one file.
func one(text string) request {
	return request{File: "app/main.jsonnet", Files: map[string]string{"app/main.jsonnet": text}}
}

func with(asked request, files map[string]string) request {
	for name, text := range files {
		asked.Files[name] = text
	}
	return asked
}

func given(asked request, ext, tla []variable, libs ...string) request {
	asked.Ext, asked.Tla, asked.Libs = ext, tla, libs
	return asked
}

var cases = []request{
	one(`{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'a'}, data: {n: '%05.1f' % 3.14159}}`),
	one(`[{kind: k} for k in ['A', 'B']]`),
	one(`function(name='x', n=1) {name: name, n: n + 1}`),
	given(one(`function(name='x', n=1) {name: name, n: n + 1}`), nil, []variable{{"name", "y", false}, {"n", "40 + 1", true}}),
	given(one(`function(name) name`), nil, nil),
	given(one(`function(name) name`), nil, []variable{{"other", "y", false}}),
	given(one(`{a: 1}`), nil, []variable{{"ignored", "y", false}}),
	given(one(`std.extVar('a') + std.extVar('b').c`), []variable{{"a", "x", false}, {"b", "{c: 'd'}", true}}, nil),
	given(one(`std.extVar('a')`), []variable{{"a", "first", false}, {"a", "last", false}}, nil),
	given(one(`1`), []variable{{"a", "{", true}}, nil),
	one(`std.extVar('missing')`),
	with(one(`(import 'lib.libsonnet').f(2)`), map[string]string{"app/lib.libsonnet": `{f(x):: x * (import 'sub/two.libsonnet')}`, "app/sub/two.libsonnet": `2`}),
	given(with(one(`[import 'x.libsonnet', import 'y.libsonnet', importstr 'z.txt', importbin 'z.txt']`), map[string]string{
		"vendor/x.libsonnet": `'vendor x'`, "lib/x.libsonnet": `'lib x'`, "vendor/y.libsonnet": `'vendor y'`, "app/y.libsonnet": `'app y'`, "app/z.txt": "é\n",
	}), nil, nil, "app", "vendor", "lib"),
	with(one(`import '../shared/a.libsonnet'`), map[string]string{"shared/a.libsonnet": `std.thisFile`}),
	with(one(`import 'a.libsonnet'`), map[string]string{"app/a.libsonnet": `import 'main.jsonnet'`}),
	with(one(`(import 'a.libsonnet').x`), map[string]string{"app/a.libsonnet": `{x: (import 'main.jsonnet')}`}),
	one(`import 'absent.libsonnet'`),
	with(one("import 'bad.libsonnet'"), map[string]string{"app/bad.libsonnet": "{\n  a: 1,\n  b: ]\n}"}),
	one("local f(x) =\n  error 'no ' + x;\n{\n  a: f('way'),\n}"),
	one(`{assert self.a == 1 : 'a must be one', a: 2}`),
	one(`local f(x) = f(x) + 1; f(1)`),
	one(`local a = a; a`),
	one(`[std.base64('é'), std.base64(''), std.base64('abc'), std.base64([1, 2, 255]), std.base64Decode('w6k='), std.base64DecodeBytes('w6k=')]`),
	one(`std.base64('€')`),
	one(`std.parseYaml("a: y\nb: 0777\nc: 1e3\nd: no\n'on': off\ne: 2001-01-01\nf: ~\ng: 0o17\nh: 1_000\ni: !!str 5")`),
	one(`[std.parseYaml('---\na: 1'), std.parseYaml('a: 1\n---\nb: 2\n'), std.parseYaml(''), std.parseYaml('--- \n'), std.parseYaml('[1, 2.5, "x"]'), std.parseYaml('---\n---\na: 1\n---')]`),
	one(`std.parseYaml('a: [')`),
	one(`[std.parseJson('{"a": [1, 2.5, null, "x"]}'), std.parseInt('-12'), std.parseOctal('17'), std.parseHex('ff')]`),
	one(`[0.1 + 0.2, 1e17, 1e300, -0, 1/3, 5e-324, 123456789012345678, 1.5, 100, 1e21, 2.5e-7]`),
	one(`1e300 * 1e10`),
	one(`1 / 0`),
	one(`['%.2f' % 1.005, '%d' % 3.9, '%5s|%-5s|' % ['a', 'b'], '%x %o %e %g' % [255, 8, 12345.678, 0.0001], '%(a)s' % {a: 1}, '%%', '%c' % 'x', '%+d % d' % [1, 2]]`),
	one(`[std.manifestYamlDoc({a: 'y', b: '1e3', c: [1, {d: null}], e: 'multi\nline\n', f: {}, g: []}), std.manifestYamlDoc({a: {b: 1}}, indent_array_in_object=true, quote_keys=false), std.manifestYamlStream([{a: 1}, 2])]`),
	one(`[std.manifestIni({main: {a: 1}, sections: {s: {b: ['x', 'y']}}}), std.manifestPython({a: [true, null]}), std.manifestTomlEx({a: 1, b: {c: 'x'}}, '  '), std.manifestJsonEx({a: [1, {}]}, '  '), std.manifestJsonMinified({a: [1, {}]}), std.manifestXmlJsonml(['a', {b: 'c'}, 'd'])]`),
	one(`[std.md5('x'), std.sha1('x'), std.sha256('é'), std.sha512(''), std.sha3('x')]`),
	one(`[std.sort([3, 1, 2]), std.sort(['b', 'a'], keyF=function(x) x), std.uniq([1, 1, 2]), std.set([3, 1, 3]), std.setUnion([1], [2]), std.setDiff([1, 2], [2]), std.setInter([1, 2], [2, 3]), std.setMember(1, [1])]`),
	one(`std.length(std.sort(std.range(1, 20000), function(x) -x))`),
	one(`[std.mergePatch({a: 1, b: {c: 2}}, {a: null, b: {d: 3}}), std.prune({a: null, b: [], c: {d: null}, e: 1}), std.get({a: 1}, 'b', 2), std.objectFields({b: 1, a:: 2}), std.objectFieldsAll({b: 1, a:: 2}), std.objectKeysValues({a: 1}), std.mapWithKey(function(k, v) k + v, {a: 1}), std.objectRemoveKey({a: 1, b: 2}, 'a')]`),
	one(`[std.split('a,b', ','), std.splitLimit('a,b,c', ',', 1), std.splitLimitR('a,b,c', ',', 1), std.strReplace('aXbX', 'X', 'y'), std.asciiUpper('aé'), std.stripChars(' a ', ' '), std.lstripChars('xa', 'x'), std.rstripChars('ax', 'x'), std.trim(' a '), std.join(', ', ['a', null, 'b']), std.lines(['a', 'b']), std.substr('hello', 1, 3), std.startsWith('ab', 'a'), std.findSubstr('a', 'aba'), std.escapeStringJson('"é\u0001'), std.escapeStringBash("a'b"), std.escapeStringDollars('$a'), std.escapeStringXml('<&>'), std.equalsIgnoreCase('A', 'a')]`),
	one(`[std.foldl(function(a, b) a + b, [1, 2, 3], 0), std.foldr(function(a, b) a + b, ['a', 'b'], ''), std.flatMap(function(x) [x, x], [1, 2]), std.flattenArrays([[1], [2]]), std.flattenDeepArray([1, [2, [3]]]), std.filterMap(function(x) x > 1, function(x) x * 2, [1, 2, 3]), std.range(1, 3), std.repeat('ab', 2), std.slice([1, 2, 3, 4], 0, 4, 2), std.count([1, 1], 1), std.find(1, [1, 2]), std.contains([1], 1), std.remove([1, 2], 1), std.removeAt([1, 2], 0), std.minArray([2, 1]), std.maxArray([2, 1]), std.sum([1, 2]), std.avg([1, 2]), std.all([true]), std.any([false]), std.member('abc', 'b'), std.reverse([1, 2])]`),
	one(`[std.type(null), std.isEven(2), std.isInteger(1.5), std.abs(-1), std.sign(-2), std.pow(2, 10), std.exp(0), std.log2(8), std.floor(1.5), std.ceil(1.5), std.round(2.5), std.sqrt(16), std.mod(-5, 3), -5 % 3, 5 & 3, 5 | 3, 5 ^ 3, ~5, 1 << 4, 256 >> 4, std.clamp(5, 1, 3), std.deg2rad(180), std.hypot(3, 4), std.atan2(1, 1), std.xor(true, false), std.xnor(true, true)]`),
	one(`local a = {x: 1, y: self.x, z:: 3}; [a + {x: 2}, a {y+: 1}, (a + {z+: 1}).z, 'x' in a, std.objectHas(a, 'z'), std.objectHasAll(a, 'z'), {[k]: 1 for k in ['p', 'q']}, {[if false then 'no']: 1}, a == {x: 1, y: 1}]`),
	one("|||\n  text\n    block\n|||"),
	one("|||-\n  text\n|||"),
	one(`@'raw\n' + "\u00e9\uD83D\uDE00" + 'tab	'`),
	one(`{a:: function(x) x}`),
	one(`{a: function(x) x}`),
	one(`function() function() 1`),
	one(`null`),
	one(`'text'`),
	one(`{`),
	one(`{a: 1, a: 2}`),
	one(`local x = 1; y`),
	one(`[1, 2][2]`),
	one(`{}.a`),
	one(`1 + {}`),
	one(`'a' < 1`),
	one(`std.assertEqual(1, 2)`),
	one(`self.a`),
	one(`$`),
	one(`std.trace('hidden', 1)`),
	one(`std.native('nothing')`),
	one(`{local l = 1, a: l, assert true}`),
	one(`if true then 1`),
	one(`if false then 1`),
	one(`local f(x, y=x + 1) = [x, y]; [f(1), f(y=1, x=2), f(1, 2)]`),
	one(`std.decodeUTF8(std.encodeUTF8('é€😀'))`),
	one(`[std.codepoint('é'), std.char(8364), std.length('é😀'), 'é😀'[1], std.stringChars('é😀')]`),
	one(`std.reverse('ab')`),
	one("# comment\n// other\n/* more */ {\n  'a-b': 1,\n  \"c\": 2,\n  [|||\n    d\n  |||]: 3,\n}"),
	one(`std.manifestJson({a: 1e-7, b: 1e20, c: 0.1})`),
	one(`[1e-7, 1.0e5, 12345.6789e10]`),
	one(`std.toString([1, 2.5, {a: null}]) + 'x' + 1.0 + true`),
	one(`1e-7 + ''`),
	one(`'%.1f' % 2.55`),
	one(`'%.0f' % 2.5`),
	one(`[std.isEmpty(''), std.isDecimal(1.5), std.isOdd(3), std.objectValues({a: 1}), std.objectValuesAll({a:: 1}), std.deepJoin(['a', ['b']]), std.lines(['a']), std.resolvePath('a/b', 'c')]`),
	one(`{a: super.b}`),
	one(`({a: 1} + {b: super.a}).b`),
	one(`[x + y for x in [1, 2] for y in [10, 20] if x != 2]`),
	one(`std.makeArray(3, function(i) i * i)`),
	one(`std.makeArray(-1, function(i) i)`),
	one(`std.format('%s', [[1, 'a', {b: 2}]])`),
	one(`assert 1 == 2 : 'no'; 1`),
	one(`assert 1 == 2; 1`),
	one(`{apiVersion: 'v1', kind: 'List', items: [{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: 'in-list'}}]}`),
}
