package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/hashicorp/consul/api"
)

// A token that can be read, and is of no use.
var wellFormed = base64.StdEncoding.EncodeToString([]byte(`{"CA":null,"ManualServerAddresses":null,` +
	`"ServerAddresses":["127.0.0.1:1"],"ServerName":"","PeerID":"5b1c9a0e-2f6d-4b7a-8c3e-1d2f3a4b5c6d",` +
	`"EstablishmentSecret":"c0ffee00-1111-2222-3333-444455556666","Remote":{"Partition":"","Datacenter":"dc9"}}`))

// refusals sends what is wrong in itself.
func refusals(r *Report, pair Pair) {
	client := pair.Acceptor.Manager()
	badNames(r, client)
	badMeta(r, client)
	badTokens(r, client)
	unreachable(r, client, pair.Dialer.Manager())
	badQueries(r, client)

	ctx := context.Background()
	all, _, err := client.Peerings().List(ctx, nil)
	r.Needs("list", err)
	r.Equal("what was made", []string(nil), names(all))
}

func badNames(r *Report, client *api.Client) {
	ctx := context.Background()
	for _, name := range []string{"C3", "-a", "a-", "a.b", "a_b", strings.Repeat("a", 64)} {
		refusal := "Unexpected response code: 500 (" + name + " is not a valid peer name: a valid peering name must " +
			"consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character)"
		_, _, err := client.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{PeerName: name}, nil)
		r.Refused("generate for "+name, err, refusal)
		_, _, err = client.Peerings().Establish(ctx, api.PeeringEstablishRequest{
			PeerName: name, PeeringToken: wellFormed,
		}, nil)
		r.Refused("establish with "+name, err, refusal)
	}
	_, _, err := client.Peerings().Establish(ctx, api.PeeringEstablishRequest{PeeringToken: wellFormed}, nil)
	r.Refused("establish without name", err,
		"Unexpected response code: 400 (PeerName is required in the payload when establishing a peering.)")
}

func badMeta(r *Report, client *api.Client) {
	ctx := context.Background()
	many := map[string]string{}
	for i := range 65 {
		many["key-"+strings.Repeat("x", i)] = ""
	}
	_, _, err := client.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{
		PeerName: "refused", Meta: many,
	}, nil)
	r.Refused("meta with 65 pairs", err, "Unexpected response code: 500 (meta tags failed validation: "+
		"Node metadata cannot contain more than 64 key/value pairs)")
	for _, pair := range [][3]string{
		{"", "v", "Key cannot be blank"},
		{"a b", "v", "Key contains invalid characters"},
		{strings.Repeat("k", 129), "v", "Key is too long (limit: 128 characters)"},
		{"consul-x", "v", "Key prefix 'consul-' is reserved for internal use"},
		{"k", strings.Repeat("v", 513), "Value is too long (limit: 512 characters)"},
	} {
		_, _, err := client.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{
			PeerName: "refused", Meta: map[string]string{pair[0]: pair[1]},
		}, nil)
		r.Refused("meta: "+pair[2], err, "Unexpected response code: 500 (meta tags failed validation: "+
			"Couldn't load metadata pair ('"+pair[0]+"', '"+pair[1]+"'): "+pair[2]+")")
	}
}

func badTokens(r *Report, client *api.Client) {
	ctx := context.Background()
	encode := base64.StdEncoding.EncodeToString
	for _, bad := range [][2]string{
		{"+++/+++", "failed to decode token: illegal base64 data at input byte 4"},
		{encode([]byte("\n")), "unexpected end of JSON input"},
		{encode([]byte("{}")), "peering token server addresses value is empty"},
		{encode([]byte("null")), "peering token server addresses value is empty"},
		{encode([]byte(`{"CA":["x"]}`)), "peering token invalid CA: no PEM-encoded data found"},
		{encode([]byte(`{"ServerAddresses":["32.1.2.3"]}`)), "32.1.2.3 is not a valid peering server address"},
		{encode([]byte(`{"ServerAddresses":["32.1.2.3:80"]}`)), "peering token peer ID value is empty"},
	} {
		_, _, err := client.Peerings().Establish(ctx, api.PeeringEstablishRequest{
			PeerName: "refused", PeeringToken: bad[0],
		}, nil)
		r.Refused("token "+bad[0], err, "Unexpected response code: 500 ("+bad[1]+")")
	}
	_, _, err := client.Peerings().Establish(ctx, api.PeeringEstablishRequest{PeerName: "refused"}, nil)
	r.Refused("no token", err,
		"Unexpected response code: 400 (PeeringToken is required in the payload when establishing a peering.)")

}

// unreachable uses a token that leads to where nobody listens.
func unreachable(r *Report, client, other *api.Client) {
	ctx := context.Background()
	token, _, err := other.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{
		PeerName: "unreachable", ServerExternalAddresses: []string{"127.0.0.1:1"},
	}, nil)
	r.Needs("token with an address where nobody listens", err)
	decoded, err := decode(token.PeeringToken)
	r.Needs("decode it", err)
	_, _, err = client.Peerings().Establish(ctx, api.PeeringEstablishRequest{
		PeerName: "unreachable", PeeringToken: token.PeeringToken,
	}, nil)
	r.RefusedWith("establish with it", err,
		`* failed to exchange peering secret through address "127.0.0.1:1": rpc error: code = Unavailable desc = `)
	r.RefusedWith("its code", err, "Unexpected response code: 503 (")
	peering, _, err := client.Peerings().Read(ctx, "unreachable", nil)
	r.Needs("read after that", err)
	r.Holds("what it left", peering != nil && peering.State == api.PeeringStatePending &&
		peering.PeerID == decoded.PeerID, "a peering that waits", peering)
	removed(r, "what it left", client, "unreachable")
	removed(r, "what it was from", other, "unreachable")
}

func badQueries(r *Report, client *api.Client) {
	ctx := context.Background()
	const partitions = "Partitions are a Consul Enterprise feature"
	_, _, err := client.Peerings().List(ctx, &api.QueryOptions{Partition: "default"})
	r.Refused("list of a partition", err,
		`Unexpected response code: 400 (Invalid query parameter: "partition" - `+partitions+")")
	_, _, err = client.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{
		PeerName: "refused", Partition: "other",
	}, nil)
	r.Refused("token for a partition", err, "Unexpected response code: 500 ("+partitions+")")
	_, _, err = client.Peerings().List(ctx, &api.QueryOptions{AllowStale: true, RequireConsistent: true})
	r.RefusedWith("stale and consistent", err,
		"Unexpected response code: 400 (Cannot specify ?stale with ?consistent, conflicting semantics.")
	for _, options := range []api.QueryOptions{{AllowStale: true}, {RequireConsistent: true}} {
		what := fmt.Sprintf("list with stale=%t consistent=%t", options.AllowStale, options.RequireConsistent)
		_, meta, err := client.Peerings().List(ctx, &options)
		if r.Works(what, err) {
			r.Equal(what+": leader known", true, meta.KnownLeader)
		}
	}
}
