// Program s3 is a server that speaks S3, in memory, with one bucket (gofakes3). Each request must carry the signature that
// the signer of AWS' own SDK gives it. It prints its address, and serves until its standard input ends.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
)

// expected is the Authorization header that AWS' signer gives a request for the region and the headers that it names.
func expected(request *http.Request, key, secret string) (string, error) {
	authorization := request.Header.Get("Authorization")
	_, scope, found := strings.Cut(authorization, "Credential="+key+"/")
	parts := strings.SplitN(scope, "/", 4)
	if !found || len(parts) < 4 {
		return "", fmt.Errorf("no credential of %s in %q", key, authorization)
	}
	at, err := time.Parse("20060102T150405Z", request.Header.Get("X-Amz-Date"))
	if err != nil {
		return "", err
	}
	again := request.Clone(context.Background())
	again.URL.Scheme, again.URL.Host = "http", request.Host
	_, names, _ := strings.Cut(authorization, "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	again.Header = http.Header{}
	// The signer signs the length of a body where it knows one, whether or not the client did.
	if !strings.Contains(";"+names+";", ";content-length;") {
		again.ContentLength = 0
	}
	for _, name := range strings.Split(names, ";") {
		if name != "host" {
			again.Header[http.CanonicalHeaderKey(name)] = request.Header.Values(name)
		}
	}
	signer := v4.NewSigner(func(options *v4.SignerOptions) { options.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: key, SecretAccessKey: secret}
	hash := request.Header.Get("X-Amz-Content-Sha256")
	err = signer.SignHTTP(context.Background(), credentials, again, hash, "s3", parts[1], at)
	return again.Header.Get("Authorization"), err
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: s3 BUCKET ACCESS_KEY SECRET_KEY")
		os.Exit(2)
	}
	bucket, key, secret := os.Args[1], os.Args[2], os.Args[3]
	backend := s3mem.New()
	if err := backend.CreateBucket(bucket); err != nil {
		panic(err)
	}
	server := gofakes3.New(backend).Server()
	checked := http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		content, err := io.ReadAll(request.Body)
		if err != nil {
			return
		}
		request.Body = io.NopCloser(bytes.NewReader(content))
		// Whoever fills the bucket for a test is let in without.
		isRead := request.Method == http.MethodGet || request.Method == http.MethodHead
		if isRead || request.Header.Get("Authorization") != "" {
			wanted, err := expected(request, key, secret)
			hash := sha256.Sum256(content)
			if request.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(hash[:]) {
				err = fmt.Errorf("the content is not the one that is signed")
			}
			if err != nil || wanted != request.Header.Get("Authorization") {
				fmt.Fprintln(os.Stderr, request.URL, err, "\n", wanted, "\n", request.Header.Get("Authorization"))
				http.Error(answer, "<Error><Code>SignatureDoesNotMatch</Code></Error>", http.StatusForbidden)
				return
			}
		}
		server.ServeHTTP(answer, request)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		panic(http.Serve(listener, checked))
	}()
	fmt.Println(listener.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
}
