// Command program stands in for a launcher and for a coordinator in the tests of package kubernetes.
//
// As a launcher it does what the first word of its attempt's name says; as a coordinator, what its Config says.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/proa-ml/proa/orchestrator/drivertest/script"
	"github.com/proa-ml/proa/step"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "coordinate" {
		os.Exit(coordinate())
	}
	if len(os.Args) > 1 && os.Args[1] == "script" {
		os.Exit(script.Main(os.Args[2:], os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(launch())
}

func launch() int {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	name := os.Getenv(step.AttemptEnv)
	word, _, _ := strings.Cut(name, "-")
	fmt.Println("hello from", name)
	switch word {
	case "told", "linger":
		post(name, "started", nil)
		post(name, "log?offset=0", []byte("hello\n"))
		post(name, "outcome", outcome(name, step.Succeeded))
		if word == "linger" {
			<-terminated
		}
		return 0
	case "silent":
		return 0
	case "exit7":
		return 7
	case "hog":
		var kept [][]byte
		for {
			kept = append(kept, bytes.Repeat([]byte("x"), 1<<20))
		}
	case "block":
		post(name, "started", nil)
		<-terminated
		post(name, "outcome", outcome(name, step.Cancelled))
		return 143
	case "mute":
		<-terminated
		return 143
	}
	return step.ExitUsage
}

func outcome(name string, status step.Status) []byte {
	data, err := json.Marshal(step.Outcome{Run: os.Getenv(step.RunEnv), Name: name, Status: status})
	must(err)
	return data
}

// post tells the coordinator, if there is one that answers.
func post(name, what string, body []byte) {
	coordinator := os.Getenv(step.CoordinatorEnv)
	if coordinator == "" {
		return
	}
	data, err := os.ReadFile(os.Getenv(step.AccessEnv))
	must(err)
	var access step.Access
	must(json.Unmarshal(data, &access))
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(access.CA)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: step.ChannelServerName},
	}}
	request, err := http.NewRequest(http.MethodPost, "https://"+coordinator+"/v1/attempts/"+name+"/"+what, bytes.NewReader(body))
	must(err)
	request.Header.Set("Authorization", "Bearer "+step.Token(access.Key, name))
	response, err := client.Do(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(what, response.Status)
	_ = response.Body.Close()
}

// coordinate writes numbered lines. Its Config says how many each start of its container writes, and what then: its
// last start ends with 0 or waits to be told to end.
func coordinate() int {
	var config struct {
		Lines, Starts int
		Wait          bool
	}
	data, err := os.ReadFile("/etc/proa/config.json")
	must(err)
	must(json.Unmarshal(data, &config))
	start := 0
	if data, err := os.ReadFile("/tmp/start"); err == nil {
		start = len(data)
	}
	must(os.WriteFile("/tmp/start", bytes.Repeat([]byte("x"), start+1), 0o600))
	for i := range config.Lines {
		fmt.Printf("%s start %d line %d %d\n", os.Getenv("PROA_POD_NAME"), start, i, time.Now().UnixNano())
	}
	fmt.Println(strings.Repeat("long ", 8000) + "end")
	if start+1 < config.Starts {
		return 3
	}
	if config.Wait {
		terminated := make(chan os.Signal, 1)
		signal.Notify(terminated, syscall.SIGTERM)
		<-terminated
		return 1
	}
	return 0
}

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(step.ExitInternal)
	}
}
