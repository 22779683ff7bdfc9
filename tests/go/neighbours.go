package main

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"strings"
	"time"

	"github.com/hashicorp/consul/api"
)

// neighbours asks for what clients ask beside peerings.
func neighbours(r *Report, pair Pair) {
	client := pair.Acceptor.Manager()
	leader, err := client.Status().Leader()
	r.Needs("leader", err)
	_, _, err = net.SplitHostPort(leader)
	r.Holds("what it is", err == nil, "host and port", leader)
	peers, err := client.Status().Peers()
	r.Needs("peers", err)
	r.Holds("who they are", len(peers) == 1 && peers[0] == leader, "the leader alone", peers)

	self(r, client)
	metrics(r, client)
	roots(r, pair.Acceptor.Client(""))
}

func self(r *Report, client *api.Client) {
	self, err := client.Agent().Self()
	r.Needs("agent", err)
	config := self["Config"]
	r.Equal("datacenters", []any{"dc1", "dc1"}, []any{config["Datacenter"], config["PrimaryDatacenter"]})
	r.Equal("is a server", true, config["Server"])
	for _, key := range []string{"NodeName", "NodeID", "Version", "BuildDate", "Revision"} {
		_, isText := config[key].(string)
		r.Holds("has "+key, isText, "a text", config[key])
	}
	r.Equal("peering is enabled", true, self["DebugConfig"]["PeeringEnabled"])
	name, err := client.Agent().NodeName()
	r.Needs("name of the node", err)
	r.Holds("what it is", config["NodeName"] == any(name), "the one the agent says", name)
}

func metrics(r *Report, client *api.Client) {
	// A server that has just begun may not have a figure for everything yet, and refuse to show any.
	metrics, err := client.Agent().Metrics()
	for deadline := time.Now().Add(time.Minute); err != nil && time.Now().Before(deadline); {
		time.Sleep(time.Second)
		metrics, err = client.Agent().Metrics()
	}
	r.Needs("metrics", err)
	r.Holds("their time", strings.HasSuffix(metrics.Timestamp, "+0000 UTC"), "one", metrics.Timestamp)
	r.Holds("gauges", len(metrics.Gauges) > 0, "some", metrics.Gauges)
}

func roots(r *Report, client *api.Client) {
	list, meta, err := client.Connect().CARoots(nil)
	r.Needs("roots, for anybody", err)
	r.Holds("trust domain", uuid.MatchString(list.TrustDomain) && strings.HasSuffix(list.TrustDomain, ".consul"),
		"<uuid>.consul", list.TrustDomain)
	r.Equal("leader known", true, meta.KnownLeader)
	r.Equal("how many roots", 1, len(list.Roots))
	root := list.Roots[0]
	r.Holds("the active one", root.Active && root.ID == list.ActiveRootID, "it", root)
	block, _ := pem.Decode([]byte(root.RootCertPEM))
	r.Holds("its certificate", block != nil, "PEM", root.RootCertPEM)
	if block != nil {
		certificate, err := x509.ParseCertificate(block.Bytes)
		r.Needs("its certificate", err)
		r.Equal("is an authority", true, certificate.IsCA)
	}
}
