// Command oracle-notation makes signatures of the Notary Project, right and wrong, and records what notation's own
// library says of each under a trust policy.
package main

//go:generate sh -c "go run . > ../../crates/windlass-artifact-signature/tests/notation.json"
//go:generate sh -c "go run . cose > ../../crates/windlass-artifact-signature/tests/notation-cose.json"

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
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

	"github.com/fxamacker/cbor/v2"
	"github.com/notaryproject/notation-core-go/signature"
	"github.com/notaryproject/notation-core-go/signature/cose"
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

// media is the type of the envelopes that are made.
var media = jws.MediaTypeEnvelope

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
	return must(must(signature.NewEnvelope(media)).Sign(request))
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
	if len(os.Args) > 1 && os.Args[1] == "cose" {
		media = cose.MediaTypeEnvelope
	}
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
		record(at("payload/another-type"), of, changed(good, anotherType, nil), roots, policy)
		record(at("signature/changed"), of, changed(good, anotherAlgorithm, nil), roots, policy)
		record(at("signature/no-chain"), of, changed(good, noChain, nil), roots, policy)
		record(at("signature/chain-of-another"), of, changed(good, chainOfAnother, other.sign(of, nil)), roots, policy)
		record(at("signature/chain-without-root"), of, changed(good, chainWithoutRoot, nil), roots, policy)
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
	if media == cose.MediaTypeEnvelope {
		record("envelope/json", of, must(must(signature.NewEnvelope(jws.MediaTypeEnvelope)).Sign(&signature.SignRequest{
			Payload: signature.Payload{ContentType: payload, Content: must(json.Marshal(map[string]any{"targetArtifact": of}))},
			Signer:  must(signature.NewLocalSigner(ours.certs, ours.key)), SigningTime: began.Add(time.Hour), SigningScheme: signature.SigningSchemeX509,
		})), roots, statement{}.policy())
		record("envelope/something-behind", of, append(append([]byte{}, good...), 0), roots, statement{}.policy())
		record("envelope/cut", of, good[:len(good)-1], roots, statement{}.policy())
		record("envelope/without-tag", of, good[1:], roots, statement{}.policy())
		record("envelope/another-tag", of, append([]byte{0xd1}, good[1:]...), roots, statement{}.policy())
		record("envelope/endless-list", of, append(append([]byte{0xd2, 0x9f}, good[2:]...), 0xff), roots, statement{}.policy())
		record("envelope/longer-head", of, append([]byte{0xd2, 0x98, 0x04}, good[2:]...), roots, statement{}.policy())
		record("envelope/payload-elsewhere", of, recoded(good, func(m *message) { m.Payload = nil }), roots, statement{}.policy())
		record("envelope/one-certificate", of, recoded(good, func(m *message) {
			m.Unprotected[int64(33)] = m.Unprotected[int64(33)].([]any)[0]
		}), roots, statement{}.policy())
		resigned := func(change func(header map[any]any)) []byte { return ours.resigned(good, change) }
		record("header/as-it-is", of, resigned(func(map[any]any) {}), roots, statement{}.policy())
		record("header/nothing-critical", of, resigned(func(h map[any]any) { delete(h, int64(2)) }), roots, statement{}.policy())
		record("header/empty-critical", of, resigned(func(h map[any]any) { h[int64(2)] = []any{} }), roots, statement{}.policy())
		record("header/scheme-not-critical", of, resigned(func(h map[any]any) { h[int64(2)] = []any{int64(1)} }), roots, statement{}.policy())
		record("header/algorithm-critical", of, resigned(func(h map[any]any) { h[int64(2)] = append(h[int64(2)].([]any), int64(1)) }), roots, statement{}.policy())
		record("header/absent-critical", of, resigned(func(h map[any]any) { h[int64(2)] = append(h[int64(2)].([]any), "com.example.absent") }), roots, statement{}.policy())
		record("header/time-without-tag", of, resigned(func(h map[any]any) { h["io.cncf.notary.signingTime"] = began.Unix() }), roots, statement{}.policy())
		record("header/time-as-text", of, resigned(func(h map[any]any) {
			h["io.cncf.notary.signingTime"] = cbor.Tag{Number: 0, Content: "2026-01-01T00:00:00Z"}
		}), roots, statement{}.policy())
		record("header/no-time", of, resigned(func(h map[any]any) { delete(h, "io.cncf.notary.signingTime") }), roots, statement{}.policy())
		record("header/time-of-authority-beside", of, resigned(func(h map[any]any) {
			h["io.cncf.notary.authenticSigningTime"] = cbor.Tag{Number: 1, Content: began.Unix()}
		}), roots, statement{}.policy())
		record("header/another-scheme", of, resigned(func(h map[any]any) { h["io.cncf.notary.signingScheme"] = "notary.other" }), roots, statement{}.policy())
		record("header/no-type", of, resigned(func(h map[any]any) { delete(h, int64(3)) }), roots, statement{}.policy())
		record("header/algorithm-as-text", of, resigned(func(h map[any]any) { h[int64(1)] = "ES256" }), roots, statement{}.policy())
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", " ")
	must(0, encoder.Encode(map[string]any{"notation": "notation-go v1.3.2", "cases": cases}))
}

type change int

const (
	anotherType change = iota
	anotherAlgorithm
	noChain
	chainOfAnother
	chainWithoutRoot
)

// changed is an envelope after somebody changed it, its signature as it was.
func changed(envelope []byte, what change, another []byte) []byte {
	if media == cose.MediaTypeEnvelope {
		return recoded(envelope, func(m *message) {
			switch what {
			case anotherType:
				m.header(func(h map[any]any) { h[int64(3)] = "text/plain" })
			case anotherAlgorithm:
				m.header(func(h map[any]any) { h[int64(1)] = int64(-35) })
			case noChain:
				delete(m.Unprotected, int64(33))
			case chainOfAnother:
				m.Unprotected = taken(another).Unprotected
			case chainWithoutRoot:
				m.Unprotected[int64(33)] = m.Unprotected[int64(33)].([]any)[:1]
			}
		})
	}
	var value, protected map[string]any
	must(0, json.Unmarshal(envelope, &value))
	must(0, json.Unmarshal(must(base64.RawURLEncoding.DecodeString(value["protected"].(string))), &protected))
	was := string(must(json.Marshal(protected)))
	switch what {
	case anotherType:
		protected["cty"] = "text/plain"
	case anotherAlgorithm:
		protected["alg"] = "ES384"
	case noChain:
		value["header"] = map[string]any{}
	case chainOfAnother:
		var other map[string]any
		must(0, json.Unmarshal(another, &other))
		value["header"] = other["header"]
	case chainWithoutRoot:
		header := value["header"].(map[string]any)
		header["x5c"] = header["x5c"].([]any)[:1]
	}
	if string(must(json.Marshal(protected))) != was {
		value["protected"] = base64.RawURLEncoding.EncodeToString(must(json.Marshal(protected)))
	}
	return must(json.Marshal(value))
}

// message is what a COSE_Sign1 has in it.
type message struct {
	_           struct{} `cbor:",toarray"`
	Protected   []byte
	Unprotected map[any]any
	Payload     []byte
	Signature   []byte
}

var (
	reading = must(cbor.DecOptions{IntDec: cbor.IntDecConvertSigned, TimeTag: cbor.DecTagIgnored,
		TimeTagToAny: cbor.TimeTagToTime}.DecMode())
	writing = must(cbor.EncOptions{Sort: cbor.SortCoreDeterministic, Time: cbor.TimeUnix, TimeTag: cbor.EncTagRequired}.EncMode())
)

func taken(envelope []byte) *message {
	var m message
	must(0, reading.Unmarshal(envelope[1:], &m))
	return &m
}

func recoded(envelope []byte, change func(m *message)) []byte {
	m := taken(envelope)
	change(m)
	return append([]byte{0xd2}, must(writing.Marshal(m))...)
}

// header changes what is signed of the header.
func (m *message) header(change func(header map[any]any)) {
	var header map[any]any
	must(0, reading.Unmarshal(m.Protected, &header))
	change(header)
	m.Protected = must(writing.Marshal(header))
}

// resigned is an envelope whose header was changed by whoever has the key, which is one of P-256.
func (c chain) resigned(envelope []byte, change func(header map[any]any)) []byte {
	return recoded(envelope, func(m *message) {
		m.header(change)
		sum := sha256.Sum256(must(writing.Marshal([]any{"Signature1", m.Protected, []byte{}, m.Payload})))
		r, s, err := ecdsa.Sign(rand.Reader, c.key.(*ecdsa.PrivateKey), sum[:])
		must(0, err)
		m.Signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	})
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
		ArtifactReference: artifact, SignatureMediaType: media,
	})
	if err != nil {
		return err.Error()
	}
	return ""
}
