package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The server that is asked, once it runs.
var (
	serverURL string
	started   []*exec.Cmd
	directory string
)

const token = "recorder"

func freePort() int {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func start(program string, arguments ...string) {
	binaries := os.Getenv("KUBEBUILDER_ASSETS")
	if binaries == "" {
		binaries = must(filepath.Abs("../../target/tools/bin"))
	}
	command := exec.Command(filepath.Join(binaries, program), arguments...)
	command.Dir = directory
	command.Stderr = must(os.Create(filepath.Join(directory, program+".log")))
	if err := command.Start(); err != nil {
		panic(err)
	}
	started = append(started, command)
}

// startServer starts etcd and kube-apiserver, once.
func startServer() {
	if serverURL != "" {
		return
	}
	directory = must(os.MkdirTemp("", "oracle-kube"))
	key := x509.MarshalPKCS1PrivateKey(must(rsa.GenerateKey(rand.Reader, 2048)))
	keyFile, tokenFile := filepath.Join(directory, "sa.key"), filepath.Join(directory, "tokens.csv")
	encoded := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: key})
	if err := os.WriteFile(keyFile, encoded, 0o600); err != nil {
		panic(err)
	}
	if err := os.WriteFile(tokenFile, []byte(token+",admin,1,system:masters\n"), 0o600); err != nil {
		panic(err)
	}
	etcd, peer, port := fmt.Sprintf("http://127.0.0.1:%d", freePort()), fmt.Sprintf("http://127.0.0.1:%d", freePort()), freePort()
	start("etcd", "--data-dir", filepath.Join(directory, "etcd"), "--unsafe-no-fsync", "--listen-client-urls", etcd,
		"--advertise-client-urls", etcd, "--listen-peer-urls", peer)
	start("kube-apiserver", "--etcd-servers", etcd, "--secure-port", fmt.Sprint(port), "--bind-address", "127.0.0.1",
		"--advertise-address", "127.0.0.1", "--cert-dir", filepath.Join(directory, "certificates"), "--authorization-mode", "RBAC",
		"--token-auth-file", tokenFile, "--service-account-key-file", keyFile, "--service-account-signing-key-file", keyFile,
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-cluster-ip-range", "10.0.0.0/24",
		"--disable-admission-plugins", "ServiceAccount,TaintNodesByCondition")
	serverURL = fmt.Sprintf("https://127.0.0.1:%d", port)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		request := must(http.NewRequest("GET", serverURL+"/readyz", nil))
		request.Header.Set("Authorization", "Bearer "+token)
		if response, err := client.Do(request); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		if time.Now().After(deadline) {
			stopServer()
			panic("the server did not become ready; see its log in " + directory)
		}
	}
}

func stopServer() {
	for i := len(started) - 1; i >= 0; i-- {
		started[i].Process.Kill()
		started[i].Wait()
	}
	if serverURL != "" && len(started) > 0 {
		os.RemoveAll(directory)
	}
	started = nil
}
