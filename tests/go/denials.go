package main

import (
	"context"

	"github.com/hashicorp/consul/api"
)

// denials asks for what the caller has no right to.
func denials(r *Report, pair Pair) {
	ctx := context.Background()
	acl := pair.Acceptor.Manager().ACL()
	generate := func(client *api.Client, name string) error {
		_, _, err := client.Peerings().GenerateToken(ctx, api.PeeringGenerateTokenRequest{PeerName: name}, nil)
		return err
	}

	anonymous := pair.Acceptor.Client("")
	r.Refused("nobody generates", generate(anonymous, "denied"), deniedToNobody("peering:write"))
	_, _, err := anonymous.Peerings().List(ctx, nil)
	r.Refused("nobody lists", err, deniedToNobody("peering:read"))
	_, _, err = anonymous.Peerings().Read(ctx, "denied", nil)
	r.Refused("nobody reads", err, deniedToNobody("peering:read"))
	_, err = anonymous.Peerings().Delete(ctx, "denied", nil)
	r.Refused("nobody deletes", err, deniedToNobody("peering:write"))
	_, _, err = anonymous.Peerings().Establish(ctx, api.PeeringEstablishRequest{
		PeerName: "denied", PeeringToken: wellFormed,
	}, nil)
	r.Refused("nobody establishes", err, deniedToNobody("peering:write"))
	r.RefusedWith("nobody is told of a bad name all the same", generate(anonymous, "Denied"),
		"Unexpected response code: 500 (Denied is not a valid peer name: ")
	_, _, err = anonymous.ACL().TokenList(nil)
	r.Refused("nobody lists tokens", err, deniedToNobody("acl:read"))
	_, _, err = anonymous.ACL().PolicyCreate(&api.ACLPolicy{Name: "denied"}, nil)
	r.Refused("nobody makes policies", err, deniedToNobody("acl:write"))

	stranger := pair.Acceptor.Client(unknownID)
	notFound := "Unexpected response code: 403 (ACL not found)"
	r.Refused("a stranger generates", generate(stranger, "denied"), notFound)
	_, _, err = stranger.Peerings().List(ctx, nil)
	r.Refused("a stranger lists", err, notFound)
	_, _, err = stranger.ACL().TokenReadSelf(nil)
	r.Refused("a stranger reads itself", err, "Unexpected response code: 403 (token does not exist: ACL not found)")

	reading, remove := withPolicy(r, acl, "only-reading", `peering = "read"`)
	reader := pair.Acceptor.Client(reading.SecretID)
	_, _, err = reader.Peerings().List(ctx, nil)
	r.Works("a reader lists", err)
	r.Refused("a reader generates", generate(reader, "denied"), deniedTo(reading, "peering:write"))
	_, err = reader.Peerings().Delete(ctx, "denied", nil)
	r.Refused("a reader deletes", err, deniedTo(reading, "peering:write"))
	_, _, err = reader.ConfigEntries().Set(exporting("web"), nil)
	r.Refused("a reader exports", err, deniedTo(reading, "mesh:write"))
	_, _, err = reader.ExportedServices(nil)
	r.Refused("a reader asks for exports", err, deniedTo(reading, "mesh:read"))
	_, err = reader.Agent().Self()
	r.RefusedWith("a reader asks for the agent", err,
		"Unexpected response code: 403 (Permission denied: token with AccessorID '"+reading.AccessorID+
			"' lacks permission 'agent:read'")
	_, _, err = reader.ACL().PolicyList(nil)
	r.Refused("a reader lists policies", err, deniedTo(reading, "acl:read"))
	_, _, err = reader.Peerings().List(ctx, &api.QueryOptions{Token: pair.Acceptor.managementToken})
	r.Works("a reader lists with another token for one call", err)
	remove()
	_, _, err = reader.Peerings().List(ctx, nil)
	r.Refused("a reader that was deleted", err, notFound)

	operator, remove := withPolicy(r, acl, "operating", `operator = "write"`)
	r.Works("an operator generates", generate(pair.Acceptor.Client(operator.SecretID), "by-operator"))
	remove()
	removed(r, "what the operator made", pair.Acceptor.Manager(), "by-operator")

	denied, remove := withPolicy(r, acl, "denied", "peering = \"deny\"\noperator = \"write\"")
	r.Refused("an operator to whom peerings are denied", generate(pair.Acceptor.Client(denied.SecretID), "denied"),
		deniedTo(denied, "peering:write"))
	remove()

	bothWays(r, pair, acl)
}

// bothWays gives a token two policies, of which the one that denies counts.
func bothWays(r *Report, pair Pair, acl *api.ACL) {
	ctx := context.Background()
	_, first := withPolicy(r, acl, "may-write", `peering = "write"`)
	defer first()
	_, second := withPolicy(r, acl, "may-not", `peering = "deny"`)
	defer second()
	token, _, err := acl.TokenCreate(&api.ACLToken{
		Policies: []*api.ACLTokenPolicyLink{{Name: "may-write"}, {Name: "may-not"}},
	}, nil)
	r.Needs("token with both policies", err)
	_, _, err = pair.Acceptor.Client(token.SecretID).Peerings().List(ctx, nil)
	r.Refused("denied by one policy, allowed by another", err, deniedTo(token, "peering:read"))
	_, err = acl.TokenDelete(token.AccessorID, nil)
	r.Works("delete the token with both policies", err)
}

func deniedToNobody(right string) string {
	return "Unexpected response code: 403 (Permission denied: anonymous token lacks permission '" + right +
		"'. The anonymous token is used implicitly when a request does not specify a token.)"
}

func deniedTo(token *api.ACLToken, right string) string {
	return "Unexpected response code: 403 (Permission denied: token with AccessorID '" + token.AccessorID +
		"' lacks permission '" + right + "')"
}
