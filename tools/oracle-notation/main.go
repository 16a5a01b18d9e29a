// Command oracle-notation makes signatures of the Notary Project, right and wrong, and records what notation's own
// library says of each under a trust policy.
package main

//go:generate sh -c "go run . > ../../crates/windlass-artifact-signature/tests/notation.json"

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log"
	"math/big"
	"os"
	"strings"
	"time"

	"github.com/notaryproject/notation-core-go/signature"
	"github.com/notaryproject/notation-core-go/signature/jws"
	"github.com/notaryproject/notation-go"
	"github.com/notaryproject/notation-go/verifier"
	"github.com/notaryproject/notation-go/verifier/trustpolicy"
	"github.com/notaryproject/notation-go/verifier/truststore"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	reference = "registry.example.com/apps/web"
	payload   = "application/vnd.cncf.notary.payload.v1+json"
)

type testCase struct {
	Name         string          `json:"name"`
	Repository   string          `json:"repository"`
	Digest       string          `json:"digest"`
	Signature    []byte          `json:"signature"`
	Certificates []string        `json:"certificates"`
	Policy       json.RawMessage `json:"policy"`
	Verified     bool            `json:"verified"`
	Error        string          `json:"error,omitempty"`
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatalf("%+v", err)
	}
	return value
}

// store is a trust store of certificates in memory, as Flux has it: it does not look at the name.
type store []*x509.Certificate

func (s store) GetCertificates(context.Context, truststore.Type, string) ([]*x509.Certificate, error) {
	return s, nil
}

type chain struct {
	key   crypto.Signer
	certs []*x509.Certificate
}

type leafOptions struct {
	before, after time.Time
	usage         []x509.ExtKeyUsage
	keyUsage      x509.KeyUsage
	ocsp          bool
}

var began = time.Now().Add(-48 * time.Hour).Truncate(time.Second)

func newChain(key crypto.Signer, common string, options leafOptions) chain {
	if options.before.IsZero() {
		options.before, options.after = began, began.AddDate(30, 0, 0)
	}
	if options.keyUsage == 0 {
		options.keyUsage = x509.KeyUsageDigitalSignature
	}
	rootKey := must(rsa.GenerateKey(rand.Reader, 3072))
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"Notary"}, CommonName: common + " root"},
		NotBefore: began.Add(-time.Hour), NotAfter: began.AddDate(30, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1,
		KeyUsage: x509.KeyUsageCertSign,
	}
	rootCert := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, root, root, rootKey.Public(), rootKey))))
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"US"}, Province: []string{"WA"}, Organization: []string{"Acme, Inc."}, CommonName: common},
		NotBefore: options.before, NotAfter: options.after, KeyUsage: options.keyUsage, ExtKeyUsage: options.usage,
		BasicConstraintsValid: true,
	}
	if options.ocsp {
		leaf.OCSPServer = []string{"http://127.0.0.1:9/ocsp"}
	}
	leafCert := must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, leaf, rootCert, key.Public(), rootKey))))
	return chain{key, []*x509.Certificate{leafCert, rootCert}}
}

func text(certificate *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
}

func descriptor(name string) ocispec.Descriptor {
	content := []byte("artifact of " + name)
	return ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: digest.FromBytes(content), Size: int64(len(content))}
}

func (c chain) sign(of ocispec.Descriptor, change func(*signature.SignRequest)) []byte {
	request := &signature.SignRequest{
		Payload: signature.Payload{ContentType: payload, Content: must(json.Marshal(map[string]any{"targetArtifact": of}))},
		Signer:  must(signature.NewLocalSigner(c.certs, c.key)), SigningTime: began.Add(time.Hour),
		SigningScheme: signature.SigningSchemeX509, SigningAgent: "windlass oracle",
	}
	if change != nil {
		change(request)
	}
	return must(must(signature.NewEnvelope(jws.MediaTypeEnvelope)).Sign(request))
}

type statement struct {
	level      string
	override   map[string]string
	scopes     []string
	stores     []string
	identities []string
}

func (s statement) policy() json.RawMessage {
	if s.level == "" {
		s.level = "strict"
	}
	if s.scopes == nil {
		s.scopes = []string{"*"}
	}
	if s.stores == nil && s.level != "skip" {
		s.stores = []string{"ca:ours"}
	}
	if s.identities == nil && s.level != "skip" {
		s.identities = []string{"*"}
	}
	verification := map[string]any{"level": s.level}
	if s.override != nil {
		verification["override"] = s.override
	}
	value := map[string]any{"name": "ours", "registryScopes": s.scopes, "signatureVerification": verification}
	if s.stores != nil {
		value["trustStores"], value["trustedIdentities"] = s.stores, s.identities
	}
	return must(json.Marshal(map[string]any{"version": "1.0", "trustPolicies": []any{value}}))
}

func main() {
	var cases []*testCase
	record := func(name string, of ocispec.Descriptor, made []byte, trusted []*x509.Certificate, policy json.RawMessage) {
		c := &testCase{Name: name, Repository: reference, Digest: of.Digest.String(), Signature: made, Policy: policy}
		for _, each := range trusted {
			c.Certificates = append(c.Certificates, text(each))
		}
		c.Error = ask(of, made, trusted, policy)
		c.Verified = c.Error == ""
		fmt.Fprintf(os.Stderr, "%-36s %-6v %s\n", name, c.Verified, strings.ReplaceAll(c.Error, "\n", " "))
		cases = append(cases, c)
	}
	for name, key := range map[string]crypto.Signer{
		"p256": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), "p384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"p521":    must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"rsa2048": must(rsa.GenerateKey(rand.Reader, 2048)), "rsa3072": must(rsa.GenerateKey(rand.Reader, 3072)),
		"rsa4096": must(rsa.GenerateKey(rand.Reader, 4096)),
	} {
		c, of := newChain(key, name, leafOptions{}), descriptor(name)
		record("key/"+name, of, c.sign(of, nil), c.certs[1:], statement{}.policy())
	}
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	ours, other := newChain(key, "ours", leafOptions{}), newChain(key, "other", leafOptions{})
	of := descriptor("artifact")
	good := ours.sign(of, nil)
	roots := ours.certs[1:]
	for name, s := range map[string]statement{
		"strict": {}, "permissive": {level: "permissive"}, "audit": {level: "audit"}, "skip": {level: "skip"},
		"scope":            {scopes: []string{reference}},
		"other-scope":      {scopes: []string{"registry.example.com/apps/other"}},
		"identity":         {identities: []string{"x509.subject: C=US, ST=WA, O=Acme\\, Inc."}},
		"identity-in-full": {identities: []string{"x509.subject: CN=ours, C=US, ST=WA, O=Acme\\, Inc."}},
		"other-identity":   {identities: []string{"x509.subject: C=US, ST=WA, O=Other"}},
		"one-of-two-identities": {identities: []string{
			"x509.subject: C=US, ST=WA, O=Other", "x509.subject: C=US, ST=WA, O=Acme\\, Inc., CN=ours"}},
		"authority-store": {stores: []string{"signingAuthority:ours"}},
	} {
		record("policy/"+name, of, good, roots, s.policy())
		record("policy/"+name+"/untrusted", of, other.sign(of, nil), roots, s.policy())
	}
	record("trust/leaf", of, good, ours.certs[:1], statement{}.policy())
	record("trust/nobody", of, good, nil, statement{}.policy())
	record("trust/two", of, good, []*x509.Certificate{other.certs[1], ours.certs[1]}, statement{}.policy())
	record("artifact/another", descriptor("another"), good, roots, statement{}.policy())
	record("artifact/another/audit", descriptor("another"), good, roots, statement{level: "audit"}.policy())
	levels := []string{"strict", "permissive", "audit"}
	for _, level := range levels {
		at := func(name string) string { return name + "/" + level }
		policy := statement{level: level}.policy()
		expired := newChain(key, "expired", leafOptions{before: began, after: began.Add(2 * time.Hour)})
		record(at("certificate/expired"), of, expired.sign(of, nil), expired.certs[1:], policy)
		revocable := newChain(key, "revocable", leafOptions{ocsp: true})
		record(at("certificate/revocable"), of, revocable.sign(of, nil), revocable.certs[1:], policy)
		record(at("signature/expired"), of, ours.sign(of, func(r *signature.SignRequest) { r.Expiry = began.Add(2 * time.Hour) }), roots, policy)
		record(at("signature/will-expire"), of, ours.sign(of, func(r *signature.SignRequest) { r.Expiry = began.AddDate(30, 0, 0) }), roots, policy)
		record(at("attribute/unknown-critical"), of, ours.sign(of, func(r *signature.SignRequest) {
			r.ExtendedSignedAttributes = []signature.Attribute{{Key: "com.example.must", Critical: true, Value: "x"}}
		}), roots, policy)
		record(at("attribute/unknown"), of, ours.sign(of, func(r *signature.SignRequest) {
			r.ExtendedSignedAttributes = []signature.Attribute{{Key: "com.example.may", Critical: false, Value: "x"}}
		}), roots, policy)
		record(at("payload/another-type"), of, changed(good, func(e, p map[string]any) { p["cty"] = "text/plain" }), roots, policy)
		record(at("signature/changed"), of, changed(good, func(e, p map[string]any) { p["alg"] = "ES384" }), roots, policy)
		record(at("signature/no-chain"), of, changed(good, func(e, p map[string]any) { e["header"] = map[string]any{} }), roots, policy)
		record(at("signature/chain-of-another"), of, changed(good, func(e, p map[string]any) {
			var otherEnvelope map[string]any
			must(0, json.Unmarshal(other.sign(of, nil), &otherEnvelope))
			e["header"] = otherEnvelope["header"]
		}), roots, policy)
		record(at("signature/chain-without-root"), of, changed(good, func(e, p map[string]any) {
			header := e["header"].(map[string]any)
			header["x5c"] = header["x5c"].([]any)[:1]
		}), roots, policy)
		record(at("scheme/authority"), of, ours.sign(of, func(r *signature.SignRequest) { r.SigningScheme = signature.SigningSchemeX509SigningAuthority }), roots,
			statement{level: level, stores: []string{"signingAuthority:ours"}}.policy())
		record(at("scheme/authority-expired-since"), of, expired.sign(of, func(r *signature.SignRequest) { r.SigningScheme = signature.SigningSchemeX509SigningAuthority }), expired.certs[1:],
			statement{level: level, stores: []string{"signingAuthority:ours"}}.policy())
	}
	record("override/expiry-logged", of, ours.sign(of, func(r *signature.SignRequest) { r.Expiry = began.Add(2 * time.Hour) }), roots,
		statement{override: map[string]string{"expiry": "log"}}.policy())
	record("override/expiry-enforced", of, ours.sign(of, func(r *signature.SignRequest) { r.Expiry = began.Add(2 * time.Hour) }), roots,
		statement{level: "permissive", override: map[string]string{"expiry": "enforce"}}.policy())
	record("envelope/nonsense", of, []byte("{}"), roots, statement{}.policy())
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	must(0, encoder.Encode(map[string]any{"notation": "notation-go v1.3.2", "cases": cases}))
}

// changed is an envelope after somebody changed it, its signature as it was.
func changed(envelope []byte, change func(envelope, protected map[string]any)) []byte {
	var value, protected map[string]any
	must(0, json.Unmarshal(envelope, &value))
	must(0, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(value["protected"].(string))), &protected))
	before := len(must(json.Marshal(protected)))
	was := string(must(json.Marshal(protected)))
	change(value, protected)
	if string(must(json.Marshal(protected))) != was || before == 0 {
		value["protected"] = base64.RawURLEncoding.EncodeToString(must(json.Marshal(protected)))
	}
	return must(json.Marshal(value))
}

// ask returns why notation refuses, or nothing.
func ask(of ocispec.Descriptor, made []byte, trusted []*x509.Certificate, policy json.RawMessage) string {
	var document trustpolicy.Document
	must(0, json.Unmarshal(policy, &document))
	asked, err := verifier.New(&document, store(trusted), nil)
	if err != nil {
		return "policy: " + err.Error()
	}
	artifact := reference + "@" + of.Digest.String()
	if skips, ok := asked.(interface {
		SkipVerify(context.Context, notation.VerifierVerifyOptions) (bool, *trustpolicy.VerificationLevel, error)
	}); ok {
		skip, _, err := skips.SkipVerify(context.Background(), notation.VerifierVerifyOptions{ArtifactReference: artifact})
		if err != nil {
			return err.Error()
		}
		if skip {
			return ""
		}
	}
	_, err = asked.Verify(context.Background(), of, made, notation.VerifierVerifyOptions{
		ArtifactReference: artifact, SignatureMediaType: jws.MediaTypeEnvelope,
	})
	if err != nil {
		return err.Error()
	}
	return ""
}
