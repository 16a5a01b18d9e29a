package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"github.com/digitorus/timestamp"
	ct "github.com/google/certificate-transparency-go"
	cttls "github.com/google/certificate-transparency-go/tls"
	ctx509 "github.com/google/certificate-transparency-go/x509"
	ctx509util "github.com/google/certificate-transparency-go/x509util"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	cbundle "github.com/sigstore/cosign/v3/pkg/cosign/bundle"
	"github.com/sigstore/cosign/v3/pkg/oci"
	"github.com/sigstore/cosign/v3/pkg/oci/static"
	"github.com/sigstore/rekor/pkg/pki"
	"github.com/sigstore/rekor/pkg/types"
	rekordsse "github.com/sigstore/rekor/pkg/types/dsse"
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"
	"github.com/sigstore/rekor/pkg/types/hashedrekord"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/signature"
)

// The media type of a bundle without a chain of certificates.
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// world is a Sigstore of our own: a certificate authority, its transparency log, a log of signatures, a time authority.
type world struct {
	began         time.Time
	root, between *x509.Certificate
	betweenKey    *ecdsa.PrivateKey
	ctKey         *ecdsa.PrivateKey
	rekorKey      *ecdsa.PrivateKey
	tsa           *x509.Certificate
	tsaKey        *ecdsa.PrivateKey
}

func newKey() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

func certificate(template, parent *x509.Certificate, public crypto.PublicKey, signer crypto.Signer) *x509.Certificate {
	if template.SerialNumber == nil {
		template.SerialNumber = must(rand.Int(rand.Reader, big.NewInt(1<<62)))
	}
	return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, parent, public, signer))))
}

func newWorld() *world {
	w := &world{began: time.Now().Add(-24 * time.Hour).Truncate(time.Second)}
	rootKey := newKey()
	authority := func(name string, usage ...x509.ExtKeyUsage) *x509.Certificate {
		return &x509.Certificate{
			Subject: pkix.Name{CommonName: name, Organization: []string{"windlass.dev"}}, NotBefore: w.began.Add(-time.Hour),
			NotAfter: w.began.AddDate(30, 0, 0), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
			BasicConstraintsValid: true, IsCA: true, ExtKeyUsage: usage,
		}
	}
	template := authority("root")
	w.root = certificate(template, template, rootKey.Public(), rootKey)
	w.betweenKey = newKey()
	w.between = certificate(authority("between", x509.ExtKeyUsageCodeSigning), w.root, w.betweenKey.Public(), rootKey)
	w.ctKey, w.rekorKey, w.tsaKey = newKey(), newKey(), newKey()
	usage := must(asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}}))
	w.tsa = certificate(&x509.Certificate{
		Subject: pkix.Name{CommonName: "time"}, NotBefore: w.began.Add(-time.Hour), NotAfter: w.began.AddDate(20, 0, 0),
		KeyUsage:        x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	}, w.root, w.tsaKey.Public(), rootKey)
	return w
}

func (w *world) withOtherAuthority() *world {
	other := newWorld()
	other.ctKey, other.rekorKey, other.tsa, other.tsaKey = w.ctKey, w.rekorKey, w.tsa, w.tsaKey
	return other
}

func logID(key *ecdsa.PrivateKey) [32]byte {
	return sha256.Sum256(must(x509.MarshalPKIXPublicKey(key.Public())))
}

func (w *world) trustedRoot() *root.TrustedRoot {
	logs := func(key *ecdsa.PrivateKey, address string) map[string]*root.TransparencyLog {
		id := logID(key)
		return map[string]*root.TransparencyLog{hex.EncodeToString(id[:]): {
			BaseURL: address, ID: id[:], ValidityPeriodStart: w.began.Add(-time.Hour), HashFunc: crypto.SHA256,
			PublicKey: key.Public(), SignatureHashFunc: crypto.SHA256,
		}}
	}
	return must(root.NewTrustedRoot(root.TrustedRootMediaType01,
		[]root.CertificateAuthority{&root.FulcioCertificateAuthority{
			Root: w.root, Intermediates: []*x509.Certificate{w.between}, ValidityPeriodStart: w.began.Add(-time.Hour),
			URI: "https://fulcio.example.com",
		}},
		logs(w.ctKey, "https://ct.example.com"),
		[]root.TimestampingAuthority{&root.SigstoreTimestampingAuthority{
			Root: w.root, Leaf: w.tsa, ValidityPeriodStart: w.began.Add(-time.Hour), URI: "https://time.example.com",
		}},
		logs(w.rekorKey, "https://rekor.example.com")))
}

// keylessSigner is one signature by somebody who showed who they are; its fields say what is wrong with it.
type keylessSigner struct {
	*world
	subject, issuer string
	sctKey          *ecdsa.PrivateKey
	rekorKey        *ecdsa.PrivateKey
	loggedAfter     int

	withoutSCT, withoutLog, timeChanged, otherEntry, notForSigning, asURI, timestamped bool
}

func (w *world) signer(subject, issuer string) *keylessSigner {
	return &keylessSigner{world: w, subject: subject, issuer: issuer, sctKey: w.ctKey, rekorKey: w.rekorKey, loggedAfter: 60}
}

// leaf issues a certificate for ten minutes.
func (k *keylessSigner) leaf(public crypto.PublicKey) *x509.Certificate {
	template := &x509.Certificate{
		NotBefore: k.began, NotAfter: k.began.Add(10 * time.Minute), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
		SerialNumber: must(rand.Int(rand.Reader, big.NewInt(1<<62))),
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 1}, Value: []byte(k.issuer)},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, 8}, Value: must(asn1.MarshalWithParams(k.issuer, "utf8"))},
		},
	}
	if k.asURI {
		template.URIs = []*url.URL{must(url.Parse("https://ci.example.com/org/repo/.github/workflows/release.yml@refs/tags/v1"))}
	} else {
		template.EmailAddresses = []string{k.subject}
	}
	if k.notForSigning {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	if k.withoutSCT {
		return certificate(template, k.between, public, k.betweenKey)
	}
	poisoned := *template
	poisoned.ExtraExtensions = append(append([]pkix.Extension{}, template.ExtraExtensions...), pkix.Extension{
		Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 3}, Critical: true, Value: asn1.NullBytes,
	})
	before := certificate(&poisoned, k.between, public, k.betweenKey)
	// Certificates for logs are not for the standard library: the poison is critical.
	parse := func(c *x509.Certificate) *ctx509.Certificate {
		parsed, err := ctx509.ParseCertificate(c.Raw)
		if ctx509.IsFatal(err) {
			check(err)
		}
		return parsed
	}
	at := uint64(k.began.UnixMilli())
	entry := must(ct.MerkleTreeLeafFromChain([]*ctx509.Certificate{parse(before), parse(k.between)}, ct.PrecertLogEntryType, at))
	sct := ct.SignedCertificateTimestamp{SCTVersion: ct.V1, LogID: ct.LogID{KeyID: logID(k.sctKey)}, Timestamp: at}
	input := must(ct.SerializeSCTSignatureInput(sct, ct.LogEntry{Leaf: *entry}))
	digest := sha256.Sum256(input)
	sct.Signature = ct.DigitallySigned{
		Algorithm: cttls.SignatureAndHashAlgorithm{Hash: cttls.SHA256, Signature: cttls.ECDSA},
		Signature: must(ecdsa.SignASN1(rand.Reader, k.sctKey, digest[:])),
	}
	list := must(ctx509util.MarshalSCTsIntoSCTList([]*ct.SignedCertificateTimestamp{&sct}))
	value := must(asn1.Marshal(must(cttls.Marshal(*list))))
	template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{
		Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, Value: value,
	})
	return certificate(template, k.between, public, k.betweenKey)
}

// logEntry is what Rekor answers of a signature.
type logEntry struct {
	body    []byte
	at      int64
	promise []byte
	logID   [32]byte
	proof   map[string]any
	kind    string
	version string
	index   int64
}

func (k *keylessSigner) logged(kind, version string, properties types.ArtifactProperties) logEntry {
	background := context.Background()
	properties.PKIFormat = string(pki.X509)
	proposed := must(types.NewProposedEntry(background, kind, version, properties))
	entry := logEntry{
		body: must(types.CanonicalizeEntry(background, must(types.CreateVersionedEntry(proposed)))),
		at:   k.began.Unix() + int64(k.loggedAfter), logID: logID(k.rekorKey), kind: kind, version: version, index: 1,
	}
	promised := must(json.Marshal(map[string]any{
		"body": base64.StdEncoding.EncodeToString(entry.body), "integratedTime": entry.at, "logIndex": entry.index,
		"logID": hex.EncodeToString(entry.logID[:]),
	}))
	loaded := must(signature.LoadECDSASignerVerifier(k.rekorKey, crypto.SHA256))
	entry.promise = must(loaded.SignMessage(bytes.NewReader(must(jsoncanonicalizer.Transform(promised)))))
	// A log of two entries, this the second.
	first, second := sha256.Sum256([]byte("\x00first")), sha256.Sum256(append([]byte{0}, entry.body...))
	rootHash := sha256.Sum256(append(append([]byte{1}, first[:]...), second[:]...))
	checkpoint := must(util.CreateAndSignCheckpoint(background, "rekor.example.com", 1, 2, rootHash[:], loaded))
	entry.proof = map[string]any{
		"logIndex": "1", "treeSize": "2", "rootHash": rootHash[:], "hashes": [][]byte{first[:]},
		"checkpoint": map[string]any{"envelope": string(checkpoint)},
	}
	if k.timeChanged {
		entry.at++
	}
	return entry
}

func pemOf(certificates ...*x509.Certificate) []byte {
	var out []byte
	for _, each := range certificates {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: each.Raw})...)
	}
	return out
}

func (k *keylessSigner) classic(text []byte) oci.Signature {
	key := signingKey{"leaf", newKey()}
	leaf := k.leaf(key.signer.Public())
	made := key.sign(text)
	options := []static.Option{static.WithCertChain(pemOf(leaf), pemOf(k.between, k.root))}
	if !k.withoutLog {
		logText, logSignature := text, made
		if k.otherEntry {
			logText = []byte("something else")
			logSignature = key.sign(logText)
		}
		digest := sha256.Sum256(logText)
		entry := k.logged(hashedrekord.KIND, "0.0.1", types.ArtifactProperties{
			ArtifactHash: hex.EncodeToString(digest[:]), SignatureBytes: logSignature, PublicKeyBytes: [][]byte{pemOf(leaf)},
		})
		options = append(options, static.WithBundle(&cbundle.RekorBundle{
			SignedEntryTimestamp: entry.promise,
			Payload: cbundle.RekorPayload{
				Body: base64.StdEncoding.EncodeToString(entry.body), IntegratedTime: entry.at, LogIndex: entry.index,
				LogID: hex.EncodeToString(entry.logID[:]),
			},
		}))
	}
	return must(static.NewSignature(text, base64.StdEncoding.EncodeToString(made), options...))
}

func envelope(key signingKey, text []byte) (map[string]any, []byte, []byte) {
	const kind = "application/vnd.in-toto+json"
	made := key.sign(dsse.PAE(kind, text))
	value := map[string]any{
		"payload": base64.StdEncoding.EncodeToString(text), "payloadType": kind,
		"signatures": []any{map[string]any{"sig": base64.StdEncoding.EncodeToString(made)}},
	}
	return value, must(json.Marshal(value)), made
}

func keyBundle(key signingKey, text []byte) []byte {
	value, _, _ := envelope(key, text)
	hint := sha256.Sum256(must(x509.MarshalPKIXPublicKey(key.signer.Public())))
	return must(json.Marshal(map[string]any{
		"mediaType":            bundleType,
		"verificationMaterial": map[string]any{"publicKey": map[string]any{"hint": base64.StdEncoding.EncodeToString(hint[:])}},
		"dsseEnvelope":         value,
	}))
}

func (k *keylessSigner) bundle(text []byte) []byte {
	key := signingKey{"leaf", newKey()}
	leaf := k.leaf(key.signer.Public())
	value, raw, made := envelope(key, text)
	material := map[string]any{"certificate": map[string]any{"rawBytes": leaf.Raw}}
	if !k.withoutLog {
		logRaw := raw
		if k.otherEntry {
			_, logRaw, _ = envelope(key, statement(must(parseHash())))
		}
		entry := k.logged(rekordsse.KIND, "0.0.1", types.ArtifactProperties{
			ArtifactBytes: logRaw, PublicKeyBytes: [][]byte{pemOf(leaf)},
		})
		material["tlogEntries"] = []any{map[string]any{
			"logIndex": "1", "logId": map[string]any{"keyId": entry.logID[:]},
			"kindVersion":      map[string]any{"kind": entry.kind, "version": entry.version},
			"integratedTime":   json.Number(big.NewInt(entry.at).String()).String(),
			"inclusionPromise": map[string]any{"signedEntryTimestamp": entry.promise},
			"inclusionProof":   entry.proof, "canonicalizedBody": entry.body,
		}}
	}
	if k.timestamped {
		material["timestampVerificationData"] = map[string]any{
			"rfc3161Timestamps": []any{map[string]any{"signedTimestamp": k.timestamp(made)}},
		}
	}
	return must(json.Marshal(map[string]any{
		"mediaType": bundleType, "verificationMaterial": material, "dsseEnvelope": value,
	}))
}

func (k *keylessSigner) timestamp(made []byte) []byte {
	digest := sha256.Sum256(made)
	stamp := timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: digest[:], Time: k.began.Add(time.Minute),
		Policy: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 2}, AddTSACertificate: true,
	}
	return must(stamp.CreateResponseWithOpts(k.tsa, k.tsaKey, crypto.SHA256))
}

// parseHash is the digest of an artifact that is none of ours.
func parseHash() (v1.Hash, error) { return v1.NewHash("sha256:" + strings.Repeat("cd", 32)) }
