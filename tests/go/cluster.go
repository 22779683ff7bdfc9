package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/hashicorp/consul/api"
)

// Transport is a way to the HTTP API.
type Transport string

const (
	HTTP  Transport = "http"
	HTTPS Transport = "https"
	Unix  Transport = "unix"
)

// Cluster is one server with its addresses.
type Cluster struct {
	http            string
	https           string
	socket          string
	caFile          string
	managementToken string
}

// Side is a cluster over one transport.
type Side struct {
	*Cluster
	transport Transport
}

// Pair is the two clusters of a peering.
type Pair struct {
	Acceptor Side
	Dialer   Side
}

func (c *Cluster) flags(name, variable string) {
	flag.StringVar(&c.http, name+"-http", "", "`host:port` of the "+name+"; its management token is in "+variable)
	flag.StringVar(&c.https, name+"-https", "", "`host:port` of the "+name+" for TLS")
	flag.StringVar(&c.socket, name+"-socket", "", "`path` of the "+name+"'s unix socket")
	flag.StringVar(&c.caFile, name+"-ca-file", "", "`path` of the root that the "+name+"'s certificate is from")
}

// Client makes a client that presents this token, or none.
func (s Side) Client(token string) *api.Client {
	return s.client(token, s.caFile)
}

// Manager makes a client that may do everything.
func (s Side) Manager() *api.Client {
	return s.Client(s.managementToken)
}

func (s Side) client(token, caFile string) *api.Client {
	config := &api.Config{Token: token}
	switch s.transport {
	case HTTP:
		config.Address = s.http
	case HTTPS:
		config.Address, config.Scheme = s.https, "https"
		config.TLSConfig = api.TLSConfig{CAFile: caFile}
	case Unix:
		config.Address = "unix://" + s.socket
	}
	client, err := api.NewClient(config)
	if err != nil {
		fmt.Fprintf(os.Stderr, "no client over %s: %v\n", s.transport, err)
		os.Exit(2)
	}
	return client
}
