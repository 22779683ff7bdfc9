// A program on Consul's own Go client, as somebody would write it who knows nothing of the server behind it. It uses
// two clusters, an acceptor and a dialer, over every transport, and prints a line for each thing that it expected. The
// lines are the same for every server that keeps the same promises, so that two runs can be compared.
//
// Both clusters must be new: access control on, denying by default, and not bootstrapped yet.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	acceptor, dialer := &Cluster{}, &Cluster{}
	acceptor.flags("acceptor", "ACCEPTOR_TOKEN")
	dialer.flags("dialer", "DIALER_TOKEN")
	flag.Parse()
	forgetEnvironment()

	report := &Report{}
	acceptor.managementToken = managementToken("ACCEPTOR_TOKEN")
	dialer.managementToken = managementToken("DIALER_TOKEN")
	for _, transport := range []Transport{HTTP, HTTPS, Unix} {
		report.transport = transport
		run(report, Pair{
			Acceptor: Side{acceptor, transport},
			Dialer:   Side{dialer, transport},
		})
	}

	fmt.Printf("%d checks, %d failed\n", report.total, report.failed)
	if report.failed > 0 || report.total == 0 {
		os.Exit(1)
	}
}

// run does all over one transport. Each group leaves the clusters as it found them, but for the bootstrap.
func run(report *Report, pair Pair) {
	report.Group("bootstrap", func() { bootstrap(report, pair) })
	report.Group("transport", func() { transport(report, pair) })
	report.Group("neighbours", func() { neighbours(report, pair) })
	report.Group("refusals", func() { refusals(report, pair) })
	report.Group("policies", func() { policies(report, pair) })
	report.Group("tokens", func() { tokens(report, pair) })
	report.Group("denials", func() { denials(report, pair) })
	report.Group("exports", func() { exports(report, pair) })
	report.Group("blocking", func() { blocking(report, pair) })
	report.Group("life", func() { life(report, pair) })
}

// managementToken takes a token out of the environment: words of a command can be seen by others.
func managementToken(variable string) string {
	token := strings.TrimSpace(os.Getenv(variable))
	if token == "" {
		fmt.Fprintf(os.Stderr, "%s is empty, expected the token to bootstrap with\n", variable)
		os.Exit(2)
	}
	return token
}

// forgetEnvironment keeps the client from taking anything that it was not given here.
func forgetEnvironment() {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "CONSUL_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			os.Unsetenv(name)
		}
	}
}
