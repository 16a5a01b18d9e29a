// Command oracle-cosign signs artifacts of a registry in every way that Windlass reads, right and wrong, and records
// what cosign's own library says of each.
//
// It prints JSON: the trusted root of a Sigstore of its own, and cases. A case holds everything that a registry has of
// the artifact and its signatures, the policy, and the verdict of cosign, asked as Flux asks it.
package main

//go:generate sh -c "go run . > ../../crates/windlass-artifact-signature/tests/cosign.json"

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	ggcrstatic "github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/sigstore/cosign/v3/pkg/cosign"
	"github.com/sigstore/cosign/v3/pkg/oci"
	ocimutate "github.com/sigstore/cosign/v3/pkg/oci/mutate"
	ociremote "github.com/sigstore/cosign/v3/pkg/oci/remote"
	"github.com/sigstore/cosign/v3/pkg/oci/static"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"
)

type identity struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

type manifest struct {
	MediaType string `json:"mediaType"`
	Body      []byte `json:"body"`
}

type testCase struct {
	Name   string `json:"name"`
	Digest string `json:"digest"`
	// Manifests by digest or tag, blobs by digest.
	Manifests  map[string]manifest `json:"manifests"`
	Blobs      map[string][]byte   `json:"blobs"`
	Keys       []string            `json:"keys,omitempty"`
	Identities []identity          `json:"identities,omitempty"`
	Verified   bool                `json:"verified"`
	Error      string              `json:"error,omitempty"`
}

type recording struct {
	Cosign      string          `json:"cosign"`
	TrustedRoot json.RawMessage `json:"trustedRoot"`
	Cases       []*testCase     `json:"cases"`
}

// store is a registry that remembers the names its manifests were pushed by.
type store struct {
	http.Handler
	mu    sync.Mutex
	names []string
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/manifests/") {
		s.mu.Lock()
		s.names = append(s.names, r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
		s.mu.Unlock()
	}
	s.Handler.ServeHTTP(w, r)
}

// scene is one artifact in a registry of its own.
type scene struct {
	server *httptest.Server
	store  *store
	digest name.Digest
	hash   v1.Hash
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatalf("%+v", err)
	}
	return value
}

func check(err error) {
	if err != nil {
		log.Fatalf("%+v", err)
	}
}

// files is a tar archive of one file that can be deployed.
func files(content string) []byte {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: signed}\ndata: {case: " + content + "}\n"
	check(writer.WriteHeader(&tar.Header{Name: "app.yaml", Mode: 0o644, Size: int64(len(text))}))
	must(writer.Write([]byte(text)))
	check(writer.Close())
	return out.Bytes()
}

func newScene(content string) *scene {
	handler := &store{Handler: registry.New(registry.WithReferrersSupport(false), registry.Logger(log.New(io.Discard, "", 0)))}
	server := httptest.NewServer(handler)
	image := must(mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{
		Layer: ggcrstatic.NewLayer(files(content), "application/vnd.oci.image.layer.v1.tar"),
	}))
	tag := must(name.NewTag(strings.TrimPrefix(server.URL, "http://")+"/apps/web:1.0.0", name.Insecure))
	check(remote.Write(tag, image))
	hash := must(image.Digest())
	return &scene{server, handler, tag.Digest(hash.String()), hash}
}

// dump is everything that the registry holds.
func (s *scene) dump(into *testCase) {
	into.Digest = s.hash.String()
	into.Manifests, into.Blobs = map[string]manifest{}, map[string][]byte{}
	get := func(kind, reference string) (string, []byte) {
		reply := must(http.Get(s.server.URL + "/v2/apps/web/" + kind + "/" + reference))
		defer reply.Body.Close()
		if reply.StatusCode != http.StatusOK {
			log.Fatalf("%s %s: %s", kind, reference, reply.Status)
		}
		return reply.Header.Get("Content-Type"), must(io.ReadAll(reply.Body))
	}
	for _, reference := range s.store.names {
		mediaType, body := get("manifests", reference)
		into.Manifests[reference] = manifest{mediaType, body}
		var parts struct {
			Config *v1.Descriptor  `json:"config"`
			Layers []v1.Descriptor `json:"layers"`
		}
		check(json.Unmarshal(body, &parts))
		if parts.Config != nil {
			parts.Layers = append(parts.Layers, *parts.Config)
		}
		for _, part := range parts.Layers {
			_, into.Blobs[part.Digest.String()] = get("blobs", part.Digest.String())
		}
	}
}

// verify asks cosign as Flux's source-controller does, but never a Rekor over the network.
func (s *scene) verify(c *testCase, trustedRoot *root.TrustedRoot) {
	// Flux leaves the claims of classic signatures unlooked at; `cosign verify` does not, nor do we.
	options := cosign.CheckOpts{NewBundleFormat: true, Offline: true, ClaimVerifier: cosign.SimpleClaimVerifier}
	var verified bool
	var failure error
	ask := func(options cosign.CheckOpts) {
		bundles, _, err := cosign.GetBundles(context.Background(), s.digest, nil, name.Insecure)
		var signatures []oci.Signature
		if len(bundles) == 0 || err != nil {
			options.NewBundleFormat = false
			signatures, _, err = cosign.VerifyImageSignatures(context.Background(), s.digest, &options)
		} else {
			options.ClaimVerifier = cosign.IntotoSubjectClaimVerifier
			signatures, _, err = cosign.VerifyImageAttestations(context.Background(), s.digest, &options, name.Insecure)
		}
		if err == nil && len(signatures) > 0 {
			verified = true
		} else if failure == nil {
			failure = err
		}
	}
	if len(c.Keys) > 0 {
		options.IgnoreTlog = true
		for _, key := range c.Keys {
			public := must(cryptoutils.UnmarshalPEMToPublicKey([]byte(key)))
			options.SigVerifier = must(signature.LoadVerifier(public, crypto.SHA256))
			ask(options)
		}
	} else {
		options.TrustedMaterial = trustedRoot
		for _, wanted := range c.Identities {
			options.Identities = []cosign.Identity{{IssuerRegExp: wanted.Issuer, SubjectRegExp: wanted.Subject}}
			ask(options)
		}
	}
	c.Verified = verified
	if !verified && failure != nil {
		c.Error = strings.ReplaceAll(failure.Error(), s.server.URL, "")
		c.Error = strings.ReplaceAll(c.Error, strings.TrimPrefix(s.server.URL, "http://"), "registry")
	}
}

func (s *scene) payload() []byte {
	return must(payload.Cosign{Image: s.digest}.MarshalJSON())
}

// attach pushes classic signatures.
func (s *scene) attach(signatures ...oci.Signature) {
	entity := must(ociremote.SignedEntity(s.digest))
	for _, each := range signatures {
		entity = must(ocimutate.AttachSignatureToEntity(entity, each))
	}
	check(ociremote.WriteSignatures(s.digest.Repository, entity))
}

// attachBundle pushes a bundle as a referrer; this registry has no list of referrers, so the fallback tag is used.
func (s *scene) attachBundle(bundle []byte) {
	check(ociremote.WriteAttestationNewBundleFormat(s.digest, bundle, "https://sigstore.dev/cosign/sign/v1"))
}

type signingKey struct {
	name   string
	signer crypto.Signer
}

func (k signingKey) public() string {
	return string(must(cryptoutils.MarshalPublicKeyToPEM(k.signer.Public())))
}

func (k signingKey) sign(message []byte) []byte {
	loaded := must(signature.LoadSigner(k.signer, crypto.SHA256))
	return must(loaded.SignMessage(bytes.NewReader(message)))
}

func (k signingKey) classic(text []byte, options ...static.Option) oci.Signature {
	return must(static.NewSignature(text, base64.StdEncoding.EncodeToString(k.sign(text)), options...))
}

func keys() []signingKey {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	return []signingKey{
		{"p256", must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))},
		{"p384", must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))},
		{"p521", must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader))},
		{"rsa2048", must(rsa.GenerateKey(rand.Reader, 2048))},
		{"rsa4096", must(rsa.GenerateKey(rand.Reader, 4096))},
		{"ed25519", edwards},
	}
}

func main() {
	out := recording{Cosign: "v3.1.3"}
	world := newWorld()
	trustedRoot := world.trustedRoot()
	out.TrustedRoot = must(trustedRoot.MarshalJSON())
	// What is read back is what a user gives.
	trustedRoot = must(root.NewTrustedRootFromJSON(out.TrustedRoot))
	record := func(c *testCase, prepare func(s *scene)) {
		s := newScene(c.Name)
		defer s.server.Close()
		prepare(s)
		s.verify(c, trustedRoot)
		s.dump(c)
		fmt.Fprintf(os.Stderr, "%-40s %-6v %s\n", c.Name, c.Verified, strings.ReplaceAll(c.Error, "\n", " "))
		out.Cases = append(out.Cases, c)
	}
	recordKeys(record)
	recordKeyless(record, world)
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(out))
}

type recorder func(c *testCase, prepare func(s *scene))

func recordKeys(record recorder) {
	all := keys()
	for _, key := range all {
		record(&testCase{Name: "key/classic/" + key.name, Keys: []string{key.public()}}, func(s *scene) {
			s.attach(key.classic(s.payload()))
		})
		record(&testCase{Name: "key/bundle/" + key.name, Keys: []string{key.public()}}, func(s *scene) {
			s.attachBundle(keyBundle(key, statement(s.hash)))
		})
	}
	key, other := all[0], all[1]
	only := []string{key.public()}
	record(&testCase{Name: "key/none", Keys: only}, func(*scene) {})
	for _, form := range []string{"classic", "bundle"} {
		attach := func(s *scene, key signingKey) {
			if form == "classic" {
				s.attach(key.classic(s.payload()))
			} else {
				s.attachBundle(keyBundle(key, statement(s.hash)))
			}
		}
		record(&testCase{Name: "key/" + form + "/other-key", Keys: only}, func(s *scene) { attach(s, other) })
		record(&testCase{Name: "key/" + form + "/one-of-two-keys", Keys: []string{other.public(), key.public()}},
			func(s *scene) { attach(s, key) })
		record(&testCase{Name: "key/" + form + "/one-of-two-signatures", Keys: only}, func(s *scene) {
			attach(s, other)
			attach(s, key)
		})
	}
	elsewhere := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("ab", 32)}
	record(&testCase{Name: "key/classic/of-another-artifact", Keys: only}, func(s *scene) {
		text := must(payload.Cosign{Image: s.digest.Repository.Digest(elsewhere.String())}.MarshalJSON())
		s.attach(key.classic(text))
	})
	record(&testCase{Name: "key/classic/payload-changed", Keys: only}, func(s *scene) {
		good := key.sign(s.payload())
		changed := bytes.Replace(s.payload(), []byte(`"optional":null`), []byte(`"optional":{"a":"b"}`), 1)
		s.attach(must(static.NewSignature(changed, base64.StdEncoding.EncodeToString(good))))
	})
	record(&testCase{Name: "key/classic/no-signature-text", Keys: only}, func(s *scene) {
		s.attach(must(static.NewSignature(s.payload(), "")))
	})
	record(&testCase{Name: "key/classic/not-base64", Keys: only}, func(s *scene) {
		s.attach(must(static.NewSignature(s.payload(), "%%%")))
	})
	record(&testCase{Name: "key/classic/payload-no-json", Keys: only}, func(s *scene) {
		s.attach(key.classic([]byte("nonsense")))
	})
	record(&testCase{Name: "key/classic/payload-of-another-type", Keys: only}, func(s *scene) {
		text := bytes.Replace(s.payload(), []byte("cosign container image signature"), []byte("something else"), 1)
		s.attach(key.classic(text))
	})
	record(&testCase{Name: "key/bundle/of-another-artifact", Keys: only}, func(s *scene) {
		s.attachBundle(keyBundle(key, statement(elsewhere)))
	})
	record(&testCase{Name: "key/bundle/another-predicate", Keys: only}, func(s *scene) {
		s.attachBundle(keyBundle(key, bytes.Replace(statement(s.hash),
			[]byte("https://sigstore.dev/cosign/sign/v1"), []byte("https://slsa.dev/provenance/v1"), 1)))
	})
	record(&testCase{Name: "key/bundle/statement-changed", Keys: only}, func(s *scene) {
		s.attachBundle(changeBundle(keyBundle(key, statement(elsewhere)), func(b map[string]any) {
			b["dsseEnvelope"].(map[string]any)["payload"] = base64.StdEncoding.EncodeToString(statement(s.hash))
		}))
	})
	record(&testCase{Name: "key/bundle/payload-of-another-type", Keys: only}, func(s *scene) {
		s.attachBundle(changeBundle(keyBundle(key, statement(s.hash)), func(b map[string]any) {
			b["dsseEnvelope"].(map[string]any)["payloadType"] = "text/plain"
		}))
	})
	record(&testCase{Name: "key/bundle/no-bundle", Keys: only}, func(s *scene) { s.attachBundle([]byte("{}")) })
	record(&testCase{Name: "key/bundle/and-classic-of-another-key", Keys: only}, func(s *scene) {
		s.attach(other.classic(s.payload()))
		s.attachBundle(keyBundle(key, statement(s.hash)))
	})
	record(&testCase{Name: "key/classic/and-bundle-of-another-key", Keys: only}, func(s *scene) {
		s.attach(key.classic(s.payload()))
		s.attachBundle(keyBundle(other, statement(s.hash)))
	})
}

func recordKeyless(record recorder, world *world) {
	const issuer, subject = "https://issuer.example.com", "release@example.com"
	anyone := []identity{{Issuer: "^" + issuer + "$", Subject: "^release@example\\.com$"}}
	for _, policy := range []struct {
		name       string
		identities []identity
	}{
		{"good", anyone},
		{"pattern", []identity{{Issuer: "^https://issuer\\.", Subject: ".*@example\\.com$"}}},
		{"unanchored-pattern", []identity{{Issuer: "issuer", Subject: "release"}}},
		{"second-identity", []identity{{Issuer: "^https://elsewhere$", Subject: ".*"}, anyone[0]}},
		{"other-issuer", []identity{{Issuer: "^https://elsewhere$", Subject: anyone[0].Subject}}},
		{"other-subject", []identity{{Issuer: anyone[0].Issuer, Subject: "^admin@example\\.com$"}}},
		{"issuer-and-subject-of-two", []identity{
			{Issuer: "^https://elsewhere$", Subject: anyone[0].Subject},
			{Issuer: anyone[0].Issuer, Subject: "^admin@example\\.com$"},
		}},
	} {
		record(&testCase{Name: "keyless/classic/" + policy.name, Identities: policy.identities}, func(s *scene) {
			s.attach(world.signer(subject, issuer).classic(s.payload()))
		})
		record(&testCase{Name: "keyless/bundle/" + policy.name, Identities: policy.identities}, func(s *scene) {
			s.attachBundle(world.signer(subject, issuer).bundle(statement(s.hash)))
		})
	}
	for name, change := range map[string]func(*keylessSigner){
		"no-sct":             func(k *keylessSigner) { k.withoutSCT = true },
		"sct-of-unknown-log": func(k *keylessSigner) { k.sctKey = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) },
		"unknown-authority":  func(k *keylessSigner) { k.world = k.world.withOtherAuthority() },
		"logged-late":        func(k *keylessSigner) { k.loggedAfter = 11 * 60 },
		"logged-early":       func(k *keylessSigner) { k.loggedAfter = -60 },
		"not-logged":         func(k *keylessSigner) { k.withoutLog = true },
		"log-of-unknown-key": func(k *keylessSigner) { k.rekorKey = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) },
		"time-changed":       func(k *keylessSigner) { k.timeChanged = true },
		"log-of-another":     func(k *keylessSigner) { k.otherEntry = true },
		"not-for-signing":    func(k *keylessSigner) { k.notForSigning = true },
		"by-uri":             func(k *keylessSigner) { k.asURI = true },
	} {
		signer := func() *keylessSigner {
			k := world.signer(subject, issuer)
			change(k)
			return k
		}
		identities := anyone
		if name == "by-uri" {
			identities = []identity{{Issuer: anyone[0].Issuer, Subject: "^https://ci.example.com/"}}
		}
		record(&testCase{Name: "keyless/classic/" + name, Identities: identities}, func(s *scene) {
			s.attach(signer().classic(s.payload()))
		})
		record(&testCase{Name: "keyless/bundle/" + name, Identities: identities}, func(s *scene) {
			s.attachBundle(signer().bundle(statement(s.hash)))
		})
	}
	elsewhere := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("ab", 32)}
	record(&testCase{Name: "keyless/classic/of-another-artifact", Identities: anyone}, func(s *scene) {
		text := must(payload.Cosign{Image: s.digest.Repository.Digest(elsewhere.String())}.MarshalJSON())
		s.attach(world.signer(subject, issuer).classic(text))
	})
	record(&testCase{Name: "keyless/bundle/of-another-artifact", Identities: anyone}, func(s *scene) {
		s.attachBundle(world.signer(subject, issuer).bundle(statement(elsewhere)))
	})
	record(&testCase{Name: "keyless/bundle/timestamped", Identities: anyone}, func(s *scene) {
		k := world.signer(subject, issuer)
		k.timestamped = true
		s.attachBundle(k.bundle(statement(s.hash)))
	})
	record(&testCase{Name: "keyless/bundle/timestamp-without-log", Identities: anyone}, func(s *scene) {
		k := world.signer(subject, issuer)
		k.timestamped, k.withoutLog = true, true
		s.attachBundle(k.bundle(statement(s.hash)))
	})
	for name, change := range map[string]func(entry map[string]any){
		"no-promise": func(e map[string]any) { delete(e, "inclusionPromise") },
		"no-proof":   func(e map[string]any) { delete(e, "inclusionProof") },
		"root-changed": func(e map[string]any) {
			e["inclusionProof"].(map[string]any)["rootHash"] = base64.StdEncoding.EncodeToString(make([]byte, 32))
		},
		"checkpoint-changed": func(e map[string]any) {
			checkpoint := e["inclusionProof"].(map[string]any)["checkpoint"].(map[string]any)
			checkpoint["envelope"] = strings.Replace(checkpoint["envelope"].(string), "\n2\n", "\n3\n", 1)
		},
		"index-changed": func(e map[string]any) { e["inclusionProof"].(map[string]any)["logIndex"] = "0" },
	} {
		record(&testCase{Name: "keyless/bundle/log-" + name, Identities: anyone}, func(s *scene) {
			s.attachBundle(changeBundle(world.signer(subject, issuer).bundle(statement(s.hash)), func(b map[string]any) {
				material := b["verificationMaterial"].(map[string]any)
				change(material["tlogEntries"].([]any)[0].(map[string]any))
			}))
		})
	}
	record(&testCase{Name: "keyless/key-signature", Identities: anyone}, func(s *scene) {
		s.attach(keys()[0].classic(s.payload()))
	})
	key := keys()[0]
	record(&testCase{Name: "key/keyless-signature", Keys: []string{key.public()}}, func(s *scene) {
		s.attach(world.signer(subject, issuer).classic(s.payload()))
	})
}

// statement is what `cosign sign` makes of a digest.
func statement(hash v1.Hash) []byte {
	return []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":"` + hash.Hex +
		`"}}],"predicateType":"https://sigstore.dev/cosign/sign/v1","predicate":{}}`)
}

func changeBundle(bundle []byte, change func(map[string]any)) []byte {
	var value map[string]any
	check(json.Unmarshal(bundle, &value))
	change(value)
	return must(json.Marshal(value))
}
