package main

import (
	"bufio"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"strings"
	"text/template"

	"golang.org/x/crypto/bcrypt"
)

// claim is something that was made elsewhere and that Go has to find right.
type claim struct {
	Kind      string   `json:"kind"`
	Cert      string   `json:"cert"`
	Key       string   `json:"key"`
	Authority string   `json:"authority"`
	Names     []string `json:"names"`
	Hash      string   `json:"hash"`
	Password  string   `json:"password"`
	Plain     string   `json:"plain"`
}

func certificate(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, fmt.Errorf("no block")
	}
	return x509.ParseCertificate(block.Bytes)
}

func (c claim) check(funcs template.FuncMap) error {
	call := func(text string, values map[string]any) error {
		return template.Must(template.New("t").Funcs(funcs).Parse(text)).Execute(io.Discard, values)
	}
	switch c.Kind {
	case "certificate":
		cert, err := certificate(c.Cert)
		if err != nil {
			return err
		}
		authority, err := certificate(c.Authority)
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AddCert(authority)
		if c.Cert == c.Authority && !cert.IsCA {
			// Signed by itself, and no authority: Go trusts it as a root all the same.
			if err := cert.CheckSignature(cert.SignatureAlgorithm, cert.RawTBSCertificate, cert.Signature); err != nil {
				return err
			}
		}
		if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}); err != nil {
			return err
		}
		for _, name := range c.Names {
			if err := cert.VerifyHostname(name); err != nil {
				return err
			}
			if net.ParseIP(name) == nil && len(cert.DNSNames) == 0 {
				return fmt.Errorf("no names")
			}
		}
		// The key has to be the certificate's: sprig refuses to sign with another.
		return call(`{{$c := buildCustomCert (b64enc .c) (b64enc .k)}}{{genSignedCertWithKey "x" nil nil 1 $c .k}}`, map[string]any{"c": c.Cert, "k": c.Key})
	case "key":
		return call(`{{genCAWithKey "x" 1 .k}}`, map[string]any{"k": c.Key})
	case "dsa":
		err := call(`{{genCAWithKey "x" 1 .k}}`, map[string]any{"k": c.Key})
		if err == nil || !strings.Contains(err.Error(), "error creating certificate") {
			return fmt.Errorf("not read as a key: %v", err)
		}
		return nil
	case "bcrypt":
		return bcrypt.CompareHashAndPassword([]byte(c.Hash), []byte(c.Password))
	case "aes":
		var out strings.Builder
		if err := template.Must(template.New("t").Funcs(funcs).Parse(`{{decryptAES .p .h}}`)).Execute(&out, map[string]any{"p": c.Password, "h": c.Hash}); err != nil {
			return err
		}
		if out.String() != c.Plain {
			return fmt.Errorf("decrypted %q", out.String())
		}
		return nil
	}
	return fmt.Errorf("unknown kind %q", c.Kind)
}

// check reads claims, one JSON object a line, and says of each whether it holds.
func check(in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	funcs := functions()
	for lines.Scan() {
		var c claim
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			fmt.Fprintln(out, "error:", err)
		} else if err := c.check(funcs); err != nil {
			fmt.Fprintf(out, "error: %s: %v\n", c.Kind, err)
		} else {
			fmt.Fprintln(out, "ok", c.Kind)
		}
	}
}

// samples are things that Go made, which others have to be able to use.
func samples(out io.Writer) error {
	text := `{"authority": {{genCA "go authority" 36500 | certificate}}, "ecdsaAuthority": {{genCAWithKey "go ecdsa" 36500 (genPrivateKey "ecdsa") | certificate}},
"rsa": {{genPrivateKey "rsa" | toJson}}, "ecdsa": {{genPrivateKey "ecdsa" | toJson}}, "ed25519": {{genPrivateKey "ed25519" | toJson}}, "dsa": {{genPrivateKey "dsa" | toJson}},
"encrypted": {{encryptAES "secret password" "some plain text" | toJson}}, "derived": {
{{- range $i, $kind := list "maximum" "long" "medium" "short" "basic" "pin" "none"}}{{if $i}},{{end}}
{{$kind | toJson}}: {{derivePassword 1 $kind "password" "user" "example.com" | toJson}}{{end}}}}
`
	funcs := functions()
	funcs["certificate"] = func(value any) (string, error) {
		var parts strings.Builder
		err := template.Must(template.New("t").Funcs(funcs).Parse(`{"cert": {{.Cert | toJson}}, "key": {{.Key | toJson}}}`)).Execute(&parts, value)
		return parts.String(), err
	}
	// The counter is a uint32, which no constant of a template becomes.
	text = strings.Replace(text, "derivePassword 1", "derivePassword counter", 1)
	funcs["counter"] = func() uint32 { return 1 }
	return template.Must(template.New("t").Funcs(funcs).Parse(text)).Execute(out, nil)
}
